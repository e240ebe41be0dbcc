//! What changes of the cluster's nodes do.

use super::{
    AUTHORITY_ID, Authority, BY_DIGEST, BY_KEY, BY_ROLE, Command, FIRST_NODE, JoinToken,
    MEMBERS_MAX, Member, Presence, Role, TOKEN_LIFETIME_MAX_S, TOKENS, TOKENS_MAX, WRITE,
    hexadecimal, member_id, token, word,
};
use crate::{
    applying::Applying,
    cluster,
    id::{JoinTokenId, TenantId},
    outcome::{Outcome, Rejection, Stop},
    secret::{Digest, Sealed},
    table::{Record, Span, TablesMut},
};

impl Command {
    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        at.require_placement(TenantId::CLUSTER)?;
        match self {
            Self::Found { certificate, authority, key, presence } => {
                found(at, certificate, authority, *key, presence)
            }
            Self::CreateToken { id, digest, role, lifetime_s } => {
                create_token(at, *id, *digest, *role, *lifetime_s)
            }
            Self::RevokeToken(id) => {
                let before: JoinToken = at.find(WRITE, id.bytes(), None)?;
                let revoked_at_ms = before.revoked_at_ms.or(Some(at.now_ms));
                let after = JoinToken { revoked_at_ms, ..before.clone() };
                Ok(at.update(&before, after))
            }
            Self::Join { token, key, presence } => join(at, token, *key, presence),
            Self::SetRole { node, role } => set_role(at, *node, *role),
            Self::Remove { node } => remove(at, *node),
            Self::SetSettings { expected, voters_min, preferred_zone } => {
                set_settings(at, *expected, *voters_min, preferred_zone.as_deref())
            }
            Self::Announce { node, presence } => announce(at, *node, presence),
            Self::TransferLeader { node } => transfer_leader(at, *node),
            Self::SetDrained { node, drained } => set_drained(at, *node, *drained),
        }
    }
}

fn found<T: TablesMut>(
    at: &mut Applying<'_, T>,
    certificate: &[u8],
    key: &Sealed,
    of_first: Digest,
    presence: &Presence,
) -> Result<Outcome, Stop> {
    at.target(Authority::TABLE, AUTHORITY_ID);
    at.require_system()?;
    if at.record::<Authority>(AUTHORITY_ID)?.is_some() {
        return Ok(Outcome::Done);
    }
    let authority = Authority {
        revision: 0,
        certificate: certificate.to_vec(),
        key: key.clone(),
        next_node: FIRST_NODE.saturating_add(1),
        voters_min: 1,
        preferred_zone: None,
    };
    let founded = at.create(authority)?;
    admit(at, FIRST_NODE, Role::Voter, of_first, presence)?;
    Ok(founded)
}

/// Makes the record of a new node.
pub(super) fn admit<T: TablesMut>(
    at: &mut Applying<'_, T>,
    node: u64,
    role: Role,
    key: Digest,
    presence: &Presence,
) -> Result<(), Stop> {
    presence.check()?;
    // A key of one node is never another's, whatever became of the first.
    at.claim(Member::TABLE, BY_KEY, &hexadecimal(&key), member_id(node), "public_key")?;
    at.list(Member::TABLE, BY_ROLE, role.name(), member_id(node));
    at.create(Member {
        revision: 0,
        node,
        name: presence.name.clone(),
        address: presence.address.clone(),
        zone: presence.zone.clone(),
        key,
        role,
        joined_at_ms: at.now_ms,
        removed_at_ms: None,
        version: presence.version.clone(),
        feature_level: presence.feature_level,
        drained_at_ms: None,
    })?;
    Ok(())
}

fn create_token<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: JoinTokenId,
    digest: Digest,
    role: Role,
    lifetime_s: u32,
) -> Result<Outcome, Stop> {
    at.require_for(TOKENS, id.bytes(), WRITE)?;
    if !(1..=TOKEN_LIFETIME_MAX_S).contains(&lifetime_s) {
        let reason = format!("must be 1 to {TOKEN_LIFETIME_MAX_S}");
        return Err(Rejection::invalid("/lifetime_s", reason).into());
    }
    if at.record::<Authority>(AUTHORITY_ID)?.is_none() {
        let reason = "no node of this cluster has a cluster port yet: set CLUSTER_BIND";
        return Err(Rejection::InUse(reason.into()).into());
    }
    if at.scan(Span::Records { table: TOKENS, after: None }, TOKENS_MAX)?.len() >= TOKENS_MAX {
        let reason = format!("{TOKENS_MAX} join tokens are there already: wait for one to expire");
        return Err(Rejection::InUse(reason).into());
    }
    at.claim(TOKENS, BY_DIGEST, &hexadecimal(&digest), id.bytes(), "id")?;
    let expires_at_ms = at.now_ms.saturating_add(u64::from(lifetime_s).saturating_mul(1000));
    at.expire(expires_at_ms, TOKENS, &id.bytes());
    at.create(JoinToken {
        revision: 0,
        id,
        digest,
        role,
        created_at_ms: at.now_ms,
        expires_at_ms,
        used_by: None,
        revoked_at_ms: None,
    })
}

/// Whatever is wrong with a token, the answer is the same: a stranger asks.
fn join<T: TablesMut>(
    at: &mut Applying<'_, T>,
    digest: &Digest,
    key: Digest,
    presence: &Presence,
) -> Result<Outcome, Stop> {
    at.require_system()?;
    let before = token(at.tables, digest)?.ok_or(Rejection::JoinToken)?;
    at.target(TOKENS, before.id.bytes());
    if !before.stands(at.now_ms) {
        return Err(Rejection::JoinToken.into());
    }
    if let Some(node) = before.used_by {
        return again(at, node, &key);
    }
    let authority = at.record::<Authority>(AUTHORITY_ID)?.ok_or(Rejection::JoinToken)?;
    if presence.feature_level < cluster::settings(at)?.feature_level {
        return Err(Rejection::FeatureLevel.into());
    }
    if listed(at, "", MEMBERS_MAX)? >= MEMBERS_MAX {
        let reason = format!("the cluster has {MEMBERS_MAX} nodes, and no more fit");
        return Err(Rejection::InUse(reason).into());
    }
    let node = authority.next_node;
    at.update(&authority, Authority { next_node: node.saturating_add(1), ..authority.clone() });
    at.update(&before, JoinToken { used_by: Some(node), ..before.clone() });
    admit(at, node, before.role, key, presence)?;
    at.target(Member::TABLE, member_id(node));
    at.detail(format!("node={node} token={}", before.id));
    Ok(Outcome::Joined { node })
}

/// A node that heard no answer asks again with the same key, and is the node that it became.
fn again<T: TablesMut>(at: &Applying<'_, T>, node: u64, key: &Digest) -> Result<Outcome, Stop> {
    let member = at.record::<Member>(member_id(node))?;
    if super::admits(member.as_ref(), key) {
        return Ok(Outcome::Joined { node });
    }
    Err(Rejection::JoinToken.into())
}

fn set_role<T: TablesMut>(
    at: &mut Applying<'_, T>,
    node: u64,
    role: Role,
) -> Result<Outcome, Stop> {
    let before: Member = at.find(WRITE, member_id(node), None)?;
    if before.role == role {
        return Ok(at.update(&before, before.clone()));
    }
    require_voters_without(at, &before)?;
    at.unlist(Member::TABLE, BY_ROLE, before.role.name(), before.key());
    at.list(Member::TABLE, BY_ROLE, role.name(), before.key());
    at.detail(format!("node={node} role={}", role.name()));
    Ok(at.update(&before, Member { role, ..before.clone() }))
}

fn remove<T: TablesMut>(at: &mut Applying<'_, T>, node: u64) -> Result<Outcome, Stop> {
    let before: Member = at.find(WRITE, member_id(node), None)?;
    require_voters_without(at, &before)?;
    if before.drained_at_ms.is_none() {
        require_served_without(at, node)?;
    }
    at.unlist(Member::TABLE, BY_ROLE, before.role.name(), before.key());
    at.detail(format!("node={node}"));
    Ok(at.update(&before, Member { removed_at_ms: Some(at.now_ms), ..before.clone() }))
}

/// Refuses to lose a voter that the cluster is not to do without.
fn require_voters_without<T: TablesMut>(at: &Applying<'_, T>, member: &Member) -> Result<(), Stop> {
    if member.role != Role::Voter {
        return Ok(());
    }
    let left = listed(at, Role::Voter.name(), MEMBERS_MAX)?.saturating_sub(1);
    let authority = at.record::<Authority>(AUTHORITY_ID)?;
    let least = usize::from(authority.map_or(1, |authority| authority.voters_min)).max(1);
    if left >= least {
        return Ok(());
    }
    let reason = if left == 0 {
        "it is the last voter".to_owned()
    } else {
        format!("{left} voters would be left, and the cluster is to have at least {least}")
    };
    Err(Rejection::InUse(reason).into())
}

/// Refuses to lose the last node that gets traffic.
fn require_served_without<T: TablesMut>(at: &Applying<'_, T>, node: u64) -> Result<(), Stop> {
    let others = super::all(at.tables)?;
    if others.iter().any(|other| other.node != node && other.drained_at_ms.is_none()) {
        return Ok(());
    }
    let reason = "every other node is drained: nobody would get traffic".to_owned();
    Err(Rejection::InUse(reason).into())
}

/// How many members stand on the list of a role, or of every role, up to `most`.
fn listed<T: TablesMut>(at: &Applying<'_, T>, role: &str, most: usize) -> Result<usize, Stop> {
    let (table, index, prefix) = (Member::TABLE, BY_ROLE, role.as_bytes());
    Ok(at.scan(Span::Index { table, index, prefix, after: None, unique: false }, most)?.len())
}

fn set_settings<T: TablesMut>(
    at: &mut Applying<'_, T>,
    expected: Option<u64>,
    voters_min: u16,
    preferred_zone: Option<&str>,
) -> Result<Outcome, Stop> {
    let before: Authority = at.find(WRITE, AUTHORITY_ID, expected)?;
    let voters = listed(at, Role::Voter.name(), MEMBERS_MAX)?;
    if !(1..=voters).contains(&usize::from(voters_min)) {
        let reason = format!("must be 1 to {voters}, the number of voters");
        return Err(Rejection::invalid("/voters_min", reason).into());
    }
    if let Some(zone) = preferred_zone {
        word("/preferred_zone", zone)?;
    }
    let preferred_zone = preferred_zone.map(str::to_owned);
    Ok(at.update(&before, Authority { voters_min, preferred_zone, ..before.clone() }))
}

fn announce<T: TablesMut>(
    at: &mut Applying<'_, T>,
    node: u64,
    presence: &Presence,
) -> Result<Outcome, Stop> {
    at.target(Member::TABLE, member_id(node));
    at.require_system()?;
    let before: Member = at.live(member_id(node), None)?;
    presence.check()?;
    if presence.feature_level < cluster::settings(at)?.feature_level {
        return Err(Rejection::FeatureLevel.into());
    }
    let Presence { name, address, zone, version, feature_level } = presence.clone();
    let after = Member { name, address, zone, version, feature_level, ..before.clone() };
    Ok(at.update(&before, after))
}

fn transfer_leader<T: TablesMut>(at: &mut Applying<'_, T>, node: u64) -> Result<Outcome, Stop> {
    let member: Member = at.find(WRITE, member_id(node), None)?;
    if member.role != Role::Voter {
        return Err(Rejection::InUse("only a voter can lead".into()).into());
    }
    if member.drained_at_ms.is_some() {
        return Err(Rejection::InUse("it is drained, and such a node does not lead".into()).into());
    }
    at.detail(format!("node={node}"));
    at.lead = Some(node);
    Ok(Outcome::Done)
}

fn set_drained<T: TablesMut>(
    at: &mut Applying<'_, T>,
    node: u64,
    drained: bool,
) -> Result<Outcome, Stop> {
    let before: Member = at.find(WRITE, member_id(node), None)?;
    if drained {
        require_served_without(at, node)?;
    }
    at.detail(format!("node={node}"));
    let since = before.drained_at_ms.unwrap_or(at.now_ms);
    let drained_at_ms = drained.then_some(since);
    Ok(at.update(&before, Member { drained_at_ms, ..before.clone() }))
}
