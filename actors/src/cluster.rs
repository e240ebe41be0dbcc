//! How a cluster is founded, how others are let in, and how nodes stay able to prove who they are.
//!
//! Only what needs keys, entropy or a stranger's word is here: roles, removal and settings are
//! plain commands. A stranger is compared with what stands in a fresh state before anything is
//! proposed, so that whoever has no token costs no entry of the log; that a token lets in one node
//! is decided in `apply`. Invariant: the authority's key leaves its seal only to certify a key that
//! the record of a member names.

mod announcing;
mod status;
mod strangers;
mod token;
pub(crate) mod warnings;

use identity::{
    changes::program_level,
    cluster as replicated,
    command::Command,
    id::{JoinTokenId, TenantId},
    members::{self, AUTHORITY_ID, Authority, Founding, Presence, Role, admits},
    outcome::{Rejection, Reply},
    secret::Digest,
    stamp::Placement,
    table::Record as _,
};

use crate::{
    clients,
    context::{Asker, Context},
    error::Error,
    runtime::{
        authority::{self, Made, NODE_LIFETIME, POINT_LEN, Subject},
        membership,
        sealer::Field,
        secret::ClientSecret,
    },
};

pub use announcing::Announcement;
pub use raft::{Credentials, JoinRefusal, JoinRequest, Welcome};
pub(crate) use status::drained;
pub use status::{Health, Standing, Status, status};
pub(crate) use strangers::malformed;
pub use strangers::{admit, listen_to};
pub use token::JoinToken;
pub use warnings::Warning;

/// How long a new leader is waited for, milliseconds.
const TRANSFER_WAIT_MS: u64 = 5_000;

const FIELD: Field<'static> =
    Field { tenant: TenantId::CLUSTER, table: Authority::TABLE, record: AUTHORITY_ID, name: "key" };

fn internal(what: impl std::fmt::Display) -> Error {
    Error::Internal(format!("the cluster's authority: {what}"))
}

/// Makes the authority of a cluster of one and its first node's credentials; whether it was this
/// call. `keep` stores them, before the cluster is founded: a node that ends in between founds
/// again, with others.
///
/// # Errors
/// As [`Context::write`], and what `keep` says.
pub async fn found(
    ctx: &Context,
    presence: Presence,
    keep: impl FnOnce(&Credentials) -> Result<(), Error>,
) -> Result<bool, Error> {
    drop(ctx.fresh().await?);
    if is_founded(ctx)? {
        return Ok(false);
    }
    let (credentials, founding) = make(ctx, members::FIRST_NODE, presence)?;
    keep(&credentials)?;
    let Founding { certificate, authority, key, presence } = founding;
    let found = members::Command::Found { certificate, authority, key, presence };
    ctx.write(&Asker::system(), Placement::Cluster, Command::Members(found)).await?;
    Ok(true)
}

/// Whether the cluster has an authority, as far as this node knows.
pub(crate) fn is_founded(ctx: &Context) -> Result<bool, Error> {
    let reading = ctx.local();
    Ok(members::authority(&reading.view()?)?.is_some())
}

/// Draws a new authority of this cluster, and the credentials of a node that it vouches for.
pub(crate) fn make(
    ctx: &Context,
    node: u64,
    presence: Presence,
) -> Result<(Credentials, Founding), Error> {
    let cluster = ctx.0.raft.cluster_id();
    let (random, wall_ms) = (ctx.random(), ctx.0.clock.wall_ms());
    let made = authority::new_authority(cluster, random, wall_ms).map_err(internal)?;
    let (key, point) = authority::new_node_key(random).map_err(internal)?;
    let subject = Subject { cluster, node, point: &point };
    let certificate = authority::issue(&made, subject, random, wall_ms).map_err(internal)?;
    let founding = Founding {
        authority: ctx.keyring().seal(&FIELD, &made.key).map_err(internal)?,
        certificate: made.certificate.clone(),
        key: Digest::of(&point),
        presence,
    };
    Ok((Credentials { authority: made.certificate, certificate, key }, founding))
}

/// Makes a join token, which is shown once.
///
/// # Errors
/// As [`Context::write`].
pub async fn create_token(
    ctx: &Context,
    mut asker: Asker,
    role: Role,
    lifetime_s: u32,
) -> Result<(Reply, Option<ClientSecret>), Error> {
    let fingerprint = {
        let reading = ctx.fresh().await?;
        members::authority(&reading.view()?)?.map(|authority| Digest::of(&authority.certificate))
    };
    // Without an authority the rules say no, whatever stands in the token.
    let fingerprint = fingerprint.map_or([0; 32], |digest| digest.bytes());
    let token = JoinToken::new(ctx.random().bytes(), fingerprint);
    let text = token.text();
    clients::remember(ctx, &mut asker, TenantId::CLUSTER, &text)?;
    let (id, digest) = (ctx.random().id(JoinTokenId::from_bytes), token.digest());
    let create = members::Command::CreateToken { id, digest, role, lifetime_s };
    let (_, reply) = ctx.write(&asker, Placement::Cluster, Command::Members(create)).await?;
    let shown = clients::shown(ctx, &asker, TenantId::CLUSTER, &reply, Some(text))?;
    Ok((reply, shown))
}

/// Has another node lead, and returns when it does: whoever leads hands over when the wish is
/// applied there.
///
/// # Errors
/// As [`Context::write`]; [`Error::Unavailable`] when the node does not lead in time.
pub async fn transfer_leader(ctx: &Context, asker: &Asker, node: u64) -> Result<Reply, Error> {
    let command = || Command::Members(members::Command::TransferLeader { node });
    let leads = || ctx.0.raft.cluster().leader == Some(node);
    let (_, mut reply) = ctx.write(asker, Placement::Cluster, command()).await?;
    if reply.replayed.is_some() && !leads() {
        // The first wish came to nothing, and what is only answered again wakes nobody.
        let again = Asker { idempotency: None, ..asker.clone() };
        reply = ctx.write(&again, Placement::Cluster, command()).await?.1;
    }
    let began_ms = ctx.0.clock.boot_ms();
    while !leads() {
        if ctx.0.clock.boot_ms().saturating_sub(began_ms) > TRANSFER_WAIT_MS {
            let what = format!("node {node} does not lead: it does not answer, or lacks entries");
            return Err(Error::Unavailable(what));
        }
        ctx.0.raft.look_again().await;
    }
    Ok(reply)
}

/// Removes a node for good. One that votes goes only while the voters that stay have a majority
/// that answers: from the moment of the removal nobody talks to it any more.
///
/// # Errors
/// As [`Context::write`]; [`Rejection::InUse`] when the rest could not decide anything.
pub async fn remove(ctx: &Context, asker: &Asker, node: u64) -> Result<Reply, Error> {
    let view = ctx.0.raft.cluster();
    let votes = view.members.iter().any(|one| one.node == node && one.voter);
    if votes && !membership::safe_without(&view, node) {
        let why = "it still votes, and most of the voters that would be left do not answer";
        return Err(Rejection::InUse(why.into()).into());
    }
    let command = Command::Members(members::Command::Remove { node });
    let (_, reply) = ctx.write(asker, Placement::Cluster, command).await?;
    Ok(reply)
}

/// Raises the cluster's feature level to what all of its programs read; returns the level. A
/// cluster that is there already is left as it is.
///
/// # Errors
/// As [`Context::write`]; [`Rejection::InUse`] names a node that does not read it.
pub async fn finalize_upgrade(ctx: &Context, asker: &Asker) -> Result<(Reply, u16), Error> {
    let level = {
        let reading = ctx.fresh().await?;
        let view = reading.view()?;
        let (all, now) = (members::all(&view)?, replicated::feature_level(&view)?);
        let reads = || all.iter().map(|member| member.feature_level);
        // What not even one step of is possible is refused, with the node that is in the way. A
        // node alone has no record.
        let step = reads().min().filter(|level| *level > now);
        step.or_else(|| reads().max()).unwrap_or_else(program_level)
    };
    let raise = Command::Cluster(replicated::Command::RaiseFeatureLevel(level));
    let (_, reply) = ctx.write(asker, Placement::Cluster, raise).await?;
    let reached = replicated::feature_level(&ctx.local().view()?)?;
    Ok((reply, reached))
}

/// A node's certificate anew, once less than a third of its life is left.
///
/// # Errors
/// [`Rejection::NotFound`] for a node that was removed or has another key; faults.
pub fn renewed(ctx: &Context, node: u64, own: &Credentials) -> Result<Option<Welcome>, Error> {
    let cluster = cluster_id(&ctx.local().view()?)?;
    let third_ms = u64::try_from(NODE_LIFETIME.as_millis() / 3).unwrap_or(u64::MAX);
    let wall_ms = ctx.0.clock.wall_ms();
    let good =
        |at_ms| authority::is_good_at(&own.authority, &own.certificate, (cluster, node), at_ms);
    if good(wall_ms) && good(wall_ms.saturating_add(third_ms)) {
        return Ok(None);
    }
    let point: [u8; POINT_LEN] = authority::point(&own.key, ctx.random()).map_err(internal)?;
    certified(ctx, node, &point).map(Some)
}

/// Certifies the key of a member, as its record names it.
fn certified(ctx: &Context, node: u64, point: &[u8]) -> Result<Welcome, Error> {
    let reading = ctx.local();
    let view = reading.view()?;
    if !admits(members::get(&view, node)?.as_ref(), &Digest::of(point)) {
        return Err(Rejection::NotFound.into());
    }
    certificate(ctx, node, point)
}

/// What the cluster's authority says of a node, whoever holds the key.
pub(crate) fn certificate(ctx: &Context, node: u64, point: &[u8]) -> Result<Welcome, Error> {
    let reading = ctx.local();
    let view = reading.view()?;
    let found = members::authority(&view)?.ok_or_else(|| internal("there is none"))?;
    let key = ctx.keyring().unseal(&FIELD, &found.key).map_err(internal)?;
    // By a clock that is ahead alone it would not count yet at any other node.
    let (cluster, at_ms) = (cluster_id(&view)?, ctx.0.clock.wall_ms().min(ctx.now_ms()));
    let made = Made { certificate: found.certificate, key };
    let subject = Subject { cluster, node, point };
    let issued = authority::issue(&made, subject, ctx.random(), at_ms);
    let certificate = issued.map_err(internal)?;
    Ok(Welcome { cluster, node, certificate, authority: made.certificate })
}

/// The id of the cluster that a state belongs to.
fn cluster_id(view: &storage::View<'_>) -> Result<[u8; 16], Error> {
    view.meta()?.cluster.ok_or_else(|| internal("the cluster has no id"))
}

#[cfg(test)]
mod tests;
