//! Names of catalog objects, as a user would write them: for reasons and EXPLAIN.

use super::node::text;
use fusion_common::Oid;
use pgrx::pg_sys;

/// `name(argument types)` of a function.
pub fn function(oid: Oid) -> String {
    // SAFETY: a catalog look-up by OID; the result is a fresh C string (the OID itself for an unknown one).
    text(unsafe { pg_sys::format_procedure(oid.into()) })
}

/// `name(operand types)` of an operator.
pub fn operator(oid: Oid) -> String {
    // SAFETY: as above.
    text(unsafe { pg_sys::format_operator(oid.into()) })
}

/// Name of a type.
pub fn type_name(oid: Oid) -> String {
    // SAFETY: as above.
    text(unsafe { pg_sys::format_type_be(oid.into()) })
}

/// Name of a collation.
pub fn collation(oid: Oid) -> String {
    // SAFETY: as above; null for an unknown OID.
    text(unsafe { pg_sys::get_collation_name(oid.into()) })
}

/// The function that an operator runs.
pub fn operator_function(operator: Oid) -> Oid {
    // SAFETY: a syscache look-up by OID.
    unsafe { pg_sys::get_opcode(operator.into()) }.to_u32()
}

/// The element type of an array type, 0 for another type.
pub fn array_element(oid: Oid) -> Oid {
    // SAFETY: a syscache look-up by OID.
    unsafe { pg_sys::get_element_type(oid.into()) }.to_u32()
}

/// Whether a function may give another result each time.
pub fn is_volatile_function(oid: Oid) -> bool {
    // SAFETY: a syscache look-up by OID of a function that a query refers to.
    unsafe { pg_sys::func_volatile(oid.into()) as u8 == b'v' }
}

/// Whether a function gives NULL wherever an argument is NULL.
pub fn is_strict_function(oid: Oid) -> bool {
    // SAFETY: a syscache look-up by OID of a function that a query refers to.
    unsafe { pg_sys::func_strict(oid.into()) }
}
