//! Arbitrary bytes on the socket, in pieces, as either side reads them: messages or an error, and what was decoded encodes to something that decodes to the
//! same.
#![no_main]

use fusion_proto::codec::{self, Decoder};
use fusion_proto::message::{FromBackend, FromEngine};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn read<M: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let mut decoder = Decoder::default();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for piece in [first, second] {
        decoder.push(piece);
        loop {
            match decoder.take::<M>() {
                Ok(Some(message)) => {
                    let bytes = codec::to_bytes(&message).unwrap();
                    let again: M = codec::from_bytes(&bytes).unwrap();
                    // Not compared as values: a NaN is not equal to itself.
                    assert_eq!(codec::to_bytes(&again).unwrap(), bytes);
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    read::<FromBackend>(bytes);
    read::<FromEngine>(bytes);
});
