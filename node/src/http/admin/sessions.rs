//! `/api/v1/tenants/{tenant_id}/sessions`: who is signed in, of all or of one user, and ending it;
//! what the tenant wants of sessions is in `rules`.
//!
//! A session begins at a login only, so nothing here makes or changes one. One that ended by itself
//! a moment ago may still be listed until it is swept; `ends_at` says so.

pub mod rules;

use actors::Error;
use axum::response::Response;
use identity::{
    authorize::Permission,
    command::Command,
    id::{ClientId, SessionId, TenantId, UserId},
    outcome::Rejection,
    sessions::{self, BY_USER, Method, SESSIONS, Session},
    stamp::Placement,
    table::{self, Tables},
    users::User,
};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::HttpMethod};

use crate::{
    http::{
        admin::{
            Asking, Caller, Done, Resource, Routes, answer,
            caller::{Read, Write},
            describe::{self, Operation},
            document, history,
            list::{self, Query},
            operations::{self, Id},
            resource::{Attribute, Column, Comparisons, Place},
            users,
        },
        error::Failure,
    },
    telemetry::timestamp::Rfc3339,
};

use self::rules::SessionRules;

/// The resource.
pub struct Sessions;

/// Nothing can be set of a session.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionInput)]
pub struct Input {}

/// A session, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct View {
    /// Also the `sid` of its ID tokens.
    #[schema(value_type = uuid::Uuid)]
    id: SessionId,
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    /// Address at the last sign-in.
    address: String,
    /// Browser at the last sign-in.
    user_agent: String,
    /// How the person proved who they are: `password`.
    #[schema(value_type = Vec<String>)]
    methods: Vec<Method>,
    /// Clients that were given a code in it.
    #[schema(value_type = Vec<uuid::Uuid>)]
    clients: Vec<ClientId>,
    #[schema(format = DateTime)]
    created_at: String,
    /// When the person last proved who they are.
    #[schema(format = DateTime)]
    authenticated_at: String,
    /// When it was last used, to within a minute.
    #[schema(format = DateTime)]
    last_seen_at: String,
    /// When it ends if it is not used any more.
    #[schema(format = DateTime)]
    ends_at: String,
    /// When it ends in any case.
    #[schema(format = DateTime)]
    expires_at: String,
    /// One more with every change; the `ETag`.
    revision: u64,
}

const OF_USER: Column = Column { table: SESSIONS, index: BY_USER, unique: false };

impl Resource for Sessions {
    const NAME: &'static str = "sessions";
    const ONE: &'static str = "a session";
    const ABOUT: &'static str = "Login sessions: who is signed in, and what sessions must obey.";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = sessions::READ;
    const WRITE: Permission = sessions::WRITE;
    const ORDER: Column = OF_USER;
    const ATTRIBUTES: &'static [Attribute] = &[Attribute {
        name: "user_id",
        column: OF_USER,
        comparisons: Comparisons::Equal,
        canonical: str::to_ascii_lowercase,
    }];

    type Record = Session;
    type Input = Input;
    type View = View;

    fn exists(session: &Session) -> bool {
        session.ended_at_ms.is_none()
    }

    fn input(_: &Session) -> Input {
        Input {}
    }

    fn view(session: &Session) -> View {
        let at = |ms| Rfc3339(ms).to_string();
        View {
            id: session.id,
            user_id: session.user,
            address: session.address.clone(),
            user_agent: session.user_agent.clone(),
            methods: session.methods.iter().copied().collect(),
            clients: session.clients.iter().copied().collect(),
            created_at: at(session.began_at_ms),
            authenticated_at: at(session.authenticated_at_ms),
            last_seen_at: at(session.seen_at_ms),
            ends_at: at(session.ends_at_ms()),
            expires_at: at(session.expires_at_ms),
            revision: session.revision,
        }
    }

    fn find(
        tables: &impl Tables,
        tenant: TenantId,
        id: [u8; 16],
    ) -> Result<Option<Session>, Error> {
        let Some(session) = table::record::<Session>(tables, tenant, id)? else {
            return Ok(None);
        };
        // Time is not looked at: the sweep removes what ended by itself.
        let user = table::record::<User>(tables, tenant, session.user.bytes())?;
        let counts = |user: User| session.counts(&user, session.seen_at_ms);
        Ok(if user.is_some_and(counts) { Some(session) } else { None })
    }

    async fn create(_: Asking, _: Input) -> Result<Done, Error> {
        Err(Rejection::Protected("a session begins at a login".into()).into())
    }

    async fn update(_: Asking, _: Session, _: Option<u64>, _: Input) -> Result<Done, Error> {
        Err(Rejection::Protected("a session cannot be changed".into()).into())
    }

    async fn delete(asking: Asking, before: Session, expected: Option<u64>) -> Result<u64, Error> {
        propose(asking, sessions::Command::End { id: before.id, expected }).await
    }
}

async fn propose(asking: Asking, command: sessions::Command) -> Result<u64, Error> {
    let Asking { ctx, asker, tenant } = asking;
    let placement = Placement::Tenant(tenant);
    let (_, reply) = ctx.write(&asker, placement, Command::Sessions(command)).await?;
    Ok(reply.index)
}

/// `GET …/users/{id}/sessions`.
async fn of_user(
    caller: Caller<Read<Sessions>>,
    id: Id,
    query: Query<Sessions>,
) -> Result<Response, Failure> {
    let user = users::of_path(&caller, id)?;
    list::answer(&caller, &query.only("user_id", OF_USER, user.to_string())?)
}

/// `DELETE …/users/{id}/sessions`: those that begin later are not meant.
async fn end_all(caller: Caller<Write<Sessions>>, id: Id) -> Result<Response, Failure> {
    let user = users::of_path(&caller, id)?;
    let index = propose(caller.asking(None), sessions::Command::EndAll { user }).await?;
    Ok(answer::deleted(index))
}

/// The routes.
pub fn routes() -> Routes {
    let of = "/api/v1/tenants/{tenant_id}/users/{id}/sessions".to_owned();
    let list_of = describe::list_at::<Sessions>(of.clone(), "sessions.list_of_user")
        .summary("Lists the sessions of a user");
    let end = Operation::new(HttpMethod::Delete, of, "sessions.end_all_of_user")
        .summary("Ends all sessions of a user")
        .answers_bare("204", "Ended.", &[describe::INDEX]);
    Routes::about(Sessions::NAME, Sessions::ABOUT)
        .on(describe::list::<Sessions>(), operations::list::<Sessions>)
        .on(describe::read::<Sessions>(), history::read::<Sessions>)
        .on(describe::delete::<Sessions>(), operations::delete::<Sessions>)
        .on(list_of, of_user)
        .on(end, end_all)
        .merge(document::routes::<SessionRules>())
}
