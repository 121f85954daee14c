//! The session of this backend with the engine: queries are opened here, and events and frames pass through.
//!
//! One connection per backend, made at first use and kept ([`connect`](self::connect)); its state machine is
//! [`connection`](self::connection); here it meets PostgreSQL's waits.
//!
//! ```text
//! scan, feed ── Query::next / queue_pages … ── Rc<RefCell<Connection>> ── socket ── engine
//!               Frame (returns itself on drop) ──┘
//! ```
//!
//! Invariants
//! - The connection is never borrowed while a PostgreSQL function runs: an interrupt (ERROR as a panic, or FATAL, which runs abort
//!   callbacks on top of our stack) finds it consistent and free.
//! - Dropping a [`Query`] or a [`Frame`] neither waits, nor raises, nor calls PostgreSQL: both may be dropped by a memory context's reset
//!   callback at transaction abort. A dropped query is cancelled, a dropped frame goes back to the engine.
//! - A lost connection fails the queries that were open in it and no others; the next [`execute`] makes a new one.
//! - After [`Event::Done`] or [`Event::Failed`] a query has ended and gives no more events.

mod connect;
mod connection;

use crate::error::Result;
use crate::{guc, pg};
use connection::{Connection, Delivery};
use fusion_common::{Attribute, BlockNumber, Oid, QueryId, ScanId, SqlError, SqlState};
use fusion_proto::message::{
    CacheEntry, CacheQuestion, EngineStatus, Execute, FromBackend, QueryActivity, QueryMetrics, ScanInfo, Wanted,
};
use fusion_proto::plan::Value;
use fusion_proto::segment;
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Bytes that may wait for the engine to read them; a sender of pages or tuples waits until there are fewer.
const MAX_BACKLOG: usize = 1 << 20;

type Shared = Rc<RefCell<Connection>>;

thread_local! {
    /// The connection for new queries. Queries of an older, lost one keep that alive.
    static CURRENT: RefCell<Option<Shared>> = const { RefCell::new(None) };
}

/// What to run: an [`Execute`] that has no id yet.
#[derive(Clone, Debug)]
pub struct Request {
    /// `fusion_proto::plan::Plan` by `codec::to_bytes`.
    pub plan: Vec<u8>,
    /// Values of `Expr::Param`, by index; None is NULL.
    pub params: Vec<Option<Value>>,
    /// One entry per scan of the plan, by `ScanId`.
    pub scans: Vec<ScanInfo>,
    /// Physical layout of the result rows, one per output column.
    pub output: Vec<Attribute>,
    /// Collect the plan's text with metrics into `Done`.
    pub analyze: bool,
    /// How long it may wait while too many queries run, milliseconds; None: as long as it takes.
    pub patience_ms: Option<u32>,
}

impl Request {
    fn with_id(self, query: QueryId) -> Box<Execute> {
        let Self { plan, params, scans, output, analyze, patience_ms } = self;
        let user = pg::rights::current_user();
        Box::new(Execute { query, plan, params, scans, output, analyze, patience_ms, user, fault: guc::fault() })
    }
}

/// What the engine says about a query.
#[derive(Debug)]
pub enum Event {
    /// It wants the blocks `first_block .. first_block + count` of a scan, in granted frames; then [`Query::range_done`].
    ReadRange {
        /// The engine's number of the range.
        range: u32,
        /// The scan.
        scan: ScanId,
        /// First block.
        first_block: BlockNumber,
        /// How many, at most `CHUNK_BLOCKS`.
        count: u32,
        /// What of each block; empty: images.
        wanted: Vec<Wanted>,
    },
    /// A frame to fill with pages and to send by [`Query::queue_pages`].
    Grant(Frame),
    /// Result rows, see `fusion_proto::tuple_frame`; not checked yet.
    Tuples(Frame),
    /// One result row that is too wide for a frame, a MinimalTuple; not checked yet.
    WideRow(Vec<u8>),
    /// All rows have come; the query has ended.
    Done(Box<QueryMetrics>),
    /// The engine's error; the query has ended.
    Failed(SqlError),
}

/// A frame that this backend owns. Goes back to the engine when dropped.
#[derive(Debug)]
pub struct Frame {
    /// None only while it is being given away.
    frame: Option<segment::Frame>,
    connection: Shared,
}

impl Deref for Frame {
    type Target = segment::Frame;

    fn deref(&self) -> &segment::Frame {
        self.frame.as_ref().expect("a frame is emptied only by the functions that consume it")
    }
}

impl DerefMut for Frame {
    fn deref_mut(&mut self) -> &mut segment::Frame {
        self.frame.as_mut().expect("a frame is emptied only by the functions that consume it")
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if let Some(frame) = self.frame.take()
            && let Ok(mut connection) = self.connection.try_borrow_mut()
        {
            connection.release(frame);
        }
    }
}

/// An open query. Cancelled when dropped before its end.
#[derive(Debug)]
pub struct Query {
    id: QueryId,
    ended: bool,
    connection: Shared,
}

/// Sends a query to the engine, connecting (and starting the engine) if needed.
pub fn execute(request: Request) -> Result<Query> {
    open(|id| FromBackend::Execute(request.with_id(id)))
}

/// The engine's physical plan as text, without running it.
pub fn explain(request: Request) -> Result<String> {
    answer(
        |id| FromBackend::Explain(request.with_id(id)),
        |delivery| match delivery {
            Delivery::Explained(plan) => Ok(plan),
            other => Err(other),
        },
    )
}

/// Has the columns of a request, whose plan is one scan, read into the column cache. No rows come.
pub fn prewarm(request: Request) -> Result<Query> {
    open(|id| FromBackend::Prewarm(request.with_id(id)))
}

/// Throws the cached columns of a relation of this database out, or those of all. Returns their bytes.
pub fn evict(relation: Option<Oid>) -> Result<u64> {
    let database = pg::process::database();
    cache_report(|query| FromBackend::Evict { query, database, relation }).map(|(_, evicted)| evicted)
}

/// What the column cache holds of this database.
pub fn cache_statistics() -> Result<Vec<CacheEntry>> {
    let database = pg::process::database();
    cache_report(|query| FromBackend::CacheStatistics { query, database }).map(|(entries, _)| entries)
}

/// How much of these relations the column cache holds, from 0 to 1 each; None where this session is not connected, or the engine does not
/// answer at once: a route must not wait for it.
pub fn cache_shares(relations: Vec<CacheQuestion>) -> Option<Vec<f32>> {
    /// Its socket threads do not compute.
    const PATIENCE: Duration = Duration::from_millis(20);
    let connection = CURRENT.with_borrow(|current| current.clone())?;
    connection.borrow_mut().pump();
    if connection.borrow().lost().is_some() || connection.borrow().is_full() {
        return None;
    }
    let id = connection.borrow_mut().open(|query| FromBackend::AskCacheShare { query, relations }).ok()?;
    let mut query = Query { id, ended: false, connection };
    let deadline = Instant::now() + PATIENCE;
    loop {
        match query.try_take().ok()? {
            Some(Delivery::CacheShare(shares)) => return Some(shares),
            Some(_) => return None,
            None if Instant::now() >= deadline => return None,
            None => wait_socket(&query.connection, deadline.saturating_duration_since(Instant::now())),
        }
    }
}

fn cache_report(ask: impl FnOnce(QueryId) -> FromBackend) -> Result<(Vec<CacheEntry>, u64)> {
    answer(ask, |delivery| match delivery {
        Delivery::CacheReport(entries, evicted) => Ok((entries, evicted)),
        other => Err(other),
    })
}

/// Asks, and waits for the answer, which `take` knows.
fn answer<T>(
    ask: impl FnOnce(QueryId) -> FromBackend,
    take: impl Fn(Delivery) -> std::result::Result<T, Delivery>,
) -> Result<T> {
    let mut query = open(ask)?;
    loop {
        match take(query.wait_for_delivery()?) {
            Ok(answer) => return Ok(answer),
            Err(Delivery::Failed(error)) => return Err(error),
            // Nothing else is sent for a question; a frame would go back by its drop.
            Err(other) => drop(query.event(other)),
        }
    }
}

/// The queries of all sessions that run in the engine, or wait.
pub fn activity() -> Result<Vec<QueryActivity>> {
    answer(
        |query| FromBackend::AskActivity { query },
        |delivery| match delivery {
            Delivery::Activity(running) => Ok(running),
            other => Err(other),
        },
    )
}

/// How the engine is.
pub fn status() -> Result<EngineStatus> {
    let connection = current()?;
    let ticket = connection.borrow_mut().ask_status()?;
    loop {
        if let Some(status) = connection.borrow_mut().status(ticket) {
            return Ok(status);
        }
        check_lost(&connection)?;
        wait(&connection);
    }
}

impl Query {
    /// The next event. Waits for it, and handles interrupts.
    ///
    /// # Errors
    /// HV00N when the connection is lost; the query has ended then.
    pub fn next(&mut self) -> Result<Event> {
        pg::wait::check_for_interrupts();
        let delivery = self.wait_for_delivery()?;
        self.event(delivery)
    }

    /// The next event if it has come already. Does not wait.
    ///
    /// # Errors
    /// As for [`Query::next`].
    pub fn try_next(&mut self) -> Result<Option<Event>> {
        self.try_take()?.map(|delivery| self.event(delivery)).transpose()
    }

    /// Gives a granted frame, filled with blocks of `range`, to the engine. It is sent with what follows, at the latest by [`Query::try_next`].
    pub fn queue_pages(&mut self, range: u32, mut frame: Frame, last: bool) -> Result<()> {
        if !Rc::ptr_eq(&self.connection, &frame.connection) {
            return Err(SqlError::internal("frame of another fusion session"));
        }
        match frame.frame.take() {
            Some(taken) => self.connection.borrow_mut().queue_pages(self.id, range, taken, last),
            None => Ok(()),
        }
    }

    /// Sends what was queued; waits while the engine takes nothing.
    pub fn flush(&mut self) -> Result<()> {
        self.connection.borrow_mut().flush();
        self.wait_for_backlog()
    }

    /// Sends a flattened tuple that does not fit in a frame; before the pages that hold its block.
    pub fn send_wide_tuple(
        &mut self,
        range: u32,
        block: BlockNumber,
        offset_number: u16,
        tuple: Vec<u8>,
    ) -> Result<()> {
        let message = FromBackend::WideTuple { query: self.id, range, block, offset_number, tuple };
        self.connection.borrow_mut().send(&message)?;
        self.wait_for_backlog()
    }

    fn wait_for_delivery(&mut self) -> Result<Delivery> {
        loop {
            if let Some(delivery) = self.try_take()? {
                return Ok(delivery);
            }
            wait(&self.connection);
        }
    }

    fn try_take(&mut self) -> Result<Option<Delivery>> {
        if self.ended {
            return Err(SqlError::internal("fusion query has ended"));
        }
        let mut connection = self.connection.borrow_mut();
        let mut delivery = connection.take(self.id);
        if delivery.is_none() {
            connection.pump();
            delivery = connection.take(self.id);
        }
        match (&delivery, connection.lost()) {
            (None, Some(lost)) => {
                self.ended = true;
                Err(lost.clone())
            }
            _ => Ok(delivery),
        }
    }

    fn event(&mut self, delivery: Delivery) -> Result<Event> {
        let frame = |frame| Frame { frame: Some(frame), connection: Rc::clone(&self.connection) };
        let event = match delivery {
            Delivery::ReadRange { range, scan, first_block, count, wanted } => {
                Event::ReadRange { range, scan, first_block, count, wanted }
            }
            Delivery::Grant(granted) => Event::Grant(frame(granted)),
            Delivery::Tuples(rows) => Event::Tuples(frame(rows)),
            Delivery::WideRow(tuple) => Event::WideRow(tuple),
            Delivery::Done(metrics) => Event::Done(metrics),
            Delivery::Failed(error) => Event::Failed(error),
            Delivery::Explained(_) | Delivery::CacheReport(..) | Delivery::CacheShare(_) | Delivery::Activity(_) => {
                self.ended = true;
                return Err(SqlError::new(
                    SqlState::PROTOCOL_VIOLATION,
                    "the fusion engine answered another question than it was asked",
                ));
            }
        };
        self.ended = matches!(event, Event::Done(_) | Event::Failed(_));
        Ok(event)
    }

    fn wait_for_backlog(&mut self) -> Result<()> {
        while self.connection.borrow().backlog() > MAX_BACKLOG {
            self.connection.borrow_mut().pump();
            check_lost(&self.connection)?;
            if self.connection.borrow().backlog() > MAX_BACKLOG {
                wait_socket(&self.connection, Duration::MAX);
            }
        }
        Ok(())
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        if let Ok(mut connection) = self.connection.try_borrow_mut() {
            connection.close(self.id);
        }
    }
}

fn open(make: impl FnOnce(QueryId) -> FromBackend) -> Result<Query> {
    let connection = current()?;
    // Cancelled queries count until the engine has answered, which it does soon.
    while connection.borrow().is_full() && connection.borrow().is_closing() {
        check_lost(&connection)?;
        wait(&connection);
    }
    let id = connection.borrow_mut().open(make)?;
    Ok(Query { id, ended: false, connection })
}

/// The connection of this backend, a new one if there is none or the engine has gone.
fn current() -> Result<Shared> {
    if pg::process::is_parallel_worker() {
        return Err(SqlError::internal("a parallel worker has no session with the fusion engine"));
    }
    let known = CURRENT.with_borrow(|current| current.clone());
    if let Some(connection) = known {
        connection.borrow_mut().pump();
        if connection.borrow().lost().is_none() {
            return Ok(connection);
        }
    }
    CURRENT.set(None);
    let connection = Rc::new(RefCell::new(connect::connect()?));
    CURRENT.set(Some(Rc::clone(&connection)));
    Ok(connection)
}

fn check_lost(connection: &Shared) -> Result<()> {
    match connection.borrow().lost() {
        Some(lost) => Err(lost.clone()),
        None => Ok(()),
    }
}

/// Waits until something can be sent or received, or a tenth of a second, handles interrupts, and then sends and receives.
fn wait(connection: &Shared) {
    wait_socket(connection, Duration::MAX);
    connection.borrow_mut().pump();
}

fn wait_socket(connection: &Shared, timeout: Duration) {
    let (socket, write) = {
        let connection = connection.borrow();
        (connection.socket(), connection.backlog() > 0)
    };
    pg::wait::socket(socket, write, timeout);
}
