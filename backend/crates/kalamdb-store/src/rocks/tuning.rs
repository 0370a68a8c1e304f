//! RocksDB's settings, and why they are so.
//!
//! All column families share one block cache and one budget for what is written and not yet in a
//! table file; both come from the store's options. Reads by key are helped by bloom filters, in
//! memory too. RocksDB's own log says only what went wrong.

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DEFAULT_COLUMN_FAMILY_NAME, LogLevel, Options,
};

use crate::options::StoreOptions;

pub(super) const META: &str = "meta";
pub(super) const CATALOG: &str = "catalog";
pub(super) const ROWS: &str = "rows";
pub(super) const INDEX: &str = "index";
pub(super) const CHANGES: &str = "changes";
pub(super) const LIVE_QUERIES: &str = "live_queries";
pub(super) const AUTH: &str = "auth";

/// Every column family of ours; `meta` is made first.
pub(super) const FAMILIES: [&str; 7] = [META, CATALOG, ROWS, INDEX, CHANGES, LIVE_QUERIES, AUTH];

/// Flushes and compactions at the same time.
const BACKGROUND_JOBS: i32 = 2;

/// Table files held open. Sockets need descriptors too, and the usual limit is 1024.
const OPEN_FILES_MAX: i32 = 384;

/// RocksDB's own log files: few and small.
const LOG_FILES: usize = 2;
const LOG_FILE_BYTES: usize = 1 << 20;

/// Written out in pieces of this size while a table file is made, so that syncs never queue behind a large one.
const BYTES_PER_SYNC: u64 = 1 << 20;

/// Least memory for one column family's writes.
const FAMILY_BUFFER_BYTES_MIN: usize = 1 << 20;

const BLOOM_BITS_PER_KEY: f64 = 10.0;

/// Part of a write buffer given to a bloom filter over its keys: most inserts ask for a key that is not there.
const BUFFER_BLOOM_RATIO: f64 = 0.02;

/// Settings of the database.
pub(super) fn database(options: &StoreOptions) -> Options {
    let mut db = Options::default();
    db.create_if_missing(true);
    db.create_missing_column_families(true);
    db.set_max_background_jobs(BACKGROUND_JOBS);
    db.set_max_open_files(OPEN_FILES_MAX);
    db.set_db_write_buffer_size(options.write_buffer_bytes);
    // A family that is hardly written must not hold back the logs of those that are.
    db.set_max_total_wal_size(options.write_buffer_bytes.saturating_mul(2) as u64);
    db.set_bytes_per_sync(BYTES_PER_SYNC);
    // A reader that lets go of an iterator does not wait for files to be deleted.
    db.set_avoid_unnecessary_blocking_io(true);
    db.set_keep_log_file_num(LOG_FILES);
    db.set_max_log_file_size(LOG_FILE_BYTES);
    db.set_log_level(LogLevel::Error);
    db.set_stats_dump_period_sec(0);
    db.set_stats_persist_period_sec(0);
    db
}

/// Our column families with their settings, and RocksDB's own one, which stays empty.
///
/// That one is named for its write buffer: when the disk was full, RocksDB goes on by itself as soon
/// as there is room for the largest of all buffers, and its default would be larger than any of ours.
pub(super) fn families(options: &StoreOptions) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(options.block_cache_bytes);
    let ours = FAMILIES.into_iter().chain([DEFAULT_COLUMN_FAMILY_NAME]);
    ours.map(|name| ColumnFamilyDescriptor::new(name, family(name, options, &cache))).collect()
}

fn family(name: &str, options: &StoreOptions, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut family = Options::default();
    // The change log is only ever read in ranges, which a filter over whole keys cannot help.
    if name != CHANGES {
        table.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
        table.set_optimize_filters_for_memory(true);
        family.set_memtable_whole_key_filtering(true);
        family.set_memtable_prefix_bloom_ratio(BUFFER_BLOOM_RATIO);
    }
    family.set_block_based_table_factory(&table);
    family.set_compression_type(DBCompressionType::Lz4);
    let part = if [ROWS, INDEX, CHANGES].contains(&name) { 4 } else { 16 };
    let buffer = options.write_buffer_bytes.checked_div(part).unwrap_or(0).max(FAMILY_BUFFER_BYTES_MIN);
    family.set_write_buffer_size(buffer);
    family
}
