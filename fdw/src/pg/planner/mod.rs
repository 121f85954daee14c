//! The planner's structures, by what is done with them.
//!
//! | file | holds |
//! | --- | --- |
//! | [`hook`] | the planner hook, the next planner |
//! | [`tree`] | query trees, before planning |
//! | [`base`] | a base relation, during planning |
//! | [`node`] | expressions and nodes of a finished plan |

mod base;
mod hook;
mod node;
mod tree;

pub use base::*;
pub use hook::*;
pub use node::*;
pub use tree::*;
