//! Arbitrary bytes at the start of a page frame, zeros behind: an error, or blocks whose parts lie in the frame.
#![no_main]

use fusion_common::limits::{BLOCK_SIZE, FRAME_SIZE};
use fusion_proto::page_frame::PageFrame;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

thread_local!(static FRAME: RefCell<Vec<u8>> = RefCell::new(vec![0; FRAME_SIZE]));

fuzz_target!(|bytes: &[u8]| {
    FRAME.with_borrow_mut(|frame| {
        let bytes = &bytes[..bytes.len().min(FRAME_SIZE)];
        frame[..bytes.len()].copy_from_slice(bytes);
        if let Ok(parsed) = PageFrame::parse(frame) {
            for index in 0..parsed.entries().len() {
                assert!(parsed.image(index).is_none_or(|image| image.len() == BLOCK_SIZE));
                assert!(parsed.flattened(index).all(|tuple| tuple.is_ok()), "parse has looked at them");
            }
        }
        frame[..bytes.len()].fill(0);
    });
});
