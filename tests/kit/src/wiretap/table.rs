//! The calls of one event as a table that a test can compare with an expected text.

use super::record::Record;

/// One line: service, operation, resources; attempts, bytes sent, capacity units.
struct Row {
    what: [String; 3],
    attempts: usize,
    sent: usize,
    units: Option<f64>,
}

/// AWS calls, bytes sent and capacity units, one line per service, operation and resource in the order of their first call,
/// then the sum.
///
/// Bytes are those of the requests' bodies; those of the answers are left out, since a local AWS's answers are not as
/// long as AWS's. `-` stands for a call that has no units. `renames` replaces texts in resource names and in bodies, so
/// that a test with names of its own has a constant table. Columns are two spaces apart and lines
/// end without spaces.
#[must_use]
pub fn calls_table(records: &[Record], renames: &[(&str, &str)]) -> String {
    let mut rows: Vec<Row> = Vec::new();
    for record in records {
        let row = row(record, renames);
        match rows.iter_mut().find(|known| known.what == row.what) {
            Some(known) => known.add(&row),
            None => rows.push(row),
        }
    }
    let what = ["total".to_owned(), String::new(), String::new()];
    let mut total = Row { what, attempts: 0, sent: 0, units: None };
    rows.iter().for_each(|row| total.add(row));
    rows.push(total);
    let head = ["service", "operation", "resource", "calls", "sent", "units"].map(str::to_owned);
    let lines: Vec<[String; 6]> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    aligned(&lines)
}

fn row(record: &Record, renames: &[(&str, &str)]) -> Row {
    let call = &record.call;
    let resources: Vec<String> = call.resources().into_iter().map(ToString::to_string).collect();
    let renamed = |text: String| renames.iter().fold(text, |text, (from, to)| text.replace(from, to));
    Row {
        what: [call.service.prefix().to_owned(), call.operation.name().to_owned(), renamed(resources.join(" "))],
        attempts: 1,
        // What is no text holds no name, and has the length that it has.
        sent: str::from_utf8(&call.body).map_or(call.body.len(), |text| renamed(text.to_owned()).len()),
        units: record.outcome.units,
    }
}

impl Row {
    fn add(&mut self, other: &Self) {
        self.attempts = self.attempts.saturating_add(other.attempts);
        self.sent = self.sent.saturating_add(other.sent);
        self.units = match (self.units, other.units) {
            (Some(one), Some(two)) => Some(one + two),
            (one, two) => one.or(two),
        };
    }

    fn cells(&self) -> [String; 6] {
        let [service, operation, resource] = self.what.clone();
        let units = self.units.map_or_else(|| "-".to_owned(), |units| format!("{units:.1}"));
        let [attempts, sent] = [self.attempts, self.sent].map(|number| number.to_string());
        [service, operation, resource, attempts, sent, units]
    }
}

/// Texts to the left, numbers to the right.
fn aligned(lines: &[[String; 6]]) -> String {
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let mut table = String::new();
    for line in lines {
        let cells = line.iter().enumerate().map(|(column, cell)| {
            let width = width(column).unwrap_or_default();
            if column < 3 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        table.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::{HeaderMap, Method, Uri};

    use super::*;
    use crate::wiretap::{Call, Effect, Outcome};

    fn record(target: &str, body: &'static str, units: Option<f64>) -> Record {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", format!("DynamoDB_20120810.{target}").parse().unwrap());
        let signature = "AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/dynamodb/aws4_request, SignedHeaders=host";
        headers.insert("authorization", signature.parse().unwrap());
        let call = Call::parse(&Method::POST, &Uri::from_static("/"), &headers, Bytes::from_static(body.as_bytes()));
        let effect = Effect::Answered(200);
        let outcome = Outcome { effect, status: Some(200), error: None, response_bytes: 0, units, fault: None };
        Record { id: 0, call, outcome }
    }

    #[test]
    fn calls_of_one_kind_share_a_line_and_the_last_line_is_the_sum() {
        let records = [
            record("GetItem", r#"{"TableName":"run-7-rules"}"#, Some(0.5)),
            record("GetItem", r#"{"TableName":"run-7-rules"}"#, Some(0.5)),
            record("PutItem", r#"{"TableName":"run-7-episodes"}"#, None),
        ];
        let expected = "\
service   operation  resource        calls  sent  units
dynamodb  GetItem    table/rules         2    42    1.0
dynamodb  PutItem    table/episodes      1    24      -
total                                    3    66    1.0
";
        assert_eq!(calls_table(&records, &[("run-7-", "")]), expected);
    }
}
