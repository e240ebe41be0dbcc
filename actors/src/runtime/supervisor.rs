//! The root of the actor tree: starts the housekeeper and starts it again if it fails.
//!
//! The tenant directory supervises tenants itself. What must not be restarted in place (the log,
//! the apply loop, the proposer's thread) is not an actor: its failure stops the node.

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::housekeeper::Housekeeper;
use crate::context::Context;

/// The actor's definition.
pub struct NodeSupervisor;

/// What the actor is asked: nothing yet.
pub enum Message {}

impl Actor for NodeSupervisor {
    type Msg = Message;
    type State = Context;
    type Arguments = Context;

    async fn pre_start(
        &self,
        me: ActorRef<Message>,
        ctx: Context,
    ) -> Result<Context, ActorProcessingErr> {
        Actor::spawn_linked(None, Housekeeper, ctx.clone(), me.get_cell()).await?;
        Ok(ctx)
    }

    async fn handle_supervisor_evt(
        &self,
        me: ActorRef<Message>,
        event: SupervisionEvent,
        ctx: &mut Context,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(_, error) = event {
            tracing::error!(%error, "the housekeeper failed and is started again");
            Actor::spawn_linked(None, Housekeeper, ctx.clone(), me.get_cell()).await?;
        }
        Ok(())
    }
}
