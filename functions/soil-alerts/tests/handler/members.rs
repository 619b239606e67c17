//! Whose mail a notice is: decided when it is sent, by who is a member then.

use loam_kit::{Inbox, Mail, end_membership, eventually, seed_mail, seed_membership};
use serde_json::{Value, json};

use crate::world::World;

/// A member and the mail that they get.
struct Person {
    sub: String,
    mail: Inbox,
}

impl Person {
    async fn of(world: &World, name: &str) -> Self {
        let sub = format!("{name}-{}", world.thing);
        let mail = Inbox::of_member(&world.admin, world.stack.output("AlertsTopic"), &sub).await;
        Self { sub, mail }
    }

    async fn member(world: &World, name: &str, epoch: u64, mail: bool) -> Self {
        let person = Self::of(world, name).await;
        seed_membership(&world.stack, &person.sub, &world.thing, "viewer", epoch).await;
        if mail {
            seed_mail(&world.stack, &person.sub, &world.thing).await;
        }
        person
    }

    async fn subjects(&self) -> Vec<String> {
        self.mail.take().await.into_iter().map(|mail| mail.subject).collect()
    }
}

/// The next notice about the thing, as who hears of all of them gets it.
async fn next(world: &World) -> Mail {
    eventually("a notice", async || world.inbox.take().await.pop()).await
}

fn members(mail: &Mail) -> Option<Value> {
    mail.attributes.get("members").map(|members| serde_json::from_str(members).unwrap())
}

#[tokio::test]
async fn a_notice_goes_to_the_members_who_want_mail_and_to_no_other_and_no_former_one() {
    let world = World::new("mail").await;
    let ann = Person::member(&world, "ann", 1, true).await;
    let bob = Person::member(&world, "bob", 1, true).await;
    let silent = Person::member(&world, "silent", 1, false).await;
    let earlier = Person::member(&world, "earlier", 0, true).await;
    let stranger = Person::of(&world, "stranger").await;

    world.deliver(1, 20).await;
    assert_eq!(members(&next(&world).await), Some(json!([ann.sub, bob.sub])));
    for member in [&ann, &bob] {
        assert_eq!(member.subjects().await, ["Attention:Humidity Under Threshold"]);
    }

    // Their subscription still stands, and is of no use to who is no member any more.
    end_membership(&world.stack, &ann.sub, &world.thing).await;
    world.deliver(2, 50).await;
    assert_eq!(members(&next(&world).await), Some(json!([bob.sub])));
    assert_eq!(bob.subjects().await, ["Recovered:Humidity Under Threshold"]);

    end_membership(&world.stack, &bob.sub, &world.thing).await;
    world.deliver(3, 20).await;
    assert_eq!(members(&next(&world).await), None);
    for nobody in [&ann, &bob, &silent, &earlier, &stranger] {
        assert_eq!(nobody.subjects().await, [""; 0], "{}", nobody.sub);
    }
}

#[tokio::test]
async fn thirty_two_members_get_one_notice_each() {
    let world = World::new("many").await;
    let mut subs = Vec::new();
    for number in 0..32 {
        let sub = format!("{number:02}-{}", world.thing);
        seed_membership(&world.stack, &sub, &world.thing, "viewer", 1).await;
        seed_mail(&world.stack, &sub, &world.thing).await;
        subs.push(sub);
    }
    world.deliver(1, 20).await;
    assert_eq!(members(&next(&world).await), Some(json!(subs)));
}
