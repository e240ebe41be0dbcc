//! `/api/v1/tenants/{tenant_id}/consents`: what people allowed clients, of all or of one user, and
//! withdrawing it; `…/clients/{id}/consent-rules`: whether a client must ask.
//!
//! A consent is given by the person only, so nothing here makes or changes one.

use actors::Error;
use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use identity::{
    authorize::Permission,
    clients::Client,
    command::Command,
    consents::{self, BY_USER, CONSENTS, Consent, Requirement},
    id::{ClientId, ConsentId, UserId},
    outcome::Rejection,
    stamp::Placement,
    table::{self, Record as _},
};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::HttpMethod};

use crate::{
    http::{
        admin::{
            Asking, Caller, Done, Resource, Routes,
            body::JsonText,
            caller::{Read, Write},
            clients::Clients,
            describe::{self, Operation},
            etag::{self, IfMatch},
            history,
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
pub struct Consents;

/// Nothing can be set of a consent.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConsentInput)]
pub struct Input {}

/// A consent, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Consent)]
pub struct View {
    #[schema(value_type = uuid::Uuid)]
    id: ConsentId,
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    #[schema(value_type = uuid::Uuid)]
    client_id: ClientId,
    /// What the client may have.
    scopes: Vec<String>,
    /// When it was last given.
    #[schema(format = DateTime)]
    given_at: String,
    /// One more with every change; the `ETag`.
    revision: u64,
}

const OF_USER: Column = Column { table: CONSENTS, index: BY_USER, unique: false };

impl Resource for Consents {
    const NAME: &'static str = "consents";
    const ONE: &'static str = "a consent";
    const ABOUT: &'static str = "What people allowed third-party clients.";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = consents::READ;
    const WRITE: Permission = consents::WRITE;
    const ORDER: Column = OF_USER;
    const ATTRIBUTES: &'static [Attribute] = &[Attribute {
        name: "user_id",
        column: OF_USER,
        comparisons: Comparisons::Equal,
        canonical: str::to_ascii_lowercase,
    }];

    type Record = Consent;
    type Input = Input;
    type View = View;

    fn exists(consent: &Consent) -> bool {
        consent.withdrawn_at_ms.is_none()
    }

    fn input(_: &Consent) -> Input {
        Input {}
    }

    fn view(consent: &Consent) -> View {
        View {
            id: consent.id,
            user_id: consent.user,
            client_id: consent.client,
            scopes: consent.scopes.iter().cloned().collect(),
            given_at: Rfc3339(consent.given_at_ms).to_string(),
            revision: consent.revision,
        }
    }

    async fn create(_: Asking, _: Input) -> Result<Done, Error> {
        Err(Rejection::Protected("a consent is given by the person".into()).into())
    }

    async fn update(_: Asking, _: Consent, _: Option<u64>, _: Input) -> Result<Done, Error> {
        Err(Rejection::Protected("a consent cannot be changed".into()).into())
    }

    async fn delete(asking: Asking, before: Consent, expected: Option<u64>) -> Result<u64, Error> {
        propose(asking, consents::Command::Withdraw { id: before.id, expected }).await
    }
}

async fn propose(asking: Asking, command: consents::Command) -> Result<u64, Error> {
    let Asking { ctx, asker, tenant } = asking;
    let placement = Placement::Tenant(tenant);
    let (_, reply) = ctx.write(&asker, placement, Command::Consents(command)).await?;
    Ok(reply.index)
}

/// `GET …/users/{id}/consents`.
async fn of_user(
    caller: Caller<Read<Consents>>,
    id: Id,
    query: Query<Consents>,
) -> Result<Response, Failure> {
    let user = users::of_path(&caller, id)?;
    list::answer(&caller, &query.only("user_id", OF_USER, user.to_string())?)
}

/// Whether a client must ask people.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConsentRules {
    /// A third-party client asks people before it gets anything in their name; one of the tenant's
    /// own need not. A client that an administrator registers is third-party until this says
    /// otherwise.
    required: bool,
}

fn requirement<N>(caller: &Caller<N>, id: Id) -> Result<Requirement, Failure> {
    let (reading, tenant) = (caller.reading(), caller.tenant());
    let view = reading.view()?;
    let client: Option<Client> = Clients::find(&view, tenant, id.0)?.filter(Clients::exists);
    let client = client.ok_or(Rejection::NotFound)?.id;
    let found = table::record::<Requirement>(&view, tenant, client.bytes());
    Ok(found.map_err(Error::from)?.unwrap_or_else(|| Requirement::none(client)))
}

fn shown(requirement: &Requirement) -> Response {
    let view = ConsentRules { required: requirement.required };
    ([(header::ETAG, etag::tag(requirement.revision()))], axum::Json(view)).into_response()
}

/// `GET …/clients/{id}/consent-rules`.
async fn read_rules(caller: Caller<Read<Clients>>, id: Id) -> Result<Response, Failure> {
    Ok(shown(&requirement(&caller, id)?))
}

/// `PUT …/clients/{id}/consent-rules`.
async fn replace_rules(
    caller: Caller<Write<Clients>>,
    id: Id,
    headers: HeaderMap,
    body: JsonText,
) -> Result<Response, Failure> {
    let ConsentRules { required } = body.parse()?;
    let before = requirement(&caller, id)?;
    let expected = IfMatch::parse(&headers).expected(before.revision, false)?;
    let command = consents::Command::Require { client: before.client, expected, required };
    propose(caller.asking(None), command).await?;
    Ok(shown(&requirement(&caller, id)?))
}

/// The routes.
pub fn routes() -> Routes {
    let tenant = "/api/v1/tenants/{tenant_id}";
    let of = format!("{tenant}/users/{{id}}/consents");
    let list_of = describe::list_at::<Consents>(of, "consents.list_of_user")
        .summary("Lists the consents of a user");
    let at = format!("{tenant}/clients/{{id}}/consent-rules");
    let mut read = Operation::get(at.clone(), "clients.read_consent_rules");
    let view = read.named::<ConsentRules>();
    let read = read.summary("Reads whether a client must ask people").answers(
        "200",
        "The rules.",
        view.clone(),
        &[describe::ETAG],
    );
    let replace = Operation::new(HttpMethod::Put, at, "clients.replace_consent_rules")
        .summary("Says whether a client must ask people")
        .parameter(describe::if_match())
        .body::<ConsentRules>()
        .answers("200", "The rules.", view, &[describe::ETAG])
        .problems(&["412", "413", "415", "422"]);
    Routes::about(Consents::NAME, Consents::ABOUT)
        .on(describe::list::<Consents>(), operations::list::<Consents>)
        .on(describe::read::<Consents>(), history::read::<Consents>)
        .on(describe::delete::<Consents>(), operations::delete::<Consents>)
        .on(list_of, of_user)
        .on(read, read_rules)
        .on(replace, replace_rules)
}
