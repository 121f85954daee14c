//! All visible tuples of one page, walked attribute by attribute: where each needed value lies.
//!
//! For one attribute the walk runs over all tuples before it goes to the next attribute, so that each loop does one thing,
//! without a dispatch per value and with the tuples' work independent of each other. The result for one attribute is one
//! slot per tuple; `builder` turns the slots of one column into values.
//!
//! ```text
//!   31          16 15           0
//!  ┌──────────────┬──────────────┐
//!  │ length       │ offset       │   payload on the page; offset + length <= 8192
//!  │ 0            │ 0xffff       │   NULL
//!  │ 1            │ 0xffff       │   absent: out of line, of a row that need not have a value
//!  │ entry        │ 0xfffe       │   elsewhere: entry of `Side` (decompressed, flattened or missing value)
//!  └──────────────┴──────────────┘
//! ```
//! Invariants, for each row: `next <= end <= 8192` before and after each attribute; `end` is the end of its tuple, inside
//! of the page. A slot is handed on only after the attribute's end was compared with `end` for all rows.

use crate::compress::Compressed;
use crate::deform::{Datum, deform};
use crate::descriptor::{Layout, Step};
use crate::error::{Error, Result};
use crate::page::{Page, PageBytes};
use crate::toast::Flattened;
use crate::tuple::{BAD_HEADER, TUPLE_HEADER_MIN, TUPLE_HEADER_SIZE, Tuple, TupleFacts};
use crate::varlena::{self, BEYOND_TUPLE, Varlena};
use fusion_common::limits::{BLOCK_SIZE, MAX_HEAP_TUPLES_PER_PAGE};
use std::ops::Range;

/// A value's place; see the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u32);

impl Slot {
    pub(crate) const NULL: Self = Self(0xffff);
    const ABSENT: Self = Self(0xffff | 1 << 16);
    const SIDE: u32 = 0xfffe;

    #[inline(always)]
    pub(crate) fn on_page(offset: u32, length: u32) -> Self {
        Self(offset | length << 16)
    }

    /// Offset on the page; above 8192 for a special slot.
    #[inline(always)]
    pub(crate) fn offset(self) -> usize {
        (self.0 & 0xffff) as usize
    }

    /// Length of the payload, bytes.
    #[inline(always)]
    pub(crate) fn length(self) -> usize {
        (self.0 >> 16) as usize
    }

    #[inline(always)]
    pub(crate) fn is_special(self) -> bool {
        self.offset() >= Self::SIDE as usize
    }
}

/// Values of one column that do not lie on the page as they are.
#[derive(Default)]
pub(crate) struct Side<'a> {
    entries: Vec<Entry<'a>>,
    /// Decompressed payloads.
    arena: Vec<u8>,
}

enum Entry<'a> {
    Slice(&'a [u8]),
    Arena(Range<usize>),
}

impl<'a> Side<'a> {
    fn clear(&mut self) {
        self.entries.clear();
        self.arena.clear();
    }

    fn push(&mut self, entry: Entry<'a>) -> Slot {
        // At most one entry per row, and one for the missing value.
        debug_assert!(self.entries.len() <= MAX_HEAP_TUPLES_PER_PAGE);
        self.entries.push(entry);
        Slot(Slot::SIDE | (self.entries.len() as u32 - 1) << 16)
    }

    fn decompress(&mut self, value: Compressed<'_>) -> Result<Slot> {
        let start = self.arena.len();
        value.decompress(&mut self.arena)?;
        Ok(self.push(Entry::Arena(start..self.arena.len())))
    }

    fn datum(&mut self, datum: Datum<'a>) -> Result<Slot> {
        match datum {
            Datum::Null => Ok(Slot::NULL),
            Datum::Bytes(bytes) => Ok(self.push(Entry::Slice(bytes))),
            Datum::Compressed(value) => self.decompress(value),
        }
    }

    /// The bytes of a special slot; None: NULL, or absent.
    pub(crate) fn get(&self, slot: Slot) -> Option<&[u8]> {
        debug_assert!(slot.is_special());
        if slot.offset() == Slot::NULL.offset() {
            return None;
        }
        match self.entries.get(slot.length())? {
            Entry::Slice(bytes) => Some(bytes),
            Entry::Arena(range) => self.arena.get(range.clone()),
        }
    }
}

const ROWS: usize = MAX_HEAP_TUPLES_PER_PAGE;

/// The walk's state: what is known of each row.
pub(crate) struct Walk {
    count: usize,
    /// Whether no row has NULLs, lacks attributes, or is flattened.
    plain: bool,
    /// Whether a row lacks a value that it need not have.
    absent: bool,
    /// Offset on the page of the attribute to come.
    next: [u32; ROWS],
    /// End of the tuple on the page.
    end: [u32; ROWS],
    offset_numbers: [u16; ROWS],
    natts: [u16; ROWS],
    /// Offset on the page of the null bitmap; 0: no NULLs.
    bitmap: [u16; ROWS],
    /// Index of the flattened tuple that stands in, plus 1; 0: none.
    flattened: [u32; ROWS],
    slots: [Slot; ROWS],
}

/// One column of one page, ready to be decoded.
pub(crate) struct ColumnSlots<'s, 'a> {
    pub(crate) page: &'a PageBytes,
    pub(crate) slots: &'s [Slot],
    pub(crate) offset_numbers: &'s [u16],
    /// Given if some slots are special.
    pub(crate) side: Option<&'s Side<'a>>,
    /// Rows that must have a value.
    pub(crate) must: Must<'s>,
}

/// Which of the rows that are decoded must have a value: where nobody sees a row, its value may be gone from the TOAST table, or be one
/// that the representation does not have.
#[derive(Clone, Copy)]
pub(crate) enum Must<'a> {
    All,
    /// Those whose bit is set: `i % 64` of word `i / 64` for offset number `i + 1`.
    Only(&'a [u64]),
}

impl Must<'_> {
    /// Whether the row at an offset number must have a value.
    pub(crate) fn holds(self, offset_number: u16) -> bool {
        match self {
            Self::All => true,
            Self::Only(bitmap) => {
                let index = usize::from(offset_number).wrapping_sub(1);
                bitmap.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
            }
        }
    }
}

#[inline(always)]
fn byte_at(page: &PageBytes, offset: u32) -> u8 {
    page[offset as usize & (BLOCK_SIZE - 1)]
}

impl Walk {
    pub(crate) fn new() -> Box<Self> {
        Box::new(Self {
            count: 0,
            plain: true,
            absent: false,
            next: [0; ROWS],
            end: [0; ROWS],
            offset_numbers: [0; ROWS],
            natts: [0; ROWS],
            bitmap: [0; ROWS],
            flattened: [0; ROWS],
            slots: [Slot::NULL; ROWS],
        })
    }

    /// Goes through the tuples of a page at `rows` and hands each needed column's slots to `take`, which says whether values are absent.
    /// Returns the number of rows, and whether any value is absent.
    pub(crate) fn run<'a>(
        &mut self,
        layout: &'a Layout,
        page: &Page<'a>,
        rows: &[u64],
        must: Must<'_>,
        flattened: &[Flattened<'a>],
        mut take: impl FnMut(usize, ColumnSlots<'_, 'a>) -> Result<bool>,
    ) -> Result<(usize, bool)> {
        self.gather(page, rows, flattened, layout.steps().len())?;
        self.absent = false;
        let datums = self.deform_flattened(layout, flattened)?;
        let mut side = Side::default();
        let fixed = if self.plain { self.skip_fixed(layout)? } else { 0 };
        for (attribute, step) in layout.steps().iter().enumerate() {
            let attnum = attribute as u16 + 1;
            side.clear();
            let special = if attribute < fixed {
                if step.column.is_some() {
                    self.place_fixed(layout, step);
                }
                Ok(false)
            } else if self.plain {
                self.advance(page.bytes(), step, must, &mut side)
            } else {
                let missing = step.column.and_then(|column| layout.missing(column));
                let columns = layout.columns().len();
                self.advance_mixed(page.bytes(), attribute, step, missing, must, (&datums, columns), &mut side)
            };
            let special = special.map_err(|error| error.at_attribute(attnum))?;
            if let Some(column) = step.column {
                let slots = ColumnSlots {
                    page: page.bytes(),
                    slots: self.slots.get(..self.count).unwrap_or_default(),
                    offset_numbers: self.offset_numbers.get(..self.count).unwrap_or_default(),
                    side: special.then_some(&side),
                    must,
                };
                self.absent |= take(column, slots).map_err(|error| error.at_attribute(attnum))?;
            }
        }
        Ok((self.count, self.absent))
    }

    /// Looks at the slot of a needed column: one that is out of line is an error where the row must have a value.
    fn check_absent(&mut self, row: usize, slot: Slot, must: Must<'_>) -> Result<()> {
        if slot == Slot::ABSENT {
            let offset_number = self.offset_numbers[row];
            if must.holds(offset_number) {
                return Err(Error::out_of_line().at_offset_number(offset_number));
            }
            self.absent = true;
        }
        Ok(())
    }

    /// Reads the visible line pointers and tuple headers; `needed` is the number of attributes to walk over.
    fn gather(&mut self, page: &Page<'_>, visible: &[u64], flattened: &[Flattened<'_>], needed: usize) -> Result<()> {
        let mut plain = true;
        let mut count = 0;
        for (i, &word) in visible.iter().enumerate() {
            let mut word = word;
            while word != 0 {
                let bit = i * 64 + word.trailing_zeros() as usize;
                word &= word - 1;
                let offset_number = u16::try_from(bit + 1).unwrap_or(u16::MAX);
                let pointer = page.line_pointer(offset_number).filter(|p| p.is_normal() && page.holds(*p));
                let Some(pointer) = pointer else {
                    return Err(page.fault(offset_number).unwrap_or_else(|| Error::corrupt("")));
                };
                let stand_in = match flattened {
                    [] => None,
                    some => some.iter().position(|tuple| tuple.offset_number == offset_number),
                };
                let (offset, length) = (pointer.offset(), pointer.length());
                let header = page.bytes().get(offset + TUPLE_HEADER_MIN - 8..).and_then(|rest| rest.first_chunk());
                let facts = TupleFacts::from_word(header.copied().unwrap_or_default());
                if !facts.fit(length) && stand_in.is_none() {
                    return Err(Error::corrupt(BAD_HEADER).at_offset_number(offset_number));
                }
                // `Page` has at most ROWS line pointers, and each is visited once at most.
                debug_assert!(count < ROWS);
                self.next[count] = offset as u32 + u32::from(facts.hoff);
                self.end[count] = (offset + length) as u32;
                self.offset_numbers[count] = offset_number;
                self.natts[count] = facts.natts;
                self.bitmap[count] = if facts.has_nulls { (offset + TUPLE_HEADER_SIZE) as u16 } else { 0 };
                self.flattened[count] = stand_in.map_or(0, |index| index as u32 + 1);
                plain &= !facts.has_nulls & (usize::from(facts.natts) >= needed) & stand_in.is_none();
                count += 1;
            }
        }
        (self.count, self.plain) = (count, plain);
        Ok(())
    }

    /// The needed columns of the flattened tuples, tuple by tuple; nothing if no visible tuple is flattened.
    fn deform_flattened<'a>(&self, layout: &'a Layout, flattened: &[Flattened<'a>]) -> Result<Vec<Datum<'a>>> {
        if flattened.is_empty() {
            return Ok(Vec::new());
        }
        let columns = layout.columns().len();
        let mut datums = vec![Datum::Null; flattened.len() * columns];
        for (i, tuple) in flattened.iter().enumerate() {
            let row = datums.get_mut(i * columns..(i + 1) * columns).unwrap_or_default();
            Tuple::parse(tuple.tuple)
                .and_then(|tuple| {
                    deform(layout, &tuple, |column, datum| {
                        if let Some(place) = row.get_mut(column) {
                            *place = datum;
                        }
                        Ok(())
                    })
                })
                .map_err(|error| error.at_offset_number(tuple.offset_number))?;
        }
        Ok(datums)
    }

    /// Moves all rows behind the leading attributes that lie at constant offsets; returns how many these are.
    fn skip_fixed(&mut self, layout: &Layout) -> Result<usize> {
        let size = layout.fixed_size();
        let mut beyond = false;
        let count = self.count.min(ROWS);
        let (next, end) = (&mut self.next[..count], &self.end[..count]);
        for row in 0..count {
            next[row] += size;
            beyond |= next[row] > end[row];
        }
        if beyond {
            return Err(self.beyond());
        }
        Ok(layout.fixed())
    }

    /// Slots of an attribute at a constant offset; all rows are behind these attributes already, and were checked.
    fn place_fixed(&mut self, layout: &Layout, step: &Step) {
        let back = layout.fixed_size() - step.offset;
        let length = step.length.unwrap_or(0);
        let count = self.count.min(ROWS);
        let (next, slots) = (&self.next[..count], &mut self.slots[..count]);
        for row in 0..count {
            slots[row] = Slot::on_page(next[row] - back, length);
        }
    }

    /// One attribute that every row has. Returns whether some slots are special.
    fn advance(&mut self, page: &PageBytes, step: &Step, must: Must<'_>, side: &mut Side<'_>) -> Result<bool> {
        let mask = step.align_mask;
        let mut beyond = false;
        let mut special = false;
        // Slices of one length: the loops need no bounds checks, and the first becomes vector code.
        let count = self.count.min(ROWS);
        let (next, end, slots) = (&mut self.next[..count], &self.end[..count], &mut self.slots[..count]);
        if let Some(length) = step.length {
            for row in 0..count {
                let start = (next[row] + mask) & !mask;
                let after = start + length;
                next[row] = after;
                slots[row] = Slot::on_page(start, length);
                beyond |= after > end[row];
            }
        } else {
            for row in 0..count {
                let first = byte_at(page, next[row]);
                let total = u32::from(first >> 1);
                if first & 1 == 1 && total != 0 {
                    slots[row] = Slot::on_page(next[row] + 1, total - 1);
                    let after = next[row] + total;
                    next[row] = after;
                    beyond |= after > end[row];
                } else {
                    let (slot, after) = long_varlena(page, next[row], end[row], mask, step.column.is_some(), side)
                        .map_err(|error| error.at_offset_number(self.offset_numbers[row]))?;
                    slots[row] = slot;
                    next[row] = after;
                    special |= slot.is_special();
                }
            }
        }
        if beyond {
            return Err(self.beyond());
        }
        if special {
            for row in 0..count {
                self.check_absent(row, self.slots[row], must)?;
            }
        }
        Ok(special)
    }

    /// One attribute that rows may lack. Returns whether some slots are special.
    #[expect(clippy::too_many_arguments, reason = "one call, from run")]
    fn advance_mixed<'a>(
        &mut self,
        page: &PageBytes,
        attribute: usize,
        step: &Step,
        missing: Option<&'a [u8]>,
        must: Must<'_>,
        (datums, columns): (&[Datum<'a>], usize),
        side: &mut Side<'a>,
    ) -> Result<bool> {
        let mask = step.align_mask;
        let mut special = false;
        let missing = match missing {
            Some(bytes) if step.column.is_some() => side.push(Entry::Slice(bytes)),
            _ => Slot::NULL,
        };
        for row in 0..self.count {
            let (next, end) = (self.next[row], self.end[row]);
            let at_row = |error: Error| error.at_offset_number(self.offset_numbers[row]);
            let bitmap = u32::from(self.bitmap[row]);
            let mut after = next;
            let slot = if self.flattened[row] != 0 {
                let flat = (self.flattened[row] as usize - 1) * columns;
                match step.column.and_then(|column| datums.get(flat + column)) {
                    Some(&datum) => side.datum(datum).map_err(at_row)?,
                    None => Slot::NULL,
                }
            } else if attribute >= usize::from(self.natts[row]) {
                missing
            } else if bitmap != 0 && byte_at(page, bitmap + attribute as u32 / 8) >> (attribute % 8) & 1 == 0 {
                Slot::NULL
            } else if let Some(length) = step.length {
                let start = (next + mask) & !mask;
                after = start + length;
                Slot::on_page(start, length)
            } else {
                let first = byte_at(page, next);
                if first & 1 == 1 && first != 1 {
                    let total = u32::from(first >> 1);
                    after = next + total;
                    Slot::on_page(next + 1, total - 1)
                } else {
                    let (slot, behind) =
                        long_varlena(page, next, end, mask, step.column.is_some(), side).map_err(at_row)?;
                    after = behind;
                    slot
                }
            };
            if after > end && self.flattened[row] == 0 {
                return Err(at_row(Error::corrupt(BEYOND_TUPLE)));
            }
            special |= slot.is_special();
            self.check_absent(row, slot, must)?;
            self.next[row] = after;
            self.slots[row] = slot;
        }
        Ok(special)
    }

    /// The error of the first row that has gone beyond its tuple.
    #[cold]
    fn beyond(&self) -> Error {
        let rows = self.next.iter().zip(&self.end).zip(&self.offset_numbers).take(self.count);
        let first = rows.into_iter().find(|((next, end), _)| next > end);
        Error::corrupt(BEYOND_TUPLE).at_offset_number(first.map_or(0, |(_, &offset_number)| offset_number))
    }
}

/// A varlena at `next` whose first byte is not a short header's: its slot, and the offset behind it, at most `end`.
#[inline(never)]
fn long_varlena(
    page: &PageBytes,
    next: u32,
    end: u32,
    align_mask: u32,
    needed: bool,
    side: &mut Side<'_>,
) -> Result<(Slot, u32)> {
    let start = varlena::begin(byte_at(page, next), next as usize, align_mask as usize);
    let bytes = page.get(start..end as usize).ok_or_else(|| Error::corrupt(BEYOND_TUPLE))?;
    if !needed {
        // The slot is not looked at, but must not seem special either.
        return Ok((Slot::on_page(0, 0), (start + varlena::total_length(bytes)?) as u32));
    }
    let (value, total) = varlena::parse(bytes)?;
    let after = (start + total) as u32;
    let slot = match value {
        Varlena::Plain(payload) => {
            let length = payload.len() as u32;
            Slot::on_page(after - length, length)
        }
        Varlena::Compressed(compressed) => side.decompress(compressed)?,
        Varlena::External => Slot::ABSENT,
    };
    Ok((slot, after))
}
