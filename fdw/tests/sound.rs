//! Tuples that PostgreSQL may walk through, and those that it may not. The crate itself links only into a server, so the file under test is
//! compiled in here by its path.

#[path = "../src/sound.rs"]
mod sound;

use fusion_common::{AttAlign, Attribute};
use sound::is_sound;

const INT4: Attribute = Attribute { length: 4, align: AttAlign::Int, by_value: true, packable: false };
const TEXT: Attribute = Attribute { length: -1, align: AttAlign::Int, by_value: false, packable: true };

/// (int4, text 'abc', int4, text out of line)
const ROW: [Attribute; 4] = [INT4, TEXT, INT4, TEXT];

fn tuple() -> Vec<u8> {
    let mut tuple = vec![0; 24];
    tuple[18] = 4;
    tuple[20] = 0x06;
    tuple[22] = 24;
    tuple.extend([1, 0, 0, 0, 0x09, b'a', b'b', b'c', 2, 0, 0, 0]);
    tuple.extend([1, 18]);
    tuple.extend([7; 16]);
    tuple
}

#[test]
fn a_tuple_as_written_is_sound() {
    assert!(is_sound(&tuple(), &ROW));
    // Fewer attributes than the relation has, and more than are asked about.
    assert!(is_sound(&tuple(), &[INT4, TEXT, INT4, TEXT, INT4]));
    assert!(is_sound(&tuple(), &ROW[..2]));
}

#[test]
fn no_byte_is_read_beyond_the_end() {
    let whole = tuple();
    for length in 0..whole.len() {
        assert!(!is_sound(&whole[..length], &ROW), "{length}");
    }
}

#[test]
fn any_changed_byte_is_survived() {
    for at in 0..tuple().len() {
        for value in 0..=255 {
            let mut changed = tuple();
            changed[at] = value;
            is_sound(&changed, &ROW);
        }
    }
}

#[test]
fn what_leads_out_of_the_tuple_is_not() {
    let change = |at: usize, bytes: &[u8]| {
        let mut changed = tuple();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        is_sound(&changed, &ROW)
    };
    assert!(!change(22, &[255]), "t_hoff behind the tuple");
    assert!(!change(22, &[0]), "t_hoff in the header");
    assert!(!change(28, &[0xff]), "a short value that is too long");
    assert!(!change(28, &[0xfc, 0xff, 0xff, 0x7f]), "a long value that is too long");
    assert!(!change(28, &[0x04, 0, 0, 0]), "a long value shorter than its header");
    for tag in [0, 1, 2, 3, 17, 19, 255] {
        assert!(!change(37, &[tag]), "a pointer of kind {tag}");
    }
    // All attributes NULL, by a bitmap that the header has no room for, and one that it has.
    assert!(change(20, &[0x07]));
    let wide = vec![INT4; 9];
    let mut nulls = tuple();
    (nulls[18], nulls[20]) = (9, 0x07);
    assert!(!is_sound(&nulls, &wide));
}
