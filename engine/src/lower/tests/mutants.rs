//! The plans of the other tests with some bytes changed: what no backend sends is refused, or gives rows that nobody asked for, but breaks nothing.
//!
//! Which mutants a plan has depends on the plan alone. `FUSION_MUTANTS=5000` makes more of them than [`MUTANTS`].

use super::build::{Table, limited, run_within};
use fusion_proto::codec;
use fusion_proto::plan::{Plan, Value};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Mutants of a plan.
const MUTANTS: u64 = 16;
/// Bytes that are changed at most.
const MOST_CHANGES: u64 = 3;
/// Memory of a mutant, bytes.
const MEMORY: usize = 64 << 20;

/// Lowers and runs mutants of `plan`.
pub fn check(tables: &[&Table], plan: &Plan, params: &[Option<Value>]) {
    let bytes = codec::to_bytes(plan).unwrap();
    let count = std::env::var("FUSION_MUTANTS").ok().and_then(|count| count.parse().ok()).unwrap_or(MUTANTS);
    for number in 0..count {
        let mutant = mutant(&bytes, number);
        let Ok(plan) = codec::from_bytes::<Plan>(&mutant) else { continue };
        let run = catch_unwind(AssertUnwindSafe(|| run_within(limited(MEMORY), tables, &plan, params)));
        assert!(run.is_ok(), "mutant {number} panics: {}", plan.describe(true));
    }
}

/// `bytes`, of which up to [`MOST_CHANGES`] are another, are there twice, or are missing.
fn mutant(bytes: &[u8], number: u64) -> Vec<u8> {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let mut state = hasher.finish() ^ number;
    let mut random = |below: u64| {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    };
    let mut mutant = bytes.to_vec();
    for _ in 0..=random(MOST_CHANGES) {
        let at = random(mutant.len() as u64) as usize;
        match random(8) {
            0 => mutant.insert(at, mutant[at]),
            1 if mutant.len() > 1 => drop(mutant.remove(at)),
            // Most numbers of a plan are small: kinds, columns, types of the same kind.
            2..=4 => mutant[at] = mutant[at].wrapping_add(random(5) as u8).wrapping_sub(2),
            _ => mutant[at] = random(256) as u8,
        }
    }
    mutant
}
