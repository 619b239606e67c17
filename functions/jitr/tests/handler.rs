//! The handler against the local AWS, under the function's own role.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod world;

use aws_sdk_iot::types::CertificateStatus;
use jitr::Standing;
use loam_kit::unique_thing;
use loam_things::{CertificateState, LifeCycle};
use serde_json::json;
use world::World;

#[tokio::test]
async fn a_new_certificate_becomes_an_active_thing_with_its_policy_and_its_place() {
    let (world, thing) = (World::new(json!({"enabled": true})).await, unique_thing("first"));
    let certificate = world.present(thing.as_str()).await;
    world.register(&certificate).await;
    assert_eq!(world.status(&certificate).await, CertificateStatus::Active);
    assert_eq!(world.policies(&certificate).await, [world.policy.clone()]);
    assert_eq!(world.principals(&thing).await, [certificate.to_string()]);
    let record = world.record(&thing).await.unwrap();
    assert_eq!((record.state, record.status_of(&certificate)), (LifeCycle::Active, Some(CertificateState::Active)));
    assert_eq!(world.standing(&certificate).await, Some(Standing::Active(thing)));
}
