//! The socket task of a session: handshake, then what the backend says.
//!
//! Invariants: nothing is read from the socket that is not decoded at once, so what a backend sends is bounded by what
//! it was asked for; a broken protocol ends this connection and nothing else.

use super::Session;
use super::outbox::{self, Outbox};
use super::run::{self, Kind};
use crate::activity::Peer;
use crate::error::{Error, Result};
use crate::log::{self, Level};
use crate::scan::WideTuple;
use crate::server::Engine;
use fusion_common::limits::{MAX_SESSION_FRAMES, MIN_SESSION_FRAMES};
use fusion_common::{SqlError, SqlState};
use fusion_proto::codec::{self, Decoder};
use fusion_proto::message::{FromBackend, FromEngine, Hello};
use fusion_proto::segment::{self, Segment};
use fusion_proto::{BUILD_ID, PROTOCOL_VERSION};
use rustix::net::RecvFlags;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;

/// How long a new connection may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes read at once.
const READ_BUFFER: usize = 64 * 1024;

fn unexpected(what: &'static str) -> Error {
    Error::Protocol(fusion_proto::Error::Unexpected(what))
}

/// Messages from the socket.
struct Reader {
    socket: AsyncFd<OwnedFd>,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl Reader {
    /// The next message; None at the end.
    async fn next(&mut self) -> Result<Option<FromBackend>> {
        loop {
            if let Some(message) = self.decoder.take()? {
                return Ok(Some(message));
            }
            let mut ready = self.socket.readable().await.map_err(Error::io("read from backend"))?;
            let read = match ready.try_io(|socket| {
                let received = rustix::net::recv(socket.get_ref(), &mut self.buffer[..], RecvFlags::empty());
                received.map(|(count, _)| count).map_err(Into::into)
            }) {
                Ok(read) => read.map_err(Error::io("read from backend"))?,
                Err(_) => continue,
            };
            if read == 0 {
                return Ok(None);
            }
            self.decoder.push(self.buffer.get(..read).unwrap_or_default());
        }
    }
}

/// Serves one connection to its end.
pub async fn serve(engine: Arc<Engine>, mut stream: UnixStream) -> Result<()> {
    let mut first = Reader::first(&mut stream);
    let message = match tokio::time::timeout(HELLO_TIMEOUT, first.message()).await {
        Ok(message) => message?,
        Err(_) => return Err(unexpected("no hello in time")),
    };
    let hello = match message {
        Some(FromBackend::Hello(hello)) => hello,
        Some(FromBackend::Status) => return send_bytes(&mut stream, &status(&engine)).await,
        Some(_) => return Err(unexpected("a session that does not open with hello")),
        None => return Ok(()),
    };
    let decoder = first.decoder;
    if let Some(refusal) = refusal(&engine, &hello) {
        log::line(Level::Warning, &format!("session of backend {} refused: {}", hello.pid, refusal.message));
        return send_bytes(&mut stream, &FromEngine::Refused(refusal)).await;
    }
    let frames = hello.frames.clamp(MIN_SESSION_FRAMES as u16, MAX_SESSION_FRAMES as u16);
    let (segment, descriptor) = match Segment::create(frames) {
        Ok(made) => made,
        Err(error) => {
            let refusal = Error::Protocol(error).into();
            return send_bytes(&mut stream, &FromEngine::Refused(refusal)).await;
        }
    };
    welcome(&mut stream, frames, descriptor).await?;
    // Watched for reading only: see `Outbox::run`.
    let socket = stream.into_std().map_err(Error::io("take the socket"))?;
    let sender = Outbox::new(socket.try_clone().map_err(Error::io("take the socket"))?.into());
    let socket = outbox::watch(socket.into(), Interest::READABLE)?;
    let peer = Peer { pid: hello.pid, database: hello.database };
    let session = Session::new(engine, peer, segment, sender)?;
    let mut reader = Reader { socket, decoder, buffer: vec![0; READ_BUFFER] };
    let result = tokio::select! {
        result = read(&session, &mut reader) => result,
        result = session.outbox.run() => result,
        () = session.rest() => Ok(()),
        () = session.ended.notified() => Ok(()),
    };
    session.close();
    result
}

/// The connection before it is a session.
struct First<'a> {
    stream: &'a mut UnixStream,
    decoder: Decoder,
}

impl Reader {
    fn first(stream: &mut UnixStream) -> First<'_> {
        First { stream, decoder: Decoder::default() }
    }
}

impl First<'_> {
    async fn message(&mut self) -> Result<Option<FromBackend>> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(message) = self.decoder.take()? {
                return Ok(Some(message));
            }
            let read = self.stream.read(&mut buffer).await.map_err(Error::io("read from backend"))?;
            if read == 0 {
                return Ok(None);
            }
            self.decoder.push(buffer.get(..read).unwrap_or_default());
        }
    }
}

fn status(engine: &Engine) -> FromEngine {
    FromEngine::Status(engine.counters.status(engine.admission.waiting.get()))
}

/// Why the engine does not take the session.
fn refusal(engine: &Engine, hello: &Hello) -> Option<SqlError> {
    if hello.protocol_version != PROTOCOL_VERSION || hello.build_id != BUILD_ID {
        let error = SqlError::new(
            SqlState::FDW_UNABLE_TO_ESTABLISH_CONNECTION,
            "pg_fusion engine and library are of different builds",
        );
        return Some(
            error
                .with_detail(format!(
                    "The engine is {BUILD_ID} with protocol {PROTOCOL_VERSION}, the library is {} with protocol {}.",
                    hello.build_id, hello.protocol_version
                ))
                .with_hint("Restart the server after an upgrade."),
        );
    }
    (engine.counters.sessions.get() > engine.config.max_sessions).then(|| {
        SqlError::new(
            SqlState::INSUFFICIENT_RESOURCES,
            format!("too many sessions of the engine (limit {})", engine.config.max_sessions),
        )
    })
}

async fn send_bytes(stream: &mut UnixStream, message: &FromEngine) -> Result<()> {
    let mut bytes = Vec::new();
    codec::encode(message, &mut bytes)?;
    stream.write_all(&bytes).await.map_err(Error::io("write to backend"))
}

/// Sends `Welcome` with the segment's descriptor.
async fn welcome(stream: &mut UnixStream, frames: u16, descriptor: OwnedFd) -> Result<()> {
    let mut bytes = Vec::new();
    codec::encode(&FromEngine::Welcome { frames, pid: std::process::id() }, &mut bytes)?;
    let sent = loop {
        stream.writable().await.map_err(Error::io("write to backend"))?;
        let sent = stream.try_io(Interest::WRITABLE, || {
            segment::send_with_descriptor(stream.as_fd(), &bytes, descriptor.as_fd()).map_err(|error| match error {
                fusion_proto::Error::Io(_, error) => error,
                error => std::io::Error::other(error),
            })
        });
        match sent {
            Ok(sent) => break sent,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(Error::Io("send the segment", error)),
        }
    };
    stream.write_all(bytes.get(sent..).unwrap_or_default()).await.map_err(Error::io("write to backend"))
}

/// Reads messages until the backend says bye or is gone.
async fn read(session: &Arc<Session>, reader: &mut Reader) -> Result<()> {
    while let Some(message) = reader.next().await? {
        match message {
            FromBackend::Hello(_) => return Err(unexpected("hello in an open session")),
            FromBackend::Execute(execute) => run::start(session, execute, Kind::Execute)?,
            FromBackend::Explain(execute) => run::start(session, execute, Kind::Explain)?,
            FromBackend::Prewarm(execute) => run::start(session, execute, Kind::Prewarm)?,
            FromBackend::Evict { query, database, relation } => {
                let evicted = session.engine.cache.evict(database, relation) as u64;
                session.engine.give_back();
                session.send(session.cache_report(query, database, evicted));
            }
            FromBackend::AskCacheShare { query, relations } => {
                let cache = &session.engine.cache;
                let shares = relations.iter().map(|asked| cache.share(asked.file, asked.blocks, &asked.attnums));
                session.send(FromEngine::CacheShare { query, shares: shares.collect() });
            }
            FromBackend::CacheStatistics { query, database } => session.send(session.cache_report(query, database, 0)),
            FromBackend::AskActivity { query } => {
                session.send(FromEngine::Activity { query, running: session.engine.activity.list() });
            }
            FromBackend::Pages { query, range, frame } => session.pages(query, range, frame)?,
            FromBackend::WideTuple { query, range, block, offset_number, tuple } => {
                session.wide_tuple(query, range, WideTuple { block, offset_number, tuple, accounted: None })?;
            }
            FromBackend::RangeDone { query, range } => session.range_done(query, range)?,
            FromBackend::Return { frame } => session.returned(frame)?,
            FromBackend::Cancel { query, returns_frames } => session.cancel(query, returns_frames),
            FromBackend::Status => session.send(status(&session.engine)),
            FromBackend::Bye => return Ok(()),
        }
    }
    Ok(())
}
