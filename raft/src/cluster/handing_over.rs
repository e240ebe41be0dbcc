//! The lead goes to another voter because somebody wants it to.
//!
//! Who is to lead is decided above. Invariant: openraft is asked only when the other one can lead,
//! because it never takes a hand-over back: to a node that cannot, it would cost the lead.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::{error::Error, handle::Handle};

/// A node that was not heard of for longer cannot be handed the lead, milliseconds.
const HEARD_MS: u64 = 1_000;
/// Most time to hear of it again, milliseconds: a little longer than from one ping to the next.
const HEARD_WITHIN_MS: u64 = 600;
/// Most time until it is known that it has the whole log, milliseconds: who has only just come to
/// lead knows it of no more than a majority.
const KNOWN_WITHIN_MS: u64 = 2_000;
/// Most time for a handed-over leader to lead.
const TRANSFER_WAIT: Duration = Duration::from_secs(2);

impl Handle {
    /// As leader: hands over to another voter and returns when that one leads.
    ///
    /// # Errors
    /// [`Error::NotLeader`] if this node does not lead, [`Error::NoQuorum`] when the other one
    /// cannot lead or did not take over in time.
    pub fn transfer_leader(&self, to: u64) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            self.until_able(to).await?;
            let stopped = |error: &dyn std::fmt::Display| Error::Stopped(error.to_string());
            let asked = self.0.raft.trigger().transfer_leader(to).await;
            asked.map_err(|error| stopped(&error))?;
            let wait = self.0.raft.wait(Some(TRANSFER_WAIT));
            let leads =
                wait.metrics(|metrics| metrics.current_leader == Some(to), "hand-over").await;
            leads.map(drop).map_err(|_| Error::NoQuorum)
        })
    }

    /// Returns when this node still leads and the other one could; one that does not answer is not
    /// waited for long.
    async fn until_able(&self, to: u64) -> Result<(), Error> {
        let time = &self.0.local.time;
        let (began_ms, term) = (time.boot_ms(), self.leading_term());
        loop {
            // A lead that was lost and came back meanwhile is another one, and shall stay.
            if term.is_none() || self.leading_term() != term {
                return Err(Error::NotLeader { leader: self.0.leading.leader() });
            }
            let view = self.cluster();
            let other = view.members.iter().find(|one| one.node == to && one.voter);
            let other = other.ok_or(Error::NoQuorum)?;
            let answers = other.heard_ms_ago.is_some_and(|ms| ms < HEARD_MS);
            if answers && other.caught_up(view.last_log) {
                return Ok(());
            }
            let most_ms = if answers { KNOWN_WITHIN_MS } else { HEARD_WITHIN_MS };
            if time.boot_ms().saturating_sub(began_ms) >= most_ms {
                return Err(Error::NoQuorum);
            }
            self.look_again().await;
        }
    }
}
