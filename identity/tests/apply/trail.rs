//! What every change leaves behind: a chain without a gap, erasable personal values, history.

use identity::{
    codec,
    command::{Command, Denials},
    event::{AuditEvent, ChainHead, HistoryRow, OutboxEvent, Personal, Verdict},
    event::{commitment, event_hash},
    id::{TenantId, UserId},
    outcome::Outcome,
    principal::Principal,
    table::{Record, Row},
    users::{self, User},
};

use crate::world::{ACME, BOB, DEFAULT, OTHER, World, operator, phc, user};

pub(crate) fn head(world: &World, tenant: TenantId) -> ChainHead {
    let row = Row::Audit { part: 0, sequence: 0 };
    codec::decode(&world.tables.peek(tenant, row).unwrap()).unwrap()
}

fn event(world: &World, tenant: TenantId, sequence: u64) -> AuditEvent {
    let row = Row::Audit { part: 1, sequence };
    codec::decode(&world.tables.peek(tenant, row).unwrap()).unwrap()
}

fn personal(world: &World, tenant: TenantId, sequence: u64) -> Option<Personal> {
    let row = Row::Audit { part: 2, sequence };
    world.tables.peek(tenant, row).map(|bytes| codec::decode(&bytes).unwrap())
}

#[test]
fn every_chain_links_without_a_gap_and_commits_to_its_personal_values() {
    let mut world = World::ready();
    world.update_user(Principal::Anonymous, ACME, BOB, user("mallory")).unwrap_err();
    world.update_user(operator(), ACME, BOB, user("robert")).unwrap();
    for tenant in [TenantId::CLUSTER, DEFAULT, ACME, OTHER] {
        let head = head(&world, tenant);
        assert!(head.sequence >= 4, "{tenant} has a chain of its own");
        let mut previous = [0; 32];
        for sequence in 1..=head.sequence {
            let event = event(&world, tenant, sequence);
            assert_eq!((event.sequence, event.previous), (sequence, previous));
            assert_eq!(event.hash, event_hash(&event));
            let personal = personal(&world, tenant, sequence).expect("a source was given");
            assert_eq!(event.commitment, commitment(&personal));
            previous = event.hash;
        }
        assert_eq!(head.hash, previous);
        assert!(world.tables.peek(tenant, Row::Audit { part: 1, sequence: 0 }).is_none());
        let beyond = Row::Audit { part: 1, sequence: head.sequence + 1 };
        assert!(world.tables.peek(tenant, beyond).is_none());
    }
}

#[test]
fn an_event_says_who_did_what_to_what_and_how_it_ended() {
    let mut world = World::ready();
    let draft = {
        let delete = users::Command::Delete { id: BOB, expected: None };
        world.draft(operator(), ACME, Command::Users(delete))
    };
    world.apply(&draft);
    let sequence = head(&world, ACME).sequence;
    let done = event(&world, ACME, sequence);
    assert_eq!(
        (done.request, done.principal, done.at_ms),
        (draft.request, operator(), world.now_ms)
    );
    assert_eq!((done.action.as_str(), &done.verdict), ("users.delete", &Verdict::Allowed));
    let target = done.target.unwrap();
    assert_eq!((target.table, target.id), (User::TABLE.0, BOB.bytes()));
    assert_eq!(personal(&world, ACME, sequence).unwrap().source, draft.source);

    let row = Row::Outbox { index: world.index, ordinal: 0 };
    let bytes = world.tables.peek(TenantId::CLUSTER, row).unwrap();
    let outbox: OutboxEvent = codec::decode(&bytes).unwrap();
    assert_eq!((outbox.tenant, outbox.audit_sequence), (ACME, sequence));
    assert_eq!(outbox.changed, [(User::TABLE.0, BOB.bytes(), 2)]);

    world.update_user(operator(), ACME, BOB, user("bob")).unwrap_err();
    let refused = event(&world, ACME, sequence + 1);
    assert_eq!(refused.verdict, Verdict::Denied("not_found".into()));
    assert_eq!(refused.target.unwrap().id, BOB.bytes());
}

#[test]
fn an_event_without_a_source_has_no_personal_row() {
    let mut world = World::ready();
    let mut draft = world.draft(Principal::System, ACME, Command::Noop);
    draft.source = Default::default();
    world.apply(&draft);
    assert_eq!(personal(&world, ACME, head(&world, ACME).sequence), None);
}

#[test]
fn counted_denials_stand_in_the_detail_of_one_event() {
    let mut world = World::ready();
    let (action, reason) = ("oauth.login".to_owned(), "rate".to_owned());
    let denials = Denials { action, reason, count: 17, minute_ms: 60_000 };
    world.done(Principal::System, ACME, Command::Denials(denials));
    let event = event(&world, ACME, head(&world, ACME).sequence);
    assert_eq!(event.detail, "action=oauth.login reason=rate count=17 minute_ms=60000");
}

fn history(world: &World, id: UserId, revision: u64) -> Option<HistoryRow> {
    let row = Row::History { table: User::TABLE, id: id.bytes(), revision };
    world.tables.peek(ACME, row).map(|bytes| codec::decode(&bytes).unwrap())
}

#[test]
fn history_holds_what_was_and_what_became_and_no_secret() {
    let mut world = World::ready();
    let mut settings = user("robert");
    settings.email = None;
    let (id, expected, password) = (BOB, Some(1), Some(phc("a new one")));
    let update = users::Command::Update { id, expected, settings, password };
    world.now_ms += 1;
    let outcome = world.done(operator(), ACME, Command::Users(update));
    assert_eq!(outcome, Outcome::Written { id: BOB.bytes(), revision: 2 });

    let made = history(&world, BOB, 1).unwrap();
    let field = |row: &HistoryRow, name: &str| {
        let found = row.fields.iter().find(|(field, ..)| field == name);
        found.map(|(_, before, after)| (before.clone(), after.clone()))
    };
    let pair = |before: &str, after: &str| Some((before.to_owned(), after.to_owned()));
    assert_eq!(field(&made, "username"), pair("null", "\"bob\""));
    assert_eq!(field(&made, "password"), pair("null", "\"redacted\""));

    let changed = history(&world, BOB, 2).unwrap();
    assert_eq!((changed.principal, changed.action.as_str()), (operator(), "users.update"));
    assert_eq!(changed.position, (world.index, 0));
    let now = world.now_ms;
    let expected = [
        ("credential_revision", "1".to_owned(), "2".to_owned()),
        ("email", "\"bob@example.org\"".into(), "null".into()),
        ("revision", "1".into(), "2".into()),
        ("session_epoch", "0".into(), "1".into()),
        ("updated_at_ms", (now - 1).to_string(), now.to_string()),
        ("username", "\"bob\"".into(), "\"robert\"".into()),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(n, b, a)| (n.to_owned(), b, a)).collect();
    assert_eq!(changed.fields, expected, "in alphabetical order on every build");
    assert_eq!(history(&world, BOB, 3), None);
    for row in [made, changed] {
        assert!(!format!("{row:?}").contains("argon2id"));
    }
}
