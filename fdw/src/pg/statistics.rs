//! What the catalogs know of a relation's size, values and unique indexes.

use super::catalog::Relation;
use super::datum::TypedDatum;
use fusion_common::{Oid, TypeRef};
use pgrx::pg_sys::{self, Datum, SysCacheIdentifier};

/// Size of a relation, as `estimate_rel_size` looks at it.
#[derive(Clone, Copy, Debug)]
pub struct RelationSize {
    /// `relpages` of the last VACUUM or ANALYZE.
    pub pages: f64,
    /// `reltuples` then; negative where unknown.
    pub tuples: f64,
    /// Blocks now; None where the relation has no storage of its own.
    pub blocks: Option<f64>,
    /// Average width of a row's data, bytes.
    pub width: f64,
    /// It has, or had, children.
    pub has_children: bool,
}

/// A row of pg_statistic.
pub struct StatisticRow<V> {
    /// `stadistinct`: negative: as a fraction of the rows; 0: unknown.
    pub distinct: f64,
    /// `stanullfrac`.
    pub null_fraction: f64,
    /// `stawidth`, bytes.
    pub width: f64,
    /// Most common values with their frequencies.
    pub common: Vec<(V, f64)>,
    /// Bounds of the histogram, in ascending order.
    pub histogram: Vec<V>,
}

/// Size of an open relation.
pub fn size(relation: &Relation, relid: Oid) -> RelationSize {
    let pointer = relation.as_ptr();
    // SAFETY: an open, locked relation; rd_rel is its pg_class row.
    unsafe {
        let class = &*(*pointer).rd_rel;
        let kind = class.relkind as u8;
        RelationSize {
            pages: f64::from(class.relpages),
            tuples: f64::from(class.reltuples),
            blocks: relation.blocks().map(f64::from),
            width: f64::from(pg_sys::get_relation_data_width(relid.into(), std::ptr::null_mut())),
            has_children: class.relhassubclass || kind == pg_sys::RELKIND_PARTITIONED_TABLE,
        }
    }
}

/// Columns of each unique, immediate, valid, non-partial index over plain columns, NULLs aside.
pub fn unique_indexes(relation: &Relation) -> Vec<Vec<i16>> {
    // SAFETY: an open, locked relation; the list is ours and holds OIDs.
    let indexes: Vec<Oid> = unsafe {
        let list = pg_sys::RelationGetIndexList(relation.as_ptr());
        if list.is_null() {
            return Vec::new();
        }
        let cells = std::slice::from_raw_parts((*list).elements, (*list).length as usize);
        let oids = cells.iter().map(|cell| cell.oid_value.to_u32()).collect();
        pg_sys::list_free(list);
        oids
    };
    indexes.into_iter().filter_map(unique_index).collect()
}

fn unique_index(index: Oid) -> Option<Vec<i16>> {
    let cache = SysCacheIdentifier::INDEXRELID as i32;
    // SAFETY: a syscache look-up by OID; the row is a pg_index row, held until it is released; indkey has indnatts entries.
    unsafe {
        let row = pg_sys::SearchSysCache1(cache, Datum::from(pg_sys::Oid::from(index)));
        if row.is_null() {
            return None;
        }
        let form = &*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_index>();
        let mut total = false;
        pg_sys::SysCacheGetAttr(cache, row, pg_sys::Anum_pg_index_indpred as i16, &raw mut total);
        let keys = form.indkey.values.as_slice(usize::try_from(form.indnkeyatts).unwrap_or(0)).to_vec();
        let usable = form.indisunique && form.indimmediate && form.indisvalid && form.indisready && total;
        pg_sys::ReleaseSysCache(row);
        (usable && keys.iter().all(|&key| key > 0)).then_some(keys)
    }
}

/// The statistics of a column, values as `value` gives them; values that it gives None for are left out.
pub fn column<V>(
    relid: Oid,
    attnum: i16,
    inherited: bool,
    value: impl Fn(TypeRef, TypedDatum<'_>) -> Option<V>,
) -> Option<StatisticRow<V>> {
    let cache = SysCacheIdentifier::STATRELATTINH as i32;
    // SAFETY: a syscache look-up by relation, column and inheritance; the row is a pg_statistic row, held until it is
    // released.
    unsafe {
        let relid = Datum::from(pg_sys::Oid::from(relid));
        let row = pg_sys::SearchSysCache3(cache, relid, Datum::from(attnum), Datum::from(inherited));
        if row.is_null() {
            return None;
        }
        let form = &*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_statistic>();
        let statistics = StatisticRow {
            distinct: f64::from(form.stadistinct),
            null_fraction: f64::from(form.stanullfrac),
            width: f64::from(form.stawidth),
            common: slot(row, pg_sys::STATISTIC_KIND_MCV, &value),
            histogram: slot(row, pg_sys::STATISTIC_KIND_HISTOGRAM, &value).into_iter().map(|(v, _)| v).collect(),
        };
        pg_sys::ReleaseSysCache(row);
        Some(statistics)
    }
}

/// Values of a slot of pg_statistic with its numbers (0 where it has none).
///
/// # Safety
/// `row` is a row of pg_statistic.
unsafe fn slot<V>(
    row: pg_sys::HeapTuple,
    kind: u32,
    value: &impl Fn(TypeRef, TypedDatum<'_>) -> Option<V>,
) -> Vec<(V, f64)> {
    // A histogram has no numbers, and asking for them is an error.
    let flags = match kind {
        pg_sys::STATISTIC_KIND_MCV => pg_sys::ATTSTATSSLOT_VALUES | pg_sys::ATTSTATSSLOT_NUMBERS,
        _ => pg_sys::ATTSTATSSLOT_VALUES,
    };
    let mut slot = pg_sys::AttStatsSlot::default();
    // SAFETY: the caller's row; on success the slot holds nvalues datums of valuetype and nnumbers numbers, until it is
    // freed after the last use.
    unsafe {
        if !pg_sys::get_attstatsslot(&raw mut slot, row, kind as i32, pg_sys::InvalidOid, flags as i32) {
            return Vec::new();
        }
        let (mut length, mut by_value) = (0, false);
        pg_sys::get_typlenbyval(slot.valuetype, &raw mut length, &raw mut by_value);
        let ty = TypeRef { oid: slot.valuetype.to_u32(), typmod: -1, collation: slot.stacoll.to_u32() };
        let count = usize::try_from(slot.nvalues).unwrap_or(0);
        let numbers = usize::try_from(slot.nnumbers).unwrap_or(0);
        let values = (0..count).filter_map(|i| {
            let frequency = if i < numbers { f64::from(*slot.numbers.add(i)) } else { 0.0 };
            Some((value(ty, TypedDatum::new(*slot.values.add(i), length, by_value))?, frequency))
        });
        let values = values.collect();
        pg_sys::free_attstatsslot(&raw mut slot);
        values
    }
}
