//! How long a tenant, or the cluster, keeps its audit trail, and the end of what is older.
//!
//! The oldest events go in chunks, and what is left begins after a signed statement of the last one
//! that went: from there it is verified. An ordinary checkpoint is no such statement, so whoever
//! takes the oldest events away is found. Invariant: nothing goes that the tenant still keeps.

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    changes,
    codec::{self, Persisted},
    event::{self, AuditEvent, TrimPoint},
    fault::Fault,
    id::TenantId,
    members,
    outcome::{Outcome, Rejection, Stop},
    table::{FoundRow, Record, Row, Span, TablesMut, record_by},
};

/// Events that one command removes at most; each touches up to three keys.
pub const TRIM_MAX: u16 = 300;
/// The shortest time that can be set, seconds: a day.
pub const KEEP_S_MIN: u32 = 86_400;
/// The longest time that can be set, seconds: a hundred years.
pub const KEEP_S_MAX: u32 = 3_155_760_000;

/// Reading the rules.
pub const READ: Permission = Permission::read("audit-rules");
/// Changing the rules.
pub const WRITE: Permission = Permission::write("audit-rules");
/// Reading the rules of the cluster's own trail.
pub const READ_CLUSTER: Permission = event::READ_CLUSTER;
/// Changing the rules of the cluster's own trail.
pub const WRITE_CLUSTER: Permission = members::WRITE;

/// Part number of audit rows: where the trail begins, if not at its first event.
pub const AUDIT_TRIM: u8 = 4;

/// How long a tenant keeps its audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Whose.
    pub tenant: TenantId,
    /// One more with every write.
    pub revision: u64,
    /// Seconds; none keeps everything for ever.
    pub keep_s: Option<u32>,
}

impl Rules {
    /// What holds as long as nobody has said anything.
    pub const fn of(tenant: TenantId) -> Self {
        Self { tenant, revision: 0, keep_s: None }
    }
}

impl Persisted for Rules {
    const KIND: [u8; 2] = *b"ar";
}

impl Record for Rules {
    record_by!(tenant, never deleted);
}

/// Changes of how long, and the end of what is older. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Says how long the trail is kept.
    SetRules {
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Seconds; none keeps everything for ever.
        keep_s: Option<u32>,
    },
    /// Removes the oldest events up to a signed one, by the cluster itself.
    Trim(TrimPoint),
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::SetRules { .. } => "audit.set_rules",
            Self::Trim(_) => "audit.trim",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::SetRules { expected, keep_s } => set(at, *expected, *keep_s),
            Self::Trim(point) => trim(at, point),
        }
    }
}

fn set<T: TablesMut>(
    at: &mut Applying<'_, T>,
    expected: Option<u64>,
    keep_s: Option<u32>,
) -> Result<Outcome, Stop> {
    at.target(Rules::TABLE, at.tenant.bytes());
    let of_cluster = at.tenant == TenantId::CLUSTER;
    // Below that level as programs of before do, whatever it leads to: their events are the same.
    let of_platform = of_cluster && at.level >= changes::CLUSTER_AUDIT_RULES;
    at.require(if of_platform { WRITE_CLUSTER } else { WRITE })?;
    if keep_s.is_some_and(|keep_s| !(KEEP_S_MIN..=KEEP_S_MAX).contains(&keep_s)) {
        return Err(Rejection::invalid("/keep_s", "must be 86400 to 3155760000, or null").into());
    }
    let stored = at.record::<Rules>(at.tenant.bytes())?;
    let before = stored.clone().unwrap_or_else(|| Rules::of(at.tenant));
    if expected.is_some_and(|revision| revision != before.revision) {
        return Err(Rejection::Stale.into());
    }
    let after = Rules { keep_s, ..before.clone() };
    match stored {
        Some(_) => Ok(at.update(&before, after)),
        None => at.create(after),
    }
}

fn trim<T: TablesMut>(at: &mut Applying<'_, T>, point: &TrimPoint) -> Result<Outcome, Stop> {
    at.require_system()?;
    if point.tenant != at.tenant {
        return Err(Rejection::invalid("/tenant", "is another placement's").into());
    }
    let rules = at.record::<Rules>(at.tenant.bytes())?;
    let Some(keep_s) = rules.and_then(|rules| rules.keep_s) else {
        return Err(Rejection::invalid("/sequence", "is kept").into());
    };
    let span = Span::Audit { part: crate::apply::AUDIT_CHAIN, from: 0 };
    let oldest = at.scan(span, usize::from(TRIM_MAX))?;
    let kept_from_ms = at.now_ms.saturating_sub(u64::from(keep_s).saturating_mul(1000));
    let mut trimmed = Vec::new();
    let mut last = None;
    for found in &oldest {
        let FoundRow::Audit { sequence, .. } = found.row else {
            return Err(Fault::new("a scan of the audit trail returned another row").into());
        };
        if sequence > point.sequence {
            break;
        }
        trimmed.push(sequence);
        last = Some(codec::decode::<AuditEvent>(&found.value).map_err(Fault::from)?);
    }
    // Times never go back, so the last one that goes is the youngest.
    match last {
        Some(event) if event.sequence != point.sequence || event.hash != point.hash => {
            Err(Rejection::Stale.into())
        }
        Some(event) if event.at_ms >= kept_from_ms => {
            Err(Rejection::invalid("/sequence", "is kept").into())
        }
        Some(_) => Ok(remove(at, point, &trimmed)),
        None => Err(Rejection::Stale.into()),
    }
}

fn remove<T: TablesMut>(at: &mut Applying<'_, T>, point: &TrimPoint, sequences: &[u64]) -> Outcome {
    use crate::apply::{AUDIT_CHAIN, AUDIT_CHECKPOINT, AUDIT_PERSONAL};
    for sequence in sequences.iter().copied() {
        for part in [AUDIT_CHAIN, AUDIT_PERSONAL, AUDIT_CHECKPOINT] {
            at.remove(Row::Audit { part, sequence });
        }
    }
    at.put(Row::Audit { part: AUDIT_TRIM, sequence: 0 }, codec::encode_at(point, at.level));
    at.detail(format!("sequence={}", point.sequence));
    Outcome::Swept(u32::try_from(sequences.len()).unwrap_or(u32::MAX))
}
