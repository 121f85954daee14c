//! Writing properties into a running EXPLAIN, in all its formats.

use pgrx::pg_sys;
use std::ffi::CString;

/// Where a node's properties go.
pub struct Output(*mut pg_sys::ExplainState);

fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

impl Output {
    /// The state of a running EXPLAIN.
    ///
    /// # Safety
    /// `explain` is valid while this lives.
    pub unsafe fn new(explain: *mut pg_sys::ExplainState) -> Self {
        Self(explain)
    }

    /// EXPLAIN ANALYZE.
    pub fn is_analyze(&self) -> bool {
        // SAFETY: valid, by `new`.
        unsafe { (*self.0).analyze }
    }

    /// EXPLAIN VERBOSE.
    pub fn is_verbose(&self) -> bool {
        // SAFETY: valid, by `new`.
        unsafe { (*self.0).verbose }
    }

    /// Whether estimates are wanted.
    pub fn shows_costs(&self) -> bool {
        // SAFETY: valid, by `new`.
        unsafe { (*self.0).costs }
    }

    /// Whether figures that change from run to run are wanted: TIMING, and not only SUMMARY.
    pub fn shows_timing(&self) -> bool {
        // SAFETY: valid, by `new`.
        unsafe { (*self.0).timing }
    }

    /// A text property.
    pub fn text(&self, label: &str, value: &str) {
        let (label, value) = (c_string(label), c_string(value));
        // SAFETY: valid C strings, copied by PostgreSQL.
        unsafe { pg_sys::ExplainPropertyText(label.as_ptr(), value.as_ptr(), self.0) }
    }

    /// A number.
    pub fn integer(&self, label: &str, value: u64) {
        let label = c_string(label);
        // SAFETY: a valid C string.
        unsafe {
            pg_sys::ExplainPropertyInteger(
                label.as_ptr(),
                std::ptr::null(),
                i64::try_from(value).unwrap_or(i64::MAX),
                self.0,
            )
        }
    }

    /// A text of several lines: in TEXT one under the other, indented; otherwise as one value.
    pub fn lines(&self, label: &str, value: &str) {
        // SAFETY: valid, by `new`; `str` is the output's StringInfo.
        unsafe {
            if (*self.0).format != pg_sys::ExplainFormat::EXPLAIN_FORMAT_TEXT {
                return self.text(label, value);
            }
            let mut text = String::new();
            let indent = "  ".repeat((*self.0).indent.max(0) as usize);
            text.push_str(&format!("{indent}{label}:\n"));
            for line in value.lines() {
                text.push_str(&format!("{indent}  {line}\n"));
            }
            let text = c_string(&text);
            pg_sys::appendStringInfoString((*self.0).str_, text.as_ptr());
        }
    }
}
