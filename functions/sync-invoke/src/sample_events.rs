//! Every sample event is a request of the gateway; those of `GET /invoke` are what their names say.

use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use loam_kit::SampleEvents;

use crate::published::Parameters;
use crate::{Prefix, Target};

/// What becomes of each query; nothing is said of method calls, whose bodies the routes' tests read.
const EVENTS: [(&str, &str); 10] = [
    ("empty-parameter", "missing"),
    ("method-call", "-"),
    ("method-call-bad-base64", "-"),
    ("method-call-binary", "-"),
    ("method-call-timeout-beyond", "-"),
    ("no-query", "missing"),
    ("published-call", "5 s"),
    ("repeated-parameter", "5 s"),
    ("timeout-as-word", "10 s"),
    ("wildcard-target", "bad target"),
];

fn outcome(event: &ApiGatewayV2httpRequest) -> String {
    if event.route_key.as_deref() != Some("GET /invoke") {
        return "-".to_owned();
    }
    let Ok(parameters) = Parameters::parse(event.raw_query_string.as_deref()) else { return "missing".to_owned() };
    let prefix = Prefix::parse("loam-invoke").unwrap();
    match Target::parse(&prefix, &parameters.target, &parameters.method) {
        Ok(_) => format!("{} s", parameters.timeout.as_secs()),
        Err(_) => "bad target".to_owned(),
    }
}

#[test]
fn every_sample_event_is_what_its_name_says() {
    for (name, expected) in EVENTS {
        let event = SampleEvents::of("sync-invoke").event(name);
        assert_eq!(outcome(&serde_json::from_value(event).unwrap()), expected, "{name}");
    }
    SampleEvents::of("sync-invoke").are(EVENTS.map(|(name, _)| name));
}
