//! What is damaged on the sender's own disk, and what is too old by the time it is to be sent.

use super::*;

/// A receiver at the other end of a wire that does not install: it says whether every file arrived.
async fn take(at: &mut DuplexStream, into: &Store) -> io::Result<()> {
    let first = frame::read(at, frame::BODY_MAX).await?;
    let Request::Snapshot { manifest, .. } = question(&first)? else {
        return Err(failed("a transfer begins with an offer"));
    };
    let (mut incoming, wanted) = begin(into, Manifest::decode(&manifest).map_err(failed)?)?;
    say(at, codec::encode(&Response::Wanted(wanted))).await?;
    loop {
        let frame = frame::read(at, frame::BODY_MAX).await?;
        match question(&frame)? {
            Request::Part { file, offset, bytes } => incoming.write(file, offset, &bytes)?,
            Request::Install => break,
            said => panic!("{said:?}"),
        }
    }
    incoming.open = None;
    let answer = match into.seal_incoming(&incoming.manifest, &incoming.dir) {
        Ok(()) => Response::Installed((&Vote::new_committed(2, 1)).into()),
        Err(fault) => Response::Failed(fault.to_string()),
    };
    say(at, codec::encode(&answer)).await
}

/// Sends a snapshot to a receiver; how that ends, and whether anything was offered.
async fn send_to(to: &Store, outgoing: &Outgoing, kept: &Arc<Snapshot>) -> (Option<Unsent>, bool) {
    let (near, mut far) = tokio::io::duplex(WIRE_BYTES);
    let offer = offer(kept);
    let sending = async {
        let delivered = outgoing.alone(kept, deliver(near, &offer, kept, &Still)).await?;
        installed(delivered, kept).await
    };
    let (sent, taken) = tokio::join!(sending, take(&mut far, to));
    (sent.err(), taken.is_ok())
}

/// The largest file of a snapshot that was copied for it: the state has its own.
fn copied(of: &Snapshot) -> PathBuf {
    let files = of.manifest().files.iter().filter(|file| !file.name.ends_with(".sst"));
    of.dir().join(&files.max_by_key(|file| file.size).unwrap().name)
}

#[tokio::test]
async fn what_is_damaged_on_ones_own_disk_is_sent_once_and_made_anew() {
    let home = tempfile::tempdir().unwrap();
    let (leader, follower) = pair(home.path());
    let (kept, line) = (leader.build_snapshot().unwrap(), Outgoing::default());
    damage(&copied(&kept));
    outgoing::renewed(&kept).await.unwrap();

    let (unsent, offered) = send_to(&follower, &line, &kept).await;
    assert!(matches!(unsent, Some(Unsent::Damaged)), "{unsent:?}");
    assert!(offered);
    assert!(kept.is_damaged());
    let (unsent, offered) = send_to(&follower, &line, &kept).await;
    assert!(matches!(unsent, Some(Unsent::Damaged)), "{unsent:?}");
    assert!(!offered, "it is sent again");
    assert!(outgoing::renewed(&kept).now_or_never().is_none(), "nobody waits for another one");

    let next = leader.build_snapshot().unwrap();
    let over = outgoing::renewed(&kept).await.unwrap_err();
    assert!(matches!(over, Unsent::Superseded), "{over:?}");
    outgoing::renewed(&next).await.unwrap();
    let (unsent, _) = send_to(&follower, &line, &next).await;
    assert!(unsent.is_none(), "{unsent:?}");
    follower.install(&follower.incoming_of(next.manifest()).unwrap()).unwrap();
    assert_eq!(sum(&follower), sum(&leader));
}

#[tokio::test]
async fn a_file_that_is_longer_shorter_or_gone_on_ones_own_disk_is_not_blamed_on_the_receiver() {
    let damages: [fn(&Path); 3] = [
        |path| OpenOptions::new().append(true).open(path).unwrap().write_all(&[7; 9]).unwrap(),
        |path| OpenOptions::new().write(true).open(path).unwrap().set_len(1).unwrap(),
        |path| fs::remove_file(path).unwrap(),
    ];
    for damage in damages {
        let home = tempfile::tempdir().unwrap();
        let (leader, follower) = pair(home.path());
        let kept = leader.build_snapshot().unwrap();
        damage(&copied(&kept));
        let (unsent, _) = send_to(&follower, &Outgoing::default(), &kept).await;
        // What is longer arrives as it was.
        assert!(matches!(unsent, None | Some(Unsent::Damaged)), "{unsent:?}");
        assert_eq!(kept.is_damaged(), unsent.is_some());
        assert!(!leader.build_snapshot().unwrap().is_damaged());
    }
}

#[tokio::test]
async fn damage_of_the_applied_state_is_not_sent_out_of_the_next_snapshot_either() {
    let home = tempfile::tempdir().unwrap();
    let (leader, follower) = pair(home.path());
    let (kept, line) = (leader.build_snapshot().unwrap(), Outgoing::default());
    let rows = kept.manifest().files.iter().filter(|file| file.name.ends_with(".sst"));
    let rows = rows.max_by_key(|file| file.size).unwrap();
    damage(&kept.dir().join(&rows.name));
    let (unsent, _) = send_to(&follower, &line, &kept).await;
    assert!(matches!(unsent, Some(Unsent::Damaged)), "{unsent:?}");
    let next = leader.build_snapshot().unwrap();
    let (unsent, offered) = send_to(&follower, &line, &next).await;
    assert!(matches!(unsent, Some(Unsent::Damaged)), "{unsent:?}");
    assert!(!offered);
}

#[tokio::test]
async fn what_a_receiver_has_damaged_itself_is_sent_again() {
    let home = tempfile::tempdir().unwrap();
    let (leader, follower) = pair(home.path());
    let (kept, line) = (leader.build_snapshot().unwrap(), Outgoing::default());
    let (number, name, half) = largest(&kept);
    let (mut incoming, _) = begin(&follower, kept.manifest().clone()).unwrap();
    let other = vec![0xA5; usize::try_from(half).unwrap()];
    incoming.write(u32::try_from(number).unwrap(), 0, &other).unwrap();
    drop(incoming);

    let (unsent, _) = send_to(&follower, &line, &kept).await;
    let why = match unsent {
        Some(Unsent::Failed(why)) => why.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(why, format!("{name} arrived damaged"));
    assert!(!kept.is_damaged());
    let (unsent, _) = send_to(&follower, &line, &kept).await;
    assert!(unsent.is_none(), "{unsent:?}");
}

#[tokio::test]
async fn a_snapshot_that_waited_until_there_was_a_newer_one_is_not_offered() {
    let home = tempfile::tempdir().unwrap();
    let (leader, _) = pair(home.path());
    let (kept, line) = (leader.build_snapshot().unwrap(), Outgoing::default());
    let old = offer(&kept);
    let (near, mut far) = tokio::io::duplex(WIRE_BYTES);
    let mut first = Box::pin(line.alone(&kept, deliver(near, &old, &kept, &Still)));
    let (near, mut other) = tokio::io::duplex(WIRE_BYTES);
    let mut second = Box::pin(line.alone(&kept, deliver(near, &old, &kept, &Still)));
    assert!(first.as_mut().now_or_never().is_none());
    assert!(second.as_mut().now_or_never().is_none());
    fill(&leader, 201, 210);
    let newest = leader.build_snapshot().unwrap();

    // What is under way is not broken off.
    assert_eq!(arrived(&mut far), Some(old.clone()));
    want_all(&mut far, &kept).await;
    first.await.unwrap();
    let over = second.await.err().unwrap();
    assert!(matches!(over, Unsent::Superseded), "{over:?}");
    assert!(frame::read(&mut other, frame::BODY_MAX).await.is_err(), "the old one is offered");

    let new = offer(&newest);
    let (near, mut other) = tokio::io::duplex(WIRE_BYTES);
    let mut third = Box::pin(line.alone(&newest, deliver(near, &new, &newest, &Still)));
    assert!(third.as_mut().now_or_never().is_none());
    assert_eq!(arrived(&mut other), Some(new.clone()));
}
