//! Opening a state directory: refuse what is not ours or not whole, then tidy, then serve.
//!
//! Checks come before changes, from the cheapest: lock, owner, pointer, files, rows. A directory
//! whose creation was cut short is recognised by holding nothing applied. Invariant: nothing that
//! was ever applied is removed here.

use std::{
    fs::{self, File},
    path::Path,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU32, AtomicU64},
    },
};

use identity::fault::Fault;

use crate::{
    disk,
    engine::{Batch, Engine, Kind, Tuning},
    generation::{Digests, Generation, Holding},
    kept::Snapshot,
    keys::Space,
    layout::{Layout, Owner, Pointer},
    manifest::Manifest,
    manifest::{Hex, engine_name},
    meta::{self, Meta, STATE_FORMAT},
    refusal::Refusal,
    store::{Failpoint, Options, Step, Store},
    view::View,
};

impl Store {
    /// Opens `<state>/<shard>`, or makes it when the log does not need more than an empty state.
    ///
    /// # Errors
    /// A [`Refusal`]; the data are untouched then.
    pub fn open(state: &Path, options: Options) -> Result<Self, Refusal> {
        let layout = Layout::new(state, options.shard);
        if !layout.dir().exists() {
            refuse_new(&layout, &options)?;
            make_dirs(layout.dir())?;
        }
        let lock = Arc::new(layout.lock()?);
        let owner = layout.owner()?;
        if let Some(owner) = &owner {
            check_owner(&layout, owner, &options)?;
        }
        let (pointer, mut owner) = match (layout.pointer()?, owner) {
            (Some(pointer), Some(owner)) => (pointer, owner),
            (None, Some(_)) => return Err(layout.damaged("POINTER is missing")),
            (found, None) => create(&layout, &options, found)?,
        };
        let generation = open_generation(&layout, &options, pointer, lock)?;
        layout.sweep(Some(pointer))?;
        let snapshot = pointer.snapshot.and_then(|number| keep_snapshot(&layout, number));
        if let Some(snapshot) = &snapshot {
            let mut digests = generation.digests.lock().unwrap_or_else(|e| e.into_inner());
            digests.extend(snapshot.manifest().digests());
        }
        if complete_owner(&mut owner, &options) {
            layout.write_owner(&owner)?;
        }
        Ok(Self {
            layout,
            options,
            current: RwLock::new(Arc::new(generation)),
            snapshot: RwLock::new(snapshot.map(Arc::new)),
            writer: Mutex::new(()),
            files: Mutex::new(pointer),
            owner: Mutex::new(owner),
        })
    }
}

/// What is known of a state before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnDisk {
    /// How far it is applied.
    pub applied: u64,
    /// It is exactly what the current snapshot holds: a snapshot may have been installed just now,
    /// and the log need not reach it yet.
    pub is_snapshot: bool,
}

/// How far the state in `<state>/<shard>` is applied, read without changing anything; none for one
/// that does not exist or is not finished. To be asked before a state is opened that the log may
/// not reach any more.
///
/// # Errors
/// A [`Refusal`]: damage that opening would find too.
pub fn applied_on_disk(state: &Path, options: &Options) -> Result<Option<OnDisk>, Refusal> {
    let layout = Layout::new(state, options.shard);
    if !layout.dir().exists() {
        return Ok(None);
    }
    let Some(owner) = layout.owner()? else {
        return Ok(None);
    };
    check_owner(&layout, &owner, options)?;
    let Some(pointer) = layout.pointer()? else {
        return Ok(None);
    };
    let dir = layout.generation(pointer.generation);
    let engine = open_engine(&layout, options.kind, &dir, &options.tuning, true)?;
    let applied = meta_of(&engine, options.shard)?.applied.map(|applied| applied.index);
    // A snapshot that cannot be read speaks for nothing here; opening finds out.
    let snapshot =
        pointer.snapshot.and_then(|number| Manifest::of_dir(&layout.snapshot(number)).ok());
    let covered = snapshot.map(|manifest| manifest.applied_index);
    Ok(applied.map(|applied| OnDisk { applied, is_snapshot: covered == Some(applied) }))
}

/// An empty state is only right when the log still has every entry.
fn refuse_new(layout: &Layout, options: &Options) -> Result<(), Refusal> {
    if options.at_least == 0 {
        return Ok(());
    }
    Err(layout
        .damaged(format!("the state is missing while the log begins after {}", options.at_least)))
}

pub(crate) fn make_dirs(dir: &Path) -> Result<(), Fault> {
    fs::create_dir_all(dir).map_err(|error| disk::fault("create", dir, &error))?;
    dir.ancestors().skip(1).take(2).try_for_each(|parent| {
        if parent.as_os_str().is_empty() { Ok(()) } else { disk::sync_dir(parent) }
    })
}

fn check_owner(layout: &Layout, owner: &Owner, options: &Options) -> Result<(), Refusal> {
    let dir = layout.dir().to_path_buf();
    let expected = options.cluster.map(|cluster| Hex(cluster.to_vec()));
    if let (Some(found), Some(expected)) = (&owner.cluster, &expected)
        && found != expected
    {
        let (found, expected) = (found.to_string(), expected.to_string());
        return Err(Refusal::Foreign { dir, found, expected });
    }
    if let (Some(found), Some(expected)) = (&owner.node, &options.node)
        && found.0 != *expected
    {
        return Err(Refusal::Copied(dir));
    }
    if let Some(found) = &owner.key_check
        && !options.key_checks.is_empty()
        && !options.key_checks.contains(&found.0)
    {
        return Err(Refusal::WrongSecret(dir));
    }
    if owner.engine != engine_name(options.kind) {
        return Err(layout.damaged(format!("it was made with engine {:?}", owner.engine)));
    }
    Ok(())
}

/// What the caller knows and the directory does not say yet.
fn complete_owner(owner: &mut Owner, options: &Options) -> bool {
    let before = owner.clone();
    let cluster = options.cluster.map(|cluster| Hex(cluster.to_vec()));
    owner.cluster = owner.cluster.take().or(cluster);
    owner.node = owner.node.take().or_else(|| options.node.clone().map(Hex));
    *owner != before
}

/// Makes the first generation; `found` is the pointer of a creation that was cut short.
fn create(
    layout: &Layout,
    options: &Options,
    found: Option<Pointer>,
) -> Result<(Pointer, Owner), Refusal> {
    let step = |step| match &options.failpoint {
        Some(failpoint) => Failpoint::as_ref(failpoint)(step),
        None => Ok(()),
    };
    refuse_new(layout, options)?;
    let pointer = Pointer { generation: 1, snapshot: None };
    refuse_anything_applied(layout, options, found.unwrap_or(pointer))?;
    layout.sweep(None)?;
    let dir = layout.generation(pointer.generation);
    let unnamed = dir.with_extension("tmp");
    let engine = Engine::create(options.kind, &unnamed, &options.tuning)?;
    let mut batch = Batch::new();
    meta::write_format(&mut batch, options.shard);
    engine.write(batch)?;
    engine.flush()?;
    drop(engine);
    step(Step::Created)?;
    disk::rename(&unnamed, &dir)?;
    layout.write_pointer(pointer)?;
    step(Step::Named)?;
    let owner = Owner {
        format: STATE_FORMAT,
        engine: engine_name(options.kind).to_owned(),
        ..Owner::default()
    };
    layout.write_owner(&owner)?;
    Ok((pointer, owner))
}

/// A directory without an owner may only be the beginning of one.
fn refuse_anything_applied(
    layout: &Layout,
    options: &Options,
    pointer: Pointer,
) -> Result<(), Refusal> {
    let dir = layout.generation(pointer.generation);
    if pointer.generation != 1 || pointer.snapshot.is_some() || layout.generation(2).exists() {
        return Err(layout.damaged("OWNER is missing"));
    }
    if !dir.join(Engine::witness(options.kind)).exists() {
        return Ok(());
    }
    let engine = open_engine(layout, options.kind, &dir, &options.tuning, true)?;
    let meta = meta_of(&engine, options.shard)?;
    if meta.applied.is_some() {
        return Err(layout.damaged("OWNER and POINTER are missing"));
    }
    Ok(())
}

fn meta_of(engine: &Engine, shard: u32) -> Result<Meta, Fault> {
    View::new(engine.freeze(), Space { shard, incarnation: 0 }).meta()
}

/// Opens what must exist, and says which trouble is damage.
fn open_engine(
    layout: &Layout,
    kind: Kind,
    dir: &Path,
    tuning: &Tuning,
    frozen: bool,
) -> Result<Engine, Refusal> {
    if !dir.join(Engine::witness(kind)).exists() {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Err(layout.damaged(format!("{} is missing in {name}", Engine::witness(kind))));
    }
    let opened = if frozen {
        Engine::open_frozen(kind, dir, tuning)
    } else {
        Engine::open(kind, dir, tuning)
    };
    opened.map_err(|fault| {
        let is_damage = ["Corruption", "Invalid argument", "No such file", "damaged", "not found"];
        if fault.0.contains("lock") {
            Refusal::Locked(layout.dir().to_path_buf())
        } else if is_damage.iter().any(|word| fault.0.contains(word)) {
            layout.damaged(fault.0)
        } else {
            Refusal::Fault(fault)
        }
    })
}

fn open_generation(
    layout: &Layout,
    options: &Options,
    pointer: Pointer,
    lock: Arc<File>,
) -> Result<Generation, Refusal> {
    let dir = layout.generation(pointer.generation);
    let engine = open_engine(layout, options.kind, &dir, &options.tuning, false)?;
    let meta = meta_of(&engine, options.shard).map_err(|fault| layout.damaged(fault.0))?;
    if meta.format > STATE_FORMAT {
        let (dir, known) = (layout.dir().to_path_buf(), STATE_FORMAT);
        return Err(Refusal::Newer { dir, found: meta.format, known });
    }
    let index = meta.applied.as_ref().map_or(0, |applied| applied.index);
    if meta.format == 0 {
        return Err(layout.damaged("the row with its layout is missing"));
    }
    if index < options.at_least {
        return Err(layout.damaged(format!(
            "the state ends at entry {index} while the log begins after {}",
            options.at_least
        )));
    }
    Ok(generation(engine, pointer.generation, options.shard, &meta, Holding::new(dir), lock))
}

/// An opened engine as a generation: all of it is on disk, so all of it is flushed.
pub(crate) fn generation(
    engine: Engine,
    number: u64,
    shard: u32,
    meta: &Meta,
    holding: Holding,
    lock: Arc<File>,
) -> Generation {
    let index = meta.applied.as_ref().map_or(0, |applied| applied.index);
    Generation {
        engine,
        number,
        shard,
        incarnation: AtomicU32::new(meta.incarnation),
        applied: AtomicU64::new(index),
        flushed: AtomicU64::new(index),
        unflushed_bytes: AtomicU64::new(0),
        flush: Mutex::new(()),
        digests: Mutex::new(Digests::new()),
        holding,
        lock,
    }
}

/// The current snapshot; one that cannot be read is left out, the log or a peer has what it held.
fn keep_snapshot(layout: &Layout, number: u64) -> Option<Snapshot> {
    match Snapshot::open(Holding::new(layout.snapshot(number))) {
        Ok(snapshot) => Some(snapshot),
        Err(error) => {
            tracing::warn!(%error, "the current snapshot cannot be used; a new one will be made");
            None
        }
    }
}
