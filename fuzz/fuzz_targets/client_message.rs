//! A frame of a client.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_commons::fuzzing::client_message(data));
