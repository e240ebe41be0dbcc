//! Backups: where they go, when they are made, and what opens a store.
//!
//! Rules across these settings and what they come to; forms are in `value`. Invariant: backups go
//! to one place.

use std::{path::PathBuf, time::Duration};

use zeroize::Zeroizing;

use crate::config::{
    Egress, Problem, Secret,
    checks::Values,
    layers::{Origin, Resolved, origin_of, read_small},
};

/// Where backups go and when they are made.
#[derive(Debug, Clone)]
pub struct Backups {
    /// Their folder.
    pub dir: Option<PathBuf>,
    /// Their bucket, if they are not in a folder.
    pub bucket: Option<BucketName>,
    /// The store that buckets are in, if it is known who asks there.
    pub store: Option<Store>,
    /// File with a recipient on each line.
    pub recipients_file: Option<PathBuf>,
    /// How old the newest may get.
    pub every: Duration,
    /// How many stay.
    pub keep: usize,
}

/// What it takes to look at a backup.
#[derive(Debug, Clone)]
pub struct Reach {
    /// What opens a store.
    pub backups: Backups,
    /// Whom requests to it believe.
    pub egress: Egress,
    /// What proves whose a backup is, if it is at hand.
    pub root_secret: Option<Secret>,
}

/// A bucket, and what is in front of all names there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketName {
    /// The bucket.
    pub name: String,
    /// Folders without slashes around; may be empty.
    pub prefix: String,
}

impl BucketName {
    /// Reads `s3://bucket/folder`.
    pub fn parse(text: &str) -> Option<Self> {
        let whole = text.strip_prefix("s3://")?;
        let whole = whole.strip_suffix('/').unwrap_or(whole);
        let (name, prefix) = whole.split_once('/').unwrap_or((whole, ""));
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let named = name.len() >= 3 && name.len() <= 63 && name.bytes().all(fine);
        let plain = prefix.len() <= 512 && prefix.bytes().all(|byte| fine(byte) || byte == b'/');
        let odd = |part| matches!(part, "" | "." | "..");
        let below = prefix.is_empty() || !prefix.split('/').any(odd);
        (named && plain && below).then(|| Self { name: name.to_owned(), prefix: prefix.to_owned() })
    }
}

/// A store that speaks S3.
#[derive(Debug, Clone)]
pub struct Store {
    /// Scheme, host and port.
    pub endpoint: String,
    /// The region.
    pub region: String,
    /// Whether addresses name the bucket as a part of the host.
    pub by_host: bool,
    /// Who asks.
    pub access_key_id: Key,
    /// What proves it.
    pub secret_access_key: Key,
}

/// A secret of the store, which may be exchanged while the node runs if it stands in a file.
#[derive(Debug, Clone)]
pub struct Key {
    setting: &'static str,
    given: Secret,
    origin: Origin,
}

impl Key {
    /// As it is now.
    ///
    /// # Errors
    /// One line that names the file that cannot be read any more or is empty.
    pub fn read(&self) -> Result<Secret, String> {
        let Origin::NamedFile { path, .. } = &self.origin else { return Ok(self.given.clone()) };
        let wrong = |message| Problem::at(self.setting, &self.origin, message).to_string();
        let text = read_small(path).map(Zeroizing::new).map_err(wrong)?;
        match text.trim() {
            "" => Err(wrong("is empty".to_owned())),
            text => Ok(Secret::new(text.to_owned())),
        }
    }
}

/// Finds what does not go together.
pub(super) fn check(values: &Values, resolved: &Resolved, problems: &mut Vec<Problem>) {
    let mut wrong = |name: &str, message: &str| {
        problems.push(Problem::at(name, &origin_of(resolved, name), message));
    };
    let (id, secret) = ("BACKUP_S3_ACCESS_KEY_ID", "BACKUP_S3_SECRET_ACCESS_KEY");
    let given = [id, secret].map(|name| values.text(name).is_some());
    match (values.text("BACKUP_S3_URL").is_some(), given) {
        (true, [false, _] | [_, false]) => {
            let message = "needs BACKUP_S3_ACCESS_KEY_ID and BACKUP_S3_SECRET_ACCESS_KEY";
            wrong("BACKUP_S3_URL", message);
        }
        (_, [true, false]) => wrong(id, "needs BACKUP_S3_SECRET_ACCESS_KEY"),
        (_, [false, true]) => wrong(secret, "needs BACKUP_S3_ACCESS_KEY_ID"),
        (_, [true, true] | [false, false]) => {}
    }
    if values.text("BACKUP_S3_URL").is_some() && values.text("BACKUP_DIR").is_some() {
        wrong("BACKUP_S3_URL", "excludes BACKUP_DIR: backups go to one place");
    }
}

/// What the settings come to.
pub(super) fn built(values: &Values, resolved: &Resolved) -> Option<Backups> {
    let key = |setting| {
        let given = Secret::new(values.text(setting)?.to_owned());
        Some(Key { setting, given, origin: origin_of(resolved, setting) })
    };
    let keys = key("BACKUP_S3_ACCESS_KEY_ID").zip(key("BACKUP_S3_SECRET_ACCESS_KEY"));
    let (endpoint, region) = (values.text("BACKUP_S3_ENDPOINT")?, values.text("BACKUP_S3_REGION")?);
    let by_host = values.text("BACKUP_S3_STYLE")? == "host";
    Some(Backups {
        dir: values.text("BACKUP_DIR").map(PathBuf::from),
        bucket: values.text("BACKUP_S3_URL").and_then(BucketName::parse),
        store: keys.map(|(access_key_id, secret_access_key)| Store {
            endpoint: endpoint.to_owned(),
            region: region.to_owned(),
            by_host,
            access_key_id,
            secret_access_key,
        }),
        recipients_file: values.text("BACKUP_RECIPIENTS_FILE").map(PathBuf::from),
        every: values.seconds("BACKUP_EVERY")?,
        keep: usize::try_from(values.number("BACKUP_KEEP")?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_with_or_without_folders() {
        let bucket = |name: &str, prefix: &str| {
            Some(BucketName { name: name.to_owned(), prefix: prefix.to_owned() })
        };
        for (text, wanted) in [
            ("s3://backups", bucket("backups", "")),
            ("s3://backups/", bucket("backups", "")),
            ("s3://back.ups-1/a/b_c/", bucket("back.ups-1", "a/b_c")),
            ("s3://", None),
            ("s3://ab", None),
            ("s3:///folder", None),
            ("s3://backups/a//b", None),
            ("s3://backups/../b", None),
            ("s3://backups/a?b", None),
            ("s3://user:password@backups", None),
            ("https://backups", None),
            ("backups", None),
        ] {
            assert_eq!(BucketName::parse(text), wanted, "{text}");
        }
    }
}
