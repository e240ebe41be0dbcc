//! A whole node: its backup is its state at one log index, and a new cluster begins with it.

use std::{path::Path, sync::Arc, time::Duration};

use identity::{
    command::Command,
    incarnation::{self, Cause},
    members,
    outcome::Rejection,
    stamp::Placement,
};
use zeroize::Zeroizing;

use super::random;
use crate::{
    Error,
    backup::{
        self, Backup, Note, Settings,
        age::{Identity, Recipient},
        create, list,
        made::Work,
        restore,
        restore::unpack,
        scheduled::keep_to,
        store::{Source, Stop, Store},
    },
    cluster::{Warning, status},
    context::{self, Asker, Context, OwnNode},
    runtime::fetcher,
    system::{ClusterConfig, Config, StartError, System, tests::harness::free_port},
};

pub(super) const SECRET: [u8; 32] = [7; 32];

pub(super) fn config(data_dir: &Path, backups: &Path, secret: &[u8]) -> Config {
    let port = free_port();
    let (name, address) = ("n".to_owned(), format!("127.0.0.1:{port}"));
    let bind = address.parse().unwrap();
    Config {
        data_dir: data_dir.to_path_buf(),
        settings: context::Settings {
            external_url: "http://localhost:8080".into(),
            secure_cookies: false,
            access_token_lifetime_s: 3_600,
            refresh_token_lifetime_s: 86_400,
            license_issuers: Vec::new(),
            node: Some(OwnNode { name, address, zone: String::new(), version: "1".into() }),
            backups: Settings {
                store: Some(Store::Folder(backups.to_path_buf())),
                ..Settings::default()
            },
        },
        root_secret: Zeroizing::new(secret.to_vec()),
        previous_root_secret: None,
        hash_slots: 1,
        hash_memory_kib: 19_456,
        hash_passes: 2,
        log_budget_bytes: 4 << 20,
        egress: fetcher::Policy::default(),
        cluster: Some(ClusterConfig { bind, join: None }),
    }
}

/// Another process lets go of a directory when it ends; here its tasks may take a moment.
async fn again(make: impl Fn() -> Config) -> System {
    for _ in 0..1_000 {
        match System::start(make()).await {
            Ok(system) => return system,
            Err(StartError::Raft(raft::StartError::State(storage::Refusal::Locked(_)))) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the data is never let go of");
}

/// What makes a backup and writes nothing else.
fn work(ctx: &Context, backups: &Path, recipient: Recipient) -> Work {
    Work {
        raft: ctx.0.raft.clone(),
        store: Store::Folder(backups.to_path_buf()),
        note: Note::default(),
        stop: Stop::never(),
        written: Arc::default(),
        began: Backup::begun(ctx.0.raft.cluster_id(), 1_790_000_000_000),
        recipients: vec![recipient],
        random: random(),
        keyring: ctx.keyring().clone(),
        version: "1".into(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_the_state_at_its_index_and_begins_a_new_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backups, stage, new) = (
        dir.path().join("data"),
        dir.path().join("backups"),
        dir.path().join("stage"),
        dir.path().join("new"),
    );
    let key = Identity::new(&random());
    let keys = [key];
    let system = System::start(config(&data, &backups, &SECRET)).await.unwrap();
    let ctx = system.context();
    let old_cluster = ctx.0.raft.cluster_id();
    let recipient = keys[0].recipient().unwrap();
    // Now and then the node writes by itself in between.
    let (file, header, sum) = loop {
        let work = work(ctx, &backups, recipient);
        let raft = ctx.0.raft.clone();
        let both = tokio::task::spawn_blocking(move || (work.make(), raft.checksum()));
        let (made, sum) = both.await.unwrap();
        let (made, sum) = (made.unwrap(), sum.unwrap());
        let file = Source::File(backups.join(&made.name));
        let header = backup::verify(&file, &keys, None).unwrap();
        assert_eq!(made.log_index, Some(header.snapshot.applied_index));
        if sum.as_of == header.snapshot.applied_index {
            break (file, header, sum);
        }
    };
    let unpacked = unpack(&file, &keys, &stage, ctx.keyring()).unwrap();
    assert_eq!(unpacked, header);
    let check = ctx.keyring().check_value().to_vec();
    let staged = raft::Staged::new(&stage, vec![check]).unwrap();
    assert_eq!(staged.checksum().unwrap(), sum, "the digest at the same index");
    drop(staged);
    // With what was there when it was made, and nothing of later.
    ctx.write(&Asker::system(), Placement::Cluster, Command::Noop).await.unwrap();
    system.stop().await;

    let wrong = Zeroizing::new(vec![8; 32]);
    let refused = restore(&file, &keys, (&new, None), &wrong).unwrap_err().to_string();
    assert!(refused.contains("root secret"), "{refused}");
    assert_eq!(std::fs::read_dir(&new).unwrap().count(), 0);
    let restored = restore(&file, &keys, (&new, None), &Zeroizing::new(SECRET.to_vec())).unwrap();
    assert_eq!((restored.node, restored.cluster == old_cluster), (2, false));
    let again_there = restore(&file, &keys, (&new, None), &Zeroizing::new(SECRET.to_vec()));
    assert!(again_there.is_err(), "a node is there now");

    for start in 0..2 {
        let system = again(|| config(&new, &backups, &SECRET)).await;
        let ctx = system.context();
        assert_eq!(ctx.0.raft.cluster_id(), restored.cluster);
        {
            let reading = ctx.local();
            let view = reading.view().unwrap();
            let now = incarnation::current(&view).unwrap().unwrap();
            assert_eq!((now.number, now.cause), (1, Cause::Restored), "start {start}");
            let meta = view.meta().unwrap();
            assert_eq!((meta.incarnation, meta.cluster), (1, Some(restored.cluster)));
            let all = members::all(&view).unwrap();
            assert_eq!(all.iter().map(|one| one.node).collect::<Vec<_>>(), [2]);
            assert!(members::get(&view, 1).unwrap().unwrap().removed_at_ms.is_some());
        }
        let noop = Command::Noop;
        ctx.write(&Asker::system(), Placement::Cluster, noop).await.unwrap();
        system.stop().await;
    }
}

/// What there is once none is in the making.
pub(super) async fn all_made(ctx: &Context) -> Vec<Backup> {
    loop {
        let all = list(ctx).await.unwrap();
        let whole = all.iter().all(|one| one.log_index.is_some() || one.problem.is_some());
        // The store has it a moment before this node is done with it.
        if whole && ctx.0.backups.unmade().running.is_none() {
            return all;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_is_made_and_what_is_too_much_goes() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backups, file) =
        (dir.path().join("data"), dir.path().join("backups"), dir.path().join("recipients"));
    let make = || {
        let mut config = config(&data, &backups, &SECRET);
        config.settings.backups.recipients_file = Some(file.clone());
        config
    };
    let system = System::start(make()).await.unwrap();
    let ctx = system.context();
    // The node itself looks now and then, too; to it nothing is due.
    let kept = Settings { every_ms: 3_600_000, keep: 2, ..ctx.settings().backups.clone() };
    assert!(keep_to(ctx, &kept).await.is_err(), "there is nobody to encrypt for");
    let shown = list(ctx).await.unwrap();
    assert!(shown.len() == 1 && shown[0].problem.is_some(), "{shown:?}");
    let told = status(ctx).unwrap();
    let reason = told.backups.as_ref().unwrap().failed.as_ref().unwrap().reason.clone();
    assert!(reason.contains("BACKUP_RECIPIENTS_FILE") || reason.contains("recipients"), "{reason}");
    assert!(told.warnings.contains(&Warning::BackupFailed(reason)));
    keep_to(ctx, &kept).await.unwrap();
    assert_eq!(list(ctx).await.unwrap(), shown, "it is not tried again at once");
    create(ctx, &Asker::system(), &[]).await.unwrap_err();
    let key = Identity::new(&random());
    std::fs::write(&file, format!("# ours\n{}\n", key.recipient().unwrap())).unwrap();
    let (asked, _) = create(ctx, &Asker::system(), &[]).await.unwrap();
    let there = list(ctx).await.unwrap();
    assert_eq!(there, std::slice::from_ref(&asked), "what failed before is over");
    let told = status(ctx).unwrap().backups.unwrap();
    let made = told.made.unwrap();
    assert_eq!((Some(made.log_index), Some(made.bytes)), (asked.log_index, asked.bytes));
    assert_eq!((made.name, told.failed), (asked.name.clone(), None));
    keep_to(ctx, &kept).await.unwrap();
    let first = all_made(ctx).await;
    assert_eq!(first.iter().filter(|one| one.scheduled).count(), 1, "the other was asked for");
    keep_to(ctx, &kept).await.unwrap();
    assert_eq!(list(ctx).await.unwrap(), first, "it is young enough");
    let often = Settings { every_ms: 1, ..kept.clone() };
    for _ in 0..2 {
        keep_to(ctx, &often).await.unwrap();
        all_made(ctx).await;
    }
    std::fs::write(backups.join("vaultara-ffffffff-0000000000001-1.age"), "another's").unwrap();
    assert_eq!(list(ctx).await.unwrap().len(), 5);
    keep_to(ctx, &kept).await.unwrap();
    let left = list(ctx).await.unwrap();
    assert_eq!(left.len(), 4, "two of its own, the one asked for, and the other cluster's");
    assert!(left.contains(&asked) && !left.contains(&first[0]));
    // A folder that cannot be written is a failure that shows.
    std::fs::remove_dir_all(&backups).unwrap();
    std::fs::write(&backups, "in the way").unwrap();
    let refused = create(ctx, &Asker::system(), &[]).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    std::fs::remove_file(&backups).unwrap();
    let shown = list(ctx).await.unwrap();
    assert!(shown[0].problem.is_some(), "{shown:?}");
    for bad in ["", "age1hello"] {
        let refused = create(ctx, &Asker::system(), &[bad.to_owned()]).await;
        let rejected = matches!(refused, Err(Error::Rejected(Rejection::Invalid { .. })));
        assert!(rejected, "{refused:?}");
    }
    system.stop().await;
}
