use kalamdb_commons::fuzzing::{Edit, mutated};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A frame with this first byte and a mask of zeros.
fn frame(first: u8, length: u16) -> Vec<u8> {
    let mut bytes = vec![first];
    match u8::try_from(length) {
        Ok(length) if length < 126 => bytes.push(0x80 | length),
        _ => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend(std::iter::repeat_n(b'x', usize::from(length)));
    bytes
}

/// Frames in any order, tampered with.
fn conversation() -> impl Strategy<Value = Vec<u8>> {
    let firsts = prop::sample::select(&[0x81_u8, 0x01, 0x80, 0x00, 0x82, 0x02, 0x89, 0x8a, 0x88, 0xc1, 0x83][..]);
    let frames = vec((firsts, prop_oneof![3 => 0_u16..130, 1 => 130_u16..700]), 0..6);
    (any::<u8>(), frames, vec(any::<Edit>(), 0..3)).prop_map(|(cut, frames, edits)| {
        let bytes: Vec<u8> = frames.into_iter().flat_map(|(first, length)| frame(first, length)).collect();
        [vec![cut], mutated(&bytes, &edits)].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s23_frames_mean_the_same_however_they_are_cut(data in prop_oneof![vec(any::<u8>(), 0..300), conversation()]) {
        frames(&data);
    }
}
