//! Settings: what pgrx does not wrap.

use pgrx::pg_sys;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};
use std::ffi::{CStr, CString, c_int, c_void};

/// What refuses values of a setting: the detail of the error, or nothing.
pub type Refusal = fn(i32) -> Option<String>;

/// A setting whose values are looked at beyond their range.
pub struct CheckedInt {
    /// Name.
    pub name: &'static CStr,
    /// What it sets.
    pub short: &'static CStr,
    /// More of it.
    pub long: &'static CStr,
    /// Its value.
    pub setting: &'static GucSetting<i32>,
    /// Least and greatest value.
    pub range: (i32, i32),
    /// Who may set it.
    pub context: GucContext,
    /// Unit and the like.
    pub flags: GucFlags,
}

/// Defines `setting`, whose values `hook` checks.
///
/// # Safety
/// `hook` is a check hook of an integer setting.
pub unsafe fn define_checked(
    setting: CheckedInt,
    hook: unsafe extern "C-unwind" fn(*mut c_int, *mut *mut c_void, pg_sys::GucSource::Type) -> bool,
) {
    // SAFETY: as the caller's; called while the library is loaded, on the main thread.
    unsafe {
        GucRegistry::define_int_guc_with_hooks(
            setting.name,
            setting.short,
            setting.long,
            setting.setting,
            setting.range.0,
            setting.range.1,
            setting.context,
            setting.flags,
            Some(hook),
            None,
            None,
        );
    }
}

/// Whether a new value stands; otherwise the detail of the error (22023) is set.
///
/// # Safety
/// Called by a check hook with its first argument.
pub unsafe fn check(value: *const c_int, refusal: Refusal) -> bool {
    // SAFETY: as the caller's; the detail is read right after the hook has returned, and lives in the current memory context.
    unsafe {
        let Some(detail) = refusal(*value) else { return true };
        let detail = CString::new(detail).unwrap_or_default();
        pg_sys::GUC_check_errdetail_string = pg_sys::pstrdup(detail.as_ptr());
        false
    }
}

/// Makes unknown settings of this prefix an error (`MarkGUCPrefixReserved`).
pub fn reserve_prefix(prefix: &'static CStr) {
    // SAFETY: called while the library is loaded, on the main thread; the server copies the name.
    unsafe { pg_sys::MarkGUCPrefixReserved(prefix.as_ptr()) };
}
