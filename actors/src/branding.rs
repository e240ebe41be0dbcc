//! Branding: an uploaded logo is drawn anew before it is proposed.

use identity::{
    branding::{self, Shown},
    command::Command,
    id::TenantId,
    outcome::Reply,
    secret::Digest,
    stamp::Placement,
};

use crate::{
    context::{Asker, Context},
    error::Error,
};

/// Sets the logo of a tenant's pages to what an uploaded picture shows.
///
/// # Errors
/// As [`Context::write`], and [`identity::outcome::Rejection::Invalid`] for what is no picture.
pub async fn set_logo(
    ctx: &Context,
    asker: &Asker,
    tenant: TenantId,
    expected: Option<u64>,
    uploaded: Vec<u8>,
) -> Result<(Reply, Shown), Error> {
    let drawn = ctx.pictures().redraw(uploaded).await?;
    let (width, height) = (drawn.width, drawn.height);
    let shown = Shown { sha256: Digest::of(&drawn.png).bytes(), width, height };
    let command = branding::Command::SetLogo { expected, png: drawn.png, width, height };
    let command = Command::Branding(command);
    let (_, reply) = ctx.write(asker, Placement::Tenant(tenant), command).await?;
    Ok((reply, shown))
}
