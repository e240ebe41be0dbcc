//! Attempts to prove something that can be guessed: each is reserved before anything is compared,
//! so that a thousand at once are counted like a thousand one after the other.
//!
//! An attempt passes several guards, each a counter of its own: of the account, of the browser that
//! is known for it, of the source, of the tenant. What proves right gives its reservation back in
//! the same command that uses the proof ([`Proven`]); what does not stays counted. Counters are
//! short-lived rows: they survive a restart and end by themselves. The same counters stand for
//! names that no account has, so that nobody learns which do.

mod limits;
mod rules;

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    changes::FORGIVING,
    cluster,
    codec::Persisted,
    fault::Fault,
    id::{TenantId, UserId},
    oauth,
    outcome::{Outcome, Rejection, Stop},
    secret::Digest,
    sessions,
    table::{self, Row, Table, Tables, TablesMut},
    users,
};

pub use limits::{Limits, READ, RULES_ID, Rules, WRITE, rules};
pub use rules::Rule;

/// Most guards of one attempt.
pub const GUARDS_MAX: usize = 8;

/// One counter that an attempt is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// How it counts.
    pub rule: Rule,
    /// Whose it is, as a digest: of an id, or a keyed one of what was typed.
    pub key: Digest,
}

impl Guard {
    /// The row it counts in; one key under two rules has two.
    fn row(&self) -> [u8; 32] {
        let mut bytes = self.rule.name().as_bytes().to_vec();
        bytes.extend_from_slice(&self.key.bytes());
        Digest::of(&bytes).bytes()
    }
}

/// An attempt: the guards it passes, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// At most [`GUARDS_MAX`].
    pub guards: Vec<Guard>,
}

/// A counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Attempts that failed or are under way.
    pub failures: u32,
    /// When the first of them was reserved, state time in milliseconds.
    pub first_at_ms: u64,
    /// When the last of them was reserved, state time in milliseconds.
    pub last_at_ms: u64,
    /// A ladder allows nothing before this; a bucket is empty again at this. State time in
    /// milliseconds.
    pub until_ms: u64,
    /// When it is forgotten, state time in milliseconds.
    pub expires_at_ms: u64,
    /// When the sweeper looks at it first, state time in milliseconds.
    pub queued_at_ms: u64,
    /// Where the last of them came from.
    pub address: String,
}

impl Persisted for Counter {
    const KIND: [u8; 2] = *b"at";
}

/// The table of counters.
pub const COUNTERS: Table = Table(Counter::KIND);

/// Longest address that a counter keeps, bytes.
const ADDRESS_MAX: usize = 64;

/// The guard of an account that exists.
pub fn account(user: UserId) -> Guard {
    Guard { rule: Rule::Account, key: Digest::of(&user.bytes()) }
}

/// Reservations. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Counts an attempt before anything is compared, or refuses it.
    Reserve(Attempt),
    /// Gives a reservation back: nothing was compared after all.
    Release(Attempt),
    /// Sets how much guessing the tenant allows.
    SetRules {
        /// Revision they were read at; none means whatever they are.
        expected: Option<u64>,
        /// Within bounds.
        limits: Limits,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Reserve(_) => "attempts.reserve",
            Self::Release(_) => "attempts.release",
            Self::SetRules { .. } => "attempts.set_rules",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Reserve(attempt) => {
                check(at.tables, at.tenant, attempt, at.now_ms)?;
                let limits = rules(at.tables, at.tenant)?.limits;
                for guard in &attempt.guards {
                    count(at, guard, &limits)?;
                }
            }
            Self::Release(attempt) => give_back(at, attempt)?,
            Self::SetRules { expected, limits } => return limits::set(at, *expected, *limits),
        }
        Ok(Outcome::Done)
    }
}

/// A proof that was right, and the attempt it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    /// Reserved before.
    pub attempt: Attempt,
    /// What the proof is for.
    pub by: Use,
}

/// What a proof is for. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Use {
    /// Something is issued.
    Oauth(oauth::Command),
    /// An account is changed.
    Users(users::Command),
    /// Somebody signs in to their own account.
    Sessions(sessions::Command),
}

impl Proven {
    pub(crate) const fn name(&self) -> &'static str {
        match &self.by {
            Use::Oauth(command) => command.name(),
            Use::Users(command) => command.name(),
            Use::Sessions(command) => command.name(),
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        let outcome = match &self.by {
            Use::Oauth(command) => command.apply(at)?,
            Use::Users(command) => command.apply(at)?,
            Use::Sessions(command) => command.apply(at)?,
        };
        // A refusal that is written down used nothing; the attempt stays counted.
        if !matches!(outcome, Outcome::Refused(_)) {
            settle(at, &self.attempt)?;
        }
        Ok(outcome)
    }
}

/// Whether an attempt may be made; `apply` decides, flows ask early and so keep strangers out of
/// the log.
///
/// # Errors
/// [`Rejection::Throttled`] by the guard that says no for longest.
pub fn check(
    tables: &impl Tables,
    tenant: TenantId,
    attempt: &Attempt,
    now_ms: u64,
) -> Result<(), Stop> {
    if attempt.guards.len() > GUARDS_MAX {
        return Err(Rejection::invalid("/guards", "are too many").into());
    }
    let limits = rules(tables, tenant)?.limits;
    let mut until_ms = None;
    let mut clean = true;
    for guard in &attempt.guards {
        let counter = match find(tables, tenant, guard, now_ms)? {
            Some(counter) => Some(owing(tables, guard, counter, &limits)?),
            None => None,
        };
        until_ms = until_ms.max(guard.rule.refuses_until(counter.as_ref(), now_ms, clean, &limits));
        if guard.rule == Rule::Source {
            clean = counter.is_none();
        }
    }
    match until_ms {
        Some(until_ms) => Err(Rejection::Throttled { until_ms }.into()),
        None => Ok(()),
    }
}

/// A counter, if there is one that still counts.
///
/// # Errors
/// Faults only.
pub fn find(
    tables: &impl Tables,
    tenant: TenantId,
    guard: &Guard,
    now_ms: u64,
) -> Result<Option<Counter>, Fault> {
    let counter = table::flow::<Counter>(tables, tenant, guard.row())?;
    Ok(counter.filter(|counter| counter.expires_at_ms > now_ms))
}

/// A counter under the present rules: at the first feature level it goes on owing what it owed.
fn owing(
    tables: &impl Tables,
    guard: &Guard,
    counter: Counter,
    limits: &Limits,
) -> Result<Counter, Fault> {
    if cluster::feature_level(tables)? < FORGIVING {
        return Ok(counter);
    }
    let until_ms = guard.rule.owed_until(&counter, limits);
    Ok(Counter { until_ms, ..counter })
}

fn count<T: TablesMut>(
    at: &mut Applying<'_, T>,
    guard: &Guard,
    limits: &Limits,
) -> Result<(), Stop> {
    let row = guard.row();
    let now_ms = at.now_ms;
    let (failures, first_at_ms, busy_until_ms) = match find(at.tables, at.tenant, guard, now_ms)? {
        Some(counter) => {
            let counter = owing(at.tables, guard, counter, limits)?;
            (counter.failures, counter.first_at_ms, counter.until_ms)
        }
        None => (0, now_ms, now_ms),
    };
    let failures = failures.saturating_add(1);
    let (until_ms, expires_at_ms) = guard.rule.after(failures, busy_until_ms, now_ms, limits);
    let address = match guard.rule {
        Rule::Account | Rule::Device => shortened(&at.draft.source.address),
        Rule::Source | Rule::Tenant => String::new(),
    };
    // The sweeper's entry of an earlier row is still there; it queues itself again.
    let queued = at.flow::<Counter>(row)?.map(|counter| counter.queued_at_ms);
    let counter = Counter {
        failures,
        first_at_ms,
        last_at_ms: now_ms,
        until_ms,
        expires_at_ms,
        queued_at_ms: queued.unwrap_or(expires_at_ms),
        address,
    };
    match queued {
        Some(_) => at.rewrite_flow(row, &counter),
        None => at.put_flow(row, &counter, expires_at_ms),
    }
    Ok(())
}

fn shortened(address: &str) -> String {
    address.chars().filter(char::is_ascii).take(ADDRESS_MAX).collect()
}

/// The proof was right: ladders begin anew, buckets get their drop back.
fn settle<T: TablesMut>(at: &mut Applying<'_, T>, attempt: &Attempt) -> Result<(), Stop> {
    for guard in &attempt.guards {
        match guard.rule {
            Rule::Account | Rule::Device => forget(at, guard)?,
            Rule::Source | Rule::Tenant => take_one(at, guard)?,
        }
    }
    Ok(())
}

fn give_back<T: TablesMut>(at: &mut Applying<'_, T>, attempt: &Attempt) -> Result<(), Stop> {
    for guard in attempt.guards.iter().take(GUARDS_MAX) {
        take_one(at, guard)?;
    }
    Ok(())
}

/// Takes one failure off a counter.
fn take_one<T: TablesMut>(at: &mut Applying<'_, T>, guard: &Guard) -> Result<(), Stop> {
    let Some(counter) = at.flow::<Counter>(guard.row())? else {
        return Ok(());
    };
    if counter.failures <= 1 {
        return forget(at, guard);
    }
    let limits = rules(at.tables, at.tenant)?.limits;
    let counter = owing(at.tables, guard, counter, &limits)?;
    let failures = counter.failures.saturating_sub(1);
    let until_ms = guard.rule.before(failures, &counter, &limits);
    at.rewrite_flow(guard.row(), &Counter { failures, until_ms, ..counter });
    Ok(())
}

/// Removes a counter.
pub(crate) fn forget<T: TablesMut>(at: &mut Applying<'_, T>, guard: &Guard) -> Result<(), Stop> {
    let digest = guard.row();
    if let Some(counter) = at.flow::<Counter>(digest)? {
        at.remove(Row::Flow { table: COUNTERS, digest });
        at.remove(Row::Expiry { at_ms: counter.queued_at_ms, table: COUNTERS, key: &digest });
    }
    Ok(())
}
