//! What is said on the socket.
//!
//! A session is one connection of one backend. Messages of a direction arrive in order. The first message of a backend
//! is [`FromBackend::Hello`], the first of the engine [`FromEngine::Welcome`] (with the segment's descriptor attached) or
//! [`FromEngine::Refused`]; after `Refused` the engine closes. The supervisor, who only wants to know whether the engine is
//! well, says [`FromBackend::Status`] instead, is answered and opens no session.
//!
//! Who owns a frame (rule 3 of the design): all frames belong to the engine at first. `Grant` gives one to the backend
//! to be filled with pages; `Pages` gives it back. `Tuples` gives one with result rows; `Return` gives it back. When a query
//! ends on either side (`Done`, `Failed`, `Cancel`), frames of it that the backend still holds stay the backend's until it
//! has sent `Return` for each. A backend that cancels without holding any says so, and then frames that are on their way to it are the
//! engine's again with that message: the backend may not read its socket for long, and drops them unseen when it does.
//! The engine answers each `Cancel` with `Done` or `Failed` for that query, always, unless one was already under way; a query id
//! is not used again in the session.

use fusion_common::limits::BLOCKS_PER_MAP_PAGE;
use fusion_common::{
    Attribute, BlockNumber, ColumnType, FrameNumber, Lsn, Oid, QueryId, RelationFile, ScanId, SqlError,
};
use serde::{Deserialize, Serialize};

use crate::plan::Value;

/// A backend's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromBackend {
    /// Opens the session.
    Hello(Hello),
    /// Runs a query. Rows come as `Tuples`, then `Done`.
    Execute(Box<Execute>),
    /// Asks for the physical plan as text, without running: answered by `Explained` or `Failed`.
    Explain(Box<Execute>),
    /// Reads the columns of a plan that is one scan into the cache; no rows come, only `Done` or `Failed`.
    Prewarm(Box<Execute>),
    /// Throws the cached columns of a relation out, or those of all relations of the database: answered by `CacheReport` with what is left.
    Evict {
        /// The query id that the answer carries.
        query: QueryId,
        /// OID of the database.
        database: Oid,
        /// `pg_class.oid`; None: all.
        relation: Option<Oid>,
    },
    /// Asks how much of these relations is in the cache: answered by `CacheShare`.
    AskCacheShare {
        /// The query id that the answer carries.
        query: QueryId,
        /// The relations.
        relations: Vec<CacheQuestion>,
    },
    /// Asks for [`FromEngine::CacheReport`].
    CacheStatistics {
        /// The query id that the answer carries.
        query: QueryId,
        /// OID of the database.
        database: Oid,
    },
    /// Asks for [`FromEngine::Activity`].
    AskActivity {
        /// The query id that the answer carries.
        query: QueryId,
    },
    /// A granted frame filled with pages of a range that the engine asked for; see [`crate::page_frame`].
    Pages {
        /// The query.
        query: QueryId,
        /// The range, as named in `ReadRange`.
        range: u32,
        /// The frame, the engine's from now on.
        frame: FrameNumber,
    },
    /// A tuple of a block of the range, flattened, that did not fit in a frame; comes before the `Pages` that holds
    /// its block.
    WideTuple {
        /// The query.
        query: QueryId,
        /// The range.
        range: u32,
        /// The block.
        block: BlockNumber,
        /// Its line pointer, from 1.
        offset_number: u16,
        /// HeapTupleHeader and data.
        #[serde(with = "serde_bytes")]
        tuple: Vec<u8>,
    },
    /// All blocks of the range have been sent.
    RangeDone {
        /// The query.
        query: QueryId,
        /// The range.
        range: u32,
    },
    /// Gives a frame back that came with `Tuples` (or, at the end of a query, an unused `Grant`).
    Return {
        /// The frame.
        frame: FrameNumber,
    },
    /// The backend wants nothing more of the query.
    Cancel {
        /// The query.
        query: QueryId,
        /// Whether the backend returns frames of it, those that it has and those on their way. If not, it has none, and will return none.
        returns_frames: bool,
    },
    /// Asks for [`FromEngine::Status`].
    Status,
    /// Closes the session in good order.
    Bye,
}

/// The engine's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromEngine {
    /// Accepts the session; the descriptor of the segment travels with these bytes.
    Welcome {
        /// Frames of the segment.
        frames: u16,
        /// Operating-system pid of the engine.
        pid: u32,
    },
    /// Refuses the session: another version, no resources.
    Refused(SqlError),
    /// Asks for the blocks `first_block .. first_block + count` of a scan.
    ReadRange {
        /// The query.
        query: QueryId,
        /// A number that the engine gave this range; unique in the query.
        range: u32,
        /// The scan.
        scan: ScanId,
        /// First block.
        first_block: BlockNumber,
        /// How many blocks, at most `CHUNK_BLOCKS`.
        count: u32,
        /// What is wanted of each of them, in order; empty: the image of each.
        wanted: Vec<Wanted>,
    },
    /// Gives the backend a frame to fill with pages of this query.
    Grant {
        /// The query.
        query: QueryId,
        /// The frame, the backend's from now on.
        frame: FrameNumber,
    },
    /// Result rows in a frame; see [`crate::tuple_frame`].
    Tuples {
        /// The query.
        query: QueryId,
        /// The frame, the backend's until it sends `Return`.
        frame: FrameNumber,
    },
    /// One result row, a MinimalTuple, that is too wide for a frame.
    WideRow {
        /// The query.
        query: QueryId,
        /// MinimalTuple bytes.
        #[serde(with = "serde_bytes")]
        tuple: Vec<u8>,
    },
    /// All rows have been sent.
    Done {
        /// The query.
        query: QueryId,
        /// What it took.
        metrics: Box<QueryMetrics>,
    },
    /// The query ended with an error.
    Failed {
        /// The query.
        query: QueryId,
        /// The error.
        error: SqlError,
    },
    /// Answer to `Explain`.
    Explained {
        /// The query.
        query: QueryId,
        /// The physical plan, one operator a line, two spaces a level.
        plan: String,
    },
    /// Answer to `FromBackend::Status`.
    Status(EngineStatus),
    /// Answer to `FromBackend::AskCacheShare`.
    CacheShare {
        /// The query.
        query: QueryId,
        /// For each relation the share of its columns' chunks that is in the cache, about; from 0 to 1.
        shares: Vec<f32>,
    },
    /// Answer to `FromBackend::Evict` and `FromBackend::CacheStatistics`.
    CacheReport {
        /// The query.
        query: QueryId,
        /// Columns of the database's relations, by relation and attribute.
        entries: Vec<CacheEntry>,
        /// Bytes that were thrown out.
        evicted: u64,
    },
    /// Answer to `FromBackend::AskActivity`.
    Activity {
        /// The query.
        query: QueryId,
        /// Queries of all sessions that run, or wait, oldest first.
        running: Vec<QueryActivity>,
    },
}

/// A query that runs in the engine, or waits to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryActivity {
    /// Pid of its backend.
    pub pid: u32,
    /// OID of its database.
    pub database: Oid,
    /// OID of the role under whose rights it runs.
    pub user: Oid,
    /// When it came, microseconds since 1970-01-01 UTC.
    pub started_at: i64,
    /// Whether it waits because too many run.
    pub waiting: bool,
    /// Memory that it has taken, bytes.
    pub memory: u64,
    /// Pages received with their image.
    pub pages: u64,
    /// Rows decoded from the pages.
    pub rows_decoded: u64,
    /// Rows returned.
    pub rows_returned: u64,
}

/// A relation of `FromBackend::AskCacheShare`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheQuestion {
    /// Its file.
    pub file: RelationFile,
    /// Its blocks.
    pub blocks: u32,
    /// Attribute numbers of the columns.
    pub attnums: Vec<u16>,
}

/// A column in the cache, or one that was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CacheEntry {
    /// `pg_class.oid`.
    pub relation: Oid,
    /// Attribute number; 0 stands for the rows themselves, which `count(*)` keeps.
    pub attnum: u16,
    /// Bytes in the cache.
    pub bytes: u64,
    /// Chunks in the cache.
    pub chunks: u64,
    /// Chunks that were served as they were, since the engine started, as all that follows.
    pub hits: u64,
    /// Chunks of which some blocks were decoded again.
    pub patches: u64,
    /// Chunks that were decoded whole.
    pub misses: u64,
    /// Blocks that were decoded.
    pub blocks_decoded: u64,
}

/// Who opens a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::PROTOCOL_VERSION`] of the backend.
    pub protocol_version: u32,
    /// [`crate::BUILD_ID`] of the backend.
    pub build_id: String,
    /// OID of the database.
    pub database: u32,
    /// Pid of the backend.
    pub pid: u32,
    /// Frames wanted, from `fusion.session_memory`.
    pub frames: u16,
}

/// A query to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execute {
    /// Its id.
    pub query: QueryId,
    /// [`crate::plan::Plan`] by [`crate::codec::to_bytes`]: opaque here, so that its hash can be a key.
    #[serde(with = "serde_bytes")]
    pub plan: Vec<u8>,
    /// Values of `Expr::Param`, by index; None is NULL.
    pub params: Vec<Option<Value>>,
    /// One entry per scan of the plan, by `ScanId`.
    pub scans: Vec<ScanInfo>,
    /// Physical layout of the result rows, one per output column.
    pub output: Vec<Attribute>,
    /// Collect the plan's text with metrics into `Done`.
    pub analyze: bool,
    /// How long it may wait while too many queries run, milliseconds: by then the native plan would be done. None: as long as it takes.
    pub patience_ms: Option<u32>,
    /// OID of the role under whose rights it runs: for figures.
    pub user: Oid,
    /// What the query is to suffer, in tests.
    pub fault: Option<String>,
}

/// A heap relation as it is at the start of an execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanInfo {
    /// Blocks of the relation.
    pub blocks: u32,
    /// Physical layout of all attributes up to the last needed one, dropped ones included.
    pub attributes: Vec<Attribute>,
    /// Needed columns, in the order of the plan's `ScanDef::columns`.
    pub columns: Vec<ScanColumnInfo>,
    /// What lets the engine keep decoded columns and prove them fresh; None: nothing of this scan may be kept or taken from the cache.
    pub cache: Option<Box<CacheInfo>>,
}

/// What of a block the engine wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// Nothing: it is proven unchanged and visible as a whole. No entry comes for it.
    Nothing,
    /// Its visible tuples, and its image unless its page LSN is this one.
    IfChanged(Lsn),
    /// Its visible tuples and its image.
    Image,
}

/// Identity of a relation's contents at the start of an execution, read after the snapshot was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheInfo {
    /// `pg_class.oid`, for figures.
    pub relation: Oid,
    /// The relation's file.
    pub file: RelationFile,
    /// LSN of each page of the visibility map, in order; blocks whose map page does not exist are not all-visible.
    pub map_lsns: Vec<Lsn>,
    /// All-visible bits of the map, each page's read together with its LSN: bit `b % 8` of byte `b / 8` is block b.
    #[serde(with = "serde_bytes")]
    pub all_visible: Vec<u8>,
}

impl CacheInfo {
    /// Whether the map says that every tuple of `block` is visible to every snapshot.
    pub fn is_all_visible(&self, block: BlockNumber) -> bool {
        self.all_visible.get(block as usize / 8).is_some_and(|byte| byte >> (block % 8) & 1 == 1)
    }

    /// LSN of the map page that holds the bits of `block`; None where there is none.
    pub fn map_lsn(&self, block: BlockNumber) -> Option<Lsn> {
        self.map_lsns.get((block / BLOCKS_PER_MAP_PAGE) as usize).copied()
    }
}

/// A needed column of a heap relation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanColumnInfo {
    /// Attribute number, from 1.
    pub attnum: u16,
    /// How to hold it.
    pub column_type: ColumnType,
    /// Value for tuples older than the column (`attmissingval`): a varlena's payload, or `attlen` bytes.
    pub missing: Option<Vec<u8>>,
}

/// What a query took, by stage, and the plan with figures where `analyze` was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueryMetrics {
    /// (stage, microseconds) in order: parse, bind, optimize, translate, begin, exec, end.
    pub stages: Vec<(String, u64)>,
    /// Pages received with their image.
    pub pages: u64,
    /// Chunks of 128 blocks that came from the cache as they were.
    pub chunks_cached: u64,
    /// Chunks of which blocks were sent.
    pub chunks_read: u64,
    /// Rows decoded from the pages.
    pub rows_decoded: u64,
    /// Rows returned.
    pub rows_returned: u64,
    /// Plan with metrics, as in `Explained`; empty unless asked for.
    pub plan: String,
}

/// How the engine is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// Operating-system pid.
    pub pid: u32,
    /// Start time, microseconds since 1970-01-01 UTC.
    pub started_at: i64,
    /// Version of the engine.
    pub version: String,
    /// How often the supervisor has restarted it since the server came up.
    pub restarts: u32,
    /// How the one before it ended.
    pub last_end: Option<String>,
    /// Open sessions.
    pub sessions: u32,
    /// Queries running now, or waiting.
    pub queries: u32,
    /// Queries that wait because too many run.
    pub waiting: u32,
    /// Queries run since the start.
    pub queries_total: u64,
}
