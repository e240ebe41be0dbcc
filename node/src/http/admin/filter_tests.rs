use identity::table::Table;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const fn column(index: u8, unique: bool) -> Column {
    Column { table: Table(*b"us"), index, unique }
}

const ATTRIBUTES: &[Attribute] = &[
    Attribute {
        name: "username",
        column: column(1, true),
        comparisons: Comparisons::EqualOrStart,
        canonical: str::to_ascii_lowercase,
    },
    Attribute {
        name: "email",
        column: column(2, false),
        comparisons: Comparisons::Equal,
        canonical: str::to_owned,
    },
];

/// A filter as indexes, kinds and texts.
fn read(text: &str) -> Vec<Vec<(u8, Kind, String)>> {
    let filter = parse(text, ATTRIBUTES).unwrap();
    let one = |one: Comparison| (one.column.index, one.kind, one.text);
    filter.alternatives.into_iter().map(|all| all.into_iter().map(one).collect()).collect()
}

fn reason(text: &str) -> String {
    let occurrence = parse(text, ATTRIBUTES).unwrap_err().into_occurrence();
    assert_eq!(occurrence.class, Class::INVALID_REQUEST);
    assert_eq!(occurrence.errors[0].pointer, "filter");
    occurrence.errors[0].detail.clone()
}

#[test]
fn a_comparison_of_an_indexed_attribute_is_read() {
    for (text, index, kind, value) in [
        (r#"username eq "Alice""#, 1, Kind::Equal, "alice"),
        (r#"username sw "al""#, 1, Kind::Start, "al"),
        (r#"  UserName  SW  "al"  "#, 1, Kind::Start, "al"),
        (r#"username eq"al""#, 1, Kind::Equal, "al"),
        (r#"email eq "a\"b\u0041 c""#, 2, Kind::Equal, "a\"bA c"),
        (r#"username sw """#, 1, Kind::Start, ""),
        ("email pr", 2, Kind::Present, ""),
        (" email  PR ", 2, Kind::Present, ""),
    ] {
        assert_eq!(read(text), [[(index, kind, value.to_owned())]], "{text}");
    }
}

#[test]
fn and_binds_tighter_than_or_and_the_narrowest_comparison_stands_first() {
    let filter = r#"email pr and username sw "a" or email eq "x"AND username eq "b""#;
    assert_eq!(
        read(filter),
        [
            [(1, Kind::Start, "a".to_owned()), (2, Kind::Present, String::new())],
            [(1, Kind::Equal, "b".to_owned()), (2, Kind::Equal, "x".to_owned())],
        ]
    );
}

#[test]
fn everything_else_is_refused_with_a_reason() {
    let long = format!("username eq \"{}\"", "a".repeat(LENGTH_MAX));
    let many = ["email pr"; COMPARISONS_MAX + 1].join(" or ");
    for (text, expected) in [
        ("", "must compare one of: username, email"),
        ("password eq \"x\"", "must compare one of: username, email"),
        ("not (username eq \"x\")", "must compare one of: username, email"),
        ("(username eq \"x\")", "must compare one of: username, email"),
        ("username", "compares username by eq, sw and pr only"),
        ("username co \"x\"", "compares username by eq, sw and pr only"),
        ("email sw \"x\"", "compares email by eq and pr only"),
        ("username eq", "must compare with a text in double quotes"),
        ("username eq x", "must compare with a text in double quotes"),
        ("username eq 1", "must compare with a text in double quotes"),
        ("username eq \"x", "must compare with a text in double quotes"),
        ("username eq 'x'", "must compare with a text in double quotes"),
        ("username eq \"x\" and", "must compare one of: username, email"),
        ("username eq \"x\" or or", "must compare one of: username, email"),
        ("username eq \"x\")", "joins comparisons by and and or; groups are not offered"),
        ("username eq \"x\" \"y\"", "joins comparisons by and and or; groups are not offered"),
        ("username pr xor email pr", "joins comparisons by and and or; groups are not offered"),
        (long.as_str(), "is longer than 4096 bytes"),
        (many.as_str(), "has more than 8 comparisons"),
    ] {
        assert_eq!(reason(text), expected, "{text}");
    }
}

#[test]
fn a_comparison_holds_for_what_is_shown() {
    let shown = json!({ "username": "Alice", "email": null });
    for (text, holds) in [
        (r#"username eq "ALICE""#, true),
        (r#"username eq "alic""#, false),
        (r#"username sw "ALI""#, true),
        (r#"username sw "b""#, false),
        ("username pr", true),
        ("email pr", false),
        (r#"email eq """#, false),
    ] {
        let filter = parse(text, ATTRIBUTES).unwrap();
        assert_eq!(filter.single().unwrap().holds(&shown), holds, "{text}");
    }
}

/// Texts that look like filters, right ones and wrong ones.
fn nearly_filters() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "username",
        "email",
        "Email",
        "eq",
        "sw",
        "pr",
        "and",
        "or",
        "not",
        "(",
        ")",
        "[",
        "\"",
        "\"a\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\\",
        " ",
        "  ",
        "x",
        "é",
        "\u{1F600}",
        "\t",
        "\n",
    ]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_fail_and_what_it_takes_is_bounded(
        text in prop_oneof![".{0,200}", nearly_filters()],
    ) {
        if let Ok(filter) = parse(&text, ATTRIBUTES) {
            let count: usize = filter.alternatives.iter().map(Vec::len).sum();
            prop_assert!((1..=COMPARISONS_MAX).contains(&count));
            prop_assert!(filter.alternatives.iter().all(|all| !all.is_empty()));
        }
    }

    #[test]
    fn what_is_written_is_what_is_read(
        parts in prop::collection::vec((any::<bool>(), "\\PC{0,12}", any::<bool>()), 1..8),
    ) {
        let mut text = String::new();
        let mut expected = vec![Vec::new()];
        for (number, (email, value, or)) in parts.iter().enumerate() {
            if number > 0 {
                text.push_str(if *or { " or " } else { " and " });
                if *or {
                    expected.push(Vec::new());
                }
            }
            let quoted = serde_json::to_string(value).unwrap();
            let name = if *email { "email" } else { "username" };
            text.push_str(&format!("{name} eq {quoted}"));
            let (index, value) =
                if *email { (2, value.clone()) } else { (1, value.to_ascii_lowercase()) };
            expected.last_mut().unwrap().push((index, Kind::Equal, value));
        }
        // Unique ones first, otherwise as they were written.
        for all in &mut expected {
            all.sort_by_key(|(index, ..)| *index);
        }
        prop_assert_eq!(read(&text), expected);
    }
}
