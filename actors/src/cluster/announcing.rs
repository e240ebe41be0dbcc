//! Says what a node is to the others when it started as something else than its record says.
//!
//! A node that comes back at another address is reached by nobody, so nobody tells it who leads: it
//! tells those that it reaches, and whoever of them follows passes it on. It does not find nodes
//! that have moved as well. Invariant: all tries of one announcement are one request for as long as
//! that lives, so it is done once and stands in the audit trail once.

use identity::{
    command::Command,
    members::{self, Presence},
    outcome::{Rejection, Reply},
    stamp::{Draft, Placement},
};
use raft::Way;

use crate::{
    context::{Asker, Context},
    error::Error,
};

/// What a node is to the others, and how far that is said. See the module.
#[derive(Debug)]
pub struct Announcement {
    node: u64,
    presence: Presence,
    /// What was sent and not answered.
    sent: Option<Draft>,
    /// The log index of the entry that wrote it down, once that was answered.
    written: Option<u64>,
}

impl Announcement {
    /// What a node is to the others; nothing is said yet.
    pub fn new(node: u64, presence: Presence) -> Self {
        Self { node, presence, sent: None, written: None }
    }

    /// Has it written down, unless the node's record says the same or this node is about to end.
    ///
    /// # Errors
    /// As [`Context::write`]; [`Rejection::NotFound`] for a node that was removed.
    pub async fn make(&mut self, ctx: &Context) -> Result<(), Error> {
        if self.stands(ctx)? {
            return Ok(());
        }
        let draft = self.draft(ctx);
        let again = self.sent.as_ref().is_some_and(|sent| sent.request == draft.request);
        let draft = &*self.sent.insert(draft);
        let told = tokio::select! {
            biased;
            // The next start says what the node is then, and nobody shall wait for this one.
            () = ctx.0.feeds.closed() => return Ok(()),
            told = decided(ctx, draft) => told,
        };
        let told =
            told.and_then(|Reply { index, result, .. }| result.map(|_| index).map_err(Error::from));
        if matches!(told, Ok(_) | Err(Error::Rejected(_))) {
            self.sent = None;
        }
        match told {
            Ok(index) => {
                self.written = Some(index);
                Ok(())
            }
            // An earlier try, which nobody answered, may be what was applied in time.
            Err(Error::Rejected(Rejection::Expired)) if again => Err(Error::Unknown),
            Err(error) => Err(error),
        }
    }

    /// Whether nothing is left to say, as far as this node knows: one that moved learns nothing new
    /// before the others have found it, and then of what it said itself.
    fn stands(&self, ctx: &Context) -> Result<bool, Error> {
        let reading = ctx.local();
        let view = reading.view()?;
        if let Some(written) = self.written
            && view.as_of()? < written
        {
            return Ok(true);
        }
        let member = members::get(&view, self.node)?;
        Ok(member
            .is_some_and(|member| member.removed_at_ms.is_none() && member.says(&self.presence)))
    }

    /// The draft that was sent, while it may still be applied, or a new one.
    fn draft(&self, ctx: &Context) -> Draft {
        let now_ms = ctx.now_ms();
        match &self.sent {
            Some(sent) if now_ms <= sent.not_after_ms => sent.clone(),
            _ => {
                let (node, presence) = (self.node, self.presence.clone());
                let announce = Command::Members(members::Command::Announce { node, presence });
                ctx.draft(&Asker::system(), Placement::Cluster, announce)
            }
        }
    }
}

/// Has a draft decided by whoever leads, also by one that this node does not know.
async fn decided(ctx: &Context, draft: &Draft) -> Result<Reply, Error> {
    let (raft, proposer) = (&ctx.0.raft, &ctx.0.proposer);
    let unheard = match raft.way() {
        Way::Ended => return Err(Error::Unavailable("the node is stopping".into())),
        Way::Nobody => Error::Unavailable("no leader is known".into()),
        Way::Here(_) | Way::There(_) => match proposer.propose(draft.clone()).await {
            // Whom this node takes for the leader may be one no more.
            Err(error @ (Error::Unavailable(_) | Error::Unknown)) => error,
            answered => return answered,
        },
    };
    for node in raft.ask_around().await {
        match proposer.tell(node, draft).await {
            // It has lost who leads, or is of a version that passes nothing on.
            Err(Error::Unavailable(_)) => {}
            answered => return answered,
        }
    }
    Err(unheard)
}

#[cfg(test)]
mod tests {
    use identity::members::Member;

    use super::*;
    use crate::cluster::tests::{founded, presence};

    fn said(zone: &str) -> Announcement {
        Announcement::new(1, Presence { zone: zone.into(), ..presence("one") })
    }

    fn record(ctx: &Context) -> Member {
        members::get(&ctx.local().view().unwrap(), 1).unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_start_that_differs_is_announced_once() {
        let (node, _) = founded().await;
        let ctx = node.ctx();
        let before = record(ctx);
        said("a").make(ctx).await.unwrap();
        assert_eq!(record(ctx), before);
        let mut other = said("b");
        other.make(ctx).await.unwrap();
        let after = record(ctx);
        assert_eq!((after.zone.as_str(), after.revision), ("b", before.revision + 1));
        assert!(other.sent.is_none() && other.written.is_some());
        other.make(ctx).await.unwrap();
        assert_eq!(record(ctx), after);
        assert!(Announcement::new(9, presence("nine")).make(ctx).await.is_err());
        node.stop().await;
    }

    #[tokio::test]
    async fn a_second_try_is_the_same_request_for_as_long_as_that_lives() {
        let (node, _) = founded().await;
        let ctx = node.ctx();
        let mut other = said("b");
        let first = other.draft(ctx);
        let decided = ctx.0.proposer.propose(first.clone()).await.unwrap();
        // Nobody heard that answer.
        other.sent = Some(first.clone());
        assert_eq!(other.draft(ctx), first);
        assert_eq!(ctx.0.proposer.propose(other.draft(ctx)).await.unwrap(), decided);
        node.clock.advance_ms(20_000);
        assert_eq!(other.draft(ctx), first);
        node.clock.advance_ms(60_000);
        assert_ne!(other.draft(ctx).request, first.request);
        node.stop().await;
    }

    #[tokio::test]
    async fn what_is_written_down_is_not_said_again_before_it_is_here() {
        let (node, _) = founded().await;
        let ctx = node.ctx();
        let (mut other, before) = (said("b"), record(ctx));
        other.written = Some(u64::MAX);
        other.make(ctx).await.unwrap();
        assert_eq!(record(ctx), before);
        // It is here, and somebody has written down something else since.
        other.written = Some(ctx.applied().unwrap());
        other.make(ctx).await.unwrap();
        assert_eq!(record(ctx).zone, "b");
        node.stop().await;
    }

    #[tokio::test]
    async fn a_node_that_is_about_to_end_says_nothing() {
        let (node, _) = founded().await;
        let ctx = node.ctx();
        let before = record(ctx);
        ctx.close_feeds();
        said("b").make(ctx).await.unwrap();
        assert_eq!(record(ctx), before);
        node.stop().await;
    }
}
