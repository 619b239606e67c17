//! Every sample event is what its name says.

use loam_kit::SampleEvents;

use crate::event::Points;

/// A message's number of samples, and the codes of what is refused in it.
type Expected = (usize, &'static [&'static str]);

/// What is expected of each message, by file.
const EVENTS: [(&str, &[Expected]); 12] = [
    ("good-and-bad-messages", &[(1, &[]), (0, &["not-json"]), (1, &[])]),
    ("not-a-rule-message", &[(0, &["not-a-rule-message"])]),
    ("not-json", &[(0, &["not-json"])]),
    ("not-utf8", &[(0, &["not-utf8"])]),
    ("same-reading-twice", &[(1, &[]), (1, &[])]),
    ("sensor-object", &[(4, &[])]),
    ("sensor-too-deep", &[(0, &["too-deep"])]),
    ("sensor-too-many-metrics", &[(0, &["too-many-metrics"])]),
    ("sensor-without-numbers", &[(0, &[])]),
    ("soil-batch-with-a-bad-reading", &[(2, &["missing-field"])]),
    ("soil-reading", &[(1, &[])]),
    ("soil-reading-as-text", &[(1, &[])]),
];

fn outcome(body: &str) -> (usize, Vec<&'static str>) {
    match Points::parse(body) {
        Ok(points) => (points.accepted.len(), points.refused.iter().map(|part| part.reason.code()).collect()),
        Err(refused) => (0, vec![refused.code()]),
    }
}

#[test]
fn every_sample_event_is_understood_or_refused_as_its_name_says() {
    for (name, expected) in EVENTS {
        let bodies = SampleEvents::of("telemetry").bodies(name);
        let outcomes: Vec<_> = bodies.iter().map(|body| outcome(body)).collect();
        let expected: Vec<_> = expected.iter().map(|(samples, codes)| (*samples, codes.to_vec())).collect();
        assert_eq!(outcomes, expected, "{name}");
    }
}

#[test]
fn no_sample_event_is_left_out() {
    SampleEvents::of("telemetry").are(EVENTS.map(|(name, _)| name));
}
