//! The SQL of a request.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_core::fuzzing::sql(data));
