//! Which partition reads which chunk, and to which execution a partition belongs.
//!
//! Invariants: each chunk of an execution is taken once; partitions of different executions have different queues.

use crate::error::{Error, Result};
use fusion_common::BlockNumber;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Chunks of one execution, taken by its partitions as they go.
#[derive(Debug)]
pub(super) struct ChunkQueue {
    blocks: u32,
    chunk: u32,
    /// Next block that nobody has taken; beyond `blocks` when all are.
    next: AtomicU64,
}

impl ChunkQueue {
    pub(super) fn new(blocks: u32, chunk: u32) -> Self {
        Self { blocks, chunk, next: AtomicU64::new(0) }
    }

    /// The next chunk: first block and count.
    pub(super) fn take(&self) -> Option<(BlockNumber, u32)> {
        let first = self.next.fetch_add(u64::from(self.chunk), Ordering::Relaxed);
        let first = u32::try_from(first).ok().filter(|&first| first < self.blocks)?;
        Some((first, self.chunk.min(self.blocks - first)))
    }
}

/// Which execution a call of `execute` belongs to.
///
/// An execution calls each partition once, so a partition that is called again opens the next execution, with a queue of
/// its own. That is only sound when all partitions of the one before were called; otherwise two executions run
/// interleaved and their chunks could mix: refused, since rows would be lost or doubled.
#[derive(Debug, Default)]
pub(super) struct Executions {
    current: Option<(Arc<ChunkQueue>, Vec<bool>)>,
}

impl Executions {
    pub(super) fn queue(
        &mut self,
        partition: usize,
        partitions: usize,
        new: impl FnOnce() -> ChunkQueue,
    ) -> Result<Arc<ChunkQueue>> {
        let complete = self.current.as_ref().is_none_or(|(_, called)| called.iter().all(|called| *called));
        if complete {
            self.current = Some((Arc::new(new()), vec![false; partitions]));
        }
        let (queue, called) = self.current.as_mut().ok_or_else(|| Error::internal("no execution"))?;
        match called.get_mut(partition) {
            Some(called @ false) => *called = true,
            Some(true) => return Err(Error::internal("a heap scan is executed twice at the same time")),
            None => return Err(Error::internal("no such partition of a heap scan")),
        }
        Ok(Arc::clone(queue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fusion_common::limits::CHUNK_BLOCKS;

    #[test]
    fn chunks_cover_the_relation_once() {
        let queue = ChunkQueue::new(300, CHUNK_BLOCKS);
        let chunks: Vec<_> = std::iter::from_fn(|| queue.take()).collect();
        assert_eq!(chunks, [(0, 128), (128, 128), (256, 44)]);
        assert_eq!(ChunkQueue::new(0, CHUNK_BLOCKS).take(), None);
        assert_eq!(ChunkQueue::new(u32::MAX, CHUNK_BLOCKS).take(), Some((0, 128)));
    }

    #[test]
    fn every_execution_has_its_own_queue() {
        let mut executions = Executions::default();
        let new = || ChunkQueue::new(10, 5);
        let first = executions.queue(0, 2, new).unwrap();
        assert!(Arc::ptr_eq(&first, &executions.queue(1, 2, new).unwrap()));
        let second = executions.queue(1, 2, new).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &executions.queue(0, 2, new).unwrap()));
    }

    #[test]
    fn interleaved_executions_are_refused() {
        let mut executions = Executions::default();
        let new = || ChunkQueue::new(10, 5);
        executions.queue(0, 2, new).unwrap();
        assert!(executions.queue(0, 2, new).is_err());
        assert!(executions.queue(7, 2, new).is_err());
    }
}
