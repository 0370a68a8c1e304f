//! An entry of the change log.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_store::fuzzing::change(data));
