//! Calls of real devices against the local AWS, under the function's own role.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod world;

use std::time::Instant;

use world::{World, told};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_subscribed_to_nothing_is_called_and_answers() {
    let world = World::new("echo").await;
    let _device = world.answering().await;
    assert_eq!(told(&world.call("echo", "hello", 10.0).await), r#"200 "hello""#);
    let started = Instant::now();
    assert_eq!(told(&world.call("add", "[1, 2.5]", 10.0).await), "200 3.5");
    println!("warm call: {:?}", started.elapsed());
}
