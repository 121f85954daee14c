//! Whether a heap tuple is what its header says, before PostgreSQL's functions that trust it (`heap_deform_tuple`, detoasting) walk through it: on a
//! damaged page they would follow a length out of the page, or an address that the page holds as a TOAST pointer of a kind that no page may have.
//!
//! Stands in [`crate::feed`]'s way only for tuples with out-of-line values; what is found unsound goes to the engine as it is, which names the fault.
//!
//! Invariant: reads nothing but the bytes given; after `true`, every attribute that deforming would give lies inside of them.

use fusion_common::Attribute;

/// `t_infomask2`, `t_infomask`, `t_hoff` and the null bitmap in a tuple header (htup_details.h).
const INFOMASK2: usize = 18;
const INFOMASK: usize = 20;
const HOFF: usize = 22;
const BITS: usize = 23;

/// HEAP_NATTS_MASK and HEAP_HASNULL.
const NATTS: u16 = 0x07ff;
const HAS_NULL: u16 = 0x0001;

/// First byte of a TOAST pointer, VARTAG_ONDISK, and the size of such a pointer.
const EXTERNAL: u8 = 1;
const ON_DISK: u8 = 18;
const POINTER: usize = 18;

/// See the head of this file; `attributes` are all of the relation's, in order.
pub fn is_sound(tuple: &[u8], attributes: &[Attribute]) -> bool {
    walk(tuple, attributes).is_some()
}

fn walk(tuple: &[u8], attributes: &[Attribute]) -> Option<()> {
    let word = |at: usize| Some(u16::from_le_bytes(*tuple.get(at..)?.first_chunk()?));
    let natts = usize::from(word(INFOMASK2)? & NATTS);
    let nulls = (word(INFOMASK)? & HAS_NULL != 0).then_some(tuple.get(BITS..)?);
    let hoff = usize::from(*tuple.get(HOFF)?);
    let bitmap = if nulls.is_some() { natts.div_ceil(8) } else { 0 };
    if hoff < BITS + bitmap {
        return None;
    }
    let data = tuple.get(hoff..)?;
    let mut at = 0_usize;
    for (index, attribute) in attributes.iter().take(natts).enumerate() {
        if let Some(nulls) = nulls
            && nulls.get(index / 8)? & (1 << (index % 8)) == 0
        {
            continue;
        }
        let align = attribute.align.bytes();
        let padded = attribute.length > 0 || *data.get(at)? == 0;
        if padded {
            at = at.next_multiple_of(align);
        }
        at += match usize::try_from(attribute.length) {
            Ok(length) => length,
            Err(_) => varlena(data.get(at..)?)?,
        };
        data.get(..at)?;
    }
    Some(())
}

/// Length of the varlena at the head of `bytes`, if a page may hold it.
fn varlena(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    if first == EXTERNAL {
        return (*bytes.get(1)? == ON_DISK).then_some(POINTER);
    }
    if first & 1 == 1 {
        return Some(usize::from(first >> 1));
    }
    let length = (u32::from_le_bytes(*bytes.first_chunk()?) >> 2) as usize;
    (length >= 4).then_some(length)
}
