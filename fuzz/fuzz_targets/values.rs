//! Values in the notations that people write.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kalamdb_commons::fuzzing::values(data));
