//! Backups in a bucket, against a server of S3 that is not ours and compares every signature.

mod server;

use std::{
    io::{Read as _, Write as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use identity::command::Command;
use zeroize::Zeroizing;

use self::server::{Fault, KEY, SECRET, Server};
use super::{
    random,
    whole::{self, all_made},
};
use crate::{
    Error,
    backup::{
        self, Backup, Note, Settings,
        age::Identity,
        create, list, restore,
        scheduled::keep_to,
        store::{Source, Stop, Store, bucket},
    },
    context::Asker,
    runtime::fetcher,
    system::System,
};

fn keys(id: &str, secret: &str) -> bucket::FindKeys {
    let secret_access_key = Zeroizing::new(secret.to_owned());
    let keys = bucket::Keys { access_key_id: id.to_owned(), secret_access_key };
    Arc::new(move || Ok(keys.clone()))
}

fn at(server: &Server, change: impl FnOnce(&mut bucket::Settings)) -> Store {
    let mut settings = bucket::Settings {
        name: "backups".into(),
        prefix: "of/ours".into(),
        endpoint: server.url.clone(),
        region: "eu-west-1".into(),
        style: bucket::Style::Path,
        keys: keys(KEY, SECRET),
    };
    change(&mut settings);
    Store::bucket(&settings, &fetcher::Policy::default()).unwrap()
}

/// Off the threads that serve the server.
async fn blocking<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Store) -> T + Send + 'static,
) -> T {
    let store = store.clone();
    tokio::task::spawn_blocking(move || work(&store)).await.unwrap()
}

fn name(number: u64) -> String {
    format!("vaultara-00000000-{number:013}-{number:020}.age")
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from(place * place % 251).unwrap()).collect()
}

fn put(store: &Store, name: &str, bytes: &[u8]) {
    let mut writing = store.write(name, bytes.len() as u64, Stop::never()).unwrap();
    writing.write_all(bytes).unwrap();
    assert_eq!(writing.finish().unwrap(), bytes.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_into_a_bucket_is_listed_page_by_page_and_read_back_whole() {
    let server = Server::start().await;
    let (store, other) = (at(&server, |_| ()), at(&server, |it| it.prefix = String::new()));
    // Of several parts, the last one smaller.
    let large = content((33 << 20) + 17);
    let listed = blocking(&store, move |store| {
        assert_eq!(store.kept(&Stop::never()).unwrap(), []);
        put(store, &name(1), &large);
        for number in 2..=5 {
            put(store, &name(number), &content(100));
        }
        put(store, "something-else", b"of somebody");
        let mut read = Vec::new();
        store.read(&name(1)).unwrap().read_to_end(&mut read).unwrap();
        assert!(read == large, "{} bytes", read.len());
        store.remove(&name(3), &Stop::never()).unwrap();
        store.remove(&name(3), &Stop::never()).unwrap();
        let named = Source::Kept(store.clone(), "latest".into()).open().err().unwrap().to_string();
        assert!(named.contains(&name(5)), "{named}");
        let mut kept = store.kept(&Stop::never()).unwrap();
        kept.sort_by_key(|backup| backup.made_at_ms);
        kept
    })
    .await;
    let shown: Vec<_> = listed.iter().map(|it| (it.name.clone(), it.bytes.unwrap())).collect();
    let sizes = [(1, (33 << 20) + 17), (2, 100), (4, 100), (5, 100)];
    assert_eq!(shown, sizes.map(|(number, bytes)| (name(number), bytes)));
    assert!(server.pages() > 2, "{} lists", server.pages());
    assert_eq!(
        blocking(&other, |store| store.kept(&Stop::never()).unwrap()).await,
        [],
        "below another prefix"
    );
    assert_eq!(server.left_over(), 0);
    assert_eq!(store.to_string(), "s3://backups/of/ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_says_what_to_do_and_never_a_secret() {
    let server = Server::start().await;
    for (store, wanted) in [
        (at(&server, |it| it.keys = keys(KEY, "wrong")), "SECRET_ACCESS"),
        (at(&server, |it| it.keys = keys("nobody", SECRET)), "ACCESS_KEY_ID"),
        (at(&server, |it| it.name = "missing".into()), "BACKUP_S3_URL"),
        (at(&server, |it| it.endpoint = "http://127.0.0.1:1".into()), "BACKUP_S3_ENDPOINT"),
    ] {
        let shown =
            blocking(&store, |store| store.kept(&Stop::never()).unwrap_err().to_string()).await;
        assert!(shown.contains(wanted), "{shown}");
        let all = format!("{shown}{store}{store:?}");
        for secret in [SECRET, "Signature", "X-Amz", "wrong"] {
            assert!(!all.contains(secret) || secret == "Signature", "{all}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_may_be_exchanged_while_the_node_runs() {
    let server = Server::start().await;
    let now = Arc::new(Mutex::new(keys(KEY, "of-before")));
    let found = now.clone();
    let find = move || {
        let find = found.lock().unwrap().clone();
        find()
    };
    let store = at(&server, |it| it.keys = Arc::new(find));
    let asked = || {
        blocking(&store, |store| {
            store.kept(&Stop::never()).map(drop).map_err(|error| error.to_string())
        })
    };
    let refused = asked().await.unwrap_err();
    assert!(refused.contains("SECRET_ACCESS_KEY"), "{refused}");
    *now.lock().unwrap() = keys(KEY, SECRET);
    asked().await.unwrap();
    *now.lock().unwrap() = Arc::new(|| Err("their file is gone".into()));
    let refused = asked().await.unwrap_err();
    assert!(refused.contains("their file is gone"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_damaged_on_its_way_is_refused_and_sent_again() {
    let server = Server::start().await;
    let store = at(&server, |_| ());
    // Room for the words around a part; then a byte of the part itself.
    server.fail(Fault::DamagesOnceAfter(4_096));
    let read = blocking(&store, |store| {
        put(store, &name(1), &content(100_000));
        let mut read = Vec::new();
        store.read(&name(1)).unwrap().read_to_end(&mut read).unwrap();
        read
    })
    .await;
    assert!(read == content(100_000), "{} bytes", read.len());
    assert_eq!(server.refused(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_goes_to_a_bucket_and_another_cluster_begins_with_it() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (data, new) = (dir.path().join("data"), dir.path().join("new"));
    let key = Identity::new(&random());
    let recipients = [key.recipient().unwrap().to_string()];
    let file = dir.path().join("recipients");
    std::fs::write(&file, &recipients[0]).unwrap();
    let store = at(&server, |_| ());
    let mut config = whole::config(&data, dir.path(), &whole::SECRET);
    config.settings.backups = Settings {
        store: Some(store.clone()),
        note: Note::below(&data),
        recipients_file: Some(file),
        ..Settings::default()
    };
    let system = System::start(config).await.unwrap();
    let ctx = system.context();
    let (made, _) = create(ctx, &Asker::system(), &recipients).await.unwrap();
    assert_eq!(list(ctx).await.unwrap(), std::slice::from_ref(&made));
    // Retention.
    let often = Settings { every_ms: 1, keep: 2, ..ctx.settings().backups.clone() };
    for _ in 0..4 {
        keep_to(ctx, &often).await.unwrap();
        all_made(ctx).await;
    }
    let seldom = Settings { every_ms: 3_600_000, ..often };
    keep_to(ctx, &seldom).await.unwrap();
    let left = list(ctx).await.unwrap();
    assert_eq!(left.iter().filter(|one| one.scheduled).count(), 2, "{left:?}");
    assert!(left.contains(&made), "what somebody asked for stays");
    system.stop().await;
    assert_eq!(server.left_over(), 0);

    let source = Source::Kept(store.clone(), made.name.clone());
    let restored = blocking(&store, move |_| {
        let header = backup::verify(&source, std::slice::from_ref(&key), None).unwrap();
        assert_eq!(made.log_index, Some(header.snapshot.applied_index));
        let secret = Zeroizing::new(whole::SECRET.to_vec());
        restore(&source, &[key], (&new, None), &secret).unwrap()
    })
    .await;
    assert_eq!(restored.node, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_off_leaves_no_backup_and_a_read_goes_on() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let key = Identity::new(&random());
    let recipients = [key.recipient().unwrap().to_string()];
    let store = at(&server, |_| ());
    let note = Note::below(&data);
    let mut config = whole::config(&data, dir.path(), &whole::SECRET);
    config.settings.backups =
        Settings { store: Some(store.clone()), note: note.clone(), ..Settings::default() };
    let system = System::start(config).await.unwrap();
    let ctx = system.context();
    // Room for the words around a part, not for a part.
    server.fail(Fault::CutsRequestsAt(4_096));
    let refused = create(ctx, &Asker::system(), &recipients).await;
    assert!(matches!(&refused, Err(Error::Unavailable(why)) if why.contains("no answer")));
    server.fail(Fault::None);
    let shown = list(ctx).await.unwrap();
    assert!(shown.len() == 1 && shown[0].problem.is_some(), "{shown:?}");
    assert_eq!(
        blocking(&store, |store| store.kept(&Stop::never()).unwrap()).await,
        [],
        "no half backup"
    );

    // What is left goes before the next one is made, or when the node starts.
    let (left, one) = (note.read(), blocking(&store, begun).await);
    assert!(left.is_none() && server.left_over() > 0, "{left:?}");
    note.write(&one).unwrap();
    let (made, _) = create(ctx, &Asker::system(), &recipients).await.unwrap();
    assert_eq!((note.read(), server.left_over()), (None, 0));
    server.fail(Fault::CutsAnswersAt(20_000));
    let source = Source::Kept(store.clone(), made.name);
    let read = blocking(&store, move |_| backup::verify(&source, &[key], None)).await;
    assert_eq!(Some(read.unwrap().snapshot.applied_index), made.log_index);
    assert!(server.cut() > 1, "{} connections", server.cut());
    ctx.write(&Asker::system(), identity::stamp::Placement::Cluster, Command::Noop).await.unwrap();
    system.stop().await;
}

/// Begins an upload and forgets it, as a process does that is killed.
fn begun(store: &Store) -> backup::store::unfinished::Unfinished {
    let mut writing = store.write(&name(9), 1, Stop::never()).unwrap();
    writing.write_all(&content(1 << 10)).unwrap();
    writing.unfinished()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_ends_breaks_its_backup_off() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let recipients = [Identity::new(&random()).recipient().unwrap().to_string()];
    let store = at(&server, |_| ());
    let mut config = whole::config(&data, dir.path(), &whole::SECRET);
    let note = Note::below(&data);
    config.settings.backups =
        Settings { store: Some(store), note: note.clone(), ..Settings::default() };
    let system = System::start(config).await.unwrap();
    let ctx = system.context().clone();
    server.fail(Fault::HangsAt(4_096));
    let asker = Asker::system();
    let asked = async { create(&ctx, &asker, &recipients).await };
    let ends = async {
        server.asked().await;
        backup::end(&ctx);
    };
    let (refused, ()) =
        tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(asked, ends) })
            .await
            .expect("the backup ends with the node");
    assert!(matches!(&refused, Err(Error::Unavailable(why)) if why.contains("node ends")));
    let refused = create(&ctx, &asker, &recipients).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "none begins any more");
    drop(ctx);
    system.stop().await;
}

#[test]
fn what_is_left_in_a_folder_is_removed_by_the_node_that_left_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, note) = (Store::Folder(dir.path().join("kept")), Note::below(dir.path()));
    let left = begun(&store);
    note.write(&left).unwrap();
    let mut of_another = store.write(&name(8), 1, Stop::never()).unwrap();
    store.clear(&note.read().unwrap(), &Stop::never()).unwrap();
    note.forget(&left).unwrap();
    assert_eq!(note.read(), None);
    assert_eq!(of_another.finish().unwrap(), 0, "another node's goes on");
    let kept: Vec<Backup> = store.kept(&Stop::never()).unwrap();
    assert_eq!(kept.into_iter().map(|one| one.name).collect::<Vec<_>>(), [name(8)]);
    assert_eq!(super::names(&dir.path().join("kept")).len(), 1);
}
