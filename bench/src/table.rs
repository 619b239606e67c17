//! The one table, in Markdown.

use crate::candidate::Way;
use crate::rounds::Row;
use crate::samples::Samples;

const HEAD: [&str; 15] = [
    "candidate",
    "AWS by",
    "program, bytes",
    "zip, bytes",
    "init ms",
    "init CPU ms",
    "first event ms",
    "first event CPU ms",
    "CPU ms/event",
    "events/s",
    "AWS calls/event",
    "log bytes/event",
    "peak RSS MiB",
    "growth KiB",
    "of the reference: init CPU, CPU/event, RSS",
];

/// All rows, the columns aligned.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| cells(row, reference(rows, row.way))));
    aligned(&lines)
}

/// The reference's row on the same way.
fn reference(rows: &[Row], way: Way) -> Option<&Row> {
    let mut references = rows.iter().filter(|row| row.candidate.is_reference());
    references.find(|row| row.way == way.of_reference())
}

fn cells(row: &Row, reference: Option<&Row>) -> [String; HEAD.len()] {
    let none = || "-".to_owned();
    let (starts, warm) = (&row.starts, &row.warm);
    [
        row.candidate.name.to_owned(),
        row.way.name().to_owned(),
        row.size.map_or_else(none, |size| grouped(size.program)),
        row.size.map_or_else(none, |size| grouped(size.zip)),
        spread(&starts.init_ms, 1),
        spread(&starts.init_cpu_ms, 1),
        spread(&starts.first_ms, 1),
        spread(&starts.first_cpu_ms, 1),
        spread(&warm.cpu_ms, 3),
        warm.per_second.median().map_or_else(none, |value| format!("{value:.0}")),
        warm.calls.median().map_or_else(none, |value| format!("{value:.2}")),
        warm.log_bytes.median().map_or_else(none, |value| format!("{value:.0}")),
        warm.peak_kib.max().map_or_else(none, |kib| format!("{:.1}", kib / 1024.0)),
        row.growth_kib.map_or_else(none, |kib| kib.to_string()),
        reference.filter(|_| !row.candidate.is_reference()).map_or_else(none, |reference| ratios(row, reference)),
    ]
}

fn ratios(row: &Row, reference: &Row) -> String {
    [
        ratio(row.starts.init_cpu_ms.median(), reference.starts.init_cpu_ms.median()),
        ratio(row.warm.cpu_ms.median(), reference.warm.cpu_ms.median()),
        ratio(row.warm.peak_kib.max(), reference.warm.peak_kib.max()),
    ]
    .join(", ")
}

/// `1/27` for a 27th, `2.0x` for twice as much.
pub(crate) fn ratio(value: Option<f64>, reference: Option<f64>) -> String {
    match value.zip(reference) {
        Some((value, reference)) if value > 0.0 && reference >= value => format!("1/{:.1}", reference / value),
        Some((value, reference)) if reference > 0.0 => format!("{:.1}x", value / reference),
        _ => "-".to_owned(),
    }
}

/// `smallest / middle`.
fn spread(samples: &Samples, digits: usize) -> String {
    match samples.min().zip(samples.median()) {
        Some((min, median)) => format!("{min:.digits$} / {median:.digits$}"),
        None => "-".to_owned(),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    digits.char_indices().fold(String::new(), |mut text, (at, digit)| {
        if at > 0 && at % 3 == first {
            text.push(',');
        }
        text.push(digit);
        text
    })
}

/// Lines of cells, the first of them the head, with columns as wide as their widest cell.
pub(crate) fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let widths: Vec<usize> = (0..N)
        .map(|column| lines.iter().filter_map(|line| line.get(column)).map(String::len).max().unwrap_or(0))
        .collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let line = |cells: &[String]| {
        let padded: Vec<_> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("| {} |\n", padded.join(" | "))
    };
    let mut text = String::new();
    for (number, cells) in lines.iter().enumerate() {
        text.push_str(&line(cells));
        if number == 0 {
            text.push_str(&line(&rule));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_is_written_as_a_tenth_and_twice_as_twice() {
        assert_eq!(ratio(Some(1.0), Some(10.0)), "1/10.0");
        assert_eq!(ratio(Some(20.0), Some(10.0)), "2.0x");
        assert_eq!(ratio(None, Some(10.0)), "-");
        assert_eq!(ratio(Some(0.0), Some(0.0)), "-");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1000, 12_345, 6_469_792].map(grouped), ["0", "999", "1,000", "12,345", "6,469,792"]);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let lines = [["a".to_owned(), "b".to_owned()], ["long".to_owned(), "x".to_owned()]];
        assert_eq!(aligned(&lines), "| a    | b |\n| ---- | - |\n| long | x |\n");
    }
}
