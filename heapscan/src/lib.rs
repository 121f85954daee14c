//! Heap page to values: what PostgreSQL wrote on an 8 KiB heap page becomes Arrow arrays or scalar values.
//!
//! Its place in the way of a query: `fdw::feed` copies a page and the bitmap of the tuples that the snapshot sees into a
//! frame; `engine::scan` gives both to a [`ColumnDecoder`] here, and takes the arrays. No PostgreSQL code is linked, no
//! I/O is done, no visibility is decided.
//!
//! ```text
//!   page bytes ── Page ── LinePointer ── Tuple ──┬── deform ── ScalarRow      one tuple, no allocation once warm
//!                                                └── slots ── ColumnDecoder   one page, column by column, to Arrow
//!   beside them: descriptor (Layout: what to walk over and what to keep), varlena, compress, toast, numeric
//! ```
//!
//! Invariants of the crate:
//! - Bytes of a page are untrusted. Whatever they are, the answer is rows or an [`Error`] that names the block; there is no
//!   panic, no read outside the page, and no allocation larger than the page's bytes can justify.
//! - The two ways out give equal values for equal bytes (property tests hold them together).
//! - `fusion_common::ColumnType` says which Arrow type each PostgreSQL type becomes; [`arrow_type`] is that table.
//! - Little-endian servers only, 8 KiB pages, page layout version 4.

#[cfg(target_endian = "big")]
compile_error!("fusion_heapscan reads little-endian pages only");

mod builder;
pub mod column;
pub mod compress;
pub mod deform;
pub mod descriptor;
pub mod error;
pub mod line_pointer;
pub mod numeric;
pub mod page;
pub mod scalar;
mod slots;
pub mod toast;
pub mod tuple;
pub mod varlena;
mod views;

pub use column::ColumnDecoder;
pub use descriptor::{Column, Layout, arrow_type};
pub use error::{Error, Place, Result};
pub use line_pointer::{LinePointer, LinePointerKind};
pub use page::{Page, prefetch};
pub use scalar::ScalarRow;
pub use toast::Flattened;
pub use tuple::Tuple;
