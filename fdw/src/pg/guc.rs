//! Settings: what pgrx does not wrap.

use pgrx::pg_sys;
use std::ffi::CStr;

/// Makes unknown settings of this prefix an error (`MarkGUCPrefixReserved`).
pub fn reserve_prefix(prefix: &'static CStr) {
    // SAFETY: called while the library is loaded, on the main thread; the server copies the name.
    unsafe { pg_sys::MarkGUCPrefixReserved(prefix.as_ptr()) };
}
