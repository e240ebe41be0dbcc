//! Data that cannot be trusted is refused: one line that says what and what to do, an exit code, no
//! byte changed, never a panic.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Duration,
};

use vaultara_cluster_tests::{
    api::{Api, Written},
    process::{Launch, free_port},
    skip,
    small_disk::SmallDisk,
    writers::{Writers, differences},
};

use crate::{ALONE, PROGRAM};

const SECRET: &str = "a root secret that only these tests know";

/// Every file with its bytes, but for RocksDB's own diary and the empty file that a lock is held
/// on.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                open.push(path);
            } else if !["LOG", "in-use.lock"].contains(&name.as_str())
                && !name.starts_with("LOG.old.")
            {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for (name, bytes) in files(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn launch(folder: &Path) -> Launch {
    fs::create_dir_all(folder).unwrap();
    Launch::new(PROGRAM, folder).unwrap().with("MASTER_KEY", SECRET)
}

/// A node with some history, stopped in order.
async fn made(folder: &Path) -> Launch {
    let launch = launch(folder);
    let node = launch.start().await.unwrap();
    let api = Api::open(&launch).await.unwrap();
    for number in 0..30 {
        let name = format!("kept-{number}");
        assert!(matches!(api.create(&name, &name).await, Written::Done { .. }));
    }
    node.stop().unwrap();
    launch
}

async fn kept(launch: &Launch) -> usize {
    let users = Api::open(launch).await.unwrap().users().await.unwrap();
    users.iter().filter(|user| user.username.starts_with("kept-")).count()
}

/// What is wrong with how a start was refused; nothing if it is right.
fn objections(launch: &Launch, expected: &[&str], changed: bool) -> Vec<String> {
    let before = files(&launch.data_dir);
    let (status, messages) = match launch.refused() {
        Ok(ended) => ended,
        Err(failure) => return vec![failure],
    };
    let mut found = Vec::new();
    if status.code().is_none_or(|code| code == 0) {
        found.push(format!("it ended with {status}"));
    }
    // Logs are JSON; what is for a person is not.
    let lines: Vec<&str> = messages.lines().filter(|line| !line.starts_with('{')).collect();
    match lines.as_slice() {
        [line] if line.starts_with("vaultara: cannot start: ") => {
            let missing = expected.iter().filter(|words| !line.contains(**words));
            found.extend(missing.map(|words| format!("{words:?} is missing in {line:?}")));
        }
        _ => found.push(format!("it does not say one line: {messages}")),
    }
    if messages.contains("panicked") {
        found.push(format!("it panicked: {messages}"));
    }
    let after = files(&launch.data_dir);
    for (name, bytes) in &before {
        if after.get(name) != Some(bytes) {
            found.push(format!("{name} was changed"));
        }
    }
    if !changed {
        let added = after.keys().filter(|name| !before.contains_key(*name));
        found.extend(added.map(|name| format!("{name} was added")));
    }
    found
}

/// The write-ahead log of the raft log: the largest, if there are several.
fn wal(data_dir: &Path) -> PathBuf {
    let logs = fs::read_dir(data_dir.join("log")).unwrap().map(|entry| entry.unwrap().path());
    logs.filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .expect("there is a write-ahead log")
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

type Damage = fn(&Path, &Path);

/// Name, what the line must say, and what is done to a data folder, with another node's at hand.
const DAMAGES: &[(&str, &[&str], Damage)] = &[
    ("a log damaged in the middle", &["raft log", "damaged", "restore"], |data, _| {
        edit(&wal(data), |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
        });
    }),
    ("a log damaged in its last record", &["raft log", "damaged", "restore"], |data, _| {
        edit(&wal(data), |bytes| {
            let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
            bytes[last] ^= 0x10;
        });
    }),
    ("a log whose tail was cut", &["the log ends at", "restore"], |data, _| {
        edit(&wal(data), |bytes| {
            let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
            bytes.truncate(last - 100);
        });
    }),
    ("no log at all", &["log", "restore"], |data, _| {
        fs::remove_dir_all(data.join("log")).unwrap();
    }),
    ("no identity", &["`node` is missing", "restore"], |data, _| {
        fs::remove_file(data.join("node")).unwrap();
    }),
    (
        "the state of another cluster",
        &["another cluster", "right data directory"],
        |data, other| {
            fs::remove_dir_all(data.join("state")).unwrap();
            copy(&other.join("state"), &data.join("state"));
        },
    ),
    ("a newer format", &["state format 999", "newer version"], |data, _| {
        edit(&data.join("state/0/OWNER"), |bytes| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let newer = text.replacen("\"format\":1,", "\"format\":999,", 1);
            assert_ne!(text, newer);
            *bytes = newer.into_bytes();
        });
    }),
    ("a state without its pointer", &["POINTER is missing", "restore"], |data, _| {
        fs::remove_file(data.join("state/0/POINTER")).unwrap();
    }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_cannot_be_trusted_is_refused_and_left_alone() {
    let _alone = ALONE.lock().await;
    let home = tempfile::tempdir().unwrap();
    let good = made(&home.path().join("good")).await;
    let other = launch(&home.path().join("other"));
    other.start().await.unwrap().stop().unwrap();
    let mut found = Vec::new();
    for (number, (what, expected, damage)) in DAMAGES.iter().enumerate() {
        let folder = home.path().join(number.to_string());
        let bad =
            Launch { work_dir: folder.clone(), data_dir: folder.join("data"), ..good.clone() };
        copy(&good.data_dir, &bad.data_dir);
        damage(&bad.data_dir, &other.data_dir);
        let objections = objections(&bad, expected, false);
        println!("{what}: {}", bad.messages().trim_end());
        found.extend(objections.into_iter().map(|objection| format!("{what}: {objection}")));
    }
    let wrong = Launch { variables: Vec::new(), ..good.clone() }
        .with("MASTER_KEY", "another root secret of forty characters.");
    let objections = objections(&wrong, &["root secret", "MASTER_KEY"], false);
    found.extend(objections.into_iter().map(|objection| format!("wrong secret: {objection}")));
    assert!(found.is_empty(), "\n  {}\n", found.join("\n  "));
    // The untouched original is still good.
    let node = good.start().await.unwrap();
    assert_eq!(kept(&good).await, 30);
    node.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_disk_is_missing_founds_no_second_cluster() {
    let _alone = ALONE.lock().await;
    let home = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let first = launch(&home.path().join("first")).with("CLUSTER_BIND", &address);
    first.start().await.unwrap().stop().unwrap();
    // As it is left for good once another has joined: JOIN, and a token that is long gone.
    let kept = first.with("JOIN", "127.0.0.1:1").with("JOIN_TOKEN_FILE", "gone");
    kept.start().await.unwrap().stop().unwrap();
    // The mount point without its disk.
    let disk = home.path().join("disk");
    fs::rename(&kept.data_dir, &disk).unwrap();
    fs::create_dir(&kept.data_dir).unwrap();
    let expected = ["JOIN", "127.0.0.1:1", "gone", "mount", "token create"];
    let objections = objections(&kept, &expected, false);
    println!("no disk: {}", kept.messages().trim_end());
    assert!(objections.is_empty(), "\n  {}\n", objections.join("\n  "));
    fs::remove_dir(&kept.data_dir).unwrap();
    fs::rename(&disk, &kept.data_dir).unwrap();
    kept.start().await.unwrap().stop().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_data_is_refused() {
    let _alone = ALONE.lock().await;
    let home = tempfile::tempdir().unwrap();
    let first = launch(&home.path().join("first"));
    let node = first.start().await.unwrap();
    let second = Launch {
        data_dir: first.data_dir.clone(),
        external_url: first.external_url.clone(),
        ..launch(&home.path().join("second"))
    };
    let (status, messages) = second.refused().unwrap();
    assert_ne!(status.code(), Some(0));
    assert!(messages.contains("another process") || messages.contains("another vaultara"));
    assert!(!messages.contains("panicked"), "{messages}");
    node.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_refused_and_works_again_when_there_is_space() {
    let _alone = ALONE.lock().await;
    let home = tempfile::tempdir().unwrap();
    let disk = match SmallDisk::mount(&home.path().join("disk"), "512m") {
        Ok(disk) => disk,
        Err(reason) => return println!("{}", skip::left_out("a full disk", &reason).unwrap()),
    };
    let good = made(&home.path().join("good")).await;
    let full = Launch { data_dir: disk.at.join("data"), ..good.clone() };
    copy(&good.data_dir, &full.data_dir);
    let fill = disk.fill().unwrap();
    let objections = objections(&full, &["space"], true);
    println!("full disk: {}", full.messages().trim_end());
    assert!(objections.is_empty(), "\n  {}\n", objections.join("\n  "));
    fs::remove_file(fill).unwrap();
    let node = full.start().await.unwrap();
    assert_eq!(kept(&full).await, 30);
    node.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_stops_the_node_and_loses_nothing() {
    let _alone = ALONE.lock().await;
    let home = tempfile::tempdir().unwrap();
    let disk = match SmallDisk::mount(&home.path().join("disk"), "512m") {
        Ok(disk) => disk,
        Err(reason) => return println!("{}", skip::left_out("a full disk", &reason).unwrap()),
    };
    let full = Launch { data_dir: disk.at.join("data"), ..launch(&home.path().join("work")) };
    let mut node = full.start().await.unwrap();
    let api = Api::open(&full).await.unwrap();
    let mut writers = Writers::start(&api, 32, 2);
    while writers.shared.acknowledged.load(Ordering::SeqCst) < 200 {
        writers.check().unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let fill = disk.fill().unwrap();
    let ended = tokio::task::block_in_place(|| node.ended(Duration::from_secs(120)));
    let messages = full.messages();
    let status = ended.expect("a node that cannot write must stop");
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    assert!(!messages.contains("panicked"), "{messages}");
    let lines: Vec<&str> = messages.lines().filter(|line| !line.starts_with('{')).collect();
    println!("filling disk: {lines:?}");
    assert!(lines.len() == 1 && lines[0].contains("the node must stop"), "{lines:?}");
    writers.down();
    let ledger = writers.shared.ledger();
    fs::remove_file(fill).unwrap();
    let node = full.start().await.unwrap();
    let found = differences(&ledger, &api.users().await.unwrap());
    assert!(found.is_empty(), "{found:?}");
    node.stop().unwrap();
}
