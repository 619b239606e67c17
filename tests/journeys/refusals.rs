//! Certificates that do not become things.

use std::collections::BTreeMap;

use aws_sdk_iot::types::CertificateStatus;
use loam_kit::{Inbox, eventually, unique_thing};
use serde_json::{Value, json};

use crate::newcomers::Newcomers;

#[tokio::test]
async fn a_certificate_of_a_ca_without_a_profile_is_left_alone() {
    let ours = Newcomers::new(&json!({"enabled": true})).await;
    let strange = Newcomers::without_profile().await;
    let made = strange.factory.certificate(unique_thing("strange").as_str(), &[]).await;
    assert!(!strange.factory.present(&made).await);
    // Ours comes after it and is dealt with: the stranger has had its turn.
    ours.joined("neighbour").await;
    assert!(!strange.factory.present(&made).await);
    assert_eq!(strange.status(&made.certificate).await, Some(CertificateStatus::PendingActivation));
    assert!(strange.items("CertificatesTable", "certificateId", &made.certificate).await.is_empty(), "no ledger row");
    let thing = &made.credentials.thing;
    assert_eq!(strange.operator.get(&format!("/v1/things/{thing}/lifecycle")).await.status, 404);
}

#[tokio::test]
async fn what_the_profile_refuses_is_revoked_and_told_with_its_reasons() {
    let world = Newcomers::new(&json!({"enabled": true, "namePattern": "(good|denied|loam).*"})).await;
    let notices = Inbox::of_type(&world.admin, world.stack.output("EventsTopic"), "certificate.refused").await;
    let name = |prefix: &str| unique_thing(prefix).to_string();
    let denied = name("denied");
    let entry = format!("/v1/ca-profiles/{}/deny/name/{denied}", world.factory.ca_id);
    assert_eq!(world.operator.send("PUT", &entry, &[], None).await.status, 204);

    let orders: [(String, &[&str], Value); 6] = [
        (name("good"), &["--dates=expired"], json!(["expired"])),
        (name("good"), &["--key-type=rsa1024"], json!(["weak-key"])),
        ("loam".to_owned(), &[], json!(["reserved-name"])),
        (name("bad"), &[], json!(["name-pattern"])),
        (denied, &[], json!(["denied"])),
        (name("bad"), &["--dates=expired", "--key-type=rsa1024"], json!(["expired", "weak-key", "name-pattern"])),
    ];
    let mut expected = BTreeMap::new();
    let mut refused = Vec::new();
    for (name, flaws, reasons) in orders {
        let made = world.factory.certificate(&name, flaws).await;
        assert!(!world.factory.present(&made).await, "{name} {reasons}");
        expected.insert(made.certificate.clone(), reasons);
        refused.push(made);
    }
    let told = told(&notices, expected.len(), &world.factory.ca_id).await;
    assert_eq!(told, expected);
    for made in &refused {
        eventually("it is revoked", async || {
            (world.status(&made.certificate).await == Some(CertificateStatus::Revoked)).then_some(())
        })
        .await;
        assert!(!world.factory.present(made).await, "it cannot connect");
    }
    notices.close().await;
}

/// The reasons by certificate, once there are so many of this CA.
async fn told(notices: &Inbox, count: usize, ca_id: &str) -> BTreeMap<String, Value> {
    let told = tokio::sync::Mutex::new(BTreeMap::new());
    eventually(&format!("{count} notices"), async || {
        let mut told = told.lock().await;
        for mail in notices.take().await {
            let data = serde_json::from_str::<Value>(&mail.message).unwrap()["data"].take();
            assert!(!mail.message.contains("BEGIN CERTIFICATE"));
            if data["caId"] == ca_id {
                told.insert(data["certificateId"].as_str().unwrap().to_owned(), data["reasons"].clone());
            }
        }
        (told.len() >= count).then(|| told.clone())
    })
    .await
}
