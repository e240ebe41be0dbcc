use super::*;

fn bucket() -> World {
    World::good()
        .env("BACKUP_S3_URL", "s3://backups/of/ours")
        .env("BACKUP_S3_ACCESS_KEY_ID", "an-id")
        .env("BACKUP_S3_SECRET_ACCESS_KEY", "a-secret-of-the-store")
}

#[test]
fn backups_go_to_a_folder_or_to_a_bucket() {
    let nowhere = World::good().config().backups;
    assert!(nowhere.dir.is_none() && nowhere.bucket.is_none() && nowhere.store.is_none());
    let folder = World::good().env("BACKUP_DIR", "/b").config().backups;
    assert_eq!((folder.dir, folder.bucket), (Some(PathBuf::from("/b")), None));
    let world = bucket().env("BACKUP_S3_REGION", "eu-west-1");
    let backups = world.config().backups;
    let (name, store) = (backups.bucket.unwrap(), backups.store.unwrap());
    assert_eq!((name.name.as_str(), name.prefix.as_str()), ("backups", "of/ours"));
    assert_eq!(store.endpoint, "https://s3.eu-west-1.amazonaws.com");
    assert!(!store.by_host);
    let world = world.env("BACKUP_S3_ENDPOINT", "http://127.0.0.1:9000");
    let world = world.env("BACKUP_S3_STYLE", "host");
    let store = world.config().backups.store.unwrap();
    assert_eq!((store.endpoint.as_str(), store.by_host), ("http://127.0.0.1:9000", true));
    let shown = format!("{store:?}{:?}", show::shown(&resolve(&world.request, &world.around)));
    assert!(!shown.contains("a-secret-of-the-store") && !shown.contains("an-id"), "{shown}");
}

#[test]
fn what_does_not_go_together_is_a_problem() {
    for (world, wanted) in [
        (bucket().env("BACKUP_DIR", "/b"), "excludes BACKUP_DIR"),
        (World::good().env("BACKUP_S3_URL", "s3://backups"), "needs BACKUP_S3_ACCESS_KEY_ID"),
        (World::good().env("BACKUP_S3_ACCESS_KEY_ID", "i"), "needs BACKUP_S3_SECRET_ACCESS_KEY"),
        (World::good().env("BACKUP_S3_SECRET_ACCESS_KEY", "s"), "needs BACKUP_S3_ACCESS_KEY_ID"),
        (bucket().env("BACKUP_S3_URL", "https://backups"), "is not a bucket"),
        (bucket().env("BACKUP_S3_ENDPOINT", "http://minio.example"), "plain http"),
    ] {
        let problems = world.problems();
        assert!(problems.len() == 1 && problems[0].contains(wanted), "{problems:?}");
    }
}

#[test]
fn a_backup_is_looked_at_without_a_configuration_that_a_node_would_need() {
    let world = World::new().env("LOG_LEVEL", "wrong").env("BACKUP_S3_ACCESS_KEY_ID", "i");
    let refused = load_backups(&world.request, &world.around).unwrap_err().0;
    assert!(refused.len() == 1 && refused[0].name == "BACKUP_S3_ACCESS_KEY_ID", "{refused:?}");
    let world = world.env("BACKUP_S3_SECRET_ACCESS_KEY", "s").env("MASTER_KEY", SECRET);
    let reach = load_backups(&world.request, &world.around).unwrap();
    assert!(reach.backups.store.is_some() && reach.root_secret.is_some());
}

#[test]
fn a_key_that_stands_in_a_file_is_read_anew() {
    let world = World::good()
        .env("BACKUP_S3_ACCESS_KEY_ID", "an-id")
        .env("VAULTARA_BACKUP_S3_SECRET_ACCESS_KEY_FILE", "key")
        .file("key", "the first\n");
    let store = world.config().backups.store.unwrap();
    let read = || store.secret_access_key.read().map(|key| key.expose().to_owned());
    assert_eq!(read().unwrap(), "the first");
    let world = world.file("key", "\n the next ");
    assert_eq!(read().unwrap(), "the next");
    let refused = |wanted: &str| {
        let why = read().unwrap_err();
        for part in ["BACKUP_S3_SECRET_ACCESS_KEY (file ", "key named by VAULTARA_", wanted] {
            assert!(why.contains(part), "{why}");
        }
    };
    let world = world.file("key", " \n");
    refused("is empty");
    std::fs::remove_file(world.folder.path().join("key")).unwrap();
    refused("cannot be read");
    // What the environment says stays as it was at the start.
    assert_eq!(store.access_key_id.read().unwrap().expose(), "an-id");
    assert!(!format!("{store:?}").contains("the first"));
}
