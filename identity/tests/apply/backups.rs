//! What became of the last backups, as every node tells it.

use identity::{
    backups::{self, End, LATEST_ID, Latest, REASON_MAX},
    command::Command,
    id::TenantId,
    outcome::Rejection,
    principal::Principal,
};

use crate::world::{World, operator};

const CLUSTER: TenantId = TenantId::CLUSTER;

fn conclude(end: End) -> Command {
    Command::Backups(backups::Command::Conclude { name: "a-backup".into(), node: 3, end })
}

#[test]
fn a_failure_shows_until_the_next_one_is_made_and_what_was_made_stays() {
    let mut world = World::ready();
    let latest = |world: &World| world.record::<Latest>(CLUSTER, LATEST_ID);
    assert_eq!(latest(&world), None);
    let reason = "é".repeat(REASON_MAX);
    world.cluster(conclude(End::Failed { reason: reason.clone() }));
    let failed = latest(&world).unwrap().failed.unwrap();
    assert_eq!((failed.node, failed.at_ms), (3, world.now_ms));
    assert!(failed.reason.len() <= REASON_MAX && reason.starts_with(&failed.reason));
    world.cluster(conclude(End::Made { log_index: 7, bytes: 9 }));
    let after = latest(&world).unwrap();
    assert_eq!((after.failed, after.revision), (None, 2));
    let made_at_ms = world.now_ms;
    world.now_ms += 1_000;
    world.cluster(conclude(End::Failed { reason: "no space".into() }));
    let after = latest(&world).unwrap();
    let made = after.made.unwrap();
    assert_eq!((made.at_ms, made.log_index, made.bytes), (made_at_ms, 7, 9));
    assert_eq!(after.failed.unwrap().reason, "no space");
}

#[test]
fn nobody_but_the_cluster_says_how_a_backup_ended() {
    let mut world = World::ready();
    let end = End::Made { log_index: 7, bytes: 9 };
    let refused = world.result(operator(), CLUSTER, conclude(end.clone()));
    assert!(matches!(refused, Err(Rejection::Denied(..))), "{refused:?}");
    assert!(world.result(Principal::System, CLUSTER, conclude(end)).is_ok());
}
