//! The planner's structures, by what is done with them.
//!
//! | file | holds |
//! | --- | --- |
//! | [`hook`] | the planner hook, the next planner |
//! | [`tree`] | query trees, before planning |
//! | [`base`] | a base relation, during planning |
//! | [`insert`] | the SELECT of an INSERT, and what ModifyTable has below it |
//! | [`estimate`] | a finished plan's estimates |
//! | [`node`] | expressions and nodes of a finished plan |

mod base;
mod estimate;
mod hook;
mod insert;
mod node;
mod tree;

pub use base::*;
pub use estimate::*;
pub use hook::*;
pub use insert::*;
pub use node::*;
pub use tree::*;
