//! An engine that is none, for the tests: it takes connections on the engine's socket and says what no engine should, as a broken, foreign or old one
//! might. `regress/sql/impostor.sql` has it started in the engine's place (`fusion.engine_path`), which is why it takes an engine's arguments.
//!
//! What it does is told by the file [`SCRIPT`] when a connection comes, and again with each query, so that a test can change it at any time.
//!
//! Invariants: it answers the supervisor's question as an engine does, unless the lie is about that; it ends with the end of its standard input.

use fusion_common::limits::{FRAME_SIZE, MAX_MESSAGE_SIZE};
use fusion_common::{FrameNumber, QueryId, ScanId, SqlError, SqlState};
use fusion_proto::codec::{self, Decoder};
use fusion_proto::message::{EngineStatus, FromBackend, FromEngine};
use fusion_proto::segment::{Frame, Segment, send_with_descriptor};
use fusion_proto::tuple_frame;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

/// Beside the socket: what to do next.
const SCRIPT: &str = "pg_fusion/lie";

/// Frames of the segments that it makes.
const FRAMES: u16 = 8;

/// A connection, after its first message.
struct Session {
    socket: UnixStream,
    decoder: Decoder,
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::other(error)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let socket = arguments.iter().position(|argument| argument == "--socket").and_then(|at| arguments.get(at + 1));
    let socket = socket.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "--socket is missing"))?;
    if lie() == "dies" {
        return Err(Error::other("the impostor does not want to run"));
    }
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket)?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    for connection in listener.incoming() {
        let connection = connection?;
        // A connection that ends early is what many of the lies are for.
        std::thread::spawn(move || serve(connection).unwrap_or_else(|error| eprintln!("DEBUG: {error}")));
    }
    Ok(())
}

fn lie() -> String {
    std::fs::read_to_string(SCRIPT).unwrap_or_default().trim().to_owned()
}

fn serve(socket: UnixStream) -> Result<()> {
    let mut session = Session { socket, decoder: Decoder::default() };
    let lie = lie();
    match session.hear()? {
        FromBackend::Status if lie != "no status" => session.say(&[status(std::process::id())]),
        FromBackend::Status => session.say(&[status(1)]),
        _ => session.welcome(&lie),
    }
}

fn status(pid: u32) -> FromEngine {
    FromEngine::Status(EngineStatus {
        pid,
        started_at: i64::MAX,
        version: "\0impostor".to_owned(),
        restarts: u32::MAX,
        last_end: None,
        sessions: u32::MAX,
        queries: u32::MAX,
        waiting: u32::MAX,
        queries_total: u64::MAX,
    })
}

/// Bytes without a meaning, always the same.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(&mut next).take(count).collect()
}

impl Session {
    fn hear(&mut self) -> Result<FromBackend> {
        let mut buffer = [0; 65536];
        loop {
            if let Some(message) = self.decoder.take().map_err(other)? {
                return Ok(message);
            }
            match self.socket.read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => self.decoder.push(&buffer[..count]),
            }
        }
    }

    fn say(&mut self, messages: &[FromEngine]) -> Result<()> {
        let mut bytes = Vec::new();
        for message in messages {
            codec::encode(message, &mut bytes).map_err(other)?;
        }
        self.socket.write_all(&bytes)
    }

    /// The answer to Hello, and what follows.
    fn welcome(&mut self, lie: &str) -> Result<()> {
        let welcome = |frames| FromEngine::Welcome { frames, pid: std::process::id() };
        match lie {
            "closes" => return Ok(()),
            "is silent" => {
                std::thread::sleep(Duration::from_secs(20));
                return Ok(());
            }
            "is of another version" => {
                let error = SqlError::new(SqlState::FDW_UNABLE_TO_ESTABLISH_CONNECTION, "protocol 99 is spoken here");
                return self.say(&[FromEngine::Refused(error)]);
            }
            "babbles" => return self.socket.write_all(&noise(100_000)),
            "announces too much" => return self.socket.write_all(&u32::MAX.to_le_bytes()),
            // As much as it may, and then never comes to its end.
            "begins a long message" => {
                self.socket.write_all(&(MAX_MESSAGE_SIZE as u32).to_le_bytes())?;
                self.socket.write_all(&noise(1_000_000))?;
                std::thread::sleep(Duration::from_secs(20));
                return Ok(());
            }
            "speaks out of turn" => return self.say(&[status(1)]),
            "sends no segment" => return self.say(&[welcome(FRAMES)]),
            _ => {}
        }
        let (segment, descriptor) = Segment::create(FRAMES).map_err(other)?;
        let mut bytes = Vec::new();
        let frames = match lie {
            "sends a short segment" => FRAMES + 1,
            "sends an empty segment" => 0,
            _ => FRAMES,
        };
        codec::encode(&welcome(frames), &mut bytes).map_err(other)?;
        if lie == "sends another file" {
            let file = std::fs::File::open("/dev/null")?;
            send_with_descriptor(self.socket.as_fd(), &bytes, file.as_fd()).map_err(other)?;
        } else {
            send_with_descriptor(self.socket.as_fd(), &bytes, descriptor.as_fd()).map_err(other)?;
        }
        loop {
            match self.hear()? {
                FromBackend::Execute(execute) => self.answer(&crate::lie(), execute.query, &segment)?,
                FromBackend::Explain(execute) => {
                    let plan = format!("\0{}", "impostor ".repeat(10));
                    self.say(&[FromEngine::Explained { query: execute.query, plan }])?;
                }
                FromBackend::Status => self.say(&[status(std::process::id())])?,
                FromBackend::AskCacheShare { query, .. } => {
                    self.say(&[FromEngine::CacheShare { query, shares: vec![f32::NAN; 1000] }])?;
                }
                FromBackend::Cancel { query, .. } if crate::lie() != "never ends" => self.say(&[done(query)])?,
                _ => {}
            }
        }
    }

    /// The answer to a query.
    fn answer(&mut self, lie: &str, query: QueryId, segment: &Arc<Segment>) -> Result<()> {
        let frame = FrameNumber(0);
        let tuples = FromEngine::Tuples { query, frame };
        let range = |scan, first_block, count| FromEngine::ReadRange {
            query,
            range: 0,
            scan: ScanId(scan),
            first_block,
            count,
            wanted: vec![],
        };
        let failed = |state: &[u8; 5], message: &str| FromEngine::Failed {
            query,
            error: SqlError::new(SqlState(*state), message).with_detail("\0.").with_hint("\u{1}\0"),
        };
        match lie {
            "hangs up" => Err(ErrorKind::UnexpectedEof.into()),
            "never ends" => Ok(()),
            "answers another query" => self.say(&[done(QueryId(query.0.wrapping_add(7)))]),
            "answers another question" => {
                self.say(&[FromEngine::CacheReport { query, entries: vec![], evicted: u64::MAX }])
            }
            "ends twice" => self.say(&[failed(b"XX000", "once"), done(query)]),
            "welcomes again" => self.say(&[FromEngine::Welcome { frames: FRAMES, pid: 0 }]),
            "grants what is not there" => self.say(&[FromEngine::Grant { query, frame: FrameNumber(FRAMES) }]),
            "grants twice" => self.say(&[FromEngine::Grant { query, frame }, FromEngine::Grant { query, frame }]),
            "asks for no scan" => self.say(&[range(77, 0, 1), FromEngine::Grant { query, frame }]),
            // No such blocks are there: the backend says so, and waits for what is never said, until it is cancelled.
            "asks for far blocks" => {
                self.say(&[range(0, u32::MAX - 1, u32::MAX), FromEngine::Grant { query, frame }])?;
                self.expect_pages()?;
                self.say(&[failed(b"XX000", "that was all")])
            }
            "asks for much" => {
                let ranges: Vec<_> = (0..70_000).map(|_| range(0, 0, 1)).collect();
                self.say(&ranges)
            }
            "sends noise as rows" => {
                let noise = noise(FRAME_SIZE);
                fill(segment, |bytes| bytes.copy_from_slice(&noise))?;
                self.say(&[tuples])
            }
            "sends a header as rows" => {
                fill(segment, |bytes| tuple_frame::write_header(bytes, u32::MAX, FRAME_SIZE))?;
                self.say(&[tuples])
            }
            "sends rows behind the frame" => {
                fill(segment, |bytes| tuple_frame::write_header(bytes, 1, usize::MAX))?;
                self.say(&[tuples])
            }
            "sends no columns" => {
                fill(segment, |bytes| {
                    let length = 24;
                    let at = tuple_frame::HEADER_SIZE;
                    bytes[at..at + length].fill(0);
                    bytes[at..at + 4].copy_from_slice(&(length as u32).to_le_bytes());
                    bytes[at + 14] = 24;
                    tuple_frame::write_header(bytes, 1, at + length);
                })?;
                self.say(&[tuples])
            }
            "sends noise as a row" => self.say(&[FromEngine::WideRow { query, tuple: noise(1000) }]),
            "sends an empty row" => self.say(&[FromEngine::WideRow { query, tuple: vec![] }]),
            "sends no state" => self.say(&[failed(b"00000", "all is well")]),
            "sends a warning" => self.say(&[failed(b"01000", "not an error")]),
            "sends a state of noise" => self.say(&[failed(b"\xff\0'\"\n", "nothing\0 that C could hold")]),
            "sends a long message" => self.say(&[failed(b"XX000", &"long ".repeat(1_000_000))]),
            "babbles later" => self.socket.write_all(&noise(100_000)),
            _ => Err(Error::other(format!("unknown lie \"{lie}\""))),
        }
    }

    fn expect_pages(&mut self) -> Result<()> {
        while !matches!(self.hear()?, FromBackend::RangeDone { .. }) {}
        Ok(())
    }
}

fn done(query: QueryId) -> FromEngine {
    FromEngine::Done { query, metrics: Box::default() }
}

/// Writes into frame 0.
fn fill(segment: &Arc<Segment>, write: impl FnOnce(&mut [u8])) -> Result<()> {
    // SAFETY: it is never granted before it is filled, so it is this process's; a further `Frame` of it does not exist.
    let mut frame: Frame = unsafe { segment.frame(FrameNumber(0)) }.map_err(other)?;
    write(frame.bytes_mut());
    Ok(())
}
