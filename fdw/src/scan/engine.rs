//! A query that runs in the engine, seen from the backend: it feeds pages and takes rows until both are done.
//!
//! One thread does both. Whenever the engine has asked for blocks and granted a frame, a frame is filled and sent; between two frames
//! whatever has come is taken in; only when there is nothing to feed and nothing to hand out does the backend wait.

use super::rows::Rows;
use crate::error::Result;
use crate::feed::{Feed, Range};
use crate::guc;
use crate::pg::tuple;
use crate::route::plan::{Private, PrivateRelation};
use crate::session::{self, Event, Frame, Query, Request};
use fusion_common::{Attribute, SqlError, SqlState};
use fusion_proto::message::{QueryMetrics, ScanColumnInfo, ScanInfo};
use fusion_proto::plan::Value;
use pgrx::pg_sys;
use std::collections::VecDeque;

/// An open query in the engine with the scans that feed it. Its frames are dropped before the query: one that is cancelled while none is
/// held has the engine take back those that are on their way.
pub struct EngineRun {
    feeds: Vec<Feed>,
    ranges: VecDeque<Range>,
    grants: Vec<Frame>,
    rows: Rows,
    query: Query,
    metrics: Option<Box<QueryMetrics>>,
    returned_rows: bool,
    ended: bool,
}

/// Ranges that wait for frames: a few per thread of the engine and scan; more are a broken engine.
const MAX_RANGES: usize = 1 << 16;

/// The shortest time for which a query waits for its turn, milliseconds.
const LEAST_PATIENCE_MS: u32 = 100;

/// The request for a plan, and the open feeds of its relations.
///
/// # Safety
/// `snapshot` is registered for as long as the feeds live; the relations are locked and their rights checked.
pub unsafe fn request(
    private: &Private,
    snapshot: pg_sys::Snapshot,
    params: Vec<Option<Value>>,
    output: &[Attribute],
    analyze: bool,
) -> Result<(Request, Vec<Feed>)> {
    let mut feeds = Vec::with_capacity(private.relations.len());
    let mut scans = Vec::with_capacity(private.relations.len());
    for relation in &private.relations {
        let attnums: Vec<i16> = relation.columns.iter().map(|(attnum, _)| *attnum).collect();
        // SAFETY: as the caller's.
        let feed = unsafe { Feed::begin(pg_sys::Oid::from(relation.relid), snapshot, &attnums) };
        // SAFETY: the feed keeps the relation open.
        let info = unsafe { scan_info(&feed, relation) };
        feeds.push(feed);
        match info {
            Ok(info) => scans.push(info),
            Err(error) => {
                feeds.into_iter().for_each(Feed::end);
                return Err(error);
            }
        }
    }
    // As long as PostgreSQL would take, so that a query that does not get its turn takes twice that at most.
    let patience_ms = (guc::fallback() && !guc::force()).then(|| (private.native_ms as u32).max(LEAST_PATIENCE_MS));
    let request = Request { plan: private.plan.clone(), params, scans, output: output.to_vec(), analyze, patience_ms };
    Ok((request, feeds))
}

/// The relation's layout as it is now, checked against what was planned.
///
/// # Safety
/// `feed` is open.
unsafe fn scan_info(feed: &Feed, relation: &PrivateRelation) -> Result<ScanInfo> {
    if !feed.is_populated() {
        let message = format!("materialized view {} has not been populated", relation.name);
        return Err(SqlError::new(SqlState(*b"55000"), message).with_hint("Use the REFRESH MATERIALIZED VIEW command."));
    }
    let descriptor = feed.tuple_descriptor();
    // SAFETY: the descriptor of an open relation.
    let attributes: Vec<_> = unsafe { tuple::attributes(descriptor) }.collect();
    let mut columns = Vec::with_capacity(relation.columns.len());
    let mut count = 0;
    for &(attnum, ty) in &relation.columns {
        let index = usize::try_from(attnum).unwrap_or(0).wrapping_sub(1);
        let planned = attributes.get(index).is_some_and(|attribute| {
            !attribute.attisdropped && attribute.atttypid.to_u32() == ty.oid && attribute.atttypmod == ty.typmod
        });
        if !planned {
            return Err(SqlError::new(
                SqlState(*b"0A000"),
                format!("column {attnum} of {} has changed since the query was planned", relation.name),
            )
            .with_hint("Run the query again."));
        }
        count = count.max(index + 1);
        columns.push(ScanColumnInfo {
            attnum: attnum as u16,
            column_type: ty.column_type(),
            // SAFETY: as above; attnum is in the descriptor.
            missing: unsafe { tuple::missing_value(descriptor, attnum) },
        });
    }
    // SAFETY: as above.
    let attributes = unsafe { tuple::layout(descriptor, count) };
    Ok(ScanInfo { blocks: feed.blocks(), attributes, columns, cache: feed.cache_info().map(Box::new) })
}

impl EngineRun {
    /// Opens the relations and sends the query.
    ///
    /// # Safety
    /// As for [`request`].
    pub unsafe fn start(
        private: &Private,
        snapshot: pg_sys::Snapshot,
        params: Vec<Option<Value>>,
        output: &[Attribute],
        analyze: bool,
    ) -> Result<Self> {
        // SAFETY: as the caller's.
        let (request, feeds) = unsafe { request(private, snapshot, params, output, analyze)? };
        Self::open(request, feeds, session::execute)
    }

    /// Opens the relations and has the engine read them into its cache. No rows come.
    ///
    /// # Errors
    /// 22023 where nothing of a relation can be kept.
    ///
    /// # Safety
    /// As for [`request`].
    pub unsafe fn prewarm(private: &Private, snapshot: pg_sys::Snapshot) -> Result<Self> {
        // SAFETY: as the caller's.
        let (request, feeds) = unsafe { request(private, snapshot, Vec::new(), &[], false)? };
        let mut scans = request.scans.iter().zip(&private.relations);
        if let Some((_, relation)) = scans.find(|(scan, _)| scan.cache.is_none()) {
            feeds.into_iter().for_each(Feed::end);
            let message = format!("{} cannot be held in the column cache", relation.name);
            let detail = "Its changes are not logged, or it was created or rewritten by this transaction.";
            return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message).with_detail(detail));
        }
        Self::open(request, feeds, session::prewarm)
    }

    fn open(request: Request, feeds: Vec<Feed>, send: impl FnOnce(Request) -> Result<Query>) -> Result<Self> {
        let output = request.output.clone();
        let query = match send(request) {
            Ok(query) => query,
            Err(error) => {
                feeds.into_iter().for_each(Feed::end);
                return Err(error);
            }
        };
        Ok(Self {
            query,
            feeds,
            ranges: VecDeque::new(),
            grants: Vec::new(),
            rows: Rows::new(&output),
            metrics: None,
            returned_rows: false,
            ended: false,
        })
    }

    /// The next row, valid until the next call; None at the end.
    pub fn next(&mut self) -> Result<Option<*const u8>> {
        loop {
            if let Some(row) = self.rows.next() {
                self.returned_rows = true;
                return Ok(Some(row));
            }
            if self.ended {
                return Ok(None);
            }
            let event = if self.feed()? { self.query.try_next()? } else { Some(self.query.next()?) };
            if let Some(event) = event {
                self.handle(event)?;
            }
        }
    }

    /// Whether a row has gone out.
    pub fn has_returned_rows(&self) -> bool {
        self.returned_rows
    }

    /// What the run took, once it has ended.
    pub fn take_metrics(&mut self) -> Option<Box<QueryMetrics>> {
        self.metrics.take()
    }

    /// Fills frames of the oldest ranges, as far as they are granted, and sends them together: waking the engine up costs as much as reading several
    /// pages. Returns whether anything was sent.
    fn feed(&mut self) -> Result<bool> {
        /// Two chunks.
        const MOST_FRAMES: usize = 8;
        let mut fed = 0;
        while let Some(range) = self.ranges.front_mut()
            && fed < MOST_FRAMES
            && let Some(frame) = self.grants.pop()
        {
            let feed = self
                .feeds
                .get_mut(range.scan)
                .ok_or_else(|| SqlError::new(SqlState::PROTOCOL_VIOLATION, "the engine asked for an unknown scan"))?;
            crate::pg::wait::check_for_interrupts();
            fed += 1;
            if feed.fill_frame(&mut self.query, range, frame)? {
                self.ranges.pop_front();
            }
        }
        if fed > 0 {
            self.query.flush()?;
        }
        Ok(fed > 0)
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::ReadRange { range, scan, first_block, count, wanted } => {
                let end = first_block.saturating_add(count);
                let (scan, wanted) = (usize::from(scan.0), wanted.into_iter());
                if self.ranges.len() >= MAX_RANGES {
                    return Err(SqlError::new(SqlState::PROTOCOL_VIOLATION, "the engine asks for more than it reads"));
                }
                self.ranges.push_back(Range { id: range, scan, next: first_block, end, wanted });
            }
            Event::Grant(frame) => self.grants.push(frame),
            Event::Tuples(frame) => self.rows.push_frame(frame)?,
            Event::WideRow(tuple) => self.rows.push_wide(&tuple)?,
            Event::Done(metrics) => {
                self.metrics = Some(metrics);
                self.finish();
            }
            Event::Failed(error) => {
                self.finish();
                return Err(error);
            }
        }
        Ok(())
    }

    /// The engine has ended the query: nothing more is fed, all rows may go out.
    fn finish(&mut self) {
        self.ended = true;
        self.ranges.clear();
        self.grants.clear();
        self.rows.release();
    }

    /// Ends the query and closes its relations.
    pub fn end(self) {
        drop((self.grants, self.rows));
        drop(self.query);
        self.feeds.into_iter().for_each(Feed::end);
    }
}
