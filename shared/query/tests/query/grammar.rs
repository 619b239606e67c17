use loam_query::Filter;

/// The canonical text of what `text` says.
fn canonical(text: &str) -> String {
    Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

#[test]
fn and_binds_tighter_than_or_and_not_tighter_than_both() {
    let explicit = "((NOT (tags.a = 1)) AND tags.b = 2) OR (tags.c = 3 AND tags.d = 4)";
    let bare = "NOT tags.a = 1 AND tags.b = 2 OR tags.c = 3 AND tags.d = 4";
    assert_eq!(Filter::parse(explicit).unwrap(), Filter::parse(bare).unwrap());
    assert_eq!(canonical(explicit), bare);
}

#[test]
fn parentheses_that_change_the_meaning_stay() {
    for text in [
        "(tags.a = 1 OR tags.b = 2) AND tags.c = 3",
        "NOT (tags.a = 1 AND tags.b = 2)",
        "NOT NOT tags.a = 1",
        "tags.a = 1 AND NOT (tags.b = 2 OR tags.c = 3)",
    ] {
        assert_eq!(canonical(text), text);
    }
}

#[test]
fn parentheses_around_equal_operators_are_left_out() {
    let flat = "tags.a = 1 AND tags.b = 2 AND tags.c = 3";
    assert_eq!(canonical("tags.a = 1 AND (tags.b = 2 AND (tags.c = 3))"), flat);
}

#[test]
fn keywords_are_case_insensitive_and_fields_are_not() {
    assert_eq!(
        canonical("tags.a in [TRUE, Null] or is_defined(tags.A)"),
        "tags.a IN [true, null] OR IS_DEFINED(tags.A)"
    );
    assert_ne!(Filter::parse("tags.a = 1").unwrap(), Filter::parse("tags.A = 1").unwrap());
    assert!(Filter::parse("deviceid = 'x'").is_err());
}

#[test]
fn a_quote_in_a_string_is_written_twice() {
    assert_eq!(canonical("tags.owner='O''Hara'"), "tags.owner = 'O''Hara'");
    assert_eq!(canonical("tags.owner=''''"), "tags.owner = ''''");
    assert_eq!(canonical(r"tags.path = 'a\'"), r"tags.path = 'a\'");
}

#[test]
fn an_odd_name_stands_in_brackets_and_a_plain_one_loses_them() {
    assert_eq!(canonical("tags['room name'].x['y'] = 1"), "tags['room name'].x.y = 1");
    assert_eq!(canonical("properties['reported']['3']['a''b'][''] = 1"), "properties.reported['3']['a''b'][''] = 1");
    assert_eq!(canonical("tags['a.b'] = 1"), "tags['a.b'] = 1");
}

#[test]
fn keywords_may_be_names_below_a_root() {
    assert_eq!(canonical("tags.in = 1 AND tags.not.and = 2"), "tags.in = 1 AND tags.not.and = 2");
}

#[test]
fn numbers_are_printed_short_and_read_back_as_they_were() {
    assert_eq!(canonical("tags.a IN [1.0, -0.5, 1e3, 1E-7, 1e300, 007]"), "tags.a IN [1, -0.5, 1000, 1e-7, 1e300, 7]");
    assert_eq!(canonical("tags.a>-1"), "tags.a > -1");
}

#[test]
fn the_functions_of_the_source_are_read_as_operators() {
    assert_eq!(canonical("STARTS_WITH(deviceId, 'soil-')"), "deviceId STARTSWITH 'soil-'");
    assert_eq!(canonical("endswith( tags.a , 'x' )"), "tags.a ENDSWITH 'x'");
    assert_eq!(canonical("contains(groups, 'east')"), "groups CONTAINS 'east'");
}

#[test]
fn both_spellings_of_unequal_are_one() {
    assert_eq!(canonical("tags.a <> 1"), "tags.a != 1");
}

#[test]
fn two_fields_can_be_compared() {
    let text = "properties.desired.interval != properties.reported.interval";
    assert_eq!(canonical(text), text);
}

#[test]
fn blanks_are_spaces_tabs_and_line_ends_and_may_be_missing() {
    assert_eq!(canonical("\t(tags.a=1)\r\nAND(tags.b=2)\n"), "tags.a = 1 AND tags.b = 2");
}
