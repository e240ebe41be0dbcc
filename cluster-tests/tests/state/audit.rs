//! `audit verify` finds a flip, an insertion, a deletion, a reorder and a truncation in a real
//! store.

use actors::{
    audit::{self, Anchor, Report},
    runtime::{
        clock::Clock,
        keyring::{Keyring, Root},
        random::Random,
    },
};
use identity::{
    apply::{AUDIT_CHAIN, AUDIT_CHECKPOINT, AUDIT_HEAD, apply_entry},
    applying::Mode,
    audit::{AUDIT_TRIM, Command as Retention},
    codec,
    command::Command,
    event::{AuditEvent, ChainHead, Checkpoint, TrimPoint, event_hash},
    id::{RequestId, TenantId},
    principal::{Principal, Source},
    stamp::{Draft, Entry, Placement, Stamp},
    table::{Row, Tables as _},
};
use storage::{Applied, Batch, Mark, Options, Overlay, Reads as _, Store, keys};

const TENANT: TenantId = TenantId::from_bytes([9; 16]);
const EVENTS: u64 = 12;

struct Trail {
    store: Store,
    keyring: Keyring,
    anchor: Anchor,
    index: u64,
    _folder: tempfile::TempDir,
}

impl Trail {
    /// A trail of [`EVENTS`] events; number 9 states the end at 8, signed.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Options::default()).unwrap();
        let root = Root::parse(b"a root secret that only tests know").unwrap();
        let keyring = Keyring::new(root, None, Random::new(Clock::system()));
        let anchor = Anchor { sequence: 0, hash: [0; 32] };
        let mut trail = Self { store, keyring, anchor, index: 0, _folder: folder };
        for _ in 0..8 {
            trail.apply(Command::Noop);
        }
        trail.checkpoint();
        while trail.head().sequence < EVENTS {
            trail.apply(Command::Noop);
        }
        let ChainHead { sequence, hash } = trail.head();
        trail.anchor = Anchor { sequence, hash };
        trail
    }

    fn mark(&mut self) -> Mark {
        self.index += 1;
        Mark {
            applied: Applied { index: self.index, log_id: vec![1] },
            last_stamp_ms: 1000 + self.index,
            feature_level: 1,
            membership: None,
            incarnation: None,
        }
    }

    fn apply(&mut self, command: Command) {
        let mark = self.mark();
        let mut id = [0; 16];
        id[8..].copy_from_slice(&self.index.to_be_bytes());
        let draft = Draft {
            request: RequestId::from_bytes(id),
            not_after_ms: mark.last_stamp_ms + 1000,
            placement: Placement::Tenant(TENANT),
            principal: Principal::System,
            source: Source {
                salt: id,
                address: format!("192.0.2.{}", self.index),
                user_agent: "test".into(),
            },
            idempotency: None,
            command,
        };
        let stamp = Stamp { at_ms: mark.last_stamp_ms, feature_level: 1 };
        let entry = Entry { stamp, drafts: vec![draft.encoded()] };
        let mut overlay = Overlay::new(self.store.pin().live());
        let mut each = |_| ();
        let last = Stamp::default();
        apply_entry(&mut overlay, self.index, last, &entry, Mode::Full, &mut each).unwrap();
        let mut batch = Batch::new();
        overlay.drain_into(&mut batch).unwrap();
        self.store.commit(batch, &mark).unwrap();
    }

    fn checkpoint(&mut self) {
        let ChainHead { sequence, hash } = self.head();
        let bytes = Checkpoint::signed_bytes(TENANT, sequence, &hash, 5);
        let signature = self.keyring.sign_checkpoint(&bytes).unwrap().to_vec();
        let checkpoint = Checkpoint { tenant: TENANT, sequence, hash, at_ms: 5, signature };
        self.apply(Command::Checkpoint(checkpoint));
    }

    fn get(&self, part: u8, sequence: u64) -> Vec<u8> {
        let pinned = self.store.pin();
        let view = pinned.view().unwrap();
        view.get(TENANT, Row::Audit { part, sequence }).unwrap().expect("the row is there")
    }

    fn head(&self) -> ChainHead {
        codec::decode(&self.get(AUDIT_HEAD, 0)).unwrap()
    }

    fn event(&self, sequence: u64) -> AuditEvent {
        codec::decode(&self.get(AUDIT_CHAIN, sequence)).unwrap()
    }

    /// Writes past every rule, as somebody with the files in hand could.
    fn tamper(&mut self, rows: &[(u8, u64, Option<Vec<u8>>)]) {
        let mut batch = Batch::new();
        let space = self.store.pin().live().space();
        for (part, sequence, value) in rows {
            let row = Row::Audit { part: *part, sequence: *sequence };
            let key = keys::encode(space, TENANT, row);
            match value {
                Some(value) => batch.put(key, value.clone()),
                None => batch.delete(key),
            }
        }
        let mark = self.mark();
        self.store.commit(batch, &mark).unwrap();
    }

    fn verify(&self, anchor: Option<Anchor>) -> Report {
        let pinned = self.store.pin();
        let key = self.keyring.checkpoint_public_key();
        audit::verify(&pinned.view().unwrap(), TENANT, &key, anchor).unwrap()
    }

    fn problem(&self) -> (u64, String) {
        let problem = self.verify(None).problem.expect("it was not found");
        (problem.sequence, problem.what)
    }

    /// Events as somebody rewrites them from `from` on, with every hash made to fit.
    fn rechain(&mut self, from: u64, mut events: Vec<AuditEvent>) {
        let mut previous = self.event(from - 1).hash;
        let mut rows = Vec::new();
        for (sequence, event) in (from..).zip(&mut events) {
            event.sequence = sequence;
            event.previous = previous;
            event.hash = event_hash(event);
            previous = event.hash;
            rows.push((AUDIT_CHAIN, sequence, Some(codec::encode(event))));
        }
        let sequence = from - 1 + events.len() as u64;
        let head = ChainHead { sequence, hash: previous };
        rows.push((AUDIT_HEAD, 0, Some(codec::encode(&head))));
        rows.extend((sequence + 1..=EVENTS).map(|sequence| (AUDIT_CHAIN, sequence, None)));
        self.tamper(&rows);
    }
}

fn raw(trail: &Trail, sequence: u64) -> Option<Vec<u8>> {
    Some(trail.get(AUDIT_CHAIN, sequence))
}

#[test]
fn an_untouched_trail_holds() {
    let trail = Trail::new();
    let report = trail.verify(Some(trail.anchor));
    assert_eq!(report.problem, None);
    assert_eq!((report.events, report.checkpoints), (EVENTS, 1));
}

#[test]
fn a_flip_of_any_bit_of_an_event_is_found() {
    let bytes = Trail::new().get(AUDIT_CHAIN, 6);
    let mut trail = Trail::new();
    for at in 0..bytes.len() {
        let good = trail.get(AUDIT_CHAIN, 6);
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        trail.tamper(&[(AUDIT_CHAIN, 6, Some(bad))]);
        assert_eq!(trail.problem().0, 6, "byte {at}");
        trail.tamper(&[(AUDIT_CHAIN, 6, Some(good))]);
    }
    assert_eq!(trail.verify(None).problem, None);
}

#[test]
fn an_inserted_event_is_found() {
    let mut trail = Trail::new();
    // Every later row moves up by one.
    let mut rows: Vec<_> =
        (6..=EVENTS).map(|sequence| (AUDIT_CHAIN, sequence + 1, raw(&trail, sequence))).collect();
    rows.push((AUDIT_CHAIN, 6, raw(&trail, 5)));
    trail.tamper(&rows);
    assert_eq!(trail.problem().0, 6);

    // At the end, with a hash that fits.
    let mut trail = Trail::new();
    let last = trail.event(EVENTS);
    let mut forged = AuditEvent { sequence: EVENTS + 1, previous: last.hash, ..last };
    forged.hash = event_hash(&forged);
    trail.tamper(&[(AUDIT_CHAIN, EVENTS + 1, Some(codec::encode(&forged)))]);
    assert!(trail.problem().0 >= EVENTS);
}

#[test]
fn a_deleted_event_is_found() {
    for sequence in 1..=EVENTS {
        let mut trail = Trail::new();
        trail.tamper(&[(AUDIT_CHAIN, sequence, None)]);
        assert_eq!(trail.problem().0, sequence);
    }
}

#[test]
fn reordered_events_are_found() {
    let mut trail = Trail::new();
    let (five, six) = (raw(&trail, 5), raw(&trail, 6));
    trail.tamper(&[(AUDIT_CHAIN, 5, six), (AUDIT_CHAIN, 6, five)]);
    assert_eq!(trail.problem().0, 5);

    // Renumbered, but not hashed again.
    let mut trail = Trail::new();
    let (mut five, mut six) = (trail.event(5), trail.event(6));
    (five.sequence, six.sequence) = (6, 5);
    trail.tamper(&[
        (AUDIT_CHAIN, 5, Some(codec::encode(&six))),
        (AUDIT_CHAIN, 6, Some(codec::encode(&five))),
    ]);
    assert_eq!(trail.problem().0, 5);
}

#[test]
fn a_truncation_is_found_by_the_head_a_checkpoint_or_an_anchor() {
    // The events alone.
    let mut trail = Trail::new();
    let gone: Vec<_> = (8..=EVENTS).map(|sequence| (AUDIT_CHAIN, sequence, None)).collect();
    trail.tamper(&gone);
    assert_eq!(trail.problem().0, 8);

    // The head as well: the checkpoint over event 8 remains.
    trail = Trail::new();
    trail.rechain(5, vec![trail.event(5)]);
    assert_eq!(trail.problem().0, 6);

    // The checkpoint as well: only who wrote the end down elsewhere can tell.
    trail.tamper(&[(AUDIT_CHECKPOINT, 8, None)]);
    assert_eq!(trail.verify(None).problem, None);
    let report = trail.verify(Some(trail.anchor));
    assert_eq!(report.problem.expect("it was not found").sequence, 6);
}

#[test]
fn a_rewritten_trail_contradicts_its_checkpoint() {
    let mut trail = Trail::new();
    let mut events: Vec<_> = (5..=EVENTS).map(|sequence| trail.event(sequence)).collect();
    events[0].action = "harmless".into();
    trail.rechain(5, events);
    assert_eq!(trail.problem().0, 8);

    // A checkpoint that fits, but is signed by another key.
    let root = Root::parse(b"another root secret that tests know").unwrap();
    trail.keyring = Keyring::new(root, None, Random::new(Clock::system()));
    let ChainHead { sequence, hash } = trail.head();
    let bytes = Checkpoint::signed_bytes(TENANT, sequence, &hash, 5);
    let signature = trail.keyring.sign_checkpoint(&bytes).unwrap().to_vec();
    let forged = Checkpoint { tenant: TENANT, sequence, hash, at_ms: 5, signature };
    let genuine = Trail::new();
    trail.keyring = genuine.keyring;
    trail.tamper(&[
        (AUDIT_CHECKPOINT, 8, None),
        (AUDIT_CHECKPOINT, sequence, Some(codec::encode(&forged))),
    ]);
    assert_eq!(trail.problem().0, EVENTS);
}

#[test]
fn a_trail_that_retention_made_shorter_holds_by_its_statement_and_not_without() {
    let mut trail = Trail::new();
    trail.apply(Command::Audit(Retention::SetRules { expected: None, keep_s: Some(86_400) }));
    // Later than a day.
    trail.index += 200_000_000;
    let hash = trail.event(8).hash;
    let signed = |trail: &Trail, bytes: &[u8]| {
        let signature = trail.keyring.sign_checkpoint(bytes).unwrap().to_vec();
        TrimPoint { tenant: TENANT, sequence: 8, hash, at_ms: 5, signature }
    };
    let point = signed(&trail, &TrimPoint::signed_bytes(TENANT, 8, &hash, 5));
    trail.apply(Command::Audit(Retention::Trim(point)));
    let report = trail.verify(Some(trail.anchor));
    assert_eq!(report.problem, None);
    assert_eq!((report.removed, report.events), (8, trail.head().sequence - 8));

    // What retention removed cannot be compared any more, but for the last event of it.
    let anchor = |sequence, hash| trail.verify(Some(Anchor { sequence, hash })).problem;
    assert_eq!(anchor(8, hash), None);
    assert_eq!(anchor(8, [7; 32]).expect("another event").sequence, 8);
    assert_eq!(anchor(5, [7; 32]).expect("nothing to compare with").sequence, 5);

    // A piece at a time it is the same.
    let pinned = trail.store.pin();
    let (view, key) = (pinned.view().unwrap(), trail.keyring.checkpoint_public_key());
    let mut pieces = Report::default();
    while !audit::verify_on(&view, TENANT, &key, None, 1, &mut pieces).unwrap() {}
    assert_eq!(pieces, report);
    drop(view);
    drop(pinned);

    let stored = trail.get(AUDIT_TRIM, 0);
    trail.tamper(&[(AUDIT_TRIM, 0, None)]);
    assert_eq!(trail.problem().0, 1, "without it the first event is missing");
    // What was signed as a checkpoint is no statement that something was removed.
    let other = signed(&trail, &Checkpoint::signed_bytes(TENANT, 8, &hash, 5));
    trail.tamper(&[(AUDIT_TRIM, 0, Some(codec::encode(&other)))]);
    assert_eq!(trail.problem().0, 1);
    trail.tamper(&[(AUDIT_TRIM, 0, Some(stored)), (AUDIT_CHAIN, 9, None)]);
    assert_eq!(trail.problem().0, 9, "more than it names is missing");
}
