//! Source blocks: how one lives, who may say so, how many there are.

use identity::{
    apply::apply_draft,
    applying::Mode,
    changes::FIRST_LEVEL,
    command::Command,
    network::Network,
    outcome::{Outcome, Rejection},
    principal::Principal,
    restore,
    source_blocks::{self, BLOCKS_MAX, Settings, SourceBlock, SourceBlockId},
    table::Record as _,
};

use crate::world::{ACME, BOB, OTHER, OWN, ROOT, World, person};

fn id(number: usize) -> SourceBlockId {
    let mut id = [7; 16];
    id[8..].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
    SourceBlockId::from_bytes(id)
}

pub(crate) fn settings(network: &str) -> Settings {
    let network = network.parse::<Network>().unwrap();
    Settings { network, reason: "guesses passwords".into(), ends_at_ms: None }
}

fn create(number: usize, network: &str) -> Command {
    let settings = settings(network);
    Command::SourceBlocks(source_blocks::Command::Create { id: id(number), settings })
}

fn update(number: usize, expected: Option<u64>, network: &str) -> Command {
    let (id, settings) = (id(number), settings(network));
    Command::SourceBlocks(source_blocks::Command::Update { id, expected, settings })
}

fn delete(number: usize) -> Command {
    let id = id(number);
    Command::SourceBlocks(source_blocks::Command::Delete { id, expected: None })
}

fn restore(number: usize, name: Option<&str>) -> Command {
    let (table, id, name) = (SourceBlock::TABLE.0, id(number).bytes(), name.map(Into::into));
    Command::Restore(restore::Command { table, id, expected: None, name })
}

fn root() -> Principal {
    person(ACME, ROOT, OWN)
}

fn blocks(world: &World, address: &str) -> bool {
    let blocked = source_blocks::blocked(&world.tables.opened(ACME), ACME).unwrap();
    blocked.holds(address.parse().unwrap(), world.now_ms).is_some()
}

#[test]
fn a_block_lives_from_create_to_delete_and_its_network_is_free_again() {
    let mut world = World::ready();
    world.done(root(), ACME, create(1, "192.0.2.0/24"));
    assert!(blocks(&world, "192.0.2.9") && !blocks(&world, "198.51.100.9"));
    let taken = world.result(root(), ACME, create(2, "192.0.2.0/24"));
    assert_eq!(taken, Err(Rejection::AlreadyExists("network".into())));
    let moved = update(1, Some(1), "198.51.100.0/24");
    let written = Ok(Outcome::Written { id: id(1).bytes(), revision: 2 });
    assert_eq!(world.result(root(), ACME, moved.clone()), written);
    assert_eq!(world.result(root(), ACME, moved), Err(Rejection::Stale));
    assert!(!blocks(&world, "192.0.2.9") && blocks(&world, "198.51.100.9"));
    world.done(root(), ACME, create(2, "192.0.2.0/24"));
    let taken = world.result(root(), ACME, update(1, None, "192.0.2.0/24"));
    assert_eq!(taken, Err(Rejection::AlreadyExists("network".into())));
    world.done(root(), ACME, delete(1));
    assert_eq!(world.result(root(), ACME, delete(1)), Err(Rejection::NotFound));
    assert!(blocks(&world, "192.0.2.9") && !blocks(&world, "198.51.100.9"));
    world.done(root(), ACME, create(3, "198.51.100.0/24"));
    let elsewhere = source_blocks::blocked(&world.tables.opened(OTHER), OTHER).unwrap();
    assert_eq!(elsewhere, Default::default());
}

#[test]
fn a_restored_block_counts_again_and_another_name_is_another_network() {
    let mut world = World::ready();
    world.done(root(), ACME, create(1, "192.0.2.0/24"));
    world.done(root(), ACME, delete(1));
    assert!(!blocks(&world, "192.0.2.9"));
    for odd in ["maintenance", "192.0.2.1/24", "127.0.0.0/8", "::/0"] {
        let refused = world.result(root(), ACME, restore(1, Some(odd)));
        let named =
            matches!(&refused, Err(Rejection::Invalid { field, .. }) if field == "/network");
        assert!(named, "{odd}: {refused:?}");
    }
    let draft = world.draft(root(), ACME, restore(1, None));
    let (position, now) = ((world.index, 0), world.now());
    let applied = apply_draft(&mut world.tables, position, now, &draft, Mode::Full).unwrap();
    assert!(applied.touched.snapshot, "no node goes on without it");
    assert!(blocks(&world, "192.0.2.9"));
    world.done(root(), ACME, delete(1));
    // A single address is a network of its own, in its one spelling.
    world.done(root(), ACME, restore(1, Some("198.51.100.7")));
    assert!(!blocks(&world, "192.0.2.9") && blocks(&world, "198.51.100.7"));
    let back: SourceBlock = world.record(ACME, id(1).bytes()).unwrap();
    assert_eq!((back.reason.as_str(), back.revision), ("guesses passwords", 5));
    let taken = world.result(root(), ACME, create(2, "198.51.100.7/32"));
    assert_eq!(taken, Err(Rejection::AlreadyExists("network".into())));
}

#[test]
fn whoever_lacks_the_permission_changes_nothing() {
    let mut world = World::ready();
    world.done(root(), ACME, create(1, "192.0.2.0/24"));
    for by in [person(ACME, BOB, OWN), person(OTHER, ROOT, OWN), Principal::Anonymous] {
        for command in [create(2, "10.0.0.0/8"), update(1, None, "10.0.0.0/8"), delete(1)] {
            let refused = world.result(by, ACME, command);
            let expected = matches!(refused, Err(Rejection::Denied(_) | Rejection::NotFound));
            assert!(expected, "{by:?} {refused:?}");
        }
    }
    assert!(blocks(&world, "192.0.2.9") && !blocks(&world, "10.0.0.1"));
}

#[test]
fn a_broken_rule_is_named_at_creation_and_change() {
    let mut world = World::ready();
    world.done(root(), ACME, create(1, "192.0.2.0/24"));
    for command in [create(2, "0.0.0.0/0"), update(1, None, "127.0.0.1/32")] {
        let refused = world.result(root(), ACME, command);
        let named =
            matches!(&refused, Err(Rejection::Invalid { field, .. }) if field == "/network");
        assert!(named, "{refused:?}");
    }
}

#[test]
fn a_tenant_has_so_many_and_what_changes_one_makes_snapshots_old() {
    let mut world = World::ready();
    for number in 0..BLOCKS_MAX {
        let network = format!("10.{}.{}.0/24", number / 250, number % 250);
        world.done(root(), ACME, create(number, &network));
    }
    let more = world.result(root(), ACME, create(BLOCKS_MAX, "192.0.2.0/24"));
    let named = matches!(&more, Err(Rejection::Invalid { field, .. }) if field == "/network");
    assert!(named, "{more:?}");
    let draft = world.draft(root(), ACME, delete(7));
    let (position, now) = ((world.index, 0), world.now());
    let applied = apply_draft(&mut world.tables, position, now, &draft, Mode::Full).unwrap();
    assert!(applied.touched.snapshot);
    assert!(!blocks(&world, "10.0.7.1") && blocks(&world, "10.3.249.1"));
    world.done(root(), ACME, create(BLOCKS_MAX, "192.0.2.0/24"));
    let back = world.result(root(), ACME, restore(7, None));
    let named = matches!(&back, Err(Rejection::Invalid { field, .. }) if field == "/network");
    assert!(named, "{back:?}");
}

#[test]
fn there_are_none_before_every_node_reads_them() {
    let mut world = World::ready_at(FIRST_LEVEL);
    for command in [create(1, "192.0.2.0/24"), restore(1, None)] {
        assert_eq!(world.result(root(), ACME, command), Err(Rejection::FeatureLevel));
    }
}
