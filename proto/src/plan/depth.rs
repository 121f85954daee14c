//! Plans, expressions and values are trees: how deep one may be that comes from outside.
//!
//! Invariant: decoding takes a bounded part of the stack, whatever the bytes are. (So do dropping, printing and lowering what was decoded.)

use super::{Expr, Rel, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::cell::Cell;

/// Deepest nesting that is decoded. The translation makes no plan so deep, and the engine refuses shallower ones with an error of their own.
pub const MAX_DECODED_DEPTH: usize = 600;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// A level that is being decoded.
struct Level;

impl Level {
    fn enter<E: de::Error>() -> Result<Self, E> {
        let depth = DEPTH.get() + 1;
        if depth > MAX_DECODED_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DECODED_DEPTH} levels")));
        }
        DEPTH.set(depth);
        Ok(Self)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Counts levels around the derived functions, which `#[serde(remote = "Self")]` makes inherent.
macro_rules! bounded {
    ($($tree:ty),*) => {$(
        impl Serialize for $tree {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                <$tree>::serialize(self, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $tree {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let _level = Level::enter()?;
                <$tree>::deserialize(deserializer)
            }
        }
    )*};
}

bounded!(Expr, Rel, Value);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use crate::plan::ExprKind;
    use fusion_common::TypeRef;

    #[test]
    fn only_so_deep_trees_are_decoded() {
        let not = |arg| Expr { ty: TypeRef::plain(16), kind: ExprKind::Not(Box::new(arg)) };
        let deep = |levels| {
            let column = Expr { ty: TypeRef::plain(16), kind: ExprKind::Column(0) };
            (1..levels).fold(column, |arg, _| not(arg))
        };
        let good = deep(MAX_DECODED_DEPTH);
        assert_eq!(codec::from_bytes::<Expr>(&codec::to_bytes(&good).unwrap()).unwrap(), good);
        let bytes = codec::to_bytes(&deep(MAX_DECODED_DEPTH + 1)).unwrap();
        assert!(codec::from_bytes::<Expr>(&bytes).is_err());
        assert_eq!(DEPTH.get(), 0);
    }

    #[test]
    fn bytes_that_never_stop_nesting_are_an_error_and_no_overflow() {
        let one = Expr {
            ty: TypeRef::plain(16),
            kind: ExprKind::Not(Box::new(Expr { ty: TypeRef::plain(16), kind: ExprKind::Column(0) })),
        };
        let level = codec::to_bytes(&one).unwrap();
        let prefix = &level[..level.len() / 2];
        assert!(codec::from_bytes::<Expr>(&prefix.repeat(1_000_000)).is_err());
    }
}
