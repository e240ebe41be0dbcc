//! One node goes on alone, and every other one is out for good.

use super::{
    AUTHORITY_ID, Authority, BY_ROLE, Founding, Member, Role, all, apply::admit, member_id,
};
use crate::{
    applying::Applying,
    outcome::{Rejection, Stop},
    table::{Record as _, TablesMut},
};

/// More nodes than can have joined in the part of a log that was lost.
const LOST_NODES: u64 = 1_000;

/// Leaves one node in the cluster; how many others were removed. With a founding it is a new one,
/// of a new authority; without one it is a member of the authority that there is. A cluster that
/// was never founded has no nodes, and stays that way.
pub(crate) fn alone<T: TablesMut>(
    at: &mut Applying<'_, T>,
    node: u64,
    founding: Option<&Founding>,
) -> Result<usize, Stop> {
    let Some(authority) = at.record::<Authority>(AUTHORITY_ID)? else {
        return match founding {
            None => Ok(0),
            Some(_) => Err(Rejection::InUse("it was never founded".into()).into()),
        };
    };
    let mut left = 0_usize;
    for member in all(at.tables)?.into_iter().filter(|member| member.node != node) {
        at.unlist(Member::TABLE, BY_ROLE, member.role.name(), member.key());
        let removed_at_ms = Some(at.now_ms);
        at.update(&member, Member { removed_at_ms, ..member.clone() });
        left = left.saturating_add(1);
    }
    // Numbers may have been given out in what was lost, under the authority that goes on.
    let gap = if founding.is_none() { LOST_NODES } else { 0 };
    let next_node = authority.next_node.saturating_add(gap).max(node.saturating_add(1));
    let kept = Authority { next_node, voters_min: 1, ..authority.clone() };
    let Some(Founding { certificate, authority: key, key: of_node, presence }) = founding else {
        let own: Member = at.live(member_id(node), None)?;
        at.unlist(Member::TABLE, BY_ROLE, own.role.name(), own.key());
        at.list(Member::TABLE, BY_ROLE, Role::Voter.name(), own.key());
        at.update(&own, Member { role: Role::Voter, ..own.clone() });
        at.update(&authority, kept);
        return Ok(left);
    };
    let (certificate, key) = (certificate.clone(), key.clone());
    at.update(&authority, Authority { certificate, key, ..kept });
    admit(at, node, Role::Voter, *of_node, presence)?;
    Ok(left)
}
