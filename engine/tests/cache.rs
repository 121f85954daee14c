//! The column cache from end to end: a model of a heap with page LSNs and a visibility map changes between queries, and every answer must be the
//! model's, whatever the engine kept.

mod support;

use fusion_common::RelationFile;
use fusion_proto::message::CacheInfo;
use fusion_proto::plan::{CompareOp, Expr};
use std::sync::Arc;
use support::heap::{INT4, Page, Row, TEXT, Table, minimal, minimal_int8, tuple};
use support::plans::{self, BOTH, INT4_TYPE, ONE_INT8, TEXT_TYPE, execute, scan};
use support::{Backend, TestEngine};

/// A small generator, the same on every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// A heap as PostgreSQL keeps it, as far as the cache can tell.
struct Heap {
    pages: Vec<Page>,
    /// Of each page its tuples by offset number: the row, and whether the snapshot sees it.
    tuples: Vec<Vec<(Row, bool)>>,
    map: Vec<bool>,
    map_lsn: u64,
    lsn: u64,
    next_id: i32,
}

impl Heap {
    fn new(pages: usize) -> Self {
        let mut heap = Self {
            pages: vec![Page::new(); pages],
            tuples: vec![Vec::new(); pages],
            map: vec![false; pages],
            map_lsn: 0,
            lsn: 100,
            next_id: 0,
        };
        for page in 0..pages {
            (0..20).for_each(|_| heap.insert(page));
        }
        heap
    }

    fn logged(&mut self, page: usize) {
        self.lsn += 1;
        self.pages[page].lsn = self.lsn;
    }

    /// Any change of a page's tuples clears its bits first.
    fn change(&mut self, page: usize) {
        self.map[page] = false;
        self.pages[page].all_visible = false;
        self.logged(page);
    }

    fn insert(&mut self, page: usize) {
        let row = (self.next_id, (self.next_id % 3 != 0).then(|| format!("row {} of a heap", self.next_id)));
        self.next_id += 1;
        self.change(page);
        if self.pages[page].push(&tuple(&row), true).is_some() {
            self.tuples[page].push((row, true));
        }
    }

    /// Deletes a tuple, or takes that back.
    fn toggle(&mut self, page: usize, item: usize) {
        if let Some((_, seen)) = self.tuples[page].get_mut(item) {
            *seen = !*seen;
            self.pages[page].visible[item / 64] ^= 1 << (item % 64);
            self.change(page);
        }
    }

    /// VACUUM of a page: dead tuples lose their line pointers, and the page is visible to all.
    fn vacuum(&mut self, page: usize) {
        for item in 0..self.tuples[page].len() {
            if !self.tuples[page][item].1 {
                // LP_DEAD.
                let at = 24 + 4 * item;
                self.pages[page].image[at..at + 4].copy_from_slice(&(3u32 << 15).to_le_bytes());
                self.logged(page);
            }
        }
        if !self.map[page] {
            self.map[page] = true;
            self.pages[page].all_visible = true;
            self.lsn += 1;
            self.map_lsn = self.lsn;
        }
    }

    fn lock_row(&mut self, page: usize) {
        self.logged(page);
    }

    fn grow(&mut self) {
        self.pages.push(Page::new());
        self.tuples.push(Vec::new());
        self.map.push(false);
        self.insert(self.pages.len() - 1);
    }

    /// VACUUM cuts pages off the end.
    fn truncate(&mut self) {
        if self.pages.len() > 2 {
            self.pages.pop();
            self.tuples.pop();
            self.map.pop();
        }
    }

    fn rows(&self) -> Vec<Row> {
        self.tuples.iter().flatten().filter(|(_, seen)| *seen).map(|(row, _)| row.clone()).collect()
    }

    fn table(&self) -> Arc<Table> {
        let mut all_visible = vec![0; self.map.len().div_ceil(8)];
        for (block, _) in self.map.iter().enumerate().filter(|(_, visible)| **visible) {
            all_visible[block / 8] |= 1 << (block % 8);
        }
        let file = RelationFile { tablespace: 1663, database: 5, number: 16384 };
        let cache = Some(CacheInfo { relation: 16384, file, map_lsns: vec![self.map_lsn], all_visible });
        Arc::new(Table { pages: self.pages.clone(), rows: self.rows(), cache })
    }
}

/// Asks one of several questions, and looks whether the answer is the model's.
fn ask(backend: &mut Backend, query: u32, heap: &Heap, question: usize) {
    let table = heap.table();
    let rows = heap.rows();
    let (root, output, expected): (_, &[_], Vec<Vec<u8>>) = match question {
        0 => (scan(), &BOTH, rows.iter().map(|(id, name)| minimal(*id, name.as_deref())).collect()),
        1 => (plans::count(scan()), &ONE_INT8, vec![minimal_int8(rows.len() as i64)]),
        2 => {
            let few = plans::filter(scan(), CompareOp::Lt, 100);
            let expected = rows.iter().filter(|(id, _)| *id < 100);
            (few, &BOTH, expected.map(|(id, name)| minimal(*id, name.as_deref())).collect())
        }
        3 => {
            let ids = plans::project(scan(), vec![Expr::column(INT4_TYPE, 0)]);
            let answer = backend.run(execute(query, ids, &[(INT4_TYPE, INT4)], &table), &table);
            let id_of = |tuple: &Vec<u8>| i32::from_le_bytes(tuple[16..20].try_into().unwrap());
            let mut ids: Vec<i32> = answer.tuples.iter().map(id_of).collect();
            ids.sort_unstable();
            let mut expected: Vec<i32> = rows.iter().map(|(id, _)| *id).collect();
            expected.sort_unstable();
            assert_eq!(ids, expected);
            return;
        }
        _ => {
            let names = plans::project(scan(), vec![Expr::column(TEXT_TYPE, 1)]);
            let answer = backend.run(execute(query, names, &[(TEXT_TYPE, TEXT)], &table), &table);
            let bytes = |tuples: &[Vec<u8>]| tuples.iter().map(Vec::len).sum::<usize>();
            let expected = rows.iter().map(|(_, name)| name.as_ref().map_or(16, |name| 16 + 1 + name.len()));
            assert_eq!((answer.tuples.len(), bytes(&answer.tuples)), (rows.len(), expected.sum()));
            return;
        }
    };
    let mut got = backend.run(execute(query, root, output, &table), &table).tuples;
    let mut expected = expected;
    got.sort();
    expected.sort();
    assert_eq!(got, expected, "question {question} of query {query}");
}

#[test]
fn a_quiet_heap_is_read_once() {
    let engine = TestEngine::start();
    let mut backend = Backend::open(&engine, 30);
    let mut heap = Heap::new(300);
    (0..300).for_each(|page| heap.vacuum(page));
    ask(&mut backend, 1, &heap, 0);
    assert_eq!(backend.images, 300);
    for (query, question) in [(2, 0), (3, 1), (4, 2), (5, 3), (6, 4)] {
        ask(&mut backend, query, &heap, question);
    }
    assert_eq!((backend.visits, backend.images), (300, 300), "all that followed came from the cache");
}

#[test]
fn changed_blocks_alone_are_sent_again() {
    let engine = TestEngine::start();
    let mut backend = Backend::open(&engine, 30);
    let mut heap = Heap::new(300);
    (0..300).for_each(|page| heap.vacuum(page));
    ask(&mut backend, 1, &heap, 0);
    let images = |backend: &mut Backend, query: u32, heap: &Heap| {
        let before = (backend.visits, backend.images);
        ask(backend, query, heap, 0);
        (backend.visits - before.0, backend.images - before.1)
    };
    heap.insert(7);
    heap.toggle(200, 3);
    assert_eq!(images(&mut backend, 2, &heap), (2, 2));
    assert_eq!(images(&mut backend, 3, &heap), (2, 0), "not visible to all yet, but not changed either");
    heap.vacuum(7);
    heap.vacuum(200);
    assert_eq!(
        images(&mut backend, 4, &heap),
        (300, 1),
        "the map has moved: all are looked at; one lost a line pointer"
    );
    assert_eq!(images(&mut backend, 5, &heap), (0, 0));
    heap.lock_row(9);
    assert_eq!(images(&mut backend, 6, &heap), (0, 0), "a lock changes no tuple");
}

#[test]
fn any_history_gives_the_right_rows() {
    let engine = TestEngine::start();
    let mut backend = Backend::open(&engine, 30);
    let mut random = Random(0x5eed_1234_5678_9abc);
    let mut heap = Heap::new(260);
    let mut query = 0;
    for _ in 0..150 {
        for _ in 0..random.below(6) {
            let page = random.below(heap.pages.len());
            match random.below(12) {
                0..4 => heap.insert(page),
                4..7 => heap.toggle(page, random.below(40)),
                7..9 => (page..(page + 40).min(heap.pages.len())).for_each(|page| heap.vacuum(page)),
                9 => heap.lock_row(page),
                10 => heap.grow(),
                _ => heap.truncate(),
            }
        }
        query += 1;
        ask(&mut backend, query, &heap, random.below(5));
    }
    let pages = u64::from(query) * 250;
    assert!(backend.images < pages / 4, "{} images of {pages} pages: the cache was of use", backend.images);
}

#[test]
fn a_cache_that_is_too_small_gives_the_right_rows() {
    let engine = TestEngine::with(|config| config.cache_size = 100 << 10);
    let mut backend = Backend::open(&engine, 30);
    let mut heap = Heap::new(700);
    (0..700).for_each(|page| heap.vacuum(page));
    for query in 0..20 {
        ask(&mut backend, query, &heap, query as usize % 5);
        assert!(engine.engine().cache.room().used() <= 100 << 10);
    }
    assert!(engine.engine().cache.room().used() > 0);
}

#[test]
fn queries_get_the_memory_of_the_cache() {
    let engine = TestEngine::with(|config| config.cache_size = 64 << 20);
    let mut backend = Backend::open(&engine, 30);
    let mut heap = Heap::new(300);
    (0..300).for_each(|page| heap.vacuum(page));
    ask(&mut backend, 1, &heap, 0);
    assert!(engine.engine().cache.room().used() > 0);
    let pool = &engine.engine().runtime.memory_pool;
    let reservation = datafusion::execution::memory_pool::MemoryConsumer::new("a query").register(pool);
    reservation.try_grow(fusion_engine::resident::pool_size(64 << 20)).unwrap();
    assert_eq!(engine.engine().cache.room().used(), 0);
    ask(&mut backend, 2, &heap, 1);
    drop(reservation);
    ask(&mut backend, 3, &heap, 0);
    assert!(engine.engine().cache.room().used() > 0);
}
