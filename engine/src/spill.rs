//! Files that queries spill to: DataFusion's own, read by the thread that wants what is in them.
//!
//! DataFusion reads them in tokio's pool for blocking calls, which starts a thread for each call that finds none idle (80 were seen beside 8 query threads), and the
//! allocator keeps for each thread what others have freed. What has been spilled is mostly still in the page cache, and it is written by the query's own
//! thread anyway.
//!
//! What cannot be written is an error for who reads it. DataFusion gives it to who writes, and a receiver of rows that are repartitioned by way of files then waits for
//! ever for the file that was begun.
//!
//! Invariants: names, limit and counting are DataFusion's. A file of which something could not be written gives no more rows, but an error.

use crate::error::{Error, external};
use bytes::Bytes;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManager, DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::{SpillFile, SpillWriter, TempFileFactory};
use futures::{Stream, stream};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;

/// Makes files in a folder, of at most so many bytes together.
pub struct SpillFiles {
    disk: Arc<DiskManager>,
}

impl SpillFiles {
    /// In a folder that exists.
    pub fn new(folder: &Path, limit: u64) -> Result<Self> {
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![folder.to_owned()]))
            .with_max_temp_directory_size(limit)
            .build()?;
        Ok(Self { disk: Arc::new(disk) })
    }
}

impl TempFileFactory for SpillFiles {
    fn create_temp_file(&self, description: &str) -> Result<Arc<dyn SpillFile>> {
        Ok(Arc::new(ReadHere { file: self.disk.create_tmp_file(description)?, failure: Arc::default() }))
    }
}

/// A file that is read on the thread that polls.
struct ReadHere {
    file: Arc<dyn SpillFile>,
    failure: Arc<Failure>,
}

/// Why a file could not be written, if it could not.
#[derive(Default)]
struct Failure {
    has_failed: AtomicBool,
    error: Mutex<Option<DataFusionError>>,
}

impl Failure {
    fn set(&self, error: DataFusionError) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.has_failed.store(true, Ordering::Release);
    }

    /// An error if there has been one.
    fn check(&self) -> Result<()> {
        if !self.has_failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err(error.unwrap_or_else(|| DataFusionError::IoError(io::Error::other("a spill file was not written"))))
    }
}

/// Keeps what goes wrong for who reads; None: it has.
struct Writer {
    writer: Option<Box<dyn SpillWriter>>,
    failure: Arc<Failure>,
}

impl Writer {
    fn attempt(&mut self, act: impl FnOnce(&mut dyn SpillWriter) -> Result<()>) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = act(writer.as_mut())
        {
            self.failure.set(error);
            self.writer = None;
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(|writer| Ok(writer.write_all(bytes)?));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt(|writer| Ok(writer.flush()?));
        Ok(())
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<()> {
        self.attempt(|writer| writer.finish());
        Ok(())
    }
}

impl SpillFile for ReadHere {
    fn path(&self) -> Option<&Path> {
        self.file.path()
    }

    fn size(&self) -> Option<u64> {
        self.file.size()
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let path = self.path().ok_or_else(|| external(Error::internal("a spill file without a path")))?;
        let chunks = Chunks { source: Source::Closed(path.to_owned()), failure: Arc::clone(&self.failure) };
        Ok(Box::pin(stream::iter(chunks)))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        let writer = self.file.open_writer().map_err(|error| self.failure.set(error)).ok();
        Ok(Box::new(Writer { writer, failure: Arc::clone(&self.failure) }))
    }
}

/// The chunks of a file.
struct Chunks {
    source: Source,
    failure: Arc<Failure>,
}

/// A file, which is opened when the first chunk is wanted.
enum Source {
    Closed(PathBuf),
    Open(File),
    AtEnd,
}

impl Chunks {
    /// None at the end.
    fn read(&mut self) -> Result<Option<Bytes>> {
        self.failure.check()?;
        if let Source::Closed(path) = &self.source {
            self.source = Source::Open(File::open(path)?);
        }
        let Source::Open(file) = &mut self.source else { return Ok(None) };
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = file.take(CHUNK as u64).read_to_end(&mut chunk)?;
        // What is missing at the end may have failed meanwhile.
        self.failure.check()?;
        Ok((read > 0).then(|| chunk.into()))
    }
}

impl Iterator for Chunks {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.read();
        if !matches!(chunk, Ok(Some(_))) {
            self.source = Source::AtEnd;
        }
        chunk.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt, TryStreamExt, executor::block_on};

    #[test]
    fn what_was_written_is_read() {
        let folder = std::env::temp_dir().join(format!("pgf-spill-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let files = SpillFiles::new(&folder, 1 << 20).unwrap();
        let read = |file: &Arc<dyn SpillFile>| block_on(file.read_stream().unwrap().try_collect::<Vec<Bytes>>());
        let file = files.create_temp_file("test").unwrap();
        assert_eq!(read(&file).unwrap(), Vec::<Bytes>::new());
        let written: Vec<u8> = (0..2 * CHUNK + 1).map(|at| (at % 251) as u8).collect();
        file.open_writer().unwrap().write_all(&written).unwrap();
        let chunks = read(&file).unwrap();
        assert_eq!(chunks.iter().map(Bytes::len).collect::<Vec<_>>(), [CHUNK, CHUNK, 1]);
        assert_eq!(chunks.concat(), written);
        assert_eq!((file.size(), files.disk.used_disk_space()), (Some(written.len() as u64), written.len() as u64));
        // Gone from disk.
        std::fs::remove_file(file.path().unwrap()).unwrap();
        assert!(read(&file).is_err());
        drop(file);
        assert_eq!(files.disk.used_disk_space(), 0);
        // Beyond the limit.
        let file = files.create_temp_file("test").unwrap();
        let mut writer = file.open_writer().unwrap();
        writer.write_all(&written).unwrap();
        let mut reader = file.read_stream().unwrap();
        assert_eq!(block_on(reader.next()).unwrap().unwrap().len(), CHUNK);
        writer.write_all(&vec![0; 1 << 20]).unwrap();
        writer.finish().unwrap();
        assert!(block_on(reader.next()).unwrap().unwrap_err().to_string().contains("allowable limit"));
        assert!(read(&file).is_err());
        drop((reader, writer, file, files));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
