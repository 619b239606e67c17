//! Crashing and refusing everywhere, tried on a handler that is right and on handlers that are known to be wrong.

use std::time::Duration;

use loam_kit::wiretap::{Strain, calls_table, crash_everywhere, strain_everywhere, throttle_everywhere};

use crate::notice::{Form, Notices};
use crate::upstream::Upstream;

#[tokio::test]
async fn a_right_handler_converges_from_every_crash_point() {
    let upstream = Upstream::start().await;
    let scenario = Notices::new(Form::Right, upstream.held.clone());
    let report = crash_everywhere(&scenario, &upstream.address).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.to_string(), "a notice: 6 crash points, 6 converged");
}

#[tokio::test]
async fn a_handler_that_loses_its_notice_in_a_crash_is_found_with_the_points() {
    let upstream = Upstream::start().await;
    let scenario = Notices::new(Form::TrustsItsRecord, upstream.held.clone());
    let report = crash_everywhere(&scenario, &upstream.address).await.unwrap();
    let points: Vec<String> = report.failures.iter().map(|f| format!("{} {} {}", f.side, f.index, f.call)).collect();
    let expected = [
        "after 0 dynamodb PutItem table/world-0",
        "before 1 sns Publish world-0",
        "after 1 sns Publish world-0",
        "before 2 dynamodb PutItem table/world-0",
    ];
    assert_eq!(points, expected, "{report}");
}

#[tokio::test]
async fn a_right_handler_survives_throttling_of_every_call() {
    let upstream = Upstream::start().await;
    let scenario = Notices::new(Form::Right, upstream.held.clone());
    let bound = Duration::from_secs(5);
    let report = throttle_everywhere(&scenario, &upstream.address, bound).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.runs, report.succeeded, report.recovered), (9, 3, 6));
    let report = strain_everywhere(&scenario, &upstream.address, bound, Strain::Unavailable).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_success_that_was_none_is_found() {
    let upstream = Upstream::start().await;
    let scenario = Notices::new(Form::SwallowsErrors, upstream.held.clone());
    let report = throttle_everywhere(&scenario, &upstream.address, Duration::from_secs(5)).await.unwrap();
    assert_eq!(report.failures.len(), 2, "{report}");
    assert!(report.failures.iter().all(|failure| failure.index == 1 && failure.problem.contains("a wrong success")));
}

#[tokio::test]
async fn a_delivery_over_its_bound_is_found() {
    let upstream = Upstream::start().await;
    let scenario = Notices::new(Form::Right, upstream.held.clone());
    let report = throttle_everywhere(&scenario, &upstream.address, Duration::ZERO).await.unwrap();
    assert_eq!(report.failures.len(), 9, "{report}");
}

#[tokio::test]
async fn the_calls_of_an_event_are_an_exact_table() {
    let upstream = Upstream::start().await;
    let scenario = Notices::new(Form::Right, upstream.held.clone());
    let report = crash_everywhere(&scenario, &upstream.address).await.unwrap();
    let expected = "\
service   operation  resource  calls  sent  units
dynamodb  PutItem    table/w       2   172    2.0
sns       Publish    w             1   101      -
total                              3   273    2.0
";
    assert_eq!(calls_table(&report.baseline, &[("world-0", "w")]), expected);
}
