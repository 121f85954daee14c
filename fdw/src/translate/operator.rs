//! Which comparison is this built-in operator?
//!
//! By the OIDs of the functions behind the operators of the default btree families (and their `<>`), the same in 15 to 18: what
//! is not here is not a comparison that the engine knows. `date` and `timestamp` against `timestamptz` depend on the session's
//! time zone and are left out on purpose; so are `name` and the `*_pattern_ops` families.

use fusion_common::{ColumnType, Oid};
use fusion_proto::plan::CompareOp;

/// The comparison that a function of pg_proc makes.
pub(super) fn comparison(function: Oid) -> Option<CompareOp> {
    Some(match function {
        // bool, integers, floats, numeric, text, bpchar, date and timestamp, timestamptz: one line each.
        60 => CompareOp::Eq,
        63 | 65 | 158 | 159 | 467 | 474 | 852 | 1850 | 1856 => CompareOp::Eq,
        287 | 293 | 299 | 305 => CompareOp::Eq,
        1718 => CompareOp::Eq,
        67 => CompareOp::Eq,
        1048 => CompareOp::Eq,
        1086 | 2052 | 2340 | 2366 => CompareOp::Eq,
        1152 => CompareOp::Eq,

        84 => CompareOp::Ne,
        144 | 145 | 164 | 165 | 468 | 475 | 853 | 1851 | 1857 => CompareOp::Ne,
        288 | 294 | 300 | 306 => CompareOp::Ne,
        1719 => CompareOp::Ne,
        157 => CompareOp::Ne,
        1053 => CompareOp::Ne,
        1091 | 2053 | 2343 | 2369 => CompareOp::Ne,
        1153 => CompareOp::Ne,

        56 => CompareOp::Lt,
        64 | 66 | 160 | 161 | 469 | 476 | 854 | 1852 | 1858 => CompareOp::Lt,
        289 | 295 | 301 | 307 => CompareOp::Lt,
        1722 => CompareOp::Lt,
        740 => CompareOp::Lt,
        1049 => CompareOp::Lt,
        1087 | 2054 | 2338 | 2364 => CompareOp::Lt,
        1154 => CompareOp::Lt,

        1691 => CompareOp::Le,
        148 | 149 | 166 | 167 | 471 | 478 | 856 | 1854 | 1860 => CompareOp::Le,
        290 | 296 | 302 | 308 => CompareOp::Le,
        1723 => CompareOp::Le,
        741 => CompareOp::Le,
        1050 => CompareOp::Le,
        1088 | 2055 | 2339 | 2365 => CompareOp::Le,
        1155 => CompareOp::Le,

        57 => CompareOp::Gt,
        146 | 147 | 162 | 163 | 470 | 477 | 855 | 1853 | 1859 => CompareOp::Gt,
        291 | 297 | 303 | 309 => CompareOp::Gt,
        1720 => CompareOp::Gt,
        742 => CompareOp::Gt,
        1051 => CompareOp::Gt,
        1089 | 2057 | 2341 | 2367 => CompareOp::Gt,
        1157 => CompareOp::Gt,

        1692 => CompareOp::Ge,
        150 | 151 | 168 | 169 | 472 | 479 | 857 | 1855 | 1861 => CompareOp::Ge,
        292 | 298 | 304 | 310 => CompareOp::Ge,
        1721 => CompareOp::Ge,
        743 => CompareOp::Ge,
        1052 => CompareOp::Ge,
        1090 | 2056 | 2342 | 2368 => CompareOp::Ge,
        1156 => CompareOp::Ge,
        _ => return None,
    })
}

/// The equality that a function of pg_proc tells of a `name` and a text: `nameeqtext`, `texteqname`, `namenetext`, `textnename`. It is that of the
/// two as texts.
pub(super) fn name_equality(function: Oid) -> Option<CompareOp> {
    match function {
        240 | 247 => Some(CompareOp::Eq),
        245 | 252 => Some(CompareOp::Ne),
        _ => None,
    }
}

/// Whether the engine compares values held so with each other.
pub(super) fn is_comparable_with(left: ColumnType, right: ColumnType) -> bool {
    class(left).is_some() && class(left) == class(right)
}

/// Values of one class are compared with each other.
fn class(held: ColumnType) -> Option<u8> {
    Some(match held {
        ColumnType::Bool => 0,
        ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 => 1,
        ColumnType::Float4 | ColumnType::Float8 => 2,
        ColumnType::Numeric { .. } | ColumnType::NumericVar => 3,
        ColumnType::Text => 4,
        ColumnType::Bpchar { .. } => 5,
        ColumnType::Date | ColumnType::Timestamp => 6,
        ColumnType::Timestamptz => 7,
        ColumnType::Opaque => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_do_not_mix() {
        let price = ColumnType::Numeric { precision: 15, scale: 2 };
        assert!(is_comparable_with(ColumnType::Int2, ColumnType::Int8));
        assert!(is_comparable_with(price, ColumnType::NumericVar));
        assert!(is_comparable_with(ColumnType::Date, ColumnType::Timestamp));
        assert!(!is_comparable_with(ColumnType::Date, ColumnType::Timestamptz));
        assert!(!is_comparable_with(ColumnType::Int4, ColumnType::Float8));
        assert!(!is_comparable_with(ColumnType::Text, ColumnType::Bpchar { length: 3 }));
        assert!(!is_comparable_with(ColumnType::Opaque, ColumnType::Opaque));
    }

    #[test]
    fn timestamptz_is_not_compared_across_types() {
        for function in [2351, 2353, 2377, 2379, 2520, 2522, 2527, 2529] {
            assert_eq!(comparison(function), None);
        }
        assert_eq!(comparison(2338), Some(CompareOp::Lt));
    }
}
