//! Line pointers: the array at the head of a page that says where each tuple lies (`ItemIdData` of itemid.h).
//!
//! ```text
//!   31            17 16 15 14             0
//!  ┌────────────────┬─────┬────────────────┐
//!  │ length, bytes  │flags│ offset on page │
//!  └────────────────┴─────┴────────────────┘
//! ```
//! Invariant: a `LinePointer` is just the bits; [`crate::Page::tuple`] checks them against the page.

/// What a line pointer stands for (`LP_*` of itemid.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinePointerKind {
    /// Free for reuse.
    Unused,
    /// A tuple.
    Normal,
    /// The head of a HOT chain that lies at another offset number.
    Redirect,
    /// A tuple that is gone.
    Dead,
}

/// One line pointer, 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinePointer(pub u32);

impl LinePointer {
    /// Size on the page, bytes.
    pub const SIZE: usize = 4;

    /// `LP_NORMAL` where the flags stand.
    pub(crate) const NORMAL_BITS: u32 = 1 << 15;
    /// All bits of the flags.
    pub(crate) const FLAG_BITS: u32 = 3 << 15;

    /// Packs the three parts; for building pages in tests.
    pub const fn new(offset: u16, kind: LinePointerKind, length: u16) -> Self {
        let flags = match kind {
            LinePointerKind::Unused => 0,
            LinePointerKind::Normal => 1,
            LinePointerKind::Redirect => 2,
            LinePointerKind::Dead => 3,
        };
        Self((offset as u32 & 0x7fff) | (flags << 15) | ((length as u32 & 0x7fff) << 17))
    }

    /// Offset of the tuple on the page, bytes (of a redirect: an offset number).
    #[inline(always)]
    pub const fn offset(self) -> usize {
        (self.0 & 0x7fff) as usize
    }

    /// Length of the tuple, bytes.
    #[inline(always)]
    pub const fn length(self) -> usize {
        (self.0 >> 17) as usize
    }

    /// What it stands for.
    pub const fn kind(self) -> LinePointerKind {
        match (self.0 >> 15) & 3 {
            0 => LinePointerKind::Unused,
            1 => LinePointerKind::Normal,
            2 => LinePointerKind::Redirect,
            _ => LinePointerKind::Dead,
        }
    }

    /// Whether it points to a tuple.
    #[inline(always)]
    pub const fn is_normal(self) -> bool {
        self.0 & Self::FLAG_BITS == Self::NORMAL_BITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_round_trip() {
        for kind in [LinePointerKind::Unused, LinePointerKind::Normal, LinePointerKind::Redirect, LinePointerKind::Dead]
        {
            let pointer = LinePointer::new(8168, kind, 24);
            assert_eq!((pointer.offset(), pointer.kind(), pointer.length()), (8168, kind, 24));
            assert_eq!(pointer.is_normal(), kind == LinePointerKind::Normal);
        }
    }
}
