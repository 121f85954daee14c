//! Which rows of its partition does a row's frame hold? Mirrors `update_frameheadpos`, `update_frametailpos` and `row_is_in_frame` of
//! nodeWindowAgg.c.
//!
//! Invariants: a partition is in the window's order; peers are rows that do not differ in the order's keys (without keys all are peers);
//! without exclusion a frame is one range, and neither its start nor its end moves back from one row to the next.

use super::distance::{Distance, Keys};
use crate::optimizer::cancel::check_at;
use arrow::array::ArrayRef;
use arrow::compute::partition;
use datafusion::error::{DataFusionError, Result};
use std::ops::Range;

/// A frame clause.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// What offsets count.
    pub unit: Unit,
    /// Start.
    pub start: Bound,
    /// End.
    pub end: Bound,
    /// EXCLUDE.
    pub exclusion: Exclusion,
}

/// What a frame's offsets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Rows.
    Rows,
    /// Groups of peers.
    Groups,
    /// Distances of the only order key.
    Range {
        /// DESC.
        descending: bool,
        /// NULLS FIRST.
        nulls_first: bool,
    },
}

/// An end of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// UNBOUNDED PRECEDING as a start, UNBOUNDED FOLLOWING as an end.
    Unbounded,
    /// CURRENT ROW.
    CurrentRow,
    /// So much PRECEDING.
    Preceding(Distance),
    /// So much FOLLOWING.
    Following(Distance),
}

/// EXCLUDE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exclusion {
    /// NO OTHERS.
    Nothing,
    /// CURRENT ROW.
    CurrentRow,
    /// GROUP.
    Group,
    /// TIES.
    Ties,
}

impl Frame {
    /// Whether an offset counts distances, so that the values of the order key are needed.
    pub fn needs_values(&self) -> bool {
        let has_offset = |bound: &Bound| matches!(bound, Bound::Preceding(_) | Bound::Following(_));
        matches!(self.unit, Unit::Range { .. }) && (has_offset(&self.start) || has_offset(&self.end))
    }
}

/// The groups of peers of a partition.
pub struct Peers {
    groups: Vec<Range<usize>>,
    of_row: Vec<usize>,
}

impl Peers {
    /// By the keys of the window's order.
    pub fn new(keys: &[ArrayRef], rows: usize) -> Result<Self> {
        let groups = if keys.is_empty() { vec![0..rows; 1] } else { partition(keys)?.ranges() };
        check_at(0)?;
        let mut of_row = Vec::with_capacity(rows);
        for (group, range) in groups.iter().enumerate() {
            of_row.resize(range.end, group);
        }
        if of_row.len() != rows {
            return Err(DataFusionError::Internal("groups of peers do not cover their partition".into()));
        }
        Ok(Self { groups, of_row })
    }

    /// The group of a row, from 0.
    pub fn group_of(&self, row: usize) -> usize {
        self.of_row[row]
    }

    /// The peers of a row.
    pub fn of(&self, row: usize) -> Range<usize> {
        self.groups[self.of_row[row]].clone()
    }

    /// Rows of the partition.
    pub fn rows(&self) -> usize {
        self.of_row.len()
    }
}

/// The frames of all rows of a partition.
pub struct Frames<'a> {
    peers: &'a Peers,
    bounds: Vec<Range<usize>>,
    exclusion: Exclusion,
}

impl<'a> Frames<'a> {
    /// `values` are the order key's, where [`Frame::needs_values`].
    pub fn new(frame: &Frame, peers: &'a Peers, values: Option<&ArrayRef>) -> Result<Self> {
        let starts = edges(frame, frame.start, true, peers, values)?;
        check_at(0)?;
        let ends = edges(frame, frame.end, false, peers, values)?;
        check_at(0)?;
        let bounds = starts.into_iter().zip(ends).map(|(start, end)| start..end.max(start)).collect();
        Ok(Self { peers, bounds, exclusion: frame.exclusion })
    }

    /// Rows of the partition.
    pub fn rows(&self) -> usize {
        self.bounds.len()
    }

    /// Whether each frame is the first range of [`Frames::ranges`] alone.
    pub fn is_whole(&self) -> bool {
        self.exclusion == Exclusion::Nothing
    }

    /// Whether each frame starts with the partition and excludes nothing.
    pub fn only_grows(&self) -> bool {
        self.is_whole() && self.bounds.iter().all(|bounds| bounds.start == 0)
    }

    /// The rows of a row's frame, in order; some of the ranges may be empty.
    pub fn ranges(&self, row: usize) -> [Range<usize>; 3] {
        let bounds = &self.bounds[row];
        let clip = |range: Range<usize>| {
            let start = range.start.max(bounds.start);
            start..range.end.min(bounds.end).max(start)
        };
        let nothing = bounds.end..bounds.end;
        let peers = self.peers.of(row);
        let end = self.bounds.len();
        match self.exclusion {
            Exclusion::Nothing => [bounds.clone(), nothing.clone(), nothing],
            Exclusion::CurrentRow => [clip(0..row), nothing, clip(row + 1..end)],
            Exclusion::Group => [clip(0..peers.start), nothing, clip(peers.end..end)],
            Exclusion::Ties => [clip(0..peers.start), clip(row..row + 1), clip(peers.end..end)],
        }
    }
}

/// The start (or end) of every row's frame.
fn edges(frame: &Frame, bound: Bound, is_start: bool, peers: &Peers, values: Option<&ArrayRef>) -> Result<Vec<usize>> {
    let rows = peers.rows();
    let (distance, back) = match bound {
        Bound::Unbounded => return Ok(vec![if is_start { 0 } else { rows }; rows]),
        Bound::CurrentRow => {
            let edge = |row: usize| match (frame.unit, is_start) {
                (Unit::Rows, true) => row,
                (Unit::Rows, false) => row + 1,
                (_, true) => peers.of(row).start,
                (_, false) => peers.of(row).end,
            };
            return Ok((0..rows).map(edge).collect());
        }
        Bound::Preceding(distance) => (distance, true),
        Bound::Following(distance) => (distance, false),
    };
    match (frame.unit, distance) {
        (Unit::Rows, Distance::Count(count)) => {
            let edge = |row: usize| {
                let row = if is_start { row } else { row + 1 };
                if back { row.saturating_sub(count) } else { row.saturating_add(count).min(rows) }
            };
            Ok((0..rows).map(edge).collect())
        }
        (Unit::Groups, Distance::Count(count)) => {
            let edge = |row: usize| {
                let group = peers.group_of(row);
                let group = if back { group.checked_sub(count) } else { group.checked_add(count) };
                // Before the first group nothing starts later than the partition, and nothing ends in it.
                let Some(group) = group else { return if back { 0 } else { rows } };
                peers.groups.get(group).map_or(rows, |range| if is_start { range.start } else { range.end })
            };
            Ok((0..rows).map(edge).collect())
        }
        (Unit::Range { descending, nulls_first }, distance) => {
            let Some(values) = values else {
                return Err(DataFusionError::Internal("a frame by distance without its values".into()));
            };
            let keys = Keys::new(values, distance)?;
            by_distance(&keys, is_start, back != descending, descending, nulls_first)
        }
        (unit, distance) => Err(DataFusionError::Internal(format!("a frame of {unit:?} by {distance:?}"))),
    }
}

/// The edges of frames by distance. `subtract`: the distance goes down from the current row's value.
fn by_distance(keys: &Keys, is_start: bool, subtract: bool, descending: bool, nulls_first: bool) -> Result<Vec<usize>> {
    let rows = keys.rows();
    // A start stops at the first row in range, an end at the first one out of range behind it.
    let less = is_start == descending;
    let mut edge = 0;
    let mut edges = Vec::with_capacity(rows);
    for row in 0..rows {
        check_at(row)?;
        while edge < rows {
            let (edge_null, row_null) = (keys.is_null(edge), keys.is_null(row));
            let advance = match (edge_null || row_null, nulls_first, is_start) {
                (true, true, true) => edge_null && !row_null,
                (true, false, true) => !edge_null && row_null,
                (true, true, false) => edge_null,
                (true, false, false) => row_null,
                (false, _, true) => !keys.in_range(edge, row, subtract, less),
                (false, _, false) => keys.in_range(edge, row, subtract, less),
            };
            if !advance {
                break;
            }
            edge += 1;
        }
        edges.push(edge);
    }
    Ok(edges)
}
