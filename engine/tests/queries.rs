//! Queries from a fake backend through a real engine: rows bit by bit.

mod support;

use fusion_common::QueryId;
use fusion_proto::message::FromBackend;
use fusion_proto::plan::CompareOp;
use support::heap::{Row, TEXT, Table, minimal, minimal_int8};
use support::plans::{self, BOTH, ONE_INT8, TEXT_TYPE, execute, scan};
use support::{Backend, TestEngine};

fn expected(rows: &[Row]) -> Vec<Vec<u8>> {
    rows.iter().map(|(id, name)| minimal(*id, name.as_deref())).collect()
}

fn sorted(mut tuples: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    tuples.sort();
    tuples
}

#[test]
fn a_scan_gives_every_visible_row() {
    let engine = TestEngine::start();
    let table = Table::numbered(40_000);
    assert!(table.pages.len() > 200, "several ranges");
    let mut backend = Backend::open(&engine, 30);
    let answer = backend.run(execute(1, scan(), &BOTH, &table), &table);
    assert_eq!(sorted(answer.tuples), sorted(expected(&table.rows)));
    let metrics = answer.end.unwrap().unwrap();
    assert_eq!(metrics.pages, table.pages.len() as u64);
    assert_eq!((metrics.rows_decoded, metrics.rows_returned), (40_000, 40_000));
    let stages: Vec<_> = metrics.stages.iter().map(|(stage, _)| stage.as_str()).collect();
    assert_eq!(stages, ["parse", "bind", "optimize", "translate", "begin", "exec", "end"]);
    engine.settles(1, 0);
}

#[test]
fn the_smallest_segment_is_enough() {
    let engine = TestEngine::start();
    let table = Table::numbered(20_000);
    let mut backend = Backend::open(&engine, 8);
    for query in 0..5 {
        let answer = backend.run(execute(query, scan(), &BOTH, &table), &table);
        assert_eq!(answer.tuples.len(), 20_000);
    }
}

#[test]
fn empty_relations_have_no_rows() {
    let engine = TestEngine::start();
    let mut table = (*Table::numbered(0)).clone();
    table.pages.clear();
    let table = std::sync::Arc::new(table);
    let mut backend = Backend::open(&engine, 30);
    assert!(backend.run(execute(1, scan(), &BOTH, &table), &table).tuples.is_empty());
    let answer = backend.run(execute(2, plans::count(scan()), &ONE_INT8, &table), &table);
    assert_eq!(answer.tuples, [minimal_int8(0)]);
}

#[test]
fn filters_projections_and_counts() {
    let engine = TestEngine::start();
    let table = Table::numbered(30_000);
    let mut backend = Backend::open(&engine, 30);
    let root = plans::filter(scan(), CompareOp::Lt, 1234);
    let answer = backend.run(execute(1, root, &BOTH, &table), &table);
    assert_eq!(sorted(answer.tuples), sorted(expected(&table.rows[..1234])));

    let root = plans::project(scan(), vec![fusion_proto::plan::Expr::column(TEXT_TYPE, 1)]);
    let answer = backend.run(execute(2, root, &[(TEXT_TYPE, TEXT)], &table), &table);
    assert_eq!(answer.tuples.len(), 30_000);
    let shortest = answer.tuples.iter().map(Vec::len).min();
    assert_eq!(shortest, Some(16), "a NULL has no data");

    let answer = backend.run(execute(3, plans::count(scan()), &ONE_INT8, &table), &table);
    assert_eq!(answer.tuples, [minimal_int8(30_000)]);
    assert_eq!(answer.metrics().pages, table.pages.len() as u64, "statistics never answer");

    let root = plans::count(plans::filter(scan(), CompareOp::Eq, 77));
    assert_eq!(backend.run(execute(4, root, &ONE_INT8, &table), &table).tuples, [minimal_int8(1)]);
}

#[test]
fn an_ordered_result_comes_in_order() {
    let engine = TestEngine::start();
    let table = Table::numbered(30_000);
    let mut backend = Backend::open(&engine, 30);
    let answer = backend.run(execute(1, plans::sorted(scan(), true), &BOTH, &table), &table);
    let mut rows = table.rows.clone();
    rows.reverse();
    assert_eq!(answer.tuples, expected(&rows));
}

#[test]
fn a_limit_ends_the_scan_early() {
    let engine = TestEngine::start();
    let table = Table::numbered(60_000);
    let mut backend = Backend::open(&engine, 30);
    let answer = backend.run(execute(1, plans::limit(scan(), 10), &BOTH, &table), &table);
    assert_eq!(answer.tuples, expected(&table.rows[..10]));
    assert!(backend.asked_blocks < table.pages.len() as u64 / 4, "{} blocks", backend.asked_blocks);
    // Above a filter the scan does not know of the limit, and is dropped with ranges under way.
    let root = plans::limit(plans::filter(scan(), CompareOp::Lt, 50_000), 10);
    assert_eq!(backend.run(execute(2, root, &BOTH, &table), &table).tuples.len(), 10);
    let answer = backend.run(execute(3, plans::count(scan()), &ONE_INT8, &table), &table);
    assert_eq!(answer.tuples, [minimal_int8(60_000)], "the session goes on");
    engine.settles(1, 0);
}

#[test]
fn flattened_and_wide_tuples_replace_those_of_the_page() {
    let engine = TestEngine::start();
    let name = |id: i32| match id % 10 {
        3 => Some("f".repeat(5_000)),
        6 => Some("w".repeat(400_000)),
        9 => None,
        _ => Some(format!("{id}")),
    };
    let table = Table::new((0..100).map(|id| (id, name(id))).collect());
    let mut backend = Backend::open(&engine, 8);
    let answer = backend.run(execute(1, scan(), &BOTH, &table), &table);
    assert_eq!(answer.wide_rows, 10, "rows too wide for a frame");
    assert_eq!(sorted(answer.tuples), sorted(expected(&table.rows)));
    assert_eq!(engine.engine().runtime.memory_pool.reserved(), 0, "wide tuples are accounted for and freed");
}

#[test]
fn wide_tuples_beyond_the_memory_limit_fail_their_query() {
    let engine = TestEngine::with(|config| config.memory_limit = 16 << 20);
    let table = Table::new((0..3).map(|id| (id, Some("w".repeat(20 << 20)))).collect());
    let mut backend = Backend::open(&engine, 8);
    let answer = backend.run(execute(1, scan(), &BOTH, &table), &table);
    assert_eq!(answer.error().sqlstate.as_str(), "53200");
    engine.settles(1, 0);
    assert_eq!(engine.engine().runtime.memory_pool.reserved(), 0);
}

#[test]
fn two_queries_are_open_at_once() {
    let engine = TestEngine::start();
    let table = Table::numbered(40_000);
    let mut backend = Backend::open(&engine, 16);
    // Nobody reads the first one ...
    backend.keep_tuples = Some(QueryId(1));
    backend.start(execute(1, scan(), &BOTH, &table), &table);
    while backend.kept.is_empty() {
        backend.step();
    }
    // ... and others run meanwhile.
    for query in 2..5 {
        let answer = backend.run(execute(query, scan(), &BOTH, &table), &table);
        assert_eq!(sorted(answer.tuples), sorted(expected(&table.rows)));
    }
    backend.keep_tuples = None;
    for frame in std::mem::take(&mut backend.kept) {
        backend.read_tuples(QueryId(1), frame);
    }
    let answer = backend.finish(QueryId(1));
    assert_eq!(sorted(answer.tuples), sorted(expected(&table.rows)));
}

#[test]
fn explain_and_analyze_show_the_plan() {
    let engine = TestEngine::start();
    let table = Table::numbered(30_000);
    let mut backend = Backend::open(&engine, 30);
    let query = execute(1, plans::count(plans::filter(scan(), CompareOp::Lt, 5)), &ONE_INT8, &table);
    backend.answers.insert(QueryId(1), Default::default());
    backend.send(&FromBackend::Explain(Box::new(query.clone())));
    let plan = backend.finish(QueryId(1)).explained.unwrap();
    let blocks = table.pages.len();
    let line = format!("HeapScanExec: relation=public.people, alias=p, columns=[], blocks={blocks}, filter=id@0 < 5");
    assert!(plan.contains(&line), "{plan}");

    let mut query = execute(2, plans::count(plans::filter(scan(), CompareOp::Lt, 5)), &ONE_INT8, &table);
    query.analyze = true;
    let answer = backend.run(query, &table);
    let plan = &answer.metrics().plan;
    assert!(plan.contains("HeapScanExec") && plan.contains("output_rows=5"), "{plan}");
    assert_eq!(answer.tuples, [minimal_int8(5)]);
}

#[test]
fn a_corrupt_page_names_its_block() {
    let engine = TestEngine::start();
    let mut table = (*Table::numbered(5_000)).clone();
    table.pages[3].image[14..16].copy_from_slice(&9000u16.to_le_bytes());
    let table = std::sync::Arc::new(table);
    let mut backend = Backend::open(&engine, 30);
    let answer = backend.run(execute(1, scan(), &BOTH, &table), &table);
    assert_eq!(answer.error().sqlstate.as_str(), "XX001");
    assert!(answer.error().message.contains("block 3"), "{:?}", answer.error());
    engine.settles(1, 0);
    let good = Table::numbered(100);
    assert_eq!(backend.run(execute(2, scan(), &BOTH, &good), &good).tuples.len(), 100);
}

#[test]
fn blocks_come_once_and_in_order() {
    let engine = TestEngine::start();
    let table = Table::numbered(5_000);
    let mut backend = Backend::open(&engine, 30);
    backend.block_shift = 1;
    let answer = backend.run(execute(1, scan(), &BOTH, &table), &table);
    assert_eq!(answer.error().sqlstate.as_str(), "08P01", "the first block twice");
    backend.block_shift = 0;
    assert_eq!(backend.run(execute(2, scan(), &BOTH, &table), &table).tuples.len(), 5_000);
}
