//! The same filters, read and asked here in another way: a tree of this test's own, which is written out as text with
//! superfluous parentheses and changing cases, and evaluated on owned values and two sets of things: those of which it is
//! true, and those of which it is false.

use loam_query::Filter;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::fuzz::runs;

const FIELDS: &[(&str, &str)] = &[
    ("tags.a", "/tags/a"),
    ("tags['b c']", "/tags/b c"),
    ("tags['b c'].d", "/tags/b c/d"),
    ("properties.reported.a", "/properties/reported/a"),
    ("firmware.missing", "/firmware/missing"),
];

#[derive(Debug, Clone)]
enum Wish {
    Both(Box<Wish>, Box<Wish>),
    Either(Box<Wish>, Box<Wish>),
    Without(Box<Wish>),
    Defined(usize),
    Ask(usize, &'static str, Value),
    Fields(usize, &'static str, usize),
    Among(usize, bool, Vec<Value>),
}

impl Wish {
    fn text(&self) -> String {
        let name = |field: &usize| FIELDS[*field].0;
        match self {
            Self::Both(left, right) => format!("({} and {})", left.text(), right.text()),
            Self::Either(left, right) => format!("(({}) OR ({}))", left.text(), right.text()),
            Self::Without(inner) => format!("Not({})", inner.text()),
            Self::Defined(field) => format!("is_defined ( {} )", name(field)),
            Self::Ask(field, operator, value) => format!("{} {operator} {}", name(field), literal(value)),
            Self::Fields(left, operator, right) => format!("{}{operator}{}", name(left), name(right)),
            Self::Among(field, negated, values) => {
                let list: Vec<_> = values.iter().map(literal).collect();
                format!("{} {} [{}]", name(field), if *negated { "nin" } else { "In" }, list.join(" ,"))
            }
        }
    }

    /// (is true of the thing, is false of the thing); neither is undefined.
    fn sides(&self, thing: &Value) -> (bool, bool) {
        let at = |field: &usize| thing.pointer(FIELDS[*field].1).cloned();
        match self {
            Self::Both(left, right) => {
                let (left, right) = (left.sides(thing), right.sides(thing));
                (left.0 & right.0, left.1 | right.1)
            }
            Self::Either(left, right) => {
                let (left, right) = (left.sides(thing), right.sides(thing));
                (left.0 | right.0, left.1 & right.1)
            }
            Self::Without(inner) => {
                let (yes, no) = inner.sides(thing);
                (no, yes)
            }
            Self::Defined(field) => (at(field).is_some(), at(field).is_none()),
            Self::Ask(field, operator, value) => {
                at(field).map_or((false, false), |found| asked(&found, operator, value))
            }
            Self::Fields(left, operator, right) => match (at(left), at(right)) {
                (Some(left), Some(right)) => asked(&left, operator, &right),
                _ => (false, false),
            },
            Self::Among(field, negated, values) => at(field).map_or((false, false), |found| {
                let inside = values.iter().any(|value| same(&found, value));
                (inside != *negated, inside == *negated)
            }),
        }
    }
}

fn literal(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("'{}'", text.replace('\'', "''")))
}

/// JSON's equality; the numbers of this test are all small, and become floats first.
fn same(left: &Value, right: &Value) -> bool {
    let float = |value: &Value| value.as_f64().map_or(value.clone(), |number| json!(number));
    float(left) == float(right)
}

fn certain(holds: bool) -> (bool, bool) {
    (holds, !holds)
}

fn asked(found: &Value, operator: &str, value: &Value) -> (bool, bool) {
    let large = |value: &Value| value.is_array() || value.is_object();
    let texts = found.as_str().zip(value.as_str());
    match operator {
        "=" | "!=" | "<>" if large(found) && large(value) => (false, false),
        "=" => certain(same(found, value)),
        "!=" | "<>" => certain(!same(found, value)),
        "STARTSWITH" => texts.map_or((false, false), |(text, part)| certain(text.find(part) == Some(0))),
        "endswith" => texts.map_or((false, false), |(text, part)| certain(text.strip_suffix(part).is_some())),
        "Contains" => match found.as_array() {
            Some(items) => certain(items.iter().any(|item| same(item, value))),
            None => texts.map_or((false, false), |(text, part)| certain(text.split(part).count() > 1)),
        },
        order => {
            let numbers = found.as_f64().zip(value.as_f64()).map(|(left, right)| (left < right, left > right));
            let texts =
                texts.map(|(left, right)| (left.as_bytes() < right.as_bytes(), left.as_bytes() > right.as_bytes()));
            numbers.or(texts).map_or((false, false), |(less, more)| {
                certain(match order {
                    "<" => less,
                    ">" => more,
                    "<=" => !more,
                    _ => !less,
                })
            })
        }
    }
}

fn primitive() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(true),
        json!(1),
        json!(1.0),
        json!(2.5),
        json!(-3),
        json!("1"),
        json!("a"),
        json!("ab'b"),
    ])
}

fn text_or_number() -> impl Strategy<Value = Value> {
    select(vec![json!(1), json!(2.5), json!(-3), json!("1"), json!("a"), json!("ab'b")])
}

fn wish() -> impl Strategy<Value = Wish> {
    let field = || 0..FIELDS.len();
    let any_operator = select(&["=", "!=", "<>", "Contains"][..]);
    let ordering = || select(&["<", "<=", ">", ">="][..]);
    let text_operator = select(&["STARTSWITH", "endswith"][..]);
    let text = select(&["", "a", "b", "ab'b", "1"][..]).prop_map(|text| json!(text));
    let between_fields = select(&["=", "!=", "<", "<=", ">", ">="][..]);
    let leaf = prop_oneof![
        field().prop_map(Wish::Defined),
        (field(), any_operator, primitive()).prop_map(|(field, operator, value)| Wish::Ask(field, operator, value)),
        (field(), ordering(), text_or_number()).prop_map(|(field, operator, value)| Wish::Ask(field, operator, value)),
        (field(), text_operator, text).prop_map(|(field, operator, value)| Wish::Ask(field, operator, value)),
        (field(), between_fields, field()).prop_map(|(left, operator, right)| Wish::Fields(left, operator, right)),
        (field(), any::<bool>(), vec(primitive(), 1..4))
            .prop_map(|(field, negated, list)| Wish::Among(field, negated, list)),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        let pair = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            pair().prop_map(|(left, right)| Wish::Both(left, right)),
            pair().prop_map(|(left, right)| Wish::Either(left, right)),
            inner.clone().prop_map(|inner| Wish::Without(Box::new(inner))),
        ]
    })
}

fn thing() -> impl Strategy<Value = Value> {
    let item = prop_oneof![
        4 => primitive(),
        1 => vec(primitive(), 0..3).prop_map(Value::from),
        1 => primitive().prop_map(|value| json!({ "d": value })),
    ];
    vec(proptest::option::of(item), 3).prop_map(|items| {
        let mut thing = json!({"tags": {}, "properties": {"reported": {}}});
        let places = [("/tags", "a"), ("/tags", "b c"), ("/properties/reported", "a")];
        for ((parent, name), item) in places.into_iter().zip(items) {
            if let (Some(parent), Some(item)) = (thing.pointer_mut(parent), item) {
                parent[name] = item;
            }
        }
        thing
    })
}

proptest! {
    #![proptest_config(runs(400))]

    #[test]
    fn a_filter_selects_what_the_naive_reading_selects(wish in wish(), things in vec(thing(), 4)) {
        let text = wish.text();
        let filter = Filter::parse(&text).unwrap();
        let opposite = Filter::parse(&format!("NOT ({text})")).unwrap();
        for thing in &things {
            let both = (filter.matches(thing), opposite.matches(thing));
            prop_assert_eq!(both, wish.sides(thing), "{} on {}", text, thing);
        }
    }

    #[test]
    fn a_printed_filter_is_read_as_the_same_filter(wish in wish()) {
        let filter = Filter::parse(&wish.text()).unwrap();
        let printed = filter.to_string();
        let again = Filter::parse(&printed).unwrap();
        prop_assert_eq!(&again, &filter, "{}", printed);
        prop_assert_eq!(again.to_string(), printed);
    }
}
