//! Whatever can break is watched, and whoever is told is told what to do.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::template::{Resource, repository, resources, target, written};

/// What the alarm of a metric watches: the logical ids that its dimension names, or its query.
fn watched(alarm: &Resource, metric: &str) -> Vec<String> {
    if alarm.at("/MetricName") == metric {
        return target(alarm.at("/Dimensions/0/Value")).into_iter().collect();
    }
    let query = query(alarm).unwrap_or_default();
    if query.starts_with(&format!("SELECT SUM({metric}) FROM ")) { placeholders(&query) } else { vec![] }
}

/// The query over several metrics that an alarm evaluates.
fn query(alarm: &Resource) -> Option<String> {
    alarm.at("/Metrics/0/Expression/Fn::Sub").as_str().map(str::to_owned)
}

fn watched_by(metric: &str) -> BTreeSet<String> {
    resources("AWS::CloudWatch::Alarm").iter().flat_map(|alarm| watched(alarm, metric)).collect()
}

fn ids(kind: &str) -> BTreeSet<String> {
    resources(kind).into_iter().map(|resource| resource.id).collect()
}

/// What stands in `${}` in a text for `Fn::Sub`, without attributes and escaped ones.
fn placeholders(text: &str) -> Vec<String> {
    let names = text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
    names.filter(|name| !name.starts_with('!')).map(|name| name.split('.').next().unwrap().to_owned()).collect()
}

/// All text of the Rust sources below a folder.
fn sources(folder: &str) -> String {
    let mut found = String::new();
    let mut waiting = vec![repository().join(folder)];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// The dashboard's text for `Fn::Sub`, and its widgets with each placeholder as it stands.
fn dashboard() -> (String, Vec<Value>) {
    let dashboard = resources("AWS::CloudWatch::Dashboard").into_iter().next().unwrap();
    let text = dashboard.text("/DashboardBody/Fn::Sub/0");
    let body: Value = serde_json::from_str(&text).unwrap();
    (text, body.get("widgets").and_then(Value::as_array).cloned().unwrap())
}

/// The dashboard's metrics: namespace, name, dimensions in pairs.
fn shown() -> Vec<Vec<String>> {
    let (_, widgets) = dashboard();
    let lists = widgets.iter().filter_map(|widget| widget.pointer("/properties/metrics")?.as_array());
    let texts = |metric: &Value| -> Vec<String> {
        let parts = metric.as_array().unwrap().iter().filter_map(Value::as_str);
        parts.map(str::to_owned).collect()
    };
    lists.flatten().map(texts).filter(|metric| !metric.is_empty()).collect()
}

#[test]
fn every_dead_letter_queue_alarms() {
    let queues: BTreeSet<_> = ids("AWS::SQS::Queue").into_iter().filter(|id| id.ends_with("DeadLetters")).collect();
    assert!(!queues.is_empty());
    assert_eq!(watched_by("ApproximateNumberOfMessagesVisible"), queues);
}

#[test]
fn every_queue_that_a_function_reads_alarms_when_its_messages_grow_old() {
    let queues: BTreeSet<_> = ids("AWS::SQS::Queue").into_iter().filter(|id| !id.ends_with("DeadLetters")).collect();
    assert_eq!(watched_by("ApproximateAgeOfOldestMessage"), queues);
}

#[test]
fn every_function_alarms_when_it_keeps_failing_or_is_held_back() {
    for metric in ["Errors", "Throttles"] {
        assert_eq!(watched_by(metric), ids("AWS::Lambda::Function"), "{metric}");
    }
}

#[test]
fn every_asynchronous_function_alarms_when_an_event_is_lost() {
    let configs = resources("AWS::Lambda::EventInvokeConfig");
    let functions = configs.iter().filter_map(|config| target(config.at("/FunctionName"))).collect();
    assert_eq!(watched_by("DestinationDeliveryFailures"), functions);
}

#[test]
fn every_rule_alarms_when_its_error_action_fails_too() {
    assert_eq!(watched_by("ErrorActionFailure"), ids("AWS::IoT::TopicRule"));
}

#[test]
fn every_table_alarms_when_it_holds_requests_back() {
    assert_eq!(watched_by("ThrottledRequests"), ids("AWS::DynamoDB::Table"));
}

#[test]
fn every_function_that_reads_a_stream_alarms_when_it_falls_behind() {
    let mappings = resources("AWS::Lambda::EventSourceMapping").into_iter();
    let of_streams = mappings.filter(|mapping| !mapping.at("/StartingPosition").is_null());
    let functions: BTreeSet<_> = of_streams.filter_map(|mapping| target(mapping.at("/FunctionName"))).collect();
    assert!(!functions.is_empty());
    assert_eq!(watched_by("IteratorAge"), functions);
}

#[test]
fn every_topic_that_queues_hear_alarms_when_it_gives_a_message_up() {
    let subscriptions = resources("AWS::SNS::Subscription").into_iter();
    let of_queues = subscriptions.filter(|subscription| subscription.at("/Protocol") == "sqs");
    let topics: BTreeSet<_> = of_queues.filter_map(|subscription| target(subscription.at("/TopicArn"))).collect();
    assert!(!topics.is_empty());
    assert_eq!(watched_by("NumberOfNotificationsFailed"), topics);
}

#[test]
fn every_api_alarms_when_it_keeps_failing() {
    assert_eq!(watched_by("5xx"), ids("AWS::ApiGatewayV2::Api"));
}

#[test]
fn what_a_function_counts_itself_alarms_where_it_is_counted() {
    let alarms = resources("AWS::CloudWatch::Alarm");
    let mut functions = vec![];
    for alarm in alarms.iter().filter(|alarm| alarm.at("/Namespace") == "Loam") {
        let dimension = |index: usize| {
            (alarm.text(&format!("/Dimensions/{index}/Name")), alarm.at(&format!("/Dimensions/{index}/Value")))
        };
        let (name, stack) = dimension(1);
        assert_eq!((name.as_str(), target(stack).as_deref()), ("Stack", Some("AWS::StackName")));
        let (name, function) = dimension(0);
        let function = function.as_str().unwrap();
        assert_eq!(name, "Function");
        let folder = format!("functions/{}", function.split('-').next().unwrap());
        let counted = format!("counter!(\"{}\")", alarm.text("/MetricName"));
        assert!(sources(&folder).contains(&counted), "{function} does not count {counted}");
        functions.push(function.to_owned());
    }
    functions.sort();
    assert_eq!(functions, ["firmware-conductor", "firmware-conductor", "firmware-progress", "jitr"]);
}

/// Source: `MetricDataQuery` in the CloudWatch API reference; a name of 100 characters is longer than CloudFormation's
/// for stacks with names of up to 60.
#[test]
fn every_query_of_an_alarm_is_short_enough_and_gives_a_series_for_each_name() {
    let queries: Vec<_> = resources("AWS::CloudWatch::Alarm").iter().filter_map(query).collect();
    assert!(queries.len() > 3);
    for query in queries {
        let names = placeholders(&query);
        let expanded =
            names.iter().fold(query.clone(), |text, name| text.replacen(&format!("${{{name}}}"), &"n".repeat(100), 1));
        assert!(expanded.len() <= 2_048, "{} characters: {query}", expanded.len());
        let label = query.split(" WHERE ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        assert!(query.ends_with(&format!(" GROUP BY {label} ORDER BY SUM() DESC")), "one hides the others: {query}");
        assert_eq!(query.matches(&format!("{label} = '${{")).count(), names.len(), "{query}");
        assert_eq!(query.matches(" OR ").count() + 1, names.len(), "{query}");
    }
}

#[test]
fn every_function_that_a_schedule_runs_alarms_when_it_does_not_run() {
    let schedules = resources("AWS::Events::Rule");
    let runs = schedules.iter().filter(|rule| !rule.at("/ScheduleExpression").is_null());
    let functions = ids("AWS::Lambda::Function");
    // One that sends a message is watched itself: its function runs for other messages as well.
    let runs = runs.filter_map(|rule| Some((target(rule.at("/Targets/0/Arn"))?, rule.id.clone())));
    let watched: BTreeSet<_> =
        runs.map(|(target, rule)| if functions.contains(&target) { target } else { rule }).collect();
    assert_eq!(watched_by("Invocations"), watched);
    let silent =
        resources("AWS::CloudWatch::Alarm").into_iter().filter(|alarm| alarm.at("/MetricName") == "Invocations");
    silent.for_each(|alarm| assert_eq!(alarm.text("/TreatMissingData"), "breaching", "{}", alarm.id));
}

#[test]
fn every_alarm_tells_somebody_what_it_means_and_where_the_runbook_goes_on() {
    let runbook = std::fs::read_to_string(repository().join("RUNBOOK.md")).unwrap();
    let headings = runbook.lines().filter_map(|line| line.strip_prefix("## "));
    let anchors: BTreeSet<String> = headings.map(|heading| heading.to_lowercase().replace(' ', "-")).collect();
    for alarm in resources("AWS::CloudWatch::Alarm") {
        let actions = alarm.at("/AlarmActions").as_array().cloned().unwrap_or_default();
        assert!(actions.iter().filter_map(target).any(|topic| topic == "AlarmsTopic"), "{} tells nobody", alarm.id);
        let description = alarm.text("/AlarmDescription");
        let (meaning, anchor) = description.rsplit_once(" RUNBOOK.md#").unwrap_or_else(|| panic!("{description}"));
        assert!(meaning.contains(" First "), "{} does not say what to do first: {meaning}", alarm.id);
        assert!(anchors.contains(anchor), "{}: RUNBOOK.md has no heading for #{anchor}: {anchors:?}", alarm.id);
        assert!(runbook.contains(&format!("(#{anchor})")), "{}: no row of the table leads to #{anchor}", alarm.id);
        assert!(!alarm.at("/TreatMissingData").is_null(), "{} does not say what no data means", alarm.id);
    }
}

#[test]
fn without_alarms_nothing_of_them_is_left() {
    let written = written();
    let all = written.get("Resources").and_then(Value::as_object).unwrap();
    let alarms = all.iter().filter(|(id, resource)| {
        resource.get("Type").is_some_and(|kind| kind == "AWS::CloudWatch::Alarm") || id.starts_with("AlarmsTopic")
    });
    for (id, alarm) in alarms {
        let condition = alarm.get("Condition").and_then(Value::as_str).unwrap_or_default();
        assert!(["HasAlarms", "HasStreamAlarms"].contains(&condition), "{id} is there although alarms are off");
    }
}

#[test]
fn the_dashboard_names_only_what_is_in_the_template() {
    let (text, widgets) = dashboard();
    assert!(widgets.len() > 10);
    let template = written();
    let given = resources("AWS::CloudWatch::Dashboard").into_iter().next().unwrap();
    for name in placeholders(&text) {
        let resource = template.pointer(&format!("/Resources/{name}"));
        let is_optional = resource.is_some_and(|resource| resource.get("Condition").is_some());
        let known = resource.is_some() && !is_optional
            || ["AWS::StackName", "AWS::Region"].contains(&name.as_str())
            || !given.at(&format!("/DashboardBody/Fn::Sub/1/{name}")).is_null();
        assert!(known, "the dashboard names {name}, which is not always in the template");
    }
}

#[test]
fn the_dashboard_shows_only_counts_that_a_function_makes() {
    let (functions, shared) = (sources("functions"), sources("shared"));
    let loam: Vec<_> = shown().into_iter().filter(|metric| metric.first().is_some_and(|name| name == "Loam")).collect();
    assert!(loam.len() > 5);
    for metric in loam {
        let [_, name, stack, _, function, binary] = metric.as_slice() else { panic!("{metric:?}") };
        assert_eq!((stack.as_str(), function.as_str()), ("Stack", "Function"));
        let counted = format!("counter!(\"{name}\")");
        assert!(functions.contains(&counted) || shared.contains(&counted), "nobody counts {name}");
        assert!(functions.contains(&format!("Edge::start(\"{binary}\")")), "no function {binary} counts");
    }
}

#[test]
fn the_dashboard_shows_failures_of_every_function_and_requests_of_every_api() {
    let of = |name: &str| -> BTreeSet<String> {
        shown()
            .into_iter()
            .filter(|metric| metric.get(1).is_some_and(|shown| shown == name))
            .filter_map(|mut metric| metric.pop())
            .collect()
    };
    let sources = sources("functions");
    let all: BTreeSet<String> =
        sources.split("Edge::start(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
    assert_eq!(all.len(), ids("AWS::Lambda::Function").len(), "{all:?}");
    assert_eq!(of("Failures"), all);
    let mut apis: BTreeSet<_> = all.into_iter().filter(|function| function.ends_with("-api")).collect();
    apis.insert("sync-invoke".to_owned());
    assert_eq!(of("Requests"), apis);
}

#[test]
fn the_dashboard_shows_every_count_that_a_function_makes() {
    let shown: BTreeSet<_> = shown().into_iter().filter_map(|metric| metric.into_iter().nth(1)).collect();
    let all = sources("functions") + &sources("shared");
    for counted in all.split("counter!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(shown.contains(counted), "the dashboard does not show {counted}");
    }
}
