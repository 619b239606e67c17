//! AWS tells of a certificate more than once, and of two at once.

use aws_sdk_iot::types::CertificateStatus;
use loam_kit::{Made, eventually, now, unique_thing};
use serde_json::json;
use tokio::task::JoinSet;

use crate::newcomers::{Newcomers, types};

/// Delivers AWS's event of each of these certificates, all at the same time.
async fn deliver(world: &Newcomers, made: impl IntoIterator<Item = &Made>) {
    let sqs = aws_sdk_sqs::Client::new(&world.admin);
    let mut sending = JoinSet::new();
    for made in made {
        let event = json!({
            "certificateId": made.certificate, "caCertificateId": world.factory.ca_id, "timestamp": now().as_millis(),
            "certificateStatus": "PENDING_ACTIVATION", "awsAccountId": "000000000000",
            "certificateRegistrationTimestamp": null,
        });
        let send = sqs.send_message().queue_url(world.stack.output("JitrQueue")).message_body(event.to_string());
        sending.spawn(send.send());
    }
    for sent in sending.join_all().await {
        sent.unwrap();
    }
}

#[tokio::test]
async fn an_event_that_comes_three_times_more_and_at_once_makes_one_thing() {
    let world = Newcomers::new(&json!({"enabled": true})).await;
    let thing = unique_thing("thrice");
    let made = world.factory.certificate(thing.as_str(), &[]).await;
    assert!(!world.factory.present(&made).await);
    deliver(&world, [&made; 3]).await;
    eventually("it is active", async || {
        (world.status(&made.certificate).await == Some(CertificateStatus::Active)).then_some(())
    })
    .await;
    deliver(&world, [&made; 3]).await;
    // One that comes after them: these have had their turn.
    world.joined("after").await;
    let life = world.is_in_state(&thing, "active").await;
    assert_eq!(types(&life["history"]), ["thing.registered", "thing.active"]);
    let principals = world.iot.list_thing_principals().thing_name(thing.as_str()).send().await.unwrap();
    assert_eq!(principals.principals.unwrap().len(), 1);
    assert!(world.factory.present(&made).await, "it can connect");
}

#[tokio::test]
async fn of_four_certificates_for_one_name_at_once_exactly_one_wins() {
    let world = Newcomers::new(&json!({"enabled": true})).await;
    let thing = unique_thing("claimed");
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(world.factory.certificate(thing.as_str(), &[]).await);
    }
    for one in &made {
        assert!(!world.factory.present(one).await);
    }
    deliver(&world, &made).await;
    let statuses = eventually("all four are decided", async || {
        let mut statuses = Vec::new();
        for one in &made {
            statuses.push(world.status(&one.certificate).await.unwrap());
        }
        (!statuses.contains(&CertificateStatus::PendingActivation)).then_some(statuses)
    })
    .await;
    let active = statuses.iter().filter(|status| **status == CertificateStatus::Active).count();
    let revoked = statuses.iter().filter(|status| **status == CertificateStatus::Revoked).count();
    assert_eq!((active, revoked), (1, 3), "{statuses:?}");
    let life = world.is_in_state(&thing, "active").await;
    assert_eq!(types(&life["history"]), ["thing.registered", "thing.active"]);
}

#[tokio::test]
async fn a_dry_run_says_what_would_become_of_a_certificate_and_does_nothing() {
    let world = Newcomers::new(&json!({"enabled": true, "attributes": {}})).await;
    let thing = unique_thing("maybe");
    for (flaws, decision, reasons) in [(&[][..], "admit", vec![]), (&["--dates=expired"], "refuse", vec!["expired"])] {
        let made = world.factory.certificate(thing.as_str(), flaws).await;
        let pem = std::fs::read_to_string(&made.credentials.cert).unwrap();
        let pem = pem.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
        let question = json!({"certificatePem": pem, "caId": world.factory.ca_id});
        let answer = world.operator.post("/v1/jitr/evaluate", &question).await;
        assert_eq!((answer.status, &answer.json()["decision"]), (200, &json!(decision)), "{}", answer.body);
        let told: Vec<_> =
            answer.json()["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].clone()).collect();
        assert_eq!(reasons.iter().map(|reason| json!(reason)).collect::<Vec<_>>(), told);
        assert_eq!(world.status(&made.certificate).await, None);
        assert!(world.items("CertificatesTable", "certificateId", &made.certificate).await.is_empty());
    }
    assert!(world.iot.describe_thing().thing_name(thing.as_str()).send().await.is_err());
    assert_eq!(world.operator.get(&format!("/v1/things/{thing}/lifecycle")).await.status, 404);
}
