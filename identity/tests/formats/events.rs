//! Samples of what the audit trail, the outbox and history hold.

use identity::{
    audit,
    command::{Command, Denials},
    event,
    outbox::{self, Bound},
    principal::Principal,
    restore,
};

use crate::{
    Sample,
    records::{AT, REQUEST, TENANT, USER, principals, source},
    sample,
};

pub(crate) fn checkpoint() -> event::Checkpoint {
    let signature = vec![19; 64];
    event::Checkpoint { tenant: TENANT, sequence: 9, hash: [18; 32], at_ms: AT, signature }
}

pub(crate) fn audit_event(principal: Principal, verdict: event::Verdict) -> event::AuditEvent {
    let mut event = event::AuditEvent {
        sequence: 10,
        at_ms: AT,
        position: (70_000, 3),
        request: REQUEST,
        principal,
        action: "users.update".into(),
        target: Some(event::Target { table: *b"us", id: USER.bytes() }),
        verdict,
        detail: "count=3".into(),
        commitment: event::commitment(&event::Personal { source: source() }),
        previous: [20; 32],
        hash: [0; 32],
    };
    // So the hash, too, is frozen: another one would make a kept chain read as forged.
    event.hash = event::event_hash(&event);
    event
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut all: Vec<Sample> = principals()
        .into_iter()
        .map(|(name, principal)| {
            let event = audit_event(principal, event::Verdict::Allowed);
            sample(format!("audit-event-{name}"), event)
        })
        .collect();
    let denied = event::Verdict::Denied("stale".into());
    let refused = event::Verdict::Refused("code_replayed".into());
    all.push(sample("outbox-bound", Bound { revision: 3, first: 4_711 }));
    all.push(sample("audit-event-denied", audit_event(Principal::System, denied)));
    all.push(sample("audit-event-refused", audit_event(Principal::Anonymous, refused)));
    let outbox = event::OutboxEvent {
        tenant: TENANT,
        audit_sequence: 10,
        action: "users.update".into(),
        changed: vec![(*b"us", USER.bytes(), 7)],
    };
    all.push(sample("outbox-event", outbox));
    let history = event::HistoryRow {
        at_ms: AT,
        position: (70_000, 3),
        principal: Principal::System,
        action: "users.update".into(),
        fields: vec![("enabled".into(), "true".into(), "false".into())],
    };
    all.push(sample("history-row", history));
    all.push(sample("personal", event::Personal { source: source() }));
    all.push(sample("chain-head", event::ChainHead { sequence: 10, hash: [21; 32] }));
    all.push(sample("checkpoint", checkpoint()));
    all.push(sample("trim-point", trim_point()));
    let rules = audit::Rules { tenant: TENANT, revision: 3, keep_s: Some(31_536_000) };
    all.push(sample("audit-rules", rules));
    all
}

pub(crate) fn trim_point() -> event::TrimPoint {
    let signature = vec![23; 64];
    event::TrimPoint { tenant: TENANT, sequence: 8, hash: [22; 32], at_ms: AT, signature }
}

/// What is done to audit trails, and what was deleted and comes back.
pub(crate) fn event_commands() -> [Command; 6] {
    [
        Command::Audit(audit::Command::SetRules { expected: Some(7), keep_s: Some(86_400) }),
        Command::Audit(audit::Command::Trim(trim_point())),
        Command::Outbox(outbox::Command::Trim { before: AT }),
        Command::Restore(restore::Command {
            table: *b"us",
            id: USER.bytes(),
            expected: Some(7),
            name: Some("alice2".into()),
        }),
        Command::Checkpoint(checkpoint()),
        Command::Denials(Denials {
            action: "oauth.login".into(),
            reason: "rate".into(),
            count: 12,
            minute_ms: AT,
        }),
    ]
}
