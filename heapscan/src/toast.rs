//! Values that do not lie in their tuple: TOAST pointers, and the flattened tuples that replace them.
//!
//! A value stored out of line leaves a pointer in the tuple (`varatt_external` of varatt.h). heapscan cannot follow it: the
//! backend fetches such values of needed columns, forms a tuple of them (`heap_form_tuple`) and sends it as a
//! [`Flattened`] beside the page. A pointer that is met in a needed column nevertheless is `Error::OutOfLine`.
//!
//! ```text
//!  0      1     2            6            10          14             18
//!  ┌──────┬─────┬────────────┬────────────┬───────────┬──────────────┐
//!  │ 0x01 │ tag │ va_rawsize │ va_extinfo │va_valueid │va_toastrelid │
//!  └──────┴─────┴────────────┴────────────┴───────────┴──────────────┘
//! ```

/// First byte of a TOAST pointer (`VARATT_IS_1B_E` on little-endian machines).
pub const EXTERNAL_HEADER: u8 = 0x01;

/// `VARTAG_ONDISK`: the only tag that may lie on a page; the others point into a backend's memory.
pub const VARTAG_ONDISK: u8 = 18;

/// Size of a TOAST pointer with its header and tag, bytes.
pub const EXTERNAL_SIZE: usize = 18;

/// A tuple that stands in for the page's tuple at the same offset number, with nothing out of line in needed columns.
#[derive(Clone, Copy, Debug)]
pub struct Flattened<'a> {
    /// Offset number of the tuple on the page, 1-based.
    pub offset_number: u16,
    /// Header and data, as `heap_form_tuple` makes them, with the relation's attributes.
    pub tuple: &'a [u8],
}
