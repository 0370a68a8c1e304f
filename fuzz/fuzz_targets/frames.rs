//! What comes through a socket.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_api::fuzzing::frames(data));
