//! Files that queries spill to: DataFusion's own, read by the thread that wants what is in them.
//!
//! DataFusion reads them in tokio's pool for blocking calls, which starts a thread for each call that finds none idle (80 were seen beside 8 query threads), and the
//! allocator keeps for each thread what others have freed. What has been spilled is mostly still in the page cache, and it is written by the query's own
//! thread anyway.
//!
//! Invariant: names, limit and counting are DataFusion's; nothing here writes.

use bytes::Bytes;
use datafusion::error::Result;
use datafusion::execution::disk_manager::{DiskManager, DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::{SpillFile, SpillWriter, TempFileFactory};
use futures::{Stream, stream};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

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
        Ok(Arc::new(ReadHere { file: self.disk.create_tmp_file(description)? }))
    }
}

/// A file that is read on the thread that polls.
struct ReadHere {
    file: Arc<dyn SpillFile>,
}

impl SpillFile for ReadHere {
    fn path(&self) -> Option<&Path> {
        self.file.path()
    }

    fn size(&self) -> Option<u64> {
        self.file.size()
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        match self.path() {
            Some(path) => Ok(Box::pin(stream::iter(Chunks::Closed(path.to_owned())))),
            None => self.file.read_stream(),
        }
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        self.file.open_writer()
    }
}

/// The chunks of a file, which is opened when the first one is wanted.
enum Chunks {
    Closed(PathBuf),
    Open(File),
    AtEnd,
}

impl Chunks {
    /// None at the end.
    fn read(&mut self) -> io::Result<Option<Bytes>> {
        if let Self::Closed(path) = self {
            *self = Self::Open(File::open(path)?);
        }
        let Self::Open(file) = self else { return Ok(None) };
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = file.take(CHUNK as u64).read_to_end(&mut chunk)?;
        Ok((read > 0).then(|| chunk.into()))
    }
}

impl Iterator for Chunks {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.read();
        if !matches!(chunk, Ok(Some(_))) {
            *self = Self::AtEnd;
        }
        chunk.map_err(Into::into).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{TryStreamExt, executor::block_on};
    use std::io::Write;

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
        // Beyond the limit.
        assert!(file.open_writer().unwrap().write_all(&vec![0; 1 << 20]).is_err());
        // Gone from disk.
        std::fs::remove_file(file.path().unwrap()).unwrap();
        assert!(read(&file).is_err());
        drop(file);
        assert_eq!(files.disk.used_disk_space(), 0);
        drop(files);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
