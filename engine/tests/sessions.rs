//! Sessions from a fake backend: who may connect, who owns what, and what ends when something ends.

mod support;

use fusion_common::{FrameNumber, QueryId};
use fusion_proto::message::{Execute, FromBackend, FromEngine};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use support::heap::Table;
use support::plans::{self, BOTH, ONE_INT8, execute, scan};
use support::{Backend, TestEngine, connect, hello, send};

#[test]
fn the_socket_is_private() {
    let engine = TestEngine::start();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&engine.socket()), 0o600);
    assert_eq!(mode(engine.socket().parent().unwrap()), 0o700);
}

#[test]
fn other_builds_are_refused() {
    let engine = TestEngine::start();
    let mut other = hello(8);
    other.build_id = "0.0.0-other".to_owned();
    let (_, first, segment) = connect(&engine, other);
    let FromEngine::Refused(error) = first else { panic!("{first:?}") };
    assert_eq!(error.sqlstate.as_str(), "HV00N");
    assert!(segment.is_none());
    let mut other = hello(8);
    other.protocol_version += 1;
    assert!(matches!(connect(&engine, other).1, FromEngine::Refused(_)));
    engine.settles(0, 0);
}

#[test]
fn too_many_sessions_are_refused() {
    let engine = TestEngine::with(|config| config.max_sessions = 1);
    let _first = Backend::open(&engine, 8);
    let (_, answer, _) = connect(&engine, hello(8));
    let FromEngine::Refused(error) = answer else { panic!("{answer:?}") };
    assert_eq!(error.sqlstate.as_str(), "53000");
}

#[test]
fn the_status_counts() {
    let engine = TestEngine::with(|config| config.restarts = 3);
    let table = Table::numbered(10);
    let mut backend = Backend::open(&engine, 8);
    backend.run(execute(1, scan(), &BOTH, &table), &table);
    backend.send(&FromBackend::Status);
    while backend.status.is_none() {
        backend.step();
    }
    let status = backend.status.clone().unwrap();
    assert_eq!((status.pid, status.restarts), (std::process::id(), 3));
    assert_eq!((status.sessions, status.queries, status.queries_total), (1, 0, 1));
}

#[test]
fn cancel_is_answered_and_frees_all() {
    let engine = TestEngine::start();
    let table = Table::numbered(40_000);
    let mut backend = Backend::open(&engine, 16);
    backend.keep_tuples = Some(QueryId(1));
    backend.start(execute(1, scan(), &BOTH, &table), &table);
    while backend.kept.is_empty() {
        backend.step();
    }
    let since = Instant::now();
    backend.send(&FromBackend::Cancel { query: QueryId(1), returns_frames: true });
    let answer = backend.finish(QueryId(1));
    assert_eq!(answer.error().sqlstate.as_str(), "57014");
    assert!(since.elapsed() < Duration::from_millis(500));
    for frame in std::mem::take(&mut backend.kept) {
        backend.send(&FromBackend::Return { frame });
    }
    engine.settles(1, 0);
    // Cancelling what is over is not an error, and the frames are there again.
    backend.send(&FromBackend::Cancel { query: QueryId(1), returns_frames: true });
    let answer = backend.run(execute(2, plans::count(scan()), &ONE_INT8, &table), &table);
    assert_eq!(answer.metrics().rows_decoded, 40_000);
}

#[test]
fn cancel_takes_back_what_is_on_its_way() {
    let engine = TestEngine::start();
    let table = Table::numbered(40_000);
    let mut backend = Backend::open(&engine, 16);
    for query in (1..40).step_by(2) {
        let id = QueryId(query);
        backend.keep_tuples = Some(id);
        backend.start(execute(query, scan(), &BOTH, &table), &table);
        while backend.kept.is_empty() {
            backend.step();
        }
        backend.forsake(id);
        assert_eq!(backend.finish(id).error().sqlstate.as_str(), "57014");
        engine.settles(1, 0);
        // Once more, as a backend does that has not read the answer.
        backend.forsake(id);
        let answer = backend.run(execute(query + 1, plans::count(scan()), &ONE_INT8, &table), &table);
        assert_eq!(answer.metrics().rows_decoded, 40_000);
    }
}

#[test]
fn cancel_reaches_a_query_that_waits_for_pages() {
    let engine = TestEngine::start();
    let table = Table::numbered(10_000);
    let mut backend = Backend::open(&engine, 16);
    backend.lazy = true;
    backend.start(execute(1, scan(), &BOTH, &table), &table);
    while backend.asked_blocks == 0 {
        backend.step();
    }
    backend.send(&FromBackend::Cancel { query: QueryId(1), returns_frames: true });
    assert_eq!(backend.finish(QueryId(1)).error().sqlstate.as_str(), "57014");
    backend.lazy = false;
    assert_eq!(backend.run(execute(2, scan(), &BOTH, &table), &table).tuples.len(), 10_000);
}

#[test]
fn a_backend_that_vanishes_leaves_nothing() {
    let engine = TestEngine::start();
    let table = Table::numbered(40_000);
    for lazy in [false, true] {
        let mut backend = Backend::open(&engine, 16);
        backend.lazy = lazy;
        backend.keep_tuples = Some(QueryId(1));
        for query in 1..3 {
            backend.start(execute(query, scan(), &BOTH, &table), &table);
        }
        while backend.asked_blocks == 0 || (!lazy && backend.kept.is_empty()) {
            backend.step();
        }
        assert!(engine.engine().counters.queries.get() > 0);
        drop(backend);
        engine.settles(0, 0);
    }
    assert_eq!(engine.engine().runtime.memory_pool.reserved(), 0);
}

#[test]
fn bye_ends_a_session() {
    let engine = TestEngine::start();
    let mut backend = Backend::open(&engine, 8);
    backend.send(&FromBackend::Bye);
    assert!(backend.is_hung_up());
    engine.settles(0, 0);
}

#[test]
fn protocol_violations_end_the_session_only() {
    let engine = TestEngine::start();
    let mut witness = Backend::open(&engine, 8);
    let table = Table::numbered(1_000);
    let (query, frame) = (QueryId(9), FrameNumber(0));
    let violations = [
        FromBackend::Hello(hello(8)),
        FromBackend::Return { frame },
        FromBackend::Return { frame: FrameNumber(u16::MAX) },
        FromBackend::Pages { query, range: 0, frame },
    ];
    for violation in violations {
        let mut backend = Backend::open(&engine, 8);
        backend.send(&violation);
        assert!(backend.is_hung_up(), "{violation:?}");
    }
    // A query id that is in use.
    let mut backend = Backend::open(&engine, 8);
    backend.lazy = true;
    for _ in 0..2 {
        backend.start(execute(1, scan(), &BOTH, &table), &table);
    }
    assert!(backend.is_hung_up());
    // A range that nobody asked for, of an open query.
    let mut backend = Backend::open(&engine, 8);
    backend.lazy = true;
    backend.start(execute(1, scan(), &BOTH, &table), &table);
    while backend.asked_blocks == 0 {
        backend.step();
    }
    backend.send(&FromBackend::RangeDone { query: QueryId(1), range: 77 });
    assert!(backend.is_hung_up());
    // Bytes that are no message.
    let mut backend = Backend::open(&engine, 8);
    std::io::Write::write_all(&mut backend.socket, &[0xff; 64]).unwrap();
    assert!(backend.is_hung_up());
    engine.settles(1, 0);
    assert_eq!(witness.run(execute(1, scan(), &BOTH, &table), &table).tuples.len(), 1_000);
}

#[test]
fn a_bad_frame_or_plan_fails_its_query_only() {
    let engine = TestEngine::start();
    let table = Table::numbered(1_000);
    let mut backend = Backend::open(&engine, 8);
    let mut bad = execute(1, scan(), &BOTH, &table);
    bad.plan.truncate(10);
    assert_eq!(backend.run(bad, &table).error().sqlstate.as_str(), "08P01");
    let mut bad = execute(2, scan(), &BOTH, &table);
    bad.scans.clear();
    assert_eq!(backend.run(bad, &table).error().sqlstate.as_str(), "XX000");
    let bad = execute(3, scan(), &ONE_INT8, &table);
    assert_eq!(backend.run(bad, &table).error().sqlstate.as_str(), "XX000");
    assert_eq!(backend.run(execute(4, scan(), &BOTH, &table), &table).tuples.len(), 1_000);
}

#[test]
fn too_many_open_queries_are_refused() {
    let engine = TestEngine::start();
    let table = Table::numbered(1_000);
    let mut backend = Backend::open(&engine, 8);
    backend.lazy = true;
    for query in 0..4 {
        backend.start(execute(query, scan(), &BOTH, &table), &table);
    }
    backend.start(execute(4, scan(), &BOTH, &table), &table);
    assert_eq!(backend.finish(QueryId(4)).error().sqlstate.as_str(), "53000");
    backend.lazy = false;
    backend.serve();
    for query in 0..4 {
        assert_eq!(backend.finish(QueryId(query)).tuples.len(), 1_000, "the open ones go on");
    }
}

#[test]
fn a_panic_ends_its_query_and_nothing_else() {
    let engine = TestEngine::start();
    let table = Table::numbered(1_000);
    let mut backend = Backend::open(&engine, 8);
    let faulty = Execute { fault: Some("exec:panic".to_owned()), ..execute(1, scan(), &BOTH, &table) };
    let answer = backend.run(faulty, &table);
    assert_eq!(answer.error().sqlstate.as_str(), "XX000");
    assert_eq!(backend.run(execute(2, scan(), &BOTH, &table), &table).tuples.len(), 1_000);
    engine.settles(1, 0);
}

#[test]
fn sessions_run_side_by_side() {
    let engine = TestEngine::start();
    let table = Table::numbered(20_000);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut backend = Backend::open(&engine, 12);
                for query in 0..10 {
                    let answer = backend.run(execute(query, scan(), &BOTH, &table), &table);
                    assert_eq!(answer.tuples.len(), 20_000);
                }
            });
        }
    });
    engine.settles(0, 0);
}

#[test]
fn queries_wait_for_their_turn_as_long_as_they_have_patience() {
    let engine = TestEngine::with(|config| config.max_queries = 1);
    let table = Table::numbered(1_000);
    let mut first = Backend::open(&engine, 8);
    first.lazy = true;
    first.start(execute(1, scan(), &BOTH, &table), &table);
    first.step();
    let mut second = Backend::open(&engine, 8);
    let impatient = Execute { patience_ms: Some(20), ..execute(1, scan(), &BOTH, &table) };
    assert_eq!(second.run(impatient, &table).error().sqlstate.as_str(), "53000");
    second.start(execute(2, scan(), &BOTH, &table), &table);
    let until = Instant::now() + Duration::from_secs(10);
    while engine.engine().admission.waiting.get() == 0 {
        assert!(Instant::now() < until, "the second query does not wait");
        std::thread::sleep(Duration::from_millis(1));
    }
    // A query beside an open one of its own session does not wait.
    first.start(execute(2, scan(), &BOTH, &table), &table);
    first.lazy = false;
    first.serve();
    for query in [2, 1] {
        assert_eq!(first.finish(QueryId(query)).tuples.len(), 1_000);
    }
    assert_eq!(second.finish(QueryId(2)).tuples.len(), 1_000);
    engine.settles(2, 0);
}

#[test]
fn the_supervisor_asks_without_a_session() {
    let engine = TestEngine::start();
    let mut socket = UnixStream::connect(engine.socket()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    send(&mut socket, &FromBackend::Status);
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    let mut decoder = fusion_proto::codec::Decoder::default();
    decoder.push(&bytes);
    let Some(FromEngine::Status(status)) = decoder.take().unwrap() else { panic!("no status") };
    assert_eq!((status.pid, status.waiting), (std::process::id(), 0));
    assert_eq!(engine.engine().counters.segments.get(), 0);
}
