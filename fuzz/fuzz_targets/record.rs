//! A stored record.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_system::fuzzing::record(data));
