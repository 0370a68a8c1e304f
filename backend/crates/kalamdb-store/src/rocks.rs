//! The database below: one RocksDB, its column families, and the few ways in which it is used.
//!
//! Everything that names RocksDB's settings is in `tuning`, and how a directory is told from a
//! stranger's in `opening`. What the keys and values mean is the business of the modules that
//! read and write them.

mod opening;
pub(crate) mod room;
mod torn;
mod tuning;

use std::ops::ControlFlow;

use rocksdb::{
    ColumnFamily, DBPinnableSlice, DBWithThreadMode, ReadOptions, SingleThreaded, SnapshotWithThreadMode, WriteBatch,
    WriteOptions,
};
use self_cell::self_cell;

use crate::error::{OpenError, ReadError, StorageFault};
#[cfg(any(test, feature = "faults"))]
use crate::faults::{Attempt, InUse};
use crate::key::layout::ByteRange;
use crate::options::StoreOptions;
use crate::write_set::RecordSpace;

/// All column families are there from the beginning, so none ever needs a lock to be found.
pub(crate) type Db = DBWithThreadMode<SingleThreaded>;

/// A state of the database that stays as it is.
pub(crate) type Pinned<'a> = SnapshotWithThreadMode<'a, Db>;

/// Is handed keys and values, and says whether it wants more.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, ReadError> + 'a;

/// The column families, found once.
pub(crate) struct Families<'a> {
    pub(crate) meta: &'a ColumnFamily,
    pub(crate) catalog: &'a ColumnFamily,
    pub(crate) rows: &'a ColumnFamily,
    pub(crate) index: &'a ColumnFamily,
    pub(crate) changes: &'a ColumnFamily,
    pub(crate) live_queries: &'a ColumnFamily,
    pub(crate) auth: &'a ColumnFamily,
}

impl<'a> Families<'a> {
    /// The family that holds the records of a kind.
    pub(crate) const fn records(&self, space: RecordSpace) -> &'a ColumnFamily {
        match space {
            RecordSpace::Catalog => self.catalog,
            RecordSpace::Auth => self.auth,
            RecordSpace::LiveQueries => self.live_queries,
        }
    }
}

self_cell!(
    struct OpenDb {
        owner: Db,

        #[covariant]
        dependent: Families,
    }
);

/// An open database.
pub(crate) struct Rocks {
    open: OpenDb,
    /// Behind the database, so that it is let go of when that is closed.
    #[cfg(any(test, feature = "faults"))]
    faults: Option<InUse>,
}

impl Rocks {
    /// Opens the directory, making it if it is not there.
    pub(crate) fn open(options: &StoreOptions) -> Result<Rocks, OpenError> {
        opening::open(options)
    }

    pub(crate) fn db(&self) -> &Db {
        self.open.borrow_owner()
    }

    pub(crate) fn families(&self) -> &Families<'_> {
        self.open.borrow_dependent()
    }

    /// The value at `key`, without copying it out of the cache.
    pub(crate) fn get(&self, family: &ColumnFamily, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, rocksdb::Error> {
        self.db().get_pinned_cf(family, key)
    }

    /// Visits the keys of `range` in order, as `read` says, until `visit` breaks off.
    pub(crate) fn scan(
        &self,
        family: &ColumnFamily,
        range: ByteRange,
        mut read: ReadOptions,
        visit: &mut Visit<'_>,
    ) -> Result<(), ReadError> {
        if !range.upper.is_empty() {
            if range.lower >= range.upper {
                return Ok(());
            }
            read.set_iterate_upper_bound(range.upper);
        }
        let mut iterator = self.db().raw_iterator_cf_opt(family, read);
        iterator.seek(&range.lower);
        while let Some((key, value)) = iterator.item() {
            if visit(key, value)?.is_break() {
                return Ok(());
            }
            iterator.next();
        }
        Ok(iterator.status()?)
    }

    /// Writes a group of commits, all of it or nothing; with `sync` it is on the disk when this returns.
    pub(crate) fn commit(&self, batch: WriteBatch, sync: bool) -> Result<(), StorageFault> {
        #[cfg(any(test, feature = "faults"))]
        if let Some(faults) = &self.faults {
            return faults.attempt(Attempt::Commit, sync, self.db().path(), |sync| self.write_now(batch, sync));
        }
        self.write_now(batch, sync)
    }

    /// Writes all of the batch or nothing; with `sync` it is on the disk when this returns.
    pub(crate) fn write(&self, batch: WriteBatch, sync: bool) -> Result<(), StorageFault> {
        #[cfg(any(test, feature = "faults"))]
        if let Some(faults) = &self.faults {
            return faults.attempt(Attempt::Note, sync, self.db().path(), |sync| self.write_now(batch, sync));
        }
        self.write_now(batch, sync)
    }

    /// Brings everything written so far to the disk.
    pub(crate) fn sync(&self) -> Result<(), StorageFault> {
        #[cfg(any(test, feature = "faults"))]
        if let Some(faults) = &self.faults {
            return faults.attempt(Attempt::Sync, true, self.db().path(), |_| Ok(self.db().flush_wal(true)?));
        }
        Ok(self.db().flush_wal(true)?)
    }

    fn write_now(&self, batch: WriteBatch, sync: bool) -> Result<(), StorageFault> {
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        Ok(self.db().write_opt(batch, &options)?)
    }
}

#[cfg(test)]
mod tests;
