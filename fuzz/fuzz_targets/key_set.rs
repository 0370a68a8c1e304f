//! The published keys of an issuer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_auth::fuzzing::key_set(data));
