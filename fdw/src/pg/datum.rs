//! Bytes of datums.

use std::marker::PhantomData;

use pgrx::pg_sys;

/// A datum that is not NULL, with what is needed to read it.
///
/// Invariant: the datum is of a type with this `typlen` and `typbyval`, and what it points to lives for `'q`.
#[derive(Clone, Copy)]
pub struct TypedDatum<'q> {
    datum: pg_sys::Datum,
    length: i16,
    by_value: bool,
    memory: PhantomData<&'q u8>,
}

impl<'q> TypedDatum<'q> {
    /// # Safety
    /// As the type's invariant says.
    pub unsafe fn new(datum: pg_sys::Datum, length: i16, by_value: bool) -> Self {
        Self { datum, length, by_value, memory: PhantomData }
    }

    /// The datum's bits: the value of a type passed by value, in its low bytes.
    pub fn bits(self) -> u64 {
        self.datum.value() as u64
    }

    /// Whether it is a varlena.
    pub fn is_varlena(self) -> bool {
        self.length == -1
    }

    /// A varlena's payload, detoasted and decompressed; another type's `typlen` bytes as stored. None for a C string.
    pub fn bytes(self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.length).unwrap_or(0);
        if self.is_varlena() {
            // SAFETY: a valid varlena datum; the detoasted one is read before anything can free it.
            return Some(unsafe {
                let packed = pg_sys::pg_detoast_datum_packed(self.datum.cast_mut_ptr());
                pgrx::varlena_to_byte_slice(packed).to_vec()
            });
        }
        if self.by_value {
            return self.bits().to_ne_bytes().get(..length).map(<[u8]>::to_vec);
        }
        if length == 0 {
            return None;
        }
        // SAFETY: a datum passed by reference of fixed length points to that many bytes.
        Some(unsafe { std::slice::from_raw_parts(self.datum.cast_mut_ptr::<u8>(), length) }.to_vec())
    }

    /// The elements of an array datum, all dimensions in one, with NULLs. `element` is the element type's OID.
    ///
    /// # Safety
    /// The datum is an array of that element type.
    pub unsafe fn array_elements(self, element: fusion_common::Oid) -> Vec<Option<TypedDatum<'q>>> {
        let element = pg_sys::Oid::from(element);
        let (mut length, mut by_value, mut align) = (0, false, 0);
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        // SAFETY: the datum is a valid array of `element`; the out-parameters live during the calls, and the arrays
        // that come back have `count` entries in the current memory context.
        unsafe {
            pg_sys::get_typlenbyvalalign(element, &raw mut length, &raw mut by_value, &raw mut align);
            let array = pg_sys::pg_detoast_datum(self.datum.cast_mut_ptr());
            pg_sys::deconstruct_array(
                array.cast(),
                element,
                i32::from(length),
                by_value,
                align,
                &raw mut values,
                &raw mut nulls,
                &raw mut count,
            );
            (0..usize::try_from(count).unwrap_or(0))
                .map(|i| (!*nulls.add(i)).then(|| TypedDatum::new(*values.add(i), length, by_value)))
                .collect()
        }
    }
}
