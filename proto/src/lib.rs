//! Everything that crosses the border between a backend and the engine.
//!
//! | module | is |
//! | --- | --- |
//! | [`plan`] | the plan IR: a small typed algebra with PostgreSQL's meaning |
//! | [`message`] | what is said on the socket, and who owns a frame after it |
//! | [`codec`] | length-prefixed framing of messages over a byte stream |
//! | [`segment`] | the shared-memory file of frames, and handing its descriptor over |
//! | [`page_frame`] | heap pages on their way to the engine |
//! | [`tuple_frame`] | MinimalTuples on their way to the backend |
//!
//! Invariant: bytes become types here, once. Whoever holds a value of these types may trust its shape.

pub mod codec;
pub mod error;
pub mod message;
pub mod page_frame;
pub mod plan;
pub mod segment;
pub mod tuple_frame;

pub use error::{Error, Result};

/// Version of the messages and layouts. Backend and engine of different versions refuse each other.
pub const PROTOCOL_VERSION: u32 = 2;

/// Socket of the engine, relative to the data directory.
pub const SOCKET_PATH: &str = "pg_fusion/engine.sock";

/// Folder of the socket, relative to the data directory; mode 0700.
pub const SOCKET_FOLDER: &str = "pg_fusion";

/// Identity of this build: two programs talk only when it is the same.
pub const BUILD_ID: &str = env!("CARGO_PKG_VERSION");
