use crate::error::QueryErrorCode;

/// One kind of mistake, with the words that help.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) code: QueryErrorCode,
    pub(crate) what: &'static str,
    pub(crate) hint: &'static str,
    pub(crate) example: &'static str,
}

macro_rules! expectations {
    ($($name:ident: $code:ident, $what:literal, $hint:literal, $example:literal;)*) => {
        $(pub(crate) const $name: Expected =
            Expected { code: QueryErrorCode::$code, what: $what, hint: $hint, example: $example };)*

        /// All of them, for the test that reads every example.
        #[cfg(test)]
        pub(crate) const ALL: &[Expected] = &[$($name),*];
    };
}

expectations! {
    FILTER: EmptyFilter, "a condition", "Leave the filter out to have every thing.", "tags.floor = 3";
    SHORT_TEXT: TextTooLong, "at most 8192 bytes, also in the canonical text",
        "Put many equal comparisons into one IN list, or things into a group.", "tags.floor IN [1, 2, 3]";
    FEW_TERMS: TooManyTerms, "at most 100 conditions",
        "Put many equal comparisons into one IN list, or things into a group.", "tags.floor IN [1, 2, 3]";
    SHALLOW: TooDeep, "at most 32 open parentheses and NOTs", "Leave out parentheses that change nothing.",
        "NOT (tags.floor = 1 OR tags.floor = 2)";
    SHORT_LIST: ListTooLong, "at most 500 values in a list", "Put the things into a group and ask for that.",
        "groups CONTAINS 'greenhouse'";
    A_VALUE_IN_LIST: EmptyList, "at least one value in the list", "An empty list would match nothing or everything.",
        "tags.floor IN [1, 2]";
    CHARACTER: UnexpectedCharacter, "a field, a value, an operator or a parenthesis",
        "Strings stand in single quotes. Odd names of fields stand in brackets and quotes.",
        "tags['room name'] = 'east wing'";
    CLOSING_QUOTE: UnterminatedString, "a closing single quote", "A quote inside a string is written twice.",
        "tags.owner = 'O''Hara'";
    NUMBER: NotANumber, "a decimal number in the range of a 64-bit float",
        "Numbers are decimal. A field's name that begins with a digit stands in brackets and quotes.",
        "tags['3rd floor'] = -1.5e3";
    FIELD: UnknownField,
        "deviceId, groups, or a name below tags, properties.desired, properties.reported, connectivity or firmware",
        "Names of fields are case-sensitive; strings stand in single quotes.", "properties.reported.humidity < 35";
    CONDITION: UnexpectedToken, "a condition: a field, IS_DEFINED, NOT or an open parenthesis",
        "The field stands on the left, the value on the right.", "tags.floor = 3 AND NOT tags.room = 'hall'";
    NAME: UnexpectedToken, "the name of a field", "A name with other characters than a-z, 0-9, _, $ and - stands in brackets and quotes.",
        "tags['room name'] = 'hall'";
    CLOSING_BRACKET_OF_NAME: UnexpectedToken, "a closing bracket ]", "One name stands in each pair of brackets.",
        "tags['room name'] = 'hall'";
    OPERATOR: UnexpectedToken, "an operator: = != <> < <= > >= IN NIN STARTSWITH ENDSWITH CONTAINS",
        "A field alone is no condition: compare it. There is no LIKE and no NOT IN: use CONTAINS and NIN.",
        "properties.reported.connected = true";
    OPERAND: UnexpectedToken, "a value or a field",
        "Strings stand in single quotes. Equality is one =.", "tags.room = 'hall'";
    LITERAL: UnexpectedToken, "a string, a number, true, false or null",
        "Strings stand in single quotes.", "tags.room IN ['hall', null]";
    LIST: UnexpectedToken, "a list in brackets", "IN and NIN take a list, also for one value.", "tags.floor IN [1]";
    LIST_END: UnexpectedToken, "a comma or a closing bracket ]", "Values of a list are separated by commas.",
        "tags.floor NIN [1, 2]";
    OPEN: UnexpectedToken, "an open parenthesis", "A function's arguments stand in parentheses.",
        "IS_DEFINED(tags.floor)";
    COMMA: UnexpectedToken, "a comma", "This function takes a field and a value.", "STARTSWITH(tags.room, 'ha')";
    CLOSE: UnexpectedToken, "a closing parenthesis, AND or OR", "Each open parenthesis needs a closing one.",
        "(tags.floor = 1 OR tags.floor = 2) AND tags.room = 'hall'";
    CLOSE_CALL: UnexpectedToken, "a closing parenthesis", "Each open parenthesis needs a closing one.",
        "IS_DEFINED(tags.floor)";
    END: UnexpectedToken, "AND, OR or the end", "Conditions are joined by AND or OR.",
        "tags.floor = 3 AND tags.room = 'hall'";
    ORDERED: WrongOperand, "a number, a string or a field", "true, false and null have no order: compare them with = or !=.",
        "properties.reported.connected != true";
    STRING: WrongOperand, "a string", "This operator looks into a text.", "tags.room STARTSWITH 'ha'";
    STRING_FOR_ID: WrongOperand, "a string", "deviceId is a string, also when it looks like a number.", "deviceId = '7'";
    STRING_FOR_GROUP: WrongOperand, "a string", "Groups are named by strings.", "groups CONTAINS 'greenhouse'";
    GROUPS: GroupsIsAList, "CONTAINS after groups, or IS_DEFINED around it",
        "A thing is in several groups, so groups is a list.", "groups CONTAINS 'east' OR groups CONTAINS 'west'";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Filter;

    #[test]
    fn the_example_of_every_error_is_a_filter() {
        for expected in ALL {
            assert!(Filter::parse(expected.example).is_ok(), "{}", expected.example);
            assert!(expected.hint.ends_with('.'), "{}", expected.hint);
        }
    }

    #[test]
    fn the_limits_that_errors_state_are_the_limits_that_hold() {
        assert!(SHORT_TEXT.what.contains(&crate::MAX_TEXT_BYTES.to_string()));
        assert!(FEW_TERMS.what.contains(&crate::MAX_TERMS.to_string()));
        assert!(SHALLOW.what.contains(&crate::MAX_DEPTH.to_string()));
        assert!(SHORT_LIST.what.contains(&crate::MAX_LIST.to_string()));
    }
}
