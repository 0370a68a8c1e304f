//! Telling whose directory it is, before anything in it is changed.
//!
//! A directory is new, or it is ours in a format this version reads; everything else is refused
//! with the reason. A first start that was cut short counts as new.

use std::path::Path;

use rocksdb::{ColumnFamily, DB, DEFAULT_COLUMN_FAMILY_NAME, IteratorMode, Options, WriteBatch};

use super::tuning::{self, FAMILIES, META};
use super::{Db, Families, OpenDb, Rocks, room, torn};
use crate::error::OpenError;
use crate::meta;
use crate::options::StoreOptions;

/// RocksDB keeps this file wherever there is a database.
const CURRENT: &str = "CURRENT";

pub(super) fn open(options: &StoreOptions) -> Result<Rocks, OpenError> {
    let dir = options.dir.as_path();
    make_directory(dir).map_err(|source| OpenError::Directory { dir: dir.to_path_buf(), source })?;
    if dir.join(CURRENT).exists() {
        look_at(dir)?;
        room::clear(dir);
        torn::mend(dir).map_err(|source| OpenError::Directory { dir: dir.to_path_buf(), source })?;
    }
    let database = tuning::database(options);
    let db = Db::open_cf_descriptors(&database, dir, tuning::families(options)).map_err(|error| locked(dir, error))?;
    let rocks = Rocks {
        open: OpenDb::try_new(db, find_families)?,
        #[cfg(any(test, feature = "faults"))]
        faults: options.faults.as_ref().map(crate::faults::Faults::opened),
    };
    match meta::read_number(&rocks, meta::FORMAT)? {
        Some(version) => supported(version)?,
        None if is_empty(rocks.db(), rocks.families().meta)? => begin(&rocks)?,
        None => return Err(foreign(dir)),
    }
    Ok(rocks)
}

/// Makes the directory for its owner only: it holds everybody's rows.
fn make_directory(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Refuses a database that is not like ours. It is only looked at: what another program wrote stays as it is.
fn look_at(dir: &Path) -> Result<(), OpenError> {
    let options = Options::default();
    let mut found = DB::list_cf(&options, dir)?;
    found.retain(|name| name != DEFAULT_COLUMN_FAMILY_NAME);
    let is_among = |name: &str| found.iter().any(|other| other == name);
    if found.len() == FAMILIES.len() && FAMILIES.iter().all(|name| is_among(name)) {
        return Ok(());
    }
    let looked_at = [DEFAULT_COLUMN_FAMILY_NAME, META].into_iter().take(if is_among(META) { 2 } else { 1 });
    let db = Db::open_cf_for_read_only(&options, dir, looked_at, false)?;
    for name in [META, DEFAULT_COLUMN_FAMILY_NAME] {
        let Some(family) = db.cf_handle(name) else { continue };
        if name == META
            && let Some(bytes) = db.get_pinned_cf(family, meta::FORMAT)?
        {
            supported(meta::decode_number(&bytes).ok_or_else(|| foreign(dir))?)?;
        }
        if !is_empty(&db, family)? {
            return Err(foreign(dir));
        }
    }
    let cut_short = found.iter().all(|name| FAMILIES.contains(&name.as_str()));
    if cut_short { Ok(()) } else { Err(foreign(dir)) }
}

/// Writes down whose database this is.
fn begin(rocks: &Rocks) -> Result<(), OpenError> {
    let meta = rocks.families().meta;
    let mut batch = WriteBatch::default();
    batch.put_cf(meta, meta::FORMAT, meta::encode_number(meta::FORMAT_VERSION));
    batch.put_cf(meta, meta::EPOCH, meta::encode_number(random_number()));
    batch.put_cf(meta, meta::LAST_SEQ, meta::encode_number(0));
    Ok(rocks.write(batch, true)?)
}

/// A number nobody can foresee: the standard library seeds its hashers from the system.
fn random_number() -> u64 {
    use std::hash::BuildHasher as _;
    std::hash::RandomState::new().hash_one(meta::EPOCH)
}

fn supported(found: u64) -> Result<(), OpenError> {
    if found == meta::FORMAT_VERSION {
        return Ok(());
    }
    let narrow = |version| u32::try_from(version).unwrap_or(u32::MAX);
    Err(OpenError::UnknownFormat { found: narrow(found), supported: narrow(meta::FORMAT_VERSION) })
}

fn find_families(db: &Db) -> Result<Families<'_>, OpenError> {
    let find = |name: &str| db.cf_handle(name).ok_or_else(|| meta::damaged(name.as_bytes()));
    Ok(Families {
        meta: find(META)?,
        catalog: find(tuning::CATALOG)?,
        rows: find(tuning::ROWS)?,
        index: find(tuning::INDEX)?,
        changes: find(tuning::CHANGES)?,
        live_queries: find(tuning::LIVE_QUERIES)?,
        auth: find(tuning::AUTH)?,
    })
}

fn is_empty(db: &Db, family: &ColumnFamily) -> Result<bool, OpenError> {
    Ok(db.iterator_cf(family, IteratorMode::Start).next().transpose()?.is_none())
}

fn foreign(dir: &Path) -> OpenError {
    OpenError::Foreign { dir: dir.to_path_buf() }
}

/// RocksDB says only in words that its lock is taken; both of its wordings name the file.
fn locked(dir: &Path, error: rocksdb::Error) -> OpenError {
    let text: &str = error.as_ref();
    if text.contains("/LOCK:") && text.contains("lock") {
        return OpenError::Locked { dir: dir.to_path_buf() };
    }
    OpenError::from(error)
}
