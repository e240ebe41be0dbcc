//! `/api/v1/tenants/{tenant_id}/branding/logo`: the logo of a tenant's pages.

use actors::{Error, runtime::pictures::UPLOAD_MAX};
use axum::{
    Json,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use identity::{
    authorize::Permission,
    branding::{self, Logo},
    command::Command,
    outcome::Rejection,
    stamp::Placement,
};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::HttpMethod};

use crate::http::{
    admin::{
        Asking, Caller, Done, Needs, Routes, answer,
        body::JsonText,
        describe::{self, Operation},
        etag,
        operations::Attempt,
        resource::Place,
    },
    error::Failure,
    logo,
};

const PATH: &str = "/api/v1/tenants/{tenant_id}/branding/logo";

/// Reading the logo.
pub struct Reading;

/// Setting or removing the logo.
pub struct Setting;

impl Needs for Reading {
    const PERMISSION: Permission = branding::READ;
    const PLACE: Place = Place::Tenant;
}

impl Needs for Setting {
    const PERMISSION: Permission = branding::WRITE;
    const PLACE: Place = Place::Tenant;
}

/// What may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LogoInput)]
pub struct Input {
    /// A PNG, JPEG or WebP of at most 512 KiB and 2048 by 2048 pixels, in base64. It is drawn anew
    /// as a PNG that fits into 400 by 80 pixels.
    #[schema(max_length = 699_052)]
    image: String,
}

/// The logo, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Logo)]
pub struct View {
    /// Where it is served; null where the pages show the product's own mark.
    url: Option<String>,
    /// Pixels.
    width: Option<u16>,
    /// Pixels.
    height: Option<u16>,
    /// One more with every change, 0 where there never was one; the `ETag`.
    revision: u64,
}

async fn view<N>(caller: &Caller<N>, logo: &Logo) -> Result<View, Failure> {
    let snapshot = caller.ctx().tenant(caller.tenant()).await?;
    let issuer = &snapshot.tenant.issuer;
    Ok(View {
        url: logo.shown.map(|shown| format!("{issuer}{}", logo::route(&shown))),
        width: logo.shown.map(|shown| shown.width),
        height: logo.shown.map(|shown| shown.height),
        revision: logo.revision,
    })
}

fn current<N>(caller: &Caller<N>) -> Result<Logo, Failure> {
    let reading = caller.reading();
    let logo = branding::logo(&reading.view()?, caller.tenant());
    Ok(logo.map_err(Error::from)?)
}

/// `GET`.
async fn read(caller: Caller<Reading>, headers: HeaderMap) -> Result<Response, Failure> {
    let logo = current(&caller)?;
    if etag::unchanged(&headers, logo.revision) {
        return Ok(answer::not_modified(logo.revision));
    }
    let tag = (header::ETAG, etag::tag(logo.revision));
    Ok(([tag], Json(view(&caller, &logo).await?)).into_response())
}

/// `PUT`.
async fn replace(
    caller: Caller<Setting>,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let Input { image } = body.parse()?;
    let refused = |reason: &str| Error::from(Rejection::invalid("/image", reason));
    if image.len() > UPLOAD_MAX.div_ceil(3).saturating_mul(4) {
        return Err(refused("must be at most 512 KiB").into());
    }
    let uploaded = STANDARD.decode(image).map_err(|_| refused("must be base64"))?;
    let expected = attempt.expected(&current(&caller)?)?;
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, body.bytes());
    let set = actors::branding::set_logo(&ctx, &asker, tenant, expected, uploaded).await?;
    let (reply, shown) = set;
    let done = Done::of(&reply)?;
    let logo = Logo { revision: done.revision, shown: Some(shown) };
    Ok(answer::put(view(&caller, &logo).await?, &done))
}

/// `DELETE`.
async fn remove(caller: Caller<Setting>, attempt: Attempt) -> Result<Response, Failure> {
    let expected = attempt.expected(&current(&caller)?)?;
    let Asking { ctx, asker, tenant } = attempt.asking(&caller, b"");
    let command = Command::Branding(branding::Command::RemoveLogo { expected });
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    Ok(answer::deleted(reply.index))
}

/// The routes.
pub fn routes() -> Routes {
    let mut reading = Operation::get(PATH, "logo.read");
    let shown = reading.named::<View>();
    let reading = reading
        .summary("Reads where the logo of the tenant's pages is")
        .answers("200", "It.", shown.clone(), &[describe::ETAG])
        .answers_bare("304", "Unchanged.", &[describe::ETAG]);
    let replacing = Operation::new(HttpMethod::Put, PATH, "logo.replace")
        .summary("Sets the logo of the tenant's pages")
        .parameter(describe::if_match())
        .parameter(describe::idempotency_key())
        .body::<Input>()
        .answers("200", "Set.", shown, describe::CHANGED)
        .problems(&["409", "412", "413", "415", "422"]);
    let removing = Operation::new(HttpMethod::Delete, PATH, "logo.remove")
        .summary("Goes back to the product's own mark")
        .parameter(describe::if_match())
        .answers_bare("204", "Removed.", &[describe::INDEX])
        .problems(&["412"]);
    Routes::default().on(reading, read).on(replacing, replace).on(removing, remove)
}
