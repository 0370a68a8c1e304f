//! What writing statements share for as long as the engine lives: the lanes of contended rows, and
//! of every table what its writers need each time.

use std::sync::Arc;

use kalamdb_commons::TableId;
use kalamdb_store::IndexSpec;
use kalamdb_system::TableDef;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::error::SqlError;
use crate::options::Limits;
use crate::sql::dml::ColumnDefault;
use crate::sql::transaction::lanes::Lanes;

/// Tables kept at most; beyond that all are forgotten and made again when asked for.
const TABLES_MAX: usize = 4_096;

/// What writing statements share; one per engine.
#[derive(Debug, Default)]
pub struct WriteState {
    pub(super) lanes: Lanes,
    tables: RwLock<FxHashMap<TableId, Arc<WriteTable>>>,
}

/// A table as those who write it need it.
#[derive(Debug)]
pub struct WriteTable {
    /// The table.
    pub def: Arc<TableDef>,
    /// Its indexes, as the store keeps them in step.
    pub indexes: Arc<[IndexSpec]>,
    /// The default of each column, in the order of `def.columns`.
    pub defaults: Vec<ColumnDefault>,
    /// Slots of a row.
    pub width: usize,
}

impl WriteState {
    /// The table, made ready for writing; made once per version of it.
    ///
    /// # Errors
    /// [`SqlError`] when a stored DEFAULT does not parse.
    pub fn table(&self, def: &Arc<TableDef>, limits: &Limits) -> Result<Arc<WriteTable>, SqlError> {
        if let Some(table) = self.tables.read().get(&def.id)
            && Arc::ptr_eq(&table.def, def)
        {
            return Ok(Arc::clone(table));
        }
        let defaults = def.columns.iter().map(|column| ColumnDefault::of(column, limits));
        let table = Arc::new(WriteTable {
            def: Arc::clone(def),
            indexes: def.index_specs(),
            defaults: defaults.collect::<Result<_, _>>()?,
            width: def.columns.iter().map(|column| usize::from(column.slot).saturating_add(1)).max().unwrap_or(0),
        });
        let mut tables = self.tables.write();
        if tables.len() >= TABLES_MAX {
            tables.clear();
        }
        tables.insert(def.id, Arc::clone(&table));
        Ok(table)
    }
}
