//! The way to the actors of sessions, through that of their tenant.

use std::sync::Arc;

use identity::{
    command::Command,
    id::{SessionId, TenantId},
    sessions::{self, Session},
    stamp::Placement,
    table,
};

use super::Directory;
use crate::{
    context::{Asker, Context},
    error::Error,
    runtime::{
        session::{self, Purpose, Turn},
        tenant::{self, Entered, TenantCell},
    },
};

impl Directory {
    /// A turn in a session: see [`session`].
    ///
    /// # Errors
    /// [`Error::Overloaded`] when too many wait there already or it takes too long.
    pub async fn turn(
        &self,
        ctx: &Context,
        tenant: TenantId,
        id: SessionId,
        purpose: Purpose,
    ) -> Result<Turn, Error> {
        let (cell, entered) = self.enter(ctx, tenant, id, purpose).await?;
        match entered {
            Entered::In(actor, place) => {
                let turn = session::turn(&actor, place, purpose, session::WAIT_MAX).await?;
                if turn.is_none() {
                    cell.forget(&actor);
                }
                Ok(turn.unwrap_or_else(Turn::none))
            }
            Entered::Full if purpose == Purpose::Use => Err(Error::Overloaded { retry_after_s: 1 }),
            Entered::Full | Entered::Absent => Ok(Turn::none()),
        }
    }

    /// Has it recorded, behind the answer, that a session was used; once for many uses.
    ///
    /// # Errors
    /// Faults only.
    pub async fn seen(
        &self,
        ctx: &Context,
        tenant: TenantId,
        session: &Session,
    ) -> Result<(), Error> {
        if !session.unrecorded(ctx.now_ms()) {
            return Ok(());
        }
        let id = session.id;
        let (_, entered) = self.enter(ctx, tenant, id, Purpose::Use).await?;
        // Where there is no place for it the next use is recorded.
        let Entered::In(actor, place) = entered else { return Ok(()) };
        let ctx = ctx.clone();
        let write = async move {
            let command = Command::Sessions(sessions::Command::Seen { id });
            let written = ctx.write(&Asker::system(), Placement::Tenant(tenant), command).await;
            if let Err(error) = written {
                tracing::debug!(%error, "a sign of life was not recorded");
            }
        };
        drop(actor.cast(session::Message::Seen(place, Box::pin(write))));
        Ok(())
    }

    /// What the actor of a session is doing, if it has one here.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the tenant's actor cannot be started.
    pub async fn observe_session(
        &self,
        tenant: TenantId,
        id: SessionId,
    ) -> Result<Option<session::Observed>, Error> {
        let (cell, _) = self.live(tenant).await?;
        match cell.session(id) {
            Some(actor) => Ok(session::observe(&actor).await),
            None => Ok(None),
        }
    }

    /// Enters the actor of a session that lasts, which is started unless it runs.
    async fn enter(
        &self,
        ctx: &Context,
        tenant: TenantId,
        id: SessionId,
        purpose: Purpose,
    ) -> Result<(Arc<TenantCell>, Entered), Error> {
        let (cell, actor) = self.live(tenant).await?;
        let boot_ms = ctx.0.clock.boot_ms();
        let mut entered = cell.enter(id, purpose, boot_ms);
        if matches!(entered, Entered::Absent) {
            let now_ms = ctx.now_ms();
            let session = {
                let reading = ctx.local();
                table::record::<Session>(&reading.view()?, tenant, id.bytes())?
            };
            if let Some(session) = session.filter(|session| session.live(now_ms)) {
                let left_ms = session.expires_at_ms.saturating_sub(now_ms);
                let ends_boot_ms = boot_ms.saturating_add(left_ms);
                tenant::start_session(&cell, &actor, id, ends_boot_ms).await;
                entered = cell.enter(id, purpose, boot_ms);
            }
        }
        Ok((cell, entered))
    }
}
