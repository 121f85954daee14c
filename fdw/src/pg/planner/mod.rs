//! The planner's structures, by what is done with them.
//!
//! | file | holds |
//! | --- | --- |
//! | [`hook`] | the planner hook, the next planner |
//! | [`tree`] | query trees, before planning |
//! | [`base`] | a base relation, during planning |
//! | [`insert`] | the SELECT of an INSERT, and what ModifyTable has below it |
//! | [`part`] | parts of a query, and what stands for them while the rest is planned |
//! | [`with`] | WITH queries, in the place of the references to them |
//! | [`graft`] | other plans in the place of these parts |
//! | [`estimate`] | a finished plan's estimates |
//! | [`node`] | expressions and nodes of a finished plan |

mod base;
mod estimate;
mod graft;
mod hook;
mod insert;
mod node;
mod part;
mod tree;
mod with;

pub use base::*;
pub use estimate::*;
pub use graft::*;
pub use hook::*;
pub use insert::*;
pub use node::*;
pub use part::*;
pub use tree::*;
pub use with::*;
