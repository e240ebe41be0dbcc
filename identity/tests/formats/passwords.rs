//! What stands behind a password: its rules, and the counters of guesses; and rates of requests.

use identity::{
    attempts::{self, Attempt, Counter, Guard, Proven, Rule, Use},
    command::Command,
    oauth,
    passwords::{self, Rules},
    profiles, rates,
    sessions::{self, Presented},
    users,
};

use crate::{
    Sample,
    commands::{draft, own_sign_in},
    records::{AT, SESSION, USER, digest, hash},
    sample,
};

/// One that passes a guard of every rule.
fn attempt() -> Attempt {
    let rules = [Rule::Account, Rule::Device, Rule::Source, Rule::Tenant];
    Attempt { guards: rules.map(|rule| Guard { rule, key: digest(9) }).into() }
}

fn limits() -> attempts::Limits {
    attempts::Limits {
        free: 1,
        delay_min_s: 251,
        delay_max_s: 70_000,
        lock_at: 99,
        lock_s: 86_400,
        source_max: 400,
        source_drain_s: 30,
        tenant_max: 30_000,
        tenant_drain_ms: 10,
    }
}

fn counter() -> Counter {
    Counter {
        failures: 7,
        first_at_ms: AT,
        last_at_ms: AT + 1,
        until_ms: AT + 2,
        expires_at_ms: AT + 3,
        queued_at_ms: AT + 4,
        address: "192.0.2.1".into(),
    }
}

fn rate_limits() -> rates::Rules {
    let rate = |per_s| Some(rates::Rate { per_s, burst: 300 });
    let limits = rates::Limits { source: rate(1), client: rate(2), user: rate(3), tenant: rate(4) };
    rates::Rules { revision: 2, limits }
}

/// Every command about passwords and attempts.
pub(crate) fn attempt_commands() -> Vec<Command> {
    let change = users::Command::ChangePassword {
        id: USER,
        credential_revision: 3,
        password: hash(),
        session: Some(SESSION),
    };
    let own = users::OwnPassword {
        by: Presented { session: SESSION, cookie: digest(11) },
        credential_revision: 3,
        password: hash(),
        cookie: digest(12),
    };
    let proven = Proven { attempt: attempt(), by: Use::Users(users::Command::Unlock(USER)) };
    let rehash = users::Command::Rehash { id: USER, credential_revision: 3, password: hash() };
    vec![
        Command::Users(rehash),
        Command::Users(users::Command::Unlock(USER)),
        Command::Users(change),
        Command::Users(users::Command::ChangeOwnPassword(Box::new(own))),
        Command::Passwords(passwords::Command::Set { expected: Some(2), length_min: 20 }),
        Command::Rates(rates::Command::Set { expected: Some(2), limits: rate_limits().limits }),
        Command::Proven(Box::new(proven)),
        Command::Attempts(attempts::Command::Reserve(attempt())),
        Command::Attempts(attempts::Command::Release(attempt())),
        Command::Attempts(attempts::Command::SetRules { expected: Some(2), limits: limits() }),
    ]
}

pub(crate) fn samples() -> Vec<Sample> {
    let by = oauth::Command::DenyToken { jti: digest(6), expires_at_ms: AT };
    let proven = Proven { attempt: attempt(), by: Use::Oauth(by) };
    let own = sessions::Command::SignIn(Box::new(own_sign_in()));
    let own = Proven { attempt: attempt(), by: Use::Sessions(own) };
    vec![
        sample("draft-proven-sessions", draft(Command::Proven(Box::new(own)))),
        sample("attempt-counter", counter()),
        sample("attempt-rules", attempts::Rules { revision: 2, limits: limits() }),
        sample("password-rules", Rules { revision: 2, length_min: 20 }),
        sample("profile-rules", profiles::Rules { revision: 2, ..profiles::Rules::default() }),
        sample("rate-limits", rate_limits()),
        sample("rate-limits-none", rates::Rules::default()),
        sample("draft-proven-oauth", draft(Command::Proven(Box::new(proven)))),
    ]
}
