//! Removing what has expired. Correctness never waits for it: every reader compares `expires_at`
//! itself. The sweeper proposes what it found; `apply` looks again before it removes.

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    codec,
    fault::Fault,
    grants::{GRANTS, Grant},
    outcome::{Outcome, Stop},
    sessions::{self, SESSIONS, Session},
    table::{FoundRow, Row, Span, Table, TablesMut},
};

/// Most expiry rows one command removes; each touches up to three keys.
pub const SWEEP_MAX: u16 = 300;

/// Removes up to [`SWEEP_MAX`] rows that expired at or before a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Expired at or before this state time, milliseconds.
    pub until_ms: u64,
}

impl Sweep {
    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        at.require_system()?;
        let until_ms = self.until_ms.min(at.now_ms);
        let found = at.scan(Span::Expiry { until_ms }, usize::from(SWEEP_MAX))?;
        let mut swept = 0_u32;
        for entry in found {
            if let FoundRow::Expiry { at_ms, table, key } = entry.row {
                remove(at, table, &key)?;
                at.remove(Row::Expiry { at_ms, table, key: &key });
                swept = swept.saturating_add(1);
            }
        }
        Ok(Outcome::Swept(swept))
    }
}

fn remove<T: TablesMut>(at: &mut Applying<'_, T>, table: Table, key: &[u8]) -> Result<(), Fault> {
    if let Ok(id) = <[u8; 16]>::try_from(key) {
        let row = Row::Record { table, id };
        let Some(bytes) = at.tables.get(at.tenant, row)? else {
            return Ok(());
        };
        if table == SESSIONS {
            let session: Session = codec::decode(&bytes)?;
            if session.live(at.now_ms) {
                return Ok(());
            }
            at.unlist(SESSIONS, sessions::BY_USER, &session.user.to_string(), id);
        } else if table == GRANTS {
            let grant: Grant = codec::decode(&bytes)?;
            if at.now_ms < grant.expires_at_ms {
                return Ok(());
            }
        }
        at.remove(row);
    } else if let Ok(digest) = <[u8; 32]>::try_from(key) {
        at.remove(Row::Flow { table, digest });
    }
    Ok(())
}
