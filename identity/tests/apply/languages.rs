//! The languages of a tenant's pages: who says which, and what can be said.

use identity::{
    command::Command,
    languages::{self, RULES_ID, Rules},
    outcome::{Outcome, Rejection},
    principal::Principal,
};

use crate::world::{ACME, BOB, OTHER, OWN, ROOT, World, person};

fn set(expected: Option<u64>, offered: &[&str], default: &str) -> Command {
    let offered = offered.iter().map(|tag| (*tag).to_owned()).collect();
    Command::Languages(languages::Command::Set { expected, offered, default: default.into() })
}

#[test]
fn a_tenant_says_which_languages_its_pages_offer_and_only_its_administrators_do() {
    let mut world = World::ready();
    let rules = |world: &World| languages::rules(&world.tables.opened(ACME), ACME).unwrap();
    assert_eq!(rules(&world), Rules::default());
    assert_eq!(rules(&world).tags(), ["en", "de", "fr"]);
    let root = person(ACME, ROOT, OWN);
    let written = |revision| Ok(Outcome::Written { id: RULES_ID, revision });
    assert_eq!(world.result(root, ACME, set(Some(0), &["de", "fr"], "fr")), written(1));
    assert_eq!(rules(&world).tags(), ["fr", "de"]);
    assert_eq!(world.result(root, ACME, set(Some(0), &["de"], "de")), Err(Rejection::Stale));
    for (offered, default, field) in [
        (&["de", "nl"][..], "de", "/offered"),
        (&["de", ""], "de", "/offered"),
        (&["DE"], "DE", "/offered"),
        (&["de"], "fr", "/default"),
        (&[], "", "/default"),
    ] {
        let refused = world.result(root, ACME, set(None, offered, default));
        let at = |refused: &Result<_, _>| match refused {
            Err(Rejection::Invalid { field, .. }) => field.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(at(&refused), field, "{offered:?} {default}");
    }
    for principal in [person(ACME, BOB, OWN), person(OTHER, ROOT, OWN), Principal::Anonymous] {
        assert!(world.result(principal, ACME, set(None, &["de"], "de")).is_err(), "{principal:?}");
    }
    assert_eq!(world.result(root, ACME, set(Some(1), &["en"], "en")), written(2));
}
