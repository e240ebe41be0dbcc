//! A new state directory out of a snapshot's files, for a cluster that is to begin with them.
//!
//! The files are a backup's: whoever brings them has hashed them. The state belongs to nobody until
//! [`Store::identify`] says whose it is. Invariant: nothing that exists is written over.

use std::path::Path;

use identity::fault::Fault;

use crate::{
    disk,
    engine::{Engine, Kind, Tuning},
    keys::Space,
    layout::{Layout, Owner, Pointer},
    manifest::{Hex, Manifest, engine_name},
    meta::STATE_FORMAT,
    opening::make_dirs,
    refusal::Refusal,
    snapshot::place,
    store::{Options, Store},
    view::View,
};

/// Makes `<state>/<shard>` out of files and their manifest in `from`, and opens it.
///
/// # Errors
/// A [`Refusal`]: a directory that exists, files that are not what the manifest says, another root
/// secret than that of `options`.
pub fn adopt(state: &Path, from: &Path, options: Options) -> Result<Store, Refusal> {
    let manifest = Manifest::of_dir(from)?;
    let layout = Layout::new(state, options.shard);
    if layout.dir().exists() {
        return Err(layout.damaged("it exists already"));
    }
    if (manifest.engine.as_str(), manifest.shard) != (engine_name(options.kind), options.shard) {
        return Err(Fault::new("the snapshot is of another engine or another shard").into());
    }
    make_dirs(layout.dir())?;
    let dir = layout.generation(1);
    let unnamed = dir.with_extension("tmp");
    place(&manifest, from, &unnamed)?;
    let key_check = described(&manifest, options.kind, &unnamed, &options.tuning)?;
    // Every state has one from its first start on: files without it were made by somebody who does
    // not know the secret.
    if key_check.is_none() && !options.key_checks.is_empty() {
        return Err(Refusal::WrongSecret(layout.dir().to_path_buf()));
    }
    disk::rename(&unnamed, &dir)?;
    layout.write_pointer(Pointer { generation: 1, snapshot: None })?;
    layout.write_owner(&Owner {
        format: STATE_FORMAT,
        engine: engine_name(options.kind).to_owned(),
        key_check: key_check.map(Hex),
        ..Owner::default()
    })?;
    Store::open(state, options)
}

/// The proof of the root secret inside the files, which are those of the manifest.
fn described(
    manifest: &Manifest,
    kind: Kind,
    dir: &Path,
    tuning: &Tuning,
) -> Result<Option<Vec<u8>>, Fault> {
    let engine = Engine::open_frozen(kind, dir, tuning)?;
    let space = Space { shard: manifest.shard, incarnation: 0 };
    let meta = View::new(engine.freeze(), space).meta()?;
    if !manifest.describes(&meta) {
        return Err(Fault::new("the snapshot's manifest does not describe its files"));
    }
    Ok(meta.key_check)
}
