//! Does this collation compare by bytes?
//!
//! Equality of bytes is equality under every deterministic collation; the order of bytes is the order of few.

use super::{Refusal, Result};
use crate::pg::{collation, names};
use fusion_common::{ColumnType, Oid};
use fusion_proto::plan::CompareOp;

/// Whether the order of values held so depends on a collation.
pub(super) fn is_text_like(held: ColumnType) -> bool {
    matches!(held, ColumnType::Text | ColumnType::Bpchar { .. })
}

/// Refuses equality of values held so that is not equality of bytes.
pub(super) fn check_equality(held: ColumnType, collation: Oid) -> Result<()> {
    if is_text_like(held) && !collation::is_deterministic(collation) {
        return Err(unsuitable("equality", collation));
    }
    Ok(())
}

/// Refuses an order of values held so that is not that of bytes.
pub(super) fn check_order(what: &str, held: ColumnType, collation: Oid) -> Result<()> {
    if is_byte_order(held, collation) { Ok(()) } else { Err(unsuitable(what, collation)) }
}

/// Whether values held so are ordered as the engine orders them.
pub(super) fn is_byte_order(held: ColumnType, collation: Oid) -> bool {
    !is_text_like(held) || collation::is_byte_order(collation)
}

/// Refuses a comparison of values held so that needs more than bytes.
pub(super) fn check_comparison(op: CompareOp, held: ColumnType, collation: Oid) -> Result<()> {
    match op {
        CompareOp::Eq | CompareOp::Ne | CompareOp::Same => check_equality(held, collation),
        _ => check_order("comparison", held, collation),
    }
}

fn unsuitable(what: &str, collation: Oid) -> Refusal {
    if collation == 0 {
        return Refusal(format!("{what} of strings without a definite collation"));
    }
    Refusal::unsupported(format_args!("{what} under collation \"{}\"", names::collation(collation)))
}
