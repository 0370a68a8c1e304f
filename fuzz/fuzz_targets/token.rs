//! A token.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_auth::fuzzing::token(data));
