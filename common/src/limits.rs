//! The named limits of queues, frames and messages. Reaching one is back-pressure or a clear error.

/// PostgreSQL's page size, bytes (`BLCKSZ`). Servers built with another size are refused at load.
pub const BLOCK_SIZE: usize = 8192;

/// Line pointers that fit on one page (`MaxHeapTuplesPerPage` of htup_details.h, for 8 KiB pages).
pub const MAX_HEAP_TUPLES_PER_PAGE: usize = 291;

/// Words of a bitmap of a page's line pointers.
pub const BITMAP_WORDS: usize = MAX_HEAP_TUPLES_PER_PAGE.div_ceil(64);

/// Attributes of one tuple (`MaxTupleAttributeNumber`).
pub const MAX_TUPLE_ATTRIBUTES: usize = 1664;

/// Size of one frame of the session segment, bytes: 32 page images with their directory, so that a chunk of
/// 128 blocks takes four frames.
pub const FRAME_SIZE: usize = 272 * 1024;

/// Default size of a session segment, bytes (`fusion.session_memory`).
pub const DEFAULT_SESSION_MEMORY: usize = 8 * 1024 * 1024;

/// Frames of the smallest and of the largest session segment.
pub const MIN_SESSION_FRAMES: usize = 8;
/// See [`MIN_SESSION_FRAMES`].
pub const MAX_SESSION_FRAMES: usize = 4096;

/// Largest message on the socket, bytes. A flattened tuple travels in one message when it does not fit in
/// a frame, so this also bounds the widest tuple that the engine can read; wider ones run natively.
pub const MAX_MESSAGE_SIZE: usize = 64 * 1024 * 1024;

/// Blocks of one `ReadRange`: the unit of work between partitions, and of the column cache.
pub const CHUNK_BLOCKS: u32 = 128;

/// Heap blocks whose bits one page of the visibility map holds (`HEAPBLOCKS_PER_PAGE` of visibilitymap.c): two bits a block on what
/// the page header leaves.
pub const BLOCKS_PER_MAP_PAGE: u32 = (BLOCK_SIZE as u32 - 24) * 4;

/// Open queries of one session.
pub const MAX_SESSION_QUERIES: usize = 64;

/// Rows of one batch between operators.
pub const BATCH_ROWS: usize = 8192;

/// Largest precision of a numeric that is held as a 64-bit decimal.
pub const DECIMAL64_PRECISION: u8 = 18;

/// Largest precision of a numeric that is held as a 128-bit decimal.
pub const DECIMAL128_PRECISION: u8 = 38;
