//! A frame of a server.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_commons::fuzzing::server_message(data));
