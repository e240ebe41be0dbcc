//! Transfers without a network: whose turn it is, how fast parts go, what is asked for, and what
//! becomes of it.

mod own_disk;

use std::{os::unix::fs::FileExt as _, path::Path};

use futures::FutureExt as _;
use identity::{
    id::TenantId,
    table::{Row, Table},
};
use storage::{Applied, Batch, Mark, Space, keys};
use tokio::io::DuplexStream;

use super::*;

/// More than a snapshot of these tests has.
const WIRE_BYTES: usize = 16 << 20;

struct Still;

impl Time for Still {
    fn wall_ms(&self) -> u64 {
        0
    }

    fn boot_ms(&self) -> u64 {
        0
    }
}

/// Commits the entries `from..=to`, each with a record.
fn fill(store: &Store, from: u64, to: u64) {
    for index in from..=to {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&index.to_be_bytes());
        let row = Row::Record { table: Table(*b"us"), id };
        let mut batch = Batch::new();
        let tenant = TenantId::from_bytes([5; 16]);
        batch.put(keys::encode(Space::default(), tenant, row), id.repeat(20));
        let applied = Applied { index, log_id: index.to_be_bytes().to_vec() };
        store.commit(batch, &Mark { applied, feature_level: 1, ..Mark::default() }).unwrap();
    }
}

/// A node that has applied something, and one that has not.
fn pair(home: &Path) -> (Store, Store) {
    let open = |name| Store::open(&home.join(name), storage::Options::default()).unwrap();
    let (leader, follower) = (open("a"), open("b"));
    fill(&leader, 1, 200);
    (leader, follower)
}

/// Writes what is wanted of a snapshot, as its parts would.
fn bring(incoming: &mut Incoming, wanted: &[Option<u64>], from: &Snapshot) {
    for (number, (file, offset)) in from.manifest().files.iter().zip(wanted).enumerate() {
        let Some(offset) = offset else { continue };
        let bytes = fs::read(from.dir().join(&file.name)).unwrap();
        let rest = &bytes[usize::try_from(*offset).unwrap()..];
        incoming.write(u32::try_from(number).unwrap(), *offset, rest).unwrap();
    }
    incoming.open = None;
}

/// The largest file of a snapshot: its number, its name and half of its length.
fn largest(of: &Snapshot) -> (usize, String, u64) {
    let files = of.manifest().files.iter().enumerate();
    let (number, file) = files.max_by_key(|(_, file)| file.size).unwrap();
    assert!(file.size > 2, "{file:?}");
    (number, file.name.clone(), file.size / 2)
}

/// What is wanted of a snapshot when that is nothing but one file, from there on.
fn only(of: &Snapshot, number: usize, from: u64) -> Vec<Option<u64>> {
    let count = of.manifest().files.len();
    (0..count).map(|one| (one == number).then_some(from)).collect()
}

/// Flips a bit of a file in place: in every link to it.
fn damage(path: &Path) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
}

fn sum(store: &Store) -> storage::StateSum {
    storage::checksum(&store.pin().view().unwrap()).unwrap()
}

#[test]
fn what_is_half_there_is_continued_from_there_and_ends_whole() {
    let home = tempfile::tempdir().unwrap();
    let (leader, follower) = pair(home.path());
    let kept = leader.build_snapshot().unwrap();
    let (number, name, half) = largest(&kept);
    let bytes = fs::read(kept.dir().join(&name)).unwrap();

    let (mut incoming, mut wanted) = begin(&follower, kept.manifest().clone()).unwrap();
    assert_eq!(wanted[number], Some(0));
    wanted[number] = None;
    bring(&mut incoming, &wanted, &kept);
    let first_half = &bytes[..usize::try_from(half).unwrap()];
    incoming.write(u32::try_from(number).unwrap(), 0, first_half).unwrap();
    drop(incoming);

    let (mut incoming, wanted) = begin(&follower, kept.manifest().clone()).unwrap();
    assert_eq!(wanted, only(&kept, number, half));
    bring(&mut incoming, &wanted, &kept);
    follower.seal_incoming(kept.manifest(), &incoming.dir).unwrap();
    assert!(fs::read(incoming.dir.join(&name)).unwrap() == bytes, "{name} is another file");
    follower.install(&incoming.dir).unwrap();
    assert_eq!(sum(&follower), sum(&leader));
}

#[test]
fn a_half_of_other_bytes_is_found_out_and_the_file_comes_whole() {
    let home = tempfile::tempdir().unwrap();
    let (leader, follower) = pair(home.path());
    let kept = leader.build_snapshot().unwrap();
    let (number, name, half) = largest(&kept);
    let mut other = fs::read(kept.dir().join(&name)).unwrap();
    other.truncate(usize::try_from(half).unwrap());
    other[0] ^= 1;

    let (mut incoming, _) = begin(&follower, kept.manifest().clone()).unwrap();
    incoming.write(u32::try_from(number).unwrap(), 0, &other).unwrap();
    drop(incoming);

    let (mut incoming, wanted) = begin(&follower, kept.manifest().clone()).unwrap();
    assert_eq!(wanted[number], Some(half));
    bring(&mut incoming, &wanted, &kept);
    let refused = follower.seal_incoming(kept.manifest(), &incoming.dir).unwrap_err();
    assert_eq!(refused.0, format!("{name} arrived damaged"));

    let (mut incoming, wanted) = begin(&follower, kept.manifest().clone()).unwrap();
    assert_eq!(wanted, only(&kept, number, 0));
    bring(&mut incoming, &wanted, &kept);
    follower.seal_incoming(kept.manifest(), &incoming.dir).unwrap();
    follower.install(&incoming.dir).unwrap();
    assert_eq!(sum(&follower), sum(&leader));
}

#[test]
fn a_file_that_is_damaged_in_ones_own_snapshot_is_fetched_at_once() {
    let home = tempfile::tempdir().unwrap();
    let (leader, follower) = pair(home.path());
    let kept = leader.build_snapshot().unwrap();
    let (mut incoming, wanted) = begin(&follower, kept.manifest().clone()).unwrap();
    bring(&mut incoming, &wanted, &kept);
    follower.seal_incoming(kept.manifest(), &incoming.dir).unwrap();
    follower.install(&incoming.dir).unwrap();
    fs::remove_dir_all(&incoming.dir).unwrap();

    fill(&leader, 201, 210);
    let next = leader.build_snapshot().unwrap();
    let (incoming, wanted) = begin(&follower, next.manifest().clone()).unwrap();
    let mut files = next.manifest().files.iter().zip(&wanted);
    let reused = files.position(|(file, from)| file.size > 0 && from.is_none()).unwrap();
    fs::remove_dir_all(&incoming.dir).unwrap();

    let file = &next.manifest().files[reused];
    damage(&follower.snapshot().unwrap().dir().join(&file.name));
    let (mut incoming, wanted) = begin(&follower, next.manifest().clone()).unwrap();
    assert_eq!(wanted[reused], Some(0), "{}", file.name);
    bring(&mut incoming, &wanted, &next);
    follower.seal_incoming(next.manifest(), &incoming.dir).unwrap();
    follower.install(&incoming.dir).unwrap();
    assert_eq!(sum(&follower), sum(&leader));
    let healed = follower.snapshot().unwrap();
    healed.manifest().verify(healed.dir()).unwrap();
}

fn offer(of: &Snapshot) -> Request {
    let vote = Vote::new_committed(2, 1);
    Request::Snapshot {
        vote: (&vote).into(),
        last: None,
        membership: Bytes::new(),
        manifest: of.manifest().encode().unwrap().into(),
    }
}

/// What has arrived at the other end, if a whole frame has.
fn arrived(at: &mut DuplexStream) -> Option<Request> {
    let frame = frame::read(at, frame::BODY_MAX).now_or_never()?;
    Some(question(&frame.unwrap()).unwrap())
}

/// Wants everything, like a node that has nothing.
async fn want_all(at: &mut DuplexStream, of: &Snapshot) {
    let wanted = Response::Wanted(vec![Some(0); of.manifest().files.len()]);
    say(at, codec::encode(&wanted)).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_is_not_offered_before_the_one_before_it_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let (leader, _) = pair(home.path());
    let kept = leader.build_snapshot().unwrap();
    let (offer, outgoing) = (offer(&kept), Outgoing::default());
    let (near, mut far) = tokio::io::duplex(WIRE_BYTES);
    let mut first = Box::pin(outgoing.alone(&kept, deliver(near, &offer, &kept, &Still)));
    let (near, mut other) = tokio::io::duplex(WIRE_BYTES);
    let mut second = Box::pin(outgoing.alone(&kept, deliver(near, &offer, &kept, &Still)));

    assert!(first.as_mut().now_or_never().is_none());
    assert!(second.as_mut().now_or_never().is_none());
    assert_eq!(arrived(&mut far), Some(offer.clone()));
    assert_eq!(arrived(&mut other), None);
    want_all(&mut far, &kept).await;
    assert!(second.as_mut().now_or_never().is_none());
    assert_eq!(arrived(&mut other), None);

    // The first is sent, and may take its time to be installed.
    first.await.unwrap();
    assert!(second.as_mut().now_or_never().is_none());
    assert_eq!(arrived(&mut other), Some(offer.clone()));
    want_all(&mut other, &kept).await;
    second.await.unwrap();
    let mut sent = 0;
    loop {
        let frame = frame::read(&mut other, frame::BODY_MAX).await.unwrap();
        match question(&frame).unwrap() {
            Request::Part { bytes, .. } => sent += bytes.len() as u64,
            Request::Install => break,
            said => panic!("{said:?}"),
        }
    }
    assert_eq!(sent, kept.manifest().size_bytes());
}

#[tokio::test]
async fn whoever_lets_go_of_a_transfer_waiting_or_not_makes_room_for_the_next() {
    let home = tempfile::tempdir().unwrap();
    let kept = pair(home.path()).0.build_snapshot().unwrap();
    let outgoing = Outgoing::default();
    let mut first = Box::pin(outgoing.alone(&kept, std::future::pending::<Result<(), _>>()));
    assert!(first.as_mut().now_or_never().is_none());
    let mut second = Box::pin(outgoing.alone(&kept, std::future::ready(Ok(2))));
    assert!(second.as_mut().now_or_never().is_none());
    let mut third = Box::pin(outgoing.alone(&kept, std::future::ready(Ok(3))));
    assert!(third.as_mut().now_or_never().is_none());
    drop(second);
    assert!(third.as_mut().now_or_never().is_none(), "the first is not done");
    drop(first);
    assert_eq!(third.await.unwrap(), 3);
    let broke = Unsent::Failed(failed("the wire broke"));
    let failing = outgoing.alone(&kept, std::future::ready(Err::<(), _>(broke)));
    failing.await.unwrap_err();
    assert_eq!(outgoing.alone(&kept, std::future::ready(Ok(4))).await.unwrap(), 4);
}

#[test]
fn parts_keep_to_the_rate_and_what_a_stall_cost_is_not_made_up_for() {
    let second = u64::from(TICK_PARTS) * PART_BYTES as u64 * 1_000 / TICK_MS;
    assert!(second <= 128 << 20, "{second}");
    let (mut pace, mut now_ms, mut sent) = (Pace::default(), 5_000, Vec::new());
    for number in 0_u64..2_000 {
        // In the middle of a tick.
        if number == 1_000 {
            now_ms += 10_000;
        }
        // Sending itself costs nothing: only the pace holds it back.
        now_ms += pace.wait_ms(now_ms);
        sent.push(now_ms);
    }
    assert_eq!(sent[999] - sent[0], 999 / u64::from(TICK_PARTS) * TICK_MS, "slower than allowed");
    let most = usize::try_from((1_000 / TICK_MS + 2) * u64::from(TICK_PARTS)).unwrap();
    for from in &sent {
        let within = sent.iter().filter(|at| (*from..from + 1_000).contains(*at)).count();
        assert!(within <= most, "{within} parts in the second from {from}");
    }
}

#[test]
fn a_clock_that_stands_still_costs_a_transfer_a_tick_and_not_more() {
    let mut pace = Pace::default();
    let waits: Vec<u64> = (0..10 * TICK_PARTS).map(|_| pace.wait_ms(7)).collect();
    assert_eq!(waits.iter().sum::<u64>(), 9 * TICK_MS);
}
