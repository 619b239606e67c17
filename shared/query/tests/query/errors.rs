use loam_query::{Filter, QueryError};

fn refused(text: &str) -> QueryError {
    let error = Filter::parse(text).expect_err(text);
    assert!(error.position <= text.len(), "{text}: {error}");
    assert!(Filter::parse(error.example).is_ok(), "{text}: {error}");
    error
}

/// The code, the position and what was found.
fn summary(text: &str) -> (&'static str, usize, String) {
    let error = refused(text);
    (error.code.as_str(), error.position, error.found)
}

fn assert_refused(cases: &[(&str, &str, usize, &str)]) {
    for (text, code, position, found) in cases {
        assert_eq!(summary(text), (*code, *position, (*found).to_owned()), "{text}: {}", refused(text));
    }
}

#[test]
fn an_empty_or_blank_filter_is_refused() {
    assert_refused(&[("", "empty-filter", 0, "the end"), (" \n", "empty-filter", 2, "the end")]);
}

#[test]
fn a_character_without_meaning_is_named_with_its_byte_position() {
    assert_refused(&[
        ("tags.a = \"x\"", "unexpected-character", 9, "`\"`"),
        ("tags.ä = 1", "unexpected-character", 5, "`ä`"),
        ("tags.o = 'ä' ; x", "unexpected-character", 14, "`;`"),
        ("tags.a = +1", "unexpected-character", 9, "`+`"),
    ]);
}

#[test]
fn a_string_without_an_end_is_named_where_it_begins() {
    assert_refused(&[
        ("tags.a = 'x", "unterminated-string", 9, "`'x`"),
        ("tags.a = 'x''", "unterminated-string", 9, "`'x''`"),
    ]);
}

#[test]
fn digits_that_are_no_number_are_refused_whole() {
    assert_refused(&[
        ("tags.a = 5kg", "not-a-number", 9, "`5kg`"),
        ("tags.a = 0x1F", "not-a-number", 9, "`0x1F`"),
        ("tags.a = 1e999", "not-a-number", 9, "`1e999`"),
        ("tags.3rd = 1", "not-a-number", 5, "`3rd`"),
    ]);
}

#[test]
fn a_field_that_no_thing_has_is_refused() {
    assert_refused(&[
        ("humidity < 35", "unknown-field", 0, "`humidity`"),
        ("tags = 1", "unknown-field", 0, "`tags`"),
        ("Tags.a = 1", "unknown-field", 0, "`Tags.a`"),
        ("properties.reported = 1", "unknown-field", 0, "`properties.reported`"),
        ("properties.a.b = 1", "unknown-field", 0, "`properties.a.b`"),
        ("tags.a = 1 AND deviceId['x'] = 'y'", "unknown-field", 15, "`deviceId['x']`"),
        ("groups.a CONTAINS 'x'", "unknown-field", 0, "`groups.a`"),
        ("tags.a = hall", "unknown-field", 9, "`hall`"),
    ]);
}

#[test]
fn a_word_that_cannot_stand_here_is_named_with_what_can() {
    assert_refused(&[
        ("tags.a", "unexpected-token", 6, "the end"),
        ("tags.a == 1", "unexpected-token", 8, "`=`"),
        ("tags.a LIKE 'x'", "unexpected-token", 7, "`LIKE`"),
        ("tags.a NOT IN [1]", "unexpected-token", 7, "`NOT`"),
        ("35 > tags.a", "unexpected-token", 0, "`35`"),
        ("'x' IN groups", "unexpected-token", 0, "`'x'`"),
        ("tags.a = 1 tags.b = 2", "unexpected-token", 11, "`tags`"),
        ("tags.a = 1 AND", "unexpected-token", 14, "the end"),
        ("AND tags.a = 1", "unexpected-token", 0, "`AND`"),
        ("tags.a = 1 OR OR tags.b = 2", "unexpected-token", 14, "`OR`"),
        ("(tags.a = 1", "unexpected-token", 11, "the end"),
        ("tags.a = 1)", "unexpected-token", 10, "`)`"),
        ("()", "unexpected-token", 1, "`)`"),
        ("tags.a IN 1", "unexpected-token", 10, "`1`"),
        ("tags.a IN [1", "unexpected-token", 12, "the end"),
        ("tags.a IN [1,]", "unexpected-token", 13, "`]`"),
        ("tags.a IN [1 2]", "unexpected-token", 13, "`2`"),
        ("tags.a IN [[1]]", "unexpected-token", 11, "`[`"),
        ("tags.a = [1]", "unexpected-token", 9, "`[`"),
        ("IS_DEFINED tags.a", "unexpected-token", 11, "`tags`"),
        ("tags. = 1", "unexpected-token", 6, "`=`"),
        ("tags[a] = 1", "unexpected-token", 5, "`a`"),
        ("tags['a' = 1", "unexpected-token", 9, "`=`"),
        ("tags.a CONTAINS tags.b", "unexpected-token", 16, "`tags`"),
        ("tags.a = undefined", "unexpected-token", 9, "`undefined`"),
    ]);
}

#[test]
fn a_value_with_which_a_condition_could_never_be_true_is_refused() {
    assert_refused(&[
        ("tags.a < null", "wrong-operand", 9, "`null`"),
        ("tags.a >= true", "wrong-operand", 10, "`true`"),
        ("tags.a STARTSWITH 1", "wrong-operand", 18, "`1`"),
        ("ENDSWITH(tags.a, null)", "wrong-operand", 17, "`null`"),
        ("deviceId = 7", "wrong-operand", 11, "`7`"),
        ("deviceId IN ['a', 7]", "wrong-operand", 18, "`7`"),
        ("deviceId CONTAINS 7", "wrong-operand", 18, "`7`"),
        ("groups CONTAINS 7", "wrong-operand", 16, "`7`"),
    ]);
}

#[test]
fn groups_cannot_be_compared_as_if_it_were_one_value() {
    assert_refused(&[
        ("groups = 'east'", "groups-is-a-list", 7, "`=`"),
        ("groups IN ['east']", "groups-is-a-list", 7, "`IN`"),
        ("groups STARTSWITH 'e'", "groups-is-a-list", 18, "`'e'`"),
        ("tags.a = groups", "groups-is-a-list", 9, "`groups`"),
    ]);
}

#[test]
fn an_empty_list_is_refused() {
    assert_refused(&[("tags.a IN []", "empty-list", 11, "`]`")]);
}

#[test]
fn a_long_piece_is_shortened() {
    let text = format!("tags.a = '{}", "é".repeat(100));
    assert_eq!(refused(&text).found, format!("`'{}...`", "é".repeat(39)));
}

#[test]
fn the_message_says_where_what_and_how_to_do_it_right() {
    assert_eq!(
        refused("tags.floor IN 3").to_string(),
        "at byte 14: found `3`, expected a list in brackets. IN and NIN take a list, also for one value. \
         For example: tags.floor IN [1]"
    );
}
