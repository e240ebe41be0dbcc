//! `…/clients/{id}/logout-rules`: where people may return to after signing out, and how a client
//! hears that a session ended.

use actors::Error;
use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use identity::{
    clients::Client,
    command::Command,
    logout::{self, ClientRules},
    outcome::Rejection,
    stamp::Placement,
    table::{self, Record as _},
};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::HttpMethod};

use crate::http::{
    admin::{
        Caller, Resource, Routes,
        body::JsonText,
        caller::{Read, Write},
        clients::Clients,
        describe::{self, Operation},
        etag::{self, IfMatch},
        operations::Id,
    },
    error::Failure,
};

/// What a client registers for the end of a session; a client that registered nothing hears
/// nothing, and nobody returns to it.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogoutRules {
    /// Where people may return to after signing out, compared byte for byte; at most 50.
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    /// Loaded in a frame of the page that says that the person is signed out, with `iss` and `sid`.
    #[serde(default)]
    frontchannel_logout_uri: Option<String>,
    /// Gets a logout token, with `sub` and `sid`, when a session ends in which the client took
    /// part; tried again for about eighteen hours.
    #[serde(default)]
    backchannel_logout_uri: Option<String>,
}

fn rules<N>(caller: &Caller<N>, id: Id) -> Result<ClientRules, Failure> {
    let (reading, tenant) = (caller.reading(), caller.tenant());
    let view = reading.view()?;
    let client: Option<Client> = Clients::find(&view, tenant, id.0)?.filter(Clients::exists);
    let client = client.ok_or(Rejection::NotFound)?.id;
    let found = table::record::<ClientRules>(&view, tenant, client.bytes());
    Ok(found.map_err(Error::from)?.unwrap_or_else(|| ClientRules::none(client)))
}

fn shown(rules: ClientRules) -> Response {
    let tag = etag::tag(rules.revision());
    let view = LogoutRules {
        post_logout_redirect_uris: rules.post_logout_redirect_uris,
        frontchannel_logout_uri: rules.frontchannel_logout_uri,
        backchannel_logout_uri: rules.backchannel_logout_uri,
    };
    ([(header::ETAG, tag)], axum::Json(view)).into_response()
}

/// `GET …/clients/{id}/logout-rules`.
async fn read(caller: Caller<Read<Clients>>, id: Id) -> Result<Response, Failure> {
    Ok(shown(rules(&caller, id)?))
}

/// `PUT …/clients/{id}/logout-rules`.
async fn replace(
    caller: Caller<Write<Clients>>,
    id: Id,
    headers: HeaderMap,
    body: JsonText,
) -> Result<Response, Failure> {
    let wanted: LogoutRules = body.parse()?;
    let before = rules(&caller, id)?;
    let expected = IfMatch::parse(&headers).expected(before.revision, false)?;
    let wanted = ClientRules {
        post_logout_redirect_uris: wanted.post_logout_redirect_uris,
        frontchannel_logout_uri: wanted.frontchannel_logout_uri,
        backchannel_logout_uri: wanted.backchannel_logout_uri,
        ..ClientRules::none(before.client)
    };
    let asking = caller.asking(None);
    let command = logout::Command::SetRules { rules: Box::new(wanted), expected };
    let placement = Placement::Tenant(asking.tenant);
    asking.ctx.write(&asking.asker, placement, Command::Logout(command)).await?;
    Ok(shown(rules(&caller, id)?))
}

/// The routes.
pub fn routes() -> Routes {
    let at = "/api/v1/tenants/{tenant_id}/clients/{id}/logout-rules".to_owned();
    let mut operation = Operation::get(at.clone(), "clients.read_logout_rules");
    let view = operation.named::<LogoutRules>();
    let reads = operation.summary("Reads what a client registered for logout").answers(
        "200",
        "The rules.",
        view.clone(),
        &[describe::ETAG],
    );
    let replaces = Operation::new(HttpMethod::Put, at, "clients.replace_logout_rules")
        .summary("Sets what a client registers for logout")
        .parameter(describe::if_match())
        .body::<LogoutRules>()
        .answers("200", "The rules.", view, &[describe::ETAG])
        .problems(&["412", "413", "415", "422"]);
    Routes::about(Clients::NAME, Clients::ABOUT).on(reads, read).on(replaces, replace)
}
