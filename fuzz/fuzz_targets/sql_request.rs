//! The body of a request.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_commons::fuzzing::sql_request(data));
