//! Arbitrary bytes at the start of a tuple frame, zeros behind: an error, or rows that lie in the frame and fit their attributes.
#![no_main]

use fusion_common::limits::FRAME_SIZE;
use fusion_common::{AttAlign, Attribute};
use fusion_proto::tuple_frame::{TupleFrame, check_tuple};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

thread_local!(static FRAME: RefCell<Vec<u8>> = RefCell::new(vec![0; FRAME_SIZE]));

const ATTRIBUTES: [Attribute; 5] = [
    Attribute { length: 4, align: AttAlign::Int, by_value: true, packable: false },
    Attribute { length: -1, align: AttAlign::Int, by_value: false, packable: true },
    Attribute { length: 8, align: AttAlign::Double, by_value: true, packable: false },
    Attribute { length: 1, align: AttAlign::Char, by_value: true, packable: false },
    Attribute { length: -2, align: AttAlign::Char, by_value: false, packable: false },
];

fuzz_target!(|bytes: &[u8]| {
    FRAME.with_borrow_mut(|frame| {
        let bytes = &bytes[..bytes.len().min(FRAME_SIZE)];
        let Some((&columns, bytes)) = bytes.split_first() else { return };
        let attributes = &ATTRIBUTES[..usize::from(columns) % (ATTRIBUTES.len() + 1)];
        frame[..bytes.len()].copy_from_slice(bytes);
        if let Ok(parsed) = TupleFrame::parse(frame, attributes) {
            let (mut at, mut rows) = (parsed.first(), 0);
            while let Some(offset) = at {
                let length = check_tuple(&frame[offset..parsed.used()], attributes).expect("parse has looked at it");
                assert!(offset + length <= parsed.used());
                rows += 1;
                at = parsed.next(frame, offset);
            }
            assert_eq!(rows, parsed.rows());
        }
        frame[..bytes.len()].fill(0);
    });
});
