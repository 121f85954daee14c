//! Tuples: flattening out-of-line values, descriptors in the engine's words, slots over result frames.
//!
//! Invariants: detoasting happens only for tuples that the query's snapshot sees; memory for it lives in a context of its own that is
//! reset between tuples; a slot never outlives the bytes it points to (see [`ResultSlot::store`]).

use crate::sound::is_sound;
use fusion_common::{AttAlign, Attribute};
use pgrx::pg_sys;

/// `attribute` of a descriptor in the engine's words.
fn attribute_of(att: &pg_sys::FormData_pg_attribute) -> Attribute {
    const PLAIN: u8 = b'p';
    Attribute {
        length: att.attlen,
        align: AttAlign::from_letter(att.attalign as u8).unwrap_or(AttAlign::Double),
        by_value: att.attbyval,
        packable: att.attlen == -1 && att.attstorage as u8 != PLAIN,
    }
}

/// Whether no row of a column is NULL: it is declared NOT NULL, and (18 knows others) the declaration has been validated.
///
/// # Safety
/// `descriptor` is that of an open relation, `attribute` one of its attributes.
pub unsafe fn is_never_null(descriptor: pg_sys::TupleDesc, attribute: &pg_sys::FormData_pg_attribute) -> bool {
    #[cfg(feature = "pg18")]
    // SAFETY: the compact attributes stand in the descriptor in the order of their numbers, which count from 1.
    let validated = unsafe {
        let compact = (*descriptor).compact_attrs.as_ptr().add(attribute.attnum as usize - 1);
        (*compact).attnullability as u8 == ATTNULLABLE_VALID
    };
    #[cfg(not(feature = "pg18"))]
    let validated = {
        let _ = descriptor;
        true
    };
    attribute.attnotnull && validated
}

/// As tupdesc.h has it.
#[cfg(feature = "pg18")]
const ATTNULLABLE_VALID: u8 = b'v';

/// `pg_attribute` rows of a descriptor.
///
/// # Safety
/// `descriptor` is valid for `'a`.
pub unsafe fn attributes<'a>(
    descriptor: pg_sys::TupleDesc,
) -> impl ExactSizeIterator<Item = &'a pg_sys::FormData_pg_attribute> {
    // SAFETY: the caller vouches for the descriptor; natts attributes stand in it.
    let count = unsafe { (*descriptor).natts } as usize;
    // SAFETY: index < natts.
    (0..count).map(move |index| unsafe { &*attribute_at(descriptor, index) })
}

#[cfg(not(feature = "pg18"))]
unsafe fn attribute_at(descriptor: pg_sys::TupleDesc, index: usize) -> *const pg_sys::FormData_pg_attribute {
    // SAFETY: index < natts, by the caller.
    unsafe { (*descriptor).attrs.as_ptr().add(index) }
}

#[cfg(feature = "pg18")]
unsafe fn attribute_at(descriptor: pg_sys::TupleDesc, index: usize) -> *const pg_sys::FormData_pg_attribute {
    // SAFETY: index < natts, by the caller; in 18 the full rows stand behind the compact ones.
    unsafe {
        let compact = (*descriptor).compact_attrs.as_ptr().add((*descriptor).natts as usize);
        compact.cast::<pg_sys::FormData_pg_attribute>().add(index)
    }
}

/// Physical layout of the first `count` attributes of a descriptor.
///
/// # Safety
/// `descriptor` is valid.
pub unsafe fn layout(descriptor: pg_sys::TupleDesc, count: usize) -> Vec<Attribute> {
    // SAFETY: as the caller's.
    unsafe { attributes(descriptor) }.take(count).map(attribute_of).collect()
}

/// The missing value of attribute `attnum` (`attmissingval`), as [`fusion_proto::message::ScanColumnInfo::missing`] wants it.
///
/// # Safety
/// `descriptor` is valid and `attnum` in it.
pub unsafe fn missing_value(descriptor: pg_sys::TupleDesc, attnum: i16) -> Option<Vec<u8>> {
    // SAFETY: as the caller's; getmissingattr gives a datum of the attribute's type.
    unsafe {
        let att = attributes(descriptor).nth(usize::try_from(attnum).ok()?.checked_sub(1)?)?;
        if !att.atthasmissing {
            return None;
        }
        let mut is_null = false;
        let datum = pg_sys::getmissingattr(descriptor, i32::from(attnum), &mut is_null);
        (!is_null).then(|| datum_bytes(datum, att.attlen, att.attbyval))
    }
}

/// The bytes of a datum: `length` bytes, or a varlena's payload, detoasted.
///
/// # Safety
/// `datum` is a non-null value of a type with this length and passing.
pub unsafe fn datum_bytes(datum: pg_sys::Datum, length: i16, by_value: bool) -> Vec<u8> {
    // SAFETY: as the caller's.
    unsafe {
        if by_value {
            let bytes = (datum.value() as u64).to_le_bytes();
            bytes[..(length.max(0) as usize).min(8)].to_vec()
        } else if length > 0 {
            std::slice::from_raw_parts(datum.cast_mut_ptr::<u8>(), length as usize).to_vec()
        } else {
            let varlena = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
            let bytes = pgrx::varlena_to_byte_slice(varlena).to_vec();
            if varlena != datum.cast_mut_ptr() {
                pg_sys::pfree(varlena.cast());
            }
            bytes
        }
    }
}

/// Makes flattened copies of tuples that have needed values out of line.
pub struct Flattener {
    descriptor: pg_sys::TupleDesc,
    attributes: Vec<Attribute>,
    /// By attribute index: whether its value is needed.
    needed: Vec<bool>,
    /// Indexes of needed attributes that can be out of line.
    external: Vec<usize>,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
    context: pg_sys::MemoryContext,
}

/// A flattened tuple; its bytes live until the next call of [`Flattener::flatten`].
pub struct FlatTuple<'a> {
    bytes: &'a [u8],
}

impl FlatTuple<'_> {
    /// HeapTupleHeader and data.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }
}

impl Flattener {
    /// For the needed columns `attnums`; None if none of them can be out of line.
    pub fn new(descriptor: pg_sys::TupleDesc, attnums: &[i16]) -> Option<Self> {
        // SAFETY: the descriptor belongs to a relation that the query keeps open.
        let atts: Vec<_> = unsafe { attributes(descriptor) }.collect();
        let mut needed = vec![false; atts.len()];
        for &attnum in attnums {
            *needed.get_mut(usize::try_from(attnum).ok()?.checked_sub(1)?)? = true;
        }
        let can_be_external = |index: &usize| atts[*index].attlen == -1 && atts[*index].attstorage as u8 != b'p';
        let external: Vec<_> = (0..atts.len()).filter(|&index| needed[index]).filter(can_be_external).collect();
        if external.is_empty() {
            return None;
        }
        // SAFETY: main thread; a child of the query's context, which is current while a feed begins, so it goes with it.
        let context = unsafe {
            pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"pg_fusion flattened tuple".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            )
        };
        let count = atts.len();
        Some(Self {
            descriptor,
            attributes: atts.iter().copied().map(attribute_of).collect(),
            needed,
            external,
            values: vec![pg_sys::Datum::from(0); count],
            nulls: vec![true; count],
            context,
        })
    }

    /// The tuple with its needed values in line and the others NULL; None where no needed value is out of line, or it is not sound.
    pub fn flatten(&mut self, tuple: &pg_sys::HeapTupleData) -> Option<FlatTuple<'_>> {
        const HEAP_HASEXTERNAL: u16 = 0x0004;
        // SAFETY: the tuple is on a pinned page and belongs to `descriptor`; values and nulls have natts entries. What is palloc'd
        // goes to our own context, reset before each tuple.
        unsafe {
            if (*tuple.t_data).t_infomask & HEAP_HASEXTERNAL == 0 {
                return None;
            }
            let bytes = std::slice::from_raw_parts(tuple.t_data.cast_const().cast(), tuple.t_len as usize);
            if !is_sound(bytes, &self.attributes) {
                return None;
            }
            pg_sys::MemoryContextReset(self.context);
            let old = pg_sys::MemoryContextSwitchTo(self.context);
            let mut source = *tuple;
            pg_sys::heap_deform_tuple(&mut source, self.descriptor, self.values.as_mut_ptr(), self.nulls.as_mut_ptr());
            let mut any = false;
            for &index in &self.external {
                if self.nulls[index] {
                    continue;
                }
                let varlena: *mut pg_sys::varlena = self.values[index].cast_mut_ptr();
                if pgrx::varatt_is_1b_e(varlena) {
                    self.values[index] = pg_sys::Datum::from(pg_sys::detoast_external_attr(varlena));
                    any = true;
                }
            }
            let flat = any.then(|| {
                for (is_null, needed) in self.nulls.iter_mut().zip(&self.needed) {
                    *is_null |= !needed;
                }
                pg_sys::heap_form_tuple(self.descriptor, self.values.as_mut_ptr(), self.nulls.as_mut_ptr())
            });
            pg_sys::MemoryContextSwitchTo(old);
            flat.map(|flat| FlatTuple {
                bytes: std::slice::from_raw_parts((*flat).t_data.cast_const().cast(), (*flat).t_len as usize),
            })
        }
    }
}

/// Whether a slot holds no row.
///
/// # Safety
/// `slot` is a valid slot.
pub unsafe fn is_empty(slot: *mut pg_sys::TupleTableSlot) -> bool {
    // SAFETY: as the caller's.
    unsafe { (*slot).tts_flags & pg_sys::TTS_FLAG_EMPTY as u16 != 0 }
}

/// Rows that have gone out and may be wanted again, in memory up to `work_mem`, then on disk.
pub struct KeptRows {
    store: *mut pg_sys::Tuplestorestate,
    /// What is read again comes from here.
    reading: bool,
    /// All rows are here.
    pub complete: bool,
}

impl KeptRows {
    /// None yet. The current memory context and resource owner are those of the query.
    pub fn new() -> Self {
        // SAFETY: a fresh store, which memory context and resource owner free if `end` does not come.
        let store = unsafe { pg_sys::tuplestore_begin_heap(false, false, pg_sys::work_mem) };
        Self { store, reading: false, complete: false }
    }

    /// The next row that is kept, if one is to be read again.
    pub fn next(&mut self, slot: &ResultSlot) -> Option<*mut pg_sys::TupleTableSlot> {
        // SAFETY: a store that has not ended, and a slot over MinimalTuples, which stays valid until it is used again.
        self.reading = self.reading && unsafe { pg_sys::tuplestore_gettupleslot(self.store, true, false, slot.0) };
        self.reading.then_some(slot.0)
    }

    /// Keeps a row.
    ///
    /// # Safety
    /// `slot` holds one.
    pub unsafe fn keep(&mut self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: as the caller's; the store has not ended.
        unsafe { pg_sys::tuplestore_puttupleslot(self.store, slot) }
    }

    /// Begins anew with the first row.
    pub fn rewind(&mut self) {
        // SAFETY: a store that has not ended.
        unsafe { pg_sys::tuplestore_rescan(self.store) };
        self.reading = true;
    }

    /// Frees them.
    pub fn end(self) {
        // SAFETY: a store that has not ended.
        unsafe { pg_sys::tuplestore_end(self.store) }
    }
}

/// A slot over MinimalTuples that lie elsewhere.
pub struct ResultSlot(*mut pg_sys::TupleTableSlot);

impl ResultSlot {
    /// A slot of the scan's result descriptor, which the executor frees with its others.
    ///
    /// # Safety
    /// `estate` is the running executor state; `descriptor` lives as long as it.
    pub unsafe fn new(estate: *mut pg_sys::EState, descriptor: pg_sys::TupleDesc) -> Self {
        // SAFETY: as the caller's.
        Self(unsafe { pg_sys::ExecInitExtraTupleSlot(estate, descriptor, &raw const pg_sys::TTSOpsMinimalTuple) })
    }

    /// Points the slot at the MinimalTuple at `tuple`.
    ///
    /// # Safety
    /// The tuple was checked against the slot's descriptor, is MAXALIGNed, and stays until the slot is stored to or cleared again.
    pub unsafe fn store(&self, tuple: *const u8) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: as the caller's; shouldFree is false, so PostgreSQL never writes or frees it.
        unsafe { pg_sys::ExecStoreMinimalTuple(tuple.cast_mut().cast(), self.0, false) }
    }

    /// Empties the slot, as at the end of the rows.
    pub fn clear(&self) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: ExecClearTuple: calls the slot's own clear through its ops.
        unsafe {
            if let Some(clear) = (*(*self.0).tts_ops).clear {
                clear(self.0);
            }
            self.0
        }
    }
}
