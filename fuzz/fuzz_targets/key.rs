//! A stored key.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_store::fuzzing::key(data));
