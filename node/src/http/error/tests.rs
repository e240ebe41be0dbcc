use std::collections::BTreeSet;

use super::*;

const SOURCE: &str = include_str!("../error.rs");
const PAGE: &str = include_str!("../../../../docs/ERRORS.md");

fn codes() -> Vec<&'static str> {
    SOURCE
        .lines()
        .filter_map(|line| line.trim().strip_prefix("code: \"")?.split('"').next())
        .collect()
}

#[test]
fn codes_are_unique() {
    let all = codes();
    let unique: BTreeSet<&str> = all.iter().copied().collect();
    assert!(all.len() >= 30, "the table was found: {}", all.len());
    assert_eq!(all.len(), unique.len());
}

#[test]
fn every_code_has_a_paragraph_and_every_paragraph_a_code() {
    let described: BTreeSet<&str> =
        PAGE.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`')).collect();
    assert_eq!(described, codes().into_iter().collect());
    for code in codes() {
        let body = failure::paragraph(code).unwrap();
        assert!(body.len() > 60, "{code} is described: {body}");
    }
}

#[test]
fn a_bare_status_gets_the_class_of_that_status() {
    for code in 400..600 {
        let status = StatusCode::from_u16(code).unwrap();
        let class = Class::of_status(status);
        let known =
            [401, 403, 404, 405, 408, 409, 410, 412, 413, 414, 415, 422, 429, 431, 500, 503];
        if known.contains(&code) {
            assert_eq!(class.status, status);
        }
        assert_eq!(class.status.is_server_error(), status.is_server_error(), "{code}");
    }
}
