//! Names and ids.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_commons::fuzzing::identities(data));
