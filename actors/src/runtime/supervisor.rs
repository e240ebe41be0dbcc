//! The root of the actor tree: starts the timekeeper, the housekeeper, the deliverer and the
//! membership, and starts one again if it fails.
//!
//! The tenant directory supervises tenants itself. What must not be restarted in place (the log,
//! the apply loop, the proposer's thread) is not an actor: its failure stops the node.

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::{
    deliverer::Deliverer, housekeeper::Housekeeper, membership::Membership, timekeeper::Timekeeper,
};
use crate::context::Context;

/// The actor's definition.
pub struct NodeSupervisor;

/// What the actor keeps.
pub struct State {
    ctx: Context,
    timekeeper: ActorId,
    deliverer: ActorId,
    membership: ActorId,
}

/// What the actor is asked: nothing yet.
pub enum Message {}

impl Actor for NodeSupervisor {
    type Msg = Message;
    type State = State;
    type Arguments = Context;

    async fn pre_start(
        &self,
        me: ActorRef<Message>,
        ctx: Context,
    ) -> Result<State, ActorProcessingErr> {
        let timekeeper = Actor::spawn_linked(None, Timekeeper, ctx.clone(), me.get_cell()).await?;
        Actor::spawn_linked(None, Housekeeper, ctx.clone(), me.get_cell()).await?;
        let deliverer = Actor::spawn_linked(None, Deliverer, ctx.clone(), me.get_cell()).await?;
        let membership = Actor::spawn_linked(None, Membership, ctx.clone(), me.get_cell()).await?;
        let (timekeeper, deliverer) = (timekeeper.0.get_id(), deliverer.0.get_id());
        Ok(State { ctx, timekeeper, deliverer, membership: membership.0.get_id() })
    }

    async fn handle_supervisor_evt(
        &self,
        me: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(who, error) = event {
            let (ctx, cell) = (state.ctx.clone(), me.get_cell());
            if who.get_id() == state.timekeeper {
                tracing::error!(%error, "the timekeeper failed and is started again");
                let (timekeeper, _) = Actor::spawn_linked(None, Timekeeper, ctx, cell).await?;
                state.timekeeper = timekeeper.get_id();
            } else if who.get_id() == state.deliverer {
                tracing::error!(%error, "the deliverer failed and is started again");
                let (deliverer, _) = Actor::spawn_linked(None, Deliverer, ctx, cell).await?;
                state.deliverer = deliverer.get_id();
            } else if who.get_id() == state.membership {
                tracing::error!(%error, "the membership failed and is started again");
                let (membership, _) = Actor::spawn_linked(None, Membership, ctx, cell).await?;
                state.membership = membership.get_id();
            } else {
                tracing::error!(%error, "the housekeeper failed and is started again");
                Actor::spawn_linked(None, Housekeeper, ctx, cell).await?;
            }
        }
        Ok(())
    }
}
