//! What a snapshot says of itself: position, membership, time, files with their SHA-256.
//!
//! It is written beside the files as `manifest.json` and sent ahead of them. Nothing in it is
//! trusted: files are hashed again and the position is compared with the one inside the files.
//! Invariant: the values come from the checkpoint's own `meta` rows, never from a running node's
//! memory.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use identity::fault::Fault;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};

use crate::{
    disk,
    engine::{Engine, Kind, Tuning},
    generation::Digests,
    keys::Space,
    meta::{Applied, Meta, STATE_FORMAT},
    view::View,
};

/// The manifest's file name.
pub const FILE: &str = "manifest.json";

/// Largest manifest that is read, bytes.
const SIZE_MAX: u64 = 64 << 20;

/// Bytes shown as lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hex(pub Vec<u8>);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        bytes.map(Self).ok_or_else(|| D::Error::custom("not hexadecimal"))
    }
}

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    /// Its name; files of a snapshot have no folders.
    pub name: String,
    /// Its length, bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: Hex,
}

impl FileSum {
    /// Whether a file is this one, byte for byte; it is read for that.
    pub(crate) fn is_at(&self, path: &Path) -> Result<bool, Fault> {
        let (sha256, size) = disk::digest(path)?;
        Ok(size == self.size && sha256.as_slice() == self.sha256.0)
    }

    /// A fault that names the file if the one in a directory is not this one.
    pub(crate) fn verify(&self, dir: &Path) -> Result<(), Fault> {
        self.told(self.is_at(&dir.join(&self.name))?)
    }

    /// Nothing, or a fault that names the file.
    pub(crate) fn told(&self, is_there: bool) -> Result<(), Fault> {
        if is_there {
            return Ok(());
        }
        Err(Fault::new(format!(
            "the snapshot's file {} is damaged: its checksum differs",
            self.name
        )))
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of the state.
    pub format: u16,
    /// Which engine wrote the files.
    pub engine: String,
    /// The raft group.
    pub shard: u32,
    /// The cluster, if the node knew it.
    pub cluster: Option<Hex>,
    /// See [`Meta::incarnation`].
    pub incarnation: u32,
    /// Log index of the last applied entry; 0 before the first.
    pub applied_index: u64,
    /// Its whole log id, as `raft` encodes it.
    pub log_id: Hex,
    /// The last applied membership, as `raft` encodes it.
    pub membership: Option<Hex>,
    /// State time reached, milliseconds since 1970.
    pub last_stamp_ms: u64,
    /// The cluster's feature level.
    pub feature_level: u16,
    /// Every file, by name.
    pub files: Vec<FileSum>,
}

/// The name of an engine in manifests and on disk.
pub(crate) const fn engine_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Rocks => "rocksdb",
        Kind::Memory => "memory",
    }
}

/// Whether a file holds rows and never changes once written, so that links to it are safe.
pub(crate) fn is_immutable(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "sst")
}

/// Files that an engine keeps beside its data and rebuilds by itself.
fn is_scratch(name: &str) -> bool {
    name == FILE || name == "LOCK" || name.starts_with("LOG") || name.ends_with(".tmp")
}

impl Manifest {
    /// A number that two different snapshots do not share: the first bytes of the SHA-256 of what
    /// this says.
    pub(crate) fn mark(&self) -> Result<u64, Fault> {
        let sum: [u8; 32] = Sha256::digest(self.encode()?).into();
        let (first, _) = sum.split_first_chunk().unwrap_or((&[0; 8], &[]));
        Ok(u64::from_be_bytes(*first))
    }

    /// Bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The last applied entry.
    pub fn applied(&self) -> Option<Applied> {
        (self.applied_index > 0 || !self.log_id.0.is_empty())
            .then(|| Applied { index: self.applied_index, log_id: self.log_id.0.clone() })
    }

    /// Describes a finished checkpoint: its ids from inside it, its files as they are on disk.
    pub(crate) fn of_checkpoint(
        dir: &Path,
        kind: Kind,
        shard: u32,
        tuning: &Tuning,
        digests: &mut Digests,
    ) -> Result<Self, Fault> {
        let engine = Engine::open_frozen(kind, dir, tuning)?;
        let meta = View::new(engine.freeze(), Space { shard, incarnation: 0 }).meta()?;
        drop(engine);
        let mut files = Vec::new();
        for name in file_names(dir)? {
            files.push(sum_of(dir, name, digests)?);
        }
        let applied = meta.applied.unwrap_or_default();
        Ok(Self {
            format: meta.format,
            engine: engine_name(kind).to_owned(),
            shard,
            cluster: meta.cluster.map(|cluster| Hex(cluster.to_vec())),
            incarnation: meta.incarnation,
            applied_index: applied.index,
            log_id: Hex(applied.log_id),
            membership: meta.membership.map(Hex),
            last_stamp_ms: meta.last_stamp_ms,
            feature_level: meta.feature_level,
            files,
        })
    }

    /// Whether an opened state is the one described.
    pub(crate) fn describes(&self, meta: &Meta) -> bool {
        let applied = meta.applied.clone().unwrap_or_default();
        self.applied_index == applied.index
            && self.log_id.0 == applied.log_id
            && self.membership.as_ref().map(|hex| &hex.0) == meta.membership.as_ref()
            && self.last_stamp_ms == meta.last_stamp_ms
            && self.feature_level == meta.feature_level
            && self.incarnation == meta.incarnation
            && self.format == meta.format
    }

    /// Its bytes, as they are stored and sent.
    ///
    /// # Errors
    /// A [`Fault`] if it does not encode, which no manifest does.
    pub fn encode(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec_pretty(self)
            .map_err(|error| Fault::new(format!("a manifest does not encode: {error}")))
    }

    /// Reads bytes received from a peer or a backup; file names that leave the directory are
    /// refused.
    ///
    /// # Errors
    /// A [`Fault`] for anything that is not a manifest this program can use.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        // The layout's number first: a newer manifest may have another shape.
        #[derive(Deserialize)]
        struct Layout {
            format: u16,
        }
        let damaged = |error: serde_json::Error| {
            Fault::new(format!("the snapshot's manifest is damaged: {error}"))
        };
        let Layout { format } = serde_json::from_slice(bytes).map_err(damaged)?;
        if format > STATE_FORMAT {
            return Err(Fault::new(format!(
                "the snapshot has state format {format}, this version reads up to {STATE_FORMAT}"
            )));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        match manifest.files.iter().find(|file| !is_plain(&file.name)) {
            Some(file) => Err(Fault::new(format!("the snapshot names a file {:?}", file.name))),
            None => Ok(manifest),
        }
    }

    /// Reads the manifest of a directory.
    ///
    /// # Errors
    /// A [`Fault`] when it is missing or as [`Manifest::decode`].
    pub fn of_dir(dir: &Path) -> Result<Self, Fault> {
        let path = dir.join(FILE);
        let size = fs::metadata(&path).map_err(|error| disk::fault("read", &path, &error))?.len();
        if size > SIZE_MAX {
            return Err(Fault::new("the snapshot's manifest is too large"));
        }
        let bytes = fs::read(&path).map_err(|error| disk::fault("read", &path, &error))?;
        Self::decode(&bytes)
    }

    /// Writes the manifest and makes the whole directory durable.
    pub(crate) fn seal(&self, dir: &Path) -> Result<(), Fault> {
        for file in &self.files {
            disk::sync_file(&dir.join(&file.name))?;
        }
        disk::replace(&dir.join(FILE), &self.encode()?)
    }

    /// Hashes every file again.
    ///
    /// # Errors
    /// A [`Fault`] that names the first file that is missing or differs.
    pub fn verify(&self, dir: &Path) -> Result<(), Fault> {
        self.files.iter().try_for_each(|file| file.verify(dir))
    }

    /// The digests of its unchanging files, so that they need not be read again.
    pub(crate) fn digests(&self) -> Digests {
        let known = self.files.iter().filter(|file| is_immutable(&file.name));
        known
            .filter_map(|file| {
                let sha256 = <[u8; 32]>::try_from(file.sha256.0.as_slice()).ok()?;
                Some(((file.name.clone(), file.size), sha256))
            })
            .collect()
    }

    /// Whether it lists exactly this file.
    pub fn lists(&self, file: &FileSum) -> bool {
        self.files.contains(file)
    }
}

fn is_plain(name: &str) -> bool {
    let path = Path::new(name);
    path.file_name().is_some_and(|file| file == path.as_os_str()) && !is_scratch(name)
}

fn file_names(dir: &Path) -> Result<Vec<String>, Fault> {
    let broken = |error| disk::fault("read", dir, &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !is_scratch(&name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn sum_of(dir: &Path, name: String, digests: &mut Digests) -> Result<FileSum, Fault> {
    let path: PathBuf = dir.join(&name);
    let size = fs::metadata(&path).map_err(|error| disk::fault("read", &path, &error))?.len();
    let key = (name, size);
    let known = digests.get(&key).copied();
    let sha256 = match known {
        Some(sha256) => sha256,
        None => disk::digest(&path)?.0,
    };
    let (name, _) = &key;
    let file = FileSum { name: name.clone(), size, sha256: Hex(sha256.to_vec()) };
    if is_immutable(&file.name) {
        digests.insert(key, sha256);
    }
    Ok(file)
}
