//! A stored row.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_store::fuzzing::row(data));
