//! A backend of tests: speaks the protocol to a real engine over a real socket, and serves hand-built heap pages.

// Each test program uses its part of this.
#![allow(dead_code)]

pub mod heap;
pub mod plans;

use fusion_common::{Attribute, FrameNumber, QueryId, ScanId, SqlError};
use fusion_engine::server::{Config, Engine, Server};
use fusion_proto::codec::{self, Decoder};
use fusion_proto::message::{Execute, FromBackend, FromEngine, Hello, QueryMetrics, Wanted};
use fusion_proto::page_frame::{ALL_VISIBLE, BlockState, PageFrameWriter};
use fusion_proto::segment::{Frame, Segment, receive_with_descriptor};
use fusion_proto::tuple_frame::{TupleFrame, check_tuple};
use fusion_proto::{BUILD_ID, PROTOCOL_VERSION};
use heap::Table;
use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// An engine in this process, in a folder of its own.
pub struct TestEngine {
    pub server: Option<Server>,
    folder: PathBuf,
}

impl TestEngine {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    pub fn with(configure: impl FnOnce(&mut Config)) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("pgf-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut config = Config::new(folder.join("pg_fusion/engine.sock"));
        config.threads = 2;
        config.memory_limit = 64 << 20;
        config.faults = true;
        configure(&mut config);
        Self { server: Some(Server::start(config).unwrap()), folder }
    }

    pub fn engine(&self) -> &Arc<Engine> {
        self.server.as_ref().unwrap().engine()
    }

    pub fn socket(&self) -> PathBuf {
        self.engine().config.socket.clone()
    }

    /// Waits until sessions, queries and segments are as many as given.
    pub fn settles(&self, sessions: u32, queries: u32) {
        let until = Instant::now() + PATIENCE;
        let counters = &self.engine().counters;
        loop {
            let now = (counters.sessions.get(), counters.queries.get(), counters.segments.get());
            if now == (sessions, queries, sessions) {
                return;
            }
            assert!(Instant::now() < until, "(sessions, queries, segments) stay at {now:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for TestEngine {
    fn drop(&mut self) {
        drop(self.server.take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A range that the engine asked for.
struct Range {
    query: QueryId,
    number: u32,
    scan: ScanId,
    next: u32,
    end: u32,
    wanted: std::vec::IntoIter<Wanted>,
}

/// What a query gave.
#[derive(Debug, Default)]
pub struct Answer {
    pub tuples: Vec<Vec<u8>>,
    pub end: Option<Result<QueryMetrics, SqlError>>,
    pub explained: Option<String>,
    pub wide_rows: usize,
}

impl Answer {
    pub fn metrics(&self) -> &QueryMetrics {
        self.end.as_ref().unwrap().as_ref().unwrap()
    }

    pub fn error(&self) -> &SqlError {
        self.end.as_ref().unwrap().as_ref().unwrap_err()
    }
}

pub struct Backend {
    pub socket: UnixStream,
    decoder: Decoder,
    pub segment: Arc<Segment>,
    tables: HashMap<(QueryId, ScanId), Arc<Table>>,
    outputs: HashMap<QueryId, Vec<Attribute>>,
    ranges: VecDeque<Range>,
    granted: HashMap<QueryId, Vec<Frame>>,
    pub answers: HashMap<QueryId, Answer>,
    /// Tuple frames that are kept instead of read and returned.
    pub keep_tuples: Option<QueryId>,
    pub kept: Vec<FrameNumber>,
    /// A query whose frames are the engine's again.
    forsaken: Option<QueryId>,
    /// Ranges are not served.
    pub lazy: bool,
    /// Blocks are named this much too low, from the second of a frame on.
    pub block_shift: u32,
    pub asked_blocks: u64,
    /// Blocks that were looked at, and those of them whose image was sent.
    pub visits: u64,
    pub images: u64,
    pub status: Option<fusion_proto::message::EngineStatus>,
}

pub fn hello(frames: u16) -> Hello {
    Hello {
        protocol_version: PROTOCOL_VERSION,
        build_id: BUILD_ID.to_owned(),
        database: 5,
        pid: std::process::id(),
        frames,
    }
}

pub fn send(socket: &mut UnixStream, message: &FromBackend) {
    let mut bytes = Vec::new();
    codec::encode(message, &mut bytes).unwrap();
    socket.write_all(&bytes).unwrap();
}

/// Connects and says hello; gives the first answer and the segment, if one came with it.
pub fn connect(engine: &TestEngine, hello: Hello) -> (UnixStream, FromEngine, Option<Arc<Segment>>) {
    let mut socket = UnixStream::connect(engine.socket()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    send(&mut socket, &FromBackend::Hello(hello));
    let mut decoder = Decoder::default();
    let mut descriptor = None;
    loop {
        let mut buffer = [0; 4096];
        let (read, fd) = receive_with_descriptor(socket.as_fd(), &mut buffer).unwrap().unwrap();
        assert!(read > 0, "hung up");
        descriptor = descriptor.or(fd);
        decoder.push(&buffer[..read]);
        if let Some(message) = decoder.take::<FromEngine>().unwrap() {
            let segment = match (&message, descriptor) {
                (FromEngine::Welcome { frames, .. }, Some(fd)) => Some(Segment::attach(fd, *frames).unwrap()),
                _ => None,
            };
            return (socket, message, segment);
        }
    }
}

impl Backend {
    pub fn open(engine: &TestEngine, frames: u16) -> Self {
        let (socket, first, segment) = connect(engine, hello(frames));
        assert!(matches!(first, FromEngine::Welcome { .. }), "{first:?}");
        Self {
            socket,
            decoder: Decoder::default(),
            segment: segment.unwrap(),
            tables: HashMap::new(),
            outputs: HashMap::new(),
            ranges: VecDeque::new(),
            granted: HashMap::new(),
            answers: HashMap::new(),
            keep_tuples: None,
            kept: Vec::new(),
            forsaken: None,
            lazy: false,
            block_shift: 0,
            asked_blocks: 0,
            visits: 0,
            images: 0,
            status: None,
        }
    }

    pub fn send(&mut self, message: &FromBackend) {
        send(&mut self.socket, message);
    }

    /// Cancels a query without returning any frame of it: all that have come, and that still come, count as on their way.
    pub fn forsake(&mut self, query: QueryId) {
        self.forsaken = Some(query);
        self.granted.remove(&query);
        self.kept.clear();
        self.ranges.retain(|range| range.query != query);
        self.send(&FromBackend::Cancel { query, returns_frames: false });
    }

    /// Sends a query over one table, which is all scans of it.
    pub fn start(&mut self, execute: Execute, table: &Arc<Table>) {
        for scan in 0..execute.scans.len() {
            self.tables.insert((execute.query, ScanId(scan as u16)), Arc::clone(table));
        }
        self.outputs.insert(execute.query, execute.output.clone());
        self.answers.insert(execute.query, Answer::default());
        self.send(&FromBackend::Execute(Box::new(execute)));
    }

    /// Runs a query to its end.
    pub fn run(&mut self, execute: Execute, table: &Arc<Table>) -> Answer {
        let query = execute.query;
        self.start(execute, table);
        self.finish(query)
    }

    /// Serves until the query has ended.
    pub fn finish(&mut self, query: QueryId) -> Answer {
        while self.answers.get(&query).is_some_and(|answer| answer.end.is_none() && answer.explained.is_none()) {
            self.step();
        }
        // What was granted and not used goes back.
        for frame in self.granted.remove(&query).unwrap_or_default() {
            let frame_number = frame.number();
            drop(frame);
            self.send(&FromBackend::Return { frame: frame_number });
        }
        self.ranges.retain(|range| range.query != query);
        self.answers.remove(&query).unwrap()
    }

    /// The next message. None: the engine hung up.
    pub fn receive(&mut self) -> Option<FromEngine> {
        loop {
            if let Some(message) = self.decoder.take().unwrap() {
                return Some(message);
            }
            let mut buffer = [0; 65536];
            let read = match self.socket.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
                read => read.expect("the engine answers in time"),
            };
            if read == 0 {
                return None;
            }
            self.decoder.push(&buffer[..read]);
        }
    }

    /// Takes a message in and does what it asks for.
    pub fn step(&mut self) {
        match self.receive().expect("the engine hung up") {
            FromEngine::ReadRange { query, .. } if self.forsaken == Some(query) => {}
            FromEngine::ReadRange { query, range, scan, first_block, count, wanted } => {
                self.asked_blocks += u64::from(count);
                self.ranges.push_back(Range {
                    query,
                    number: range,
                    scan,
                    next: first_block,
                    end: first_block + count,
                    wanted: wanted.into_iter(),
                });
            }
            FromEngine::Grant { query, .. } | FromEngine::Tuples { query, .. } if self.forsaken == Some(query) => {}
            FromEngine::Grant { query, frame } => {
                // SAFETY: the message makes the frame ours, once.
                let frame = unsafe { self.segment.frame(frame) }.unwrap();
                self.granted.entry(query).or_default().push(frame);
            }
            FromEngine::Tuples { query, frame } if self.keep_tuples == Some(query) => self.kept.push(frame),
            FromEngine::Tuples { query, frame } => self.read_tuples(query, frame),
            FromEngine::WideRow { query, tuple } => {
                assert_eq!(check_tuple(&tuple, &self.outputs[&query]).unwrap(), tuple.len());
                let answer = self.answers.get_mut(&query).unwrap();
                answer.wide_rows += 1;
                answer.tuples.push(tuple);
            }
            FromEngine::Done { query, metrics } => self.end(query, Ok(*metrics)),
            FromEngine::Failed { query, error } => self.end(query, Err(error)),
            FromEngine::Explained { query, plan } => self.answers.get_mut(&query).unwrap().explained = Some(plan),
            FromEngine::Status(status) => self.status = Some(status),
            other => panic!("unexpected {other:?}"),
        }
        if !self.lazy {
            self.serve();
        }
    }

    fn end(&mut self, query: QueryId, end: Result<QueryMetrics, SqlError>) {
        let answer = self.answers.get_mut(&query).unwrap();
        assert!(answer.end.is_none(), "a query ends once");
        answer.end = Some(end);
    }

    /// Reads a frame of rows and returns it.
    pub fn read_tuples(&mut self, query: QueryId, number: FrameNumber) {
        // SAFETY: the message made the frame ours.
        let frame = unsafe { self.segment.frame(number) }.unwrap();
        let attributes = &self.outputs[&query];
        let parsed = TupleFrame::parse(frame.bytes(), attributes).unwrap();
        assert!(parsed.rows() > 0, "no empty frames");
        let answer = self.answers.get_mut(&query).unwrap();
        let mut offset = parsed.first();
        while let Some(at) = offset {
            let length = check_tuple(&frame.bytes()[at..], attributes).unwrap();
            answer.tuples.push(frame.bytes()[at..at + length].to_vec());
            offset = parsed.next(frame.bytes(), at);
        }
        drop(frame);
        self.send(&FromBackend::Return { frame: number });
    }

    /// Fills granted frames with the pages that were asked for, in order.
    pub fn serve(&mut self) {
        let mut waiting = VecDeque::new();
        while let Some(mut range) = self.ranges.pop_front() {
            if self.serve_range(&mut range) {
                self.send(&FromBackend::RangeDone { query: range.query, range: range.number });
            } else {
                waiting.push_back(range);
            }
        }
        self.ranges = waiting;
    }

    fn serve_range(&mut self, range: &mut Range) -> bool {
        let table = Arc::clone(&self.tables[&(range.query, range.scan)]);
        while range.next < range.end {
            let Some(mut frame) = self.granted.get_mut(&range.query).and_then(Vec::pop) else { return false };
            let mut writer = PageFrameWriter::new(frame.bytes_mut()).unwrap();
            while range.next < range.end && writer.has_room() {
                let block = range.next;
                let page = &table.pages[block as usize];
                let known = match range.wanted.next().unwrap_or(Wanted::Image) {
                    Wanted::Nothing => {
                        range.next += 1;
                        continue;
                    }
                    Wanted::IfChanged(lsn) => Some(lsn),
                    Wanted::Image => None,
                };
                for (offset_number, tuple) in &page.wide {
                    let (query, range, tuple) = (range.query, range.number, tuple.clone());
                    send(
                        &mut self.socket,
                        &FromBackend::WideTuple { query, range, block, offset_number: *offset_number, tuple },
                    );
                }
                let changed = known != Some(page.lsn);
                let copy = |to: &mut [u8]| {
                    to.copy_from_slice(&page.image);
                    let flags = if page.all_visible { ALL_VISIBLE } else { 0 };
                    let (lsn, visible_count, visible) = (page.lsn, page.visible_count(), page.visible);
                    (BlockState { lsn, flags, visible_count, visible }, changed)
                };
                let named = if writer.is_empty() { block } else { block - self.block_shift };
                writer.push_block(named, copy).unwrap();
                self.images += u64::from(changed);
                self.visits += 1;
                if changed {
                    for (offset_number, tuple) in &page.flattened {
                        assert!(writer.push_flattened(*offset_number, tuple).unwrap());
                    }
                }
                range.next += 1;
            }
            writer.finish();
            let number = frame.number();
            drop(frame);
            self.send(&FromBackend::Pages { query: range.query, range: range.number, frame: number });
        }
        true
    }

    /// The engine ends the connection.
    pub fn is_hung_up(&mut self) -> bool {
        while let Some(message) = self.receive() {
            drop(message);
        }
        true
    }
}
