//! Identifiers that cross the process border. All are plain integers on the wire.

use serde::{Deserialize, Serialize};

/// PostgreSQL's object identifier (`Oid` of postgres_ext.h).
pub type Oid = u32;

/// Block number inside one relation fork (`BlockNumber` of block.h).
pub type BlockNumber = u32;

/// Write-ahead log position of a page's last change (`XLogRecPtr`).
pub type Lsn = u64;

/// A query of one session; unique while it is open, chosen by the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QueryId(pub u32);

/// A heap scan of one query: the index of its entry in `plan::Plan::scans`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScanId(pub u16);

/// A frame of the session segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FrameNumber(pub u16);

/// The file of a relation (`RelFileLocator`, `RelFileNode` before 16). A rewrite (TRUNCATE, VACUUM FULL, most of ALTER TABLE) gives the
/// relation another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RelationFile {
    /// Tablespace.
    pub tablespace: Oid,
    /// Database; 0 for a shared relation.
    pub database: Oid,
    /// `relfilenode`.
    pub number: u32,
}

impl std::fmt::Display for QueryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for ScanId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for FrameNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
