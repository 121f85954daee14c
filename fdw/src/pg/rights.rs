//! Rights of the current user.
//!
//! Invariant: main thread only; syscache look-ups, in a transaction.

use fusion_common::Oid;
use pgrx::pg_sys;

/// OID of the role under whose rights statements run now.
pub fn current_user() -> Oid {
    // SAFETY: reads a global.
    unsafe { pg_sys::GetUserId() }.to_u32()
}

/// Whether the current user may see what `user` does: itself, a role that it is a member of, or anybody where it reads all statistics.
pub fn may_see_activity_of(user: Oid) -> bool {
    // SAFETY: syscache look-ups; of a role that is gone, nobody is a member.
    reads_all_statistics() || unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), pg_sys::Oid::from(user)) }
}

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
    let any = pg_sys::AclMaskHow::ACLMASK_ANY;
    // SAFETY: a syscache look-up of a relation that is there.
    checked(relid, |relid, user| unsafe { pg_sys::pg_attribute_aclcheck_all(relid, user, SELECT, any) })
}

/// Whether the current user may read a column of a relation; not of one that is gone.
pub fn may_read_column(relid: Oid, attnum: i16) -> bool {
    // SAFETY: a syscache look-up of a relation that is there; of a column that is not, there are no rights.
    checked(relid, |relid, user| unsafe {
        let mut is_missing = false;
        pg_sys::pg_attribute_aclcheck_ext(relid, attnum, user, SELECT, &mut is_missing)
    })
}

const SELECT: pg_sys::AclMode = pg_sys::ACL_SELECT as pg_sys::AclMode;

/// Whether the current user may read a relation, or what `columns` says of columns of it; not of one that is gone.
fn checked(relid: Oid, columns: impl FnOnce(pg_sys::Oid, pg_sys::Oid) -> pg_sys::AclResult::Type) -> bool {
    let relid = pg_sys::Oid::from(relid);
    // SAFETY: syscache look-ups; the relation is looked for first, since the others raise where it is gone.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::RELOID as i32;
        let zero = pg_sys::Datum::from(0);
        if !pg_sys::SearchSysCacheExists(cache, pg_sys::Datum::from(relid), zero, zero, zero) {
            return false;
        }
        let user = pg_sys::GetUserId();
        pg_sys::pg_class_aclcheck(relid, user, SELECT) == pg_sys::AclResult::ACLCHECK_OK
            || columns(relid, user) == pg_sys::AclResult::ACLCHECK_OK
    }
}
