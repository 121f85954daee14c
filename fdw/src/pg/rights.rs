//! Rights of the current user.
//!
//! Invariant: main thread only; syscache look-ups, in a transaction.

use fusion_common::Oid;
use pgrx::pg_sys;

/// Whether the current user is a superuser.
pub fn is_superuser() -> bool {
    // SAFETY: a syscache look-up.
    unsafe { pg_sys::superuser() }
}

/// Whether the current user may see what others do: a superuser, or a member of `pg_read_all_stats`.
pub fn reads_all_statistics() -> bool {
    /// `pg_read_all_stats` (pg_authid.dat).
    const ROLE_PG_READ_ALL_STATS: u32 = 3375;
    // SAFETY: syscache look-ups.
    unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), pg_sys::Oid::from(ROLE_PG_READ_ALL_STATS)) }
}

/// Whether the current user may read some column of a relation; not of one that is gone.
pub fn may_read(relid: Oid) -> bool {
    let relid = pg_sys::Oid::from(relid);
    let acl = pg_sys::ACL_SELECT as pg_sys::AclMode;
    // SAFETY: syscache look-ups; the relation is looked for first, since the others raise where it is gone.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::RELOID as i32;
        let zero = pg_sys::Datum::from(0);
        if !pg_sys::SearchSysCacheExists(cache, pg_sys::Datum::from(relid), zero, zero, zero) {
            return false;
        }
        let user = pg_sys::GetUserId();
        pg_sys::pg_class_aclcheck(relid, user, acl) == pg_sys::AclResult::ACLCHECK_OK
            || pg_sys::pg_attribute_aclcheck_all(relid, user, acl, pg_sys::AclMaskHow::ACLMASK_ANY)
                == pg_sys::AclResult::ACLCHECK_OK
    }
}
