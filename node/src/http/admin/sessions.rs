//! `/api/v1/tenants/{tenant_id}/sessions`: who is signed in, of all or of one user, and ending it;
//! `…/session-rules`: what the tenant wants of sessions.
//!
//! A session begins at a login only, so nothing here makes or changes one. One that ended by itself
//! a moment ago may still be listed until it is swept; `ends_at` says so.

use actors::Error;
use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use identity::{
    authorize::Permission,
    command::Command,
    id::{ClientId, SessionId, TenantId, UserId},
    outcome::Rejection,
    sessions::{self, BY_USER, Method, Rules, SESSIONS, Session},
    stamp::Placement,
    table::{self, Record as _, Tables},
    users::User,
};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::HttpMethod};

use crate::{
    http::{
        admin::{
            Asking, Caller, Done, Resource, Routes, answer,
            body::JsonText,
            caller::{Needs, Read, Write},
            describe::{self, Operation},
            etag::{self, IfMatch},
            list::{self, Query},
            operations::{self, Id},
            resource::{Attribute, Column, Comparisons, Place},
            users,
        },
        error::Failure,
    },
    telemetry::timestamp::Rfc3339,
};

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

/// What a tenant wants of its sessions.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SessionRules {
    /// How long a session may go unused, seconds.
    #[schema(minimum = 60, maximum = 2_592_000)]
    idle_s: u32,
    /// Most sessions of one user; one more ends the oldest.
    #[schema(minimum = 1, maximum = 200)]
    per_user_max: u16,
}

fn rules<N: Needs>(caller: &Caller<N>) -> Result<Rules, Failure> {
    let (reading, tenant) = (caller.reading(), caller.tenant());
    let found = table::record::<Rules>(&reading.view()?, tenant, tenant.bytes());
    Ok(found.map_err(Error::from)?.unwrap_or_else(|| Rules::of(tenant)))
}

fn shown(rules: &Rules) -> Response {
    let view = SessionRules { idle_s: rules.idle_s, per_user_max: rules.per_user_max };
    ([(header::ETAG, etag::tag(rules.revision()))], axum::Json(view)).into_response()
}

/// `GET …/session-rules`.
async fn read_rules(caller: Caller<Read<Sessions>>) -> Result<Response, Failure> {
    Ok(shown(&rules(&caller)?))
}

/// `PUT …/session-rules`: sessions that exist keep the idle limit they began with.
async fn replace_rules(
    caller: Caller<Write<Sessions>>,
    headers: HeaderMap,
    body: JsonText,
) -> Result<Response, Failure> {
    let SessionRules { idle_s, per_user_max } = body.parse()?;
    let before = rules(&caller)?;
    let expected = IfMatch::parse(&headers).expected(before.revision, false)?;
    let command = sessions::Command::SetRules { expected, idle_s, per_user_max };
    propose(caller.asking(None), command).await?;
    Ok(shown(&rules(&caller)?))
}

/// The routes.
pub fn routes() -> Routes {
    let tenant = "/api/v1/tenants/{tenant_id}";
    let of = format!("{tenant}/users/{{id}}/sessions");
    let list_of = describe::list_at::<Sessions>(of.clone(), "sessions.list_of_user")
        .summary("Lists the sessions of a user");
    let end = Operation::new(HttpMethod::Delete, of, "sessions.end_all_of_user")
        .summary("Ends all sessions of a user")
        .answers_bare("204", "Ended.", &[describe::INDEX]);
    let at = format!("{tenant}/session-rules");
    let mut read = Operation::get(at.clone(), "sessions.read_rules");
    let view = read.named::<SessionRules>();
    let read = read.summary("Reads what sessions must obey").answers(
        "200",
        "The rules.",
        view.clone(),
        &[describe::ETAG],
    );
    let replace = Operation::new(HttpMethod::Put, at, "sessions.replace_rules")
        .summary("Replaces what sessions must obey")
        .parameter(describe::if_match())
        .body::<SessionRules>()
        .answers("200", "The rules.", view, &[describe::ETAG])
        .problems(&["412", "413", "415", "422"]);
    Routes::about(Sessions::NAME, Sessions::ABOUT)
        .on(describe::list::<Sessions>(), operations::list::<Sessions>)
        .on(describe::read::<Sessions>(), operations::read::<Sessions>)
        .on(describe::delete::<Sessions>(), operations::delete::<Sessions>)
        .on(list_of, of_user)
        .on(end, end_all)
        .on(read, read_rules)
        .on(replace, replace_rules)
}
