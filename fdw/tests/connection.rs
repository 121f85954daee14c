//! The session's state machine against an engine that the test plays on the other end of a socket pair.
//!
//! The crate itself links only into a server, so the file under test is compiled in here by its path.

#[path = "../src/session/connection.rs"]
#[allow(dead_code)]
mod connection;

use connection::{Connection, Delivery};
use fusion_common::limits::MAX_SESSION_QUERIES;
use fusion_common::{FrameNumber, QueryId, ScanId, SqlError, SqlState};
use fusion_proto::codec::{self, Decoder};
use fusion_proto::message::{FromBackend, FromEngine};
use fusion_proto::segment::{Frame, Segment};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

const FRAMES: u16 = 8;

/// The other end.
struct Engine {
    socket: UnixStream,
    decoder: Decoder,
}

impl Engine {
    fn say(&mut self, messages: &[FromEngine]) {
        let mut bytes = Vec::new();
        for message in messages {
            codec::encode(message, &mut bytes).unwrap();
        }
        self.socket.write_all(&bytes).unwrap();
    }

    /// All that has been sent so far.
    fn heard(&mut self) -> Vec<FromBackend> {
        self.socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = self.socket.read(&mut buffer) {
            self.decoder.push(&buffer[..count]);
        }
        self.socket.set_nonblocking(false).unwrap();
        std::iter::from_fn(|| self.decoder.take().unwrap()).collect()
    }
}

fn pair() -> (Connection, Engine) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let (segment, _descriptor) = Segment::create(FRAMES).unwrap();
    (Connection::new(ours.into(), segment, Decoder::default()), Engine { socket: theirs, decoder: Decoder::default() })
}

/// Any message opens a query as far as the state machine is concerned.
fn open(connection: &mut Connection, engine: &mut Engine) -> QueryId {
    let query = connection.open(|query| FromBackend::RangeDone { query, range: 0 }).unwrap();
    assert_eq!(engine.heard(), [FromBackend::RangeDone { query, range: 0 }]);
    query
}

fn grant(query: QueryId, frame: u16) -> FromEngine {
    FromEngine::Grant { query, frame: FrameNumber(frame) }
}

fn done(query: QueryId) -> FromEngine {
    FromEngine::Done { query, metrics: Default::default() }
}

fn returned(frame: u16) -> FromBackend {
    FromBackend::Return { frame: FrameNumber(frame) }
}

fn take_grant(connection: &mut Connection, query: QueryId) -> Frame {
    match connection.take(query) {
        Some(Delivery::Grant(frame)) => frame,
        other => panic!("expected a grant, got {other:?}"),
    }
}

#[test]
fn each_query_gets_its_own_deliveries_in_order() {
    let (mut connection, mut engine) = pair();
    let (first, second) = (open(&mut connection, &mut engine), open(&mut connection, &mut engine));
    let range = |query, range| FromEngine::ReadRange {
        query,
        range,
        scan: ScanId(0),
        first_block: 0,
        count: 1,
        wanted: vec![],
    };
    engine.say(&[range(second, 7), range(first, 8), range(second, 9)]);
    connection.pump();
    let ranges = |connection: &mut Connection, query| -> Vec<u32> {
        std::iter::from_fn(|| connection.take(query))
            .map(|delivery| match delivery {
                Delivery::ReadRange { range, .. } => range,
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(ranges(&mut connection, second), [7, 9]);
    assert_eq!(ranges(&mut connection, first), [8]);
}

#[test]
fn a_closed_query_gives_its_frames_back_then_and_later() {
    let (mut connection, mut engine) = pair();
    let query = open(&mut connection, &mut engine);
    engine.say(&[grant(query, 1), grant(query, 2)]);
    connection.pump();
    let frame = take_grant(&mut connection, query);
    connection.close(query);
    assert_eq!(engine.heard(), [returned(2), FromBackend::Cancel { query, returns_frames: true }]);
    engine.say(&[grant(query, 3), done(query)]);
    assert!(connection.is_closing());
    connection.pump();
    assert!(!connection.is_closing());
    connection.release(frame);
    assert_eq!(engine.heard(), [returned(3), returned(1)]);
    assert!(connection.lost().is_none());
}

#[test]
fn frames_on_their_way_to_a_cancelled_query_that_held_none_are_not_ours() {
    let (mut connection, mut engine) = pair();
    let query = open(&mut connection, &mut engine);
    engine.say(&[grant(query, 1)]);
    connection.pump();
    let frame = take_grant(&mut connection, query);
    connection.release(frame);
    engine.say(&[grant(query, 2)]);
    connection.pump();
    connection.close(query);
    let cancel = FromBackend::Cancel { query, returns_frames: false };
    assert_eq!(engine.heard(), [returned(1), returned(2), cancel]);
    // Sent before the engine read the Cancel; the next one has the frame already.
    engine.say(&[grant(query, 3), FromEngine::Tuples { query, frame: FrameNumber(4) }]);
    let next = open(&mut connection, &mut engine);
    engine.say(&[grant(next, 3), done(query)]);
    connection.pump();
    assert!(connection.lost().is_none() && !connection.is_closing());
    let frame = take_grant(&mut connection, next);
    connection.release(frame);
    assert_eq!(engine.heard(), [returned(3)]);
}

#[test]
fn a_query_that_has_ended_is_not_cancelled() {
    let (mut connection, mut engine) = pair();
    let (read, unread) = (open(&mut connection, &mut engine), open(&mut connection, &mut engine));
    engine.say(&[done(read), grant(unread, 0), done(unread)]);
    connection.pump();
    assert!(matches!(connection.take(read), Some(Delivery::Done(_))));
    connection.close(read);
    connection.close(unread);
    assert_eq!(engine.heard(), [returned(0)]);
}

#[test]
fn a_frame_may_come_again_after_it_went_back_and_not_before() {
    let (mut connection, mut engine) = pair();
    let query = open(&mut connection, &mut engine);
    engine.say(&[grant(query, 5)]);
    connection.pump();
    let frame = take_grant(&mut connection, query);
    connection.queue_pages(query, 0, frame, false).unwrap();
    connection.pump();
    engine.say(&[grant(query, 5)]);
    connection.pump();
    assert!(connection.lost().is_none());
    engine.say(&[grant(query, 5)]);
    connection.pump();
    assert_eq!(connection.lost().unwrap().sqlstate, SqlState::FDW_UNABLE_TO_ESTABLISH_CONNECTION);
}

#[test]
fn a_broken_engine_loses_the_connection_only() {
    let unknown = QueryId(99);
    let broken: [FromEngine; 4] = [
        done(unknown),
        grant(QueryId(1), FRAMES),
        FromEngine::Refused(SqlError::internal("late")),
        FromEngine::Welcome { frames: FRAMES, pid: 1 },
    ];
    for message in broken {
        let (mut connection, mut engine) = pair();
        let query = open(&mut connection, &mut engine);
        assert_eq!(query, QueryId(1));
        engine.say(std::slice::from_ref(&message));
        connection.pump();
        assert!(connection.lost().is_some(), "{message:?}");
        assert!(connection.send(&FromBackend::Status).is_err());
        connection.close(query);
        assert_eq!(engine.socket.read(&mut [0; 8]).unwrap(), 0, "the engine learns of it");
    }
}

#[test]
fn what_came_before_the_end_of_the_connection_can_be_taken() {
    let (mut connection, mut engine) = pair();
    let query = open(&mut connection, &mut engine);
    engine.say(&[FromEngine::WideRow { query, tuple: vec![1; 100] }, done(query)]);
    drop(engine);
    connection.send(&FromBackend::RangeDone { query, range: 1 }).unwrap();
    connection.pump();
    connection.pump();
    assert!(connection.lost().is_some());
    assert!(matches!(connection.take(query), Some(Delivery::WideRow(tuple)) if tuple == [1; 100]));
    assert!(matches!(connection.take(query), Some(Delivery::Done(_))));
    assert!(connection.take(query).is_none());
}

#[test]
fn sending_to_an_engine_that_does_not_read_never_blocks() {
    let (mut connection, mut engine) = pair();
    let query = open(&mut connection, &mut engine);
    let message = |range| FromBackend::WideTuple { query, range, block: 0, offset_number: 1, tuple: vec![7; 100_000] };
    for range in 0..20 {
        connection.send(&message(range)).unwrap();
    }
    assert!(connection.backlog() > 0);
    let mut heard = Vec::new();
    while heard.len() < 20 {
        heard.extend(engine.heard());
        connection.pump();
    }
    assert_eq!(connection.backlog(), 0);
    assert!(heard.iter().enumerate().all(|(range, heard)| *heard == message(range as u32)));
}

#[test]
fn open_and_closing_queries_are_bounded() {
    let (mut connection, mut engine) = pair();
    let queries: Vec<_> = (0..MAX_SESSION_QUERIES).map(|_| open(&mut connection, &mut engine)).collect();
    let refused = connection.open(|query| FromBackend::RangeDone { query, range: 0 }).unwrap_err();
    assert_eq!(refused.sqlstate, SqlState::INSUFFICIENT_RESOURCES);
    connection.close(queries[0]);
    assert!(connection.is_full() && connection.is_closing(), "until the engine has answered");
    engine.say(&[FromEngine::Failed { query: queries[0], error: SqlError::internal("cancelled") }]);
    connection.pump();
    assert!(!connection.is_full());
}

#[test]
fn a_status_answer_that_nobody_waits_for_is_not_taken_for_the_next() {
    let (mut connection, mut engine) = pair();
    let status = |pid| {
        let version = String::new();
        let (started_at, restarts, sessions, queries, waiting, queries_total) = (0, 0, 0, 0, 0, 0);
        let status = fusion_proto::message::EngineStatus {
            pid,
            started_at,
            version,
            restarts,
            last_end: None,
            sessions,
            queries,
            waiting,
            queries_total,
        };
        FromEngine::Status(status)
    };
    let _interrupted = connection.ask_status().unwrap();
    let ticket = connection.ask_status().unwrap();
    engine.say(&[status(1)]);
    connection.pump();
    assert!(connection.status(ticket).is_none());
    engine.say(&[status(2)]);
    connection.pump();
    assert_eq!(connection.status(ticket).unwrap().pid, 2);
    engine.say(&[status(3)]);
    connection.pump();
    assert!(connection.lost().is_some(), "not asked for");
}
