//! How many rows, how many distinct values, how many rows that pass: PostgreSQL's statistics for the engine's join order.
//!
//! `translate` asks for each scanned relation. Mirrors the rules and defaults of selfuncs.c in short.
//!
//! Invariant: for estimates only; no answer depends on anything here. Nothing of it is shown to a user, so that rights on
//! columns do not matter.

use crate::pg::catalog::Relation;
use crate::pg::statistics::{self, RelationSize, StatisticRow};
use crate::translate::constant;
use fusion_common::Oid;
use fusion_common::limits::BLOCK_SIZE;
use fusion_proto::plan::{ColumnStats, CompareOp, Expr, ExprKind, Function, Value};
use std::cmp::Ordering;

/// Defaults of selfuncs.h: equality, inequality, a range of two bounds, IS NULL, LIKE, anything else.
const DEFAULT_EQUALITY: f64 = 0.005;
const DEFAULT_INEQUALITY: f64 = 1.0 / 3.0;
const DEFAULT_RANGE: f64 = 0.005;
const DEFAULT_NULL: f64 = 0.005;
const DEFAULT_MATCH: f64 = 0.005;
const DEFAULT_BOOLEAN: f64 = 1.0 / 3.0;
/// `DEFAULT_NUM_DISTINCT`.
const DEFAULT_DISTINCT: f64 = 200.0;
/// Bytes of a page and of a tuple that hold no data.
const PAGE_OVERHEAD: f64 = 24.0;
const TUPLE_OVERHEAD: f64 = 28.0;
/// A relation that was never analysed is taken to have at least so many pages, as PostgreSQL does.
const UNKNOWN_PAGES: f64 = 10.0;
/// A pattern is only tried on this many histogram values or more.
const MIN_PATTERN_SAMPLE: usize = 10;

/// Statistics of the needed columns of a relation.
pub struct RelationStatistics {
    rows: f64,
    attnums: Vec<i16>,
    unique_indexes: Vec<Vec<i16>>,
    columns: Vec<Option<StatisticRow<Value>>>,
}

impl RelationStatistics {
    /// Reads the statistics of a heap relation and of these columns of it.
    pub fn read(relid: Oid, attnums: &[i16]) -> Self {
        let attnums = attnums.to_vec();
        let Some(relation) = Relation::open(relid) else {
            let columns = attnums.iter().map(|_| None).collect();
            return Self { rows: 1.0, attnums, unique_indexes: Vec::new(), columns };
        };
        let size = statistics::size(&relation, relid);
        let value = |ty, datum: crate::pg::datum::TypedDatum<'_>| constant::value(ty, datum).ok();
        let column = |&attnum: &i16| {
            let inherited = if size.has_children { statistics::column(relid, attnum, true, value) } else { None };
            inherited.or_else(|| statistics::column(relid, attnum, false, value))
        };
        let columns = attnums.iter().map(column).collect();
        // A unique index of an inheritance parent says nothing of its children; that of a partitioned table does.
        let is_global = !size.has_children || size.blocks.is_none();
        let unique_indexes = if is_global { statistics::unique_indexes(&relation) } else { Vec::new() };
        Self { rows: rows(size), attnums, unique_indexes, columns }
    }

    /// Rows of the relation, at least 1.
    pub fn rows(&self) -> f64 {
        self.rows
    }

    /// What the engine is told of the column at `position`.
    pub fn column(&self, position: usize) -> Option<ColumnStats> {
        let statistics = self.columns.get(position)?.as_ref()?;
        Some(ColumnStats {
            distinct: self.distinct(position),
            null_fraction: statistics.null_fraction.clamp(0.0, 1.0),
            width: statistics.width.max(1.0),
        })
    }

    /// Unique indexes all of whose columns are needed, as positions.
    pub fn unique_keys(&self) -> Vec<Vec<u32>> {
        let position = |attnum: &i16| self.attnums.iter().position(|known| known == attnum).map(|p| p as u32);
        self.unique_indexes.iter().filter_map(|index| index.iter().map(position).collect()).collect()
    }

    /// Rows that pass `predicates`, whose columns are those of the relation from `offset` on.
    pub fn filtered_rows(&self, predicates: &[&Expr], offset: usize) -> f64 {
        let quals = Quals { relation: self, offset };
        (self.rows * quals.all(predicates.iter().copied())).max(1.0)
    }

    /// Distinct values of a column, at least 1.
    fn distinct(&self, position: usize) -> f64 {
        let is_key = || match self.attnums.get(position) {
            Some(attnum) => self.unique_indexes.iter().any(|index| index == &[*attnum]),
            None => false,
        };
        let distinct = match self.columns.get(position) {
            Some(Some(statistics)) if statistics.distinct > 0.0 => statistics.distinct,
            Some(Some(statistics)) if statistics.distinct < 0.0 => -statistics.distinct * self.rows,
            _ if is_key() => self.rows,
            _ => DEFAULT_DISTINCT,
        };
        distinct.clamp(1.0, self.rows.max(1.0))
    }
}

/// Rows of a relation of this size, by the density that the last ANALYZE saw.
fn rows(size: RelationSize) -> f64 {
    let Some(blocks) = size.blocks else {
        return if size.tuples >= 0.0 { size.tuples.max(1.0) } else { 1_000_000.0 };
    };
    if size.tuples >= 0.0 && size.pages > 0.0 {
        return (size.tuples / size.pages * blocks).max(1.0);
    }
    let density = ((BLOCK_SIZE as f64 - PAGE_OVERHEAD) / (size.width + TUPLE_OVERHEAD)).max(1.0);
    (density * blocks.max(if size.tuples < 0.0 && !size.has_children { UNKNOWN_PAGES } else { 1.0 })).max(1.0)
}

/// Selectivity of quals on one relation.
struct Quals<'a> {
    relation: &'a RelationStatistics,
    offset: usize,
}

impl Quals<'_> {
    /// Of a conjunction; two bounds on one column are one range.
    fn all<'e>(&self, conjuncts: impl Iterator<Item = &'e Expr>) -> f64 {
        let mut selectivity = 1.0;
        let mut ranges: Vec<(usize, Option<f64>, Option<f64>)> = Vec::new();
        for conjunct in conjuncts {
            let own = self.one(conjunct);
            let Some((column, is_lower)) = self.bound_of(conjunct) else {
                selectivity *= own;
                continue;
            };
            let index = ranges.iter().position(|range| range.0 == column).unwrap_or_else(|| {
                ranges.push((column, None, None));
                ranges.len() - 1
            });
            let (_, lower, upper) = &mut ranges[index];
            let side = if is_lower { lower } else { upper };
            *side = Some(side.map_or(own, |other: f64| other.min(own)));
        }
        for (column, lower, upper) in ranges {
            selectivity *= match (lower, upper) {
                (Some(lower), Some(upper)) if self.statistics(column).is_some() => {
                    let range = lower + upper - 1.0 + self.null_fraction(column);
                    if range > 0.0 { range } else { 1.0 / self.relation.rows.max(1.0) }
                }
                (Some(_), Some(_)) => DEFAULT_RANGE,
                (one, other) => one.or(other).unwrap_or(1.0),
            };
        }
        selectivity.clamp(0.0, 1.0)
    }

    /// The column, and whether it is bounded from below, of `column < value` and the like.
    fn bound_of(&self, expr: &Expr) -> Option<(usize, bool)> {
        let ExprKind::Compare { op, left, right } = &expr.kind else { return None };
        let (column, op) = match (self.column(left), self.column(right)) {
            (Some(column), None) => (column, *op),
            (None, Some(column)) => (column, swapped(*op)),
            _ => return None,
        };
        match op {
            CompareOp::Gt | CompareOp::Ge => Some((column, true)),
            CompareOp::Lt | CompareOp::Le => Some((column, false)),
            CompareOp::Eq | CompareOp::Ne | CompareOp::Same => None,
        }
    }

    /// Of one condition.
    fn one(&self, expr: &Expr) -> f64 {
        let selectivity = match &expr.kind {
            ExprKind::Const(value) => f64::from(u8::from(*value == Some(Value::Bool(true)))),
            ExprKind::And(conjuncts) => self.all(conjuncts.iter()),
            ExprKind::Or(branches) => 1.0 - branches.iter().map(|branch| 1.0 - self.one(branch)).product::<f64>(),
            ExprKind::Not(arg) => 1.0 - self.one(arg),
            ExprKind::IsNull { arg, negated } => {
                let nulls = match self.column(arg) {
                    Some(column) if self.statistics(column).is_some() => self.null_fraction(column),
                    _ => DEFAULT_NULL,
                };
                if *negated { 1.0 - nulls } else { nulls }
            }
            ExprKind::IsBool { arg, value, negated } => {
                let holds = match value {
                    Some(true) => self.one(arg),
                    Some(false) => 1.0 - self.one(arg),
                    None => DEFAULT_NULL,
                };
                if *negated { 1.0 - holds } else { holds }
            }
            ExprKind::Compare { op, left, right } => match (self.column(left), self.column(right)) {
                (Some(column), None) => self.compare(*op, column, constant_of(right)),
                (None, Some(column)) => self.compare(swapped(*op), column, constant_of(left)),
                _ => default_of(*op),
            },
            ExprKind::InList { arg, list, negated } => {
                let equal = |value: &Expr| match self.column(arg) {
                    Some(column) => self.equality(column, constant_of(value)),
                    None => DEFAULT_EQUALITY,
                };
                let any = list.iter().map(equal).sum::<f64>().min(1.0);
                if *negated { 1.0 - any - self.nulls(arg) } else { any }
            }
            ExprKind::Call { function: function @ (Function::Like | Function::NotLike), args } => {
                let matches = match &args[..] {
                    [value, pattern] => self.pattern(value, pattern),
                    _ => DEFAULT_MATCH,
                };
                let nulls = args.first().map_or(0.0, |value| self.nulls(value));
                if *function == Function::Like { matches } else { 1.0 - matches - nulls }
            }
            ExprKind::Column(_) => match self.column(expr) {
                Some(column) => self.equality(column, Constant::Known(&Value::Bool(true))),
                None => DEFAULT_BOOLEAN,
            },
            _ => DEFAULT_BOOLEAN,
        };
        selectivity.clamp(0.0, 1.0)
    }

    /// The relation's column that an expression is.
    fn column(&self, expr: &Expr) -> Option<usize> {
        match expr.kind {
            ExprKind::Column(column) => (column as usize).checked_sub(self.offset),
            _ => None,
        }
    }

    fn statistics(&self, column: usize) -> Option<&StatisticRow<Value>> {
        self.relation.columns.get(column)?.as_ref()
    }

    fn null_fraction(&self, column: usize) -> f64 {
        self.statistics(column).map_or(0.0, |statistics| statistics.null_fraction)
    }

    /// Fraction of NULLs of an expression, 0 where unknown.
    fn nulls(&self, expr: &Expr) -> f64 {
        self.column(expr).map_or(0.0, |column| self.null_fraction(column))
    }

    fn compare(&self, op: CompareOp, column: usize, value: Constant<'_>) -> f64 {
        match op {
            CompareOp::Eq | CompareOp::Same => self.equality(column, value),
            CompareOp::Ne => 1.0 - self.equality(column, value) - self.null_fraction(column),
            CompareOp::Lt | CompareOp::Le => self.below(column, op == CompareOp::Le, value),
            CompareOp::Gt | CompareOp::Ge => match value {
                Constant::Known(_) if self.statistics(column).is_some() => {
                    1.0 - self.below(column, op == CompareOp::Gt, value) - self.null_fraction(column)
                }
                _ => default_of(op),
            },
        }
    }

    /// `column = value`.
    fn equality(&self, column: usize, value: Constant<'_>) -> f64 {
        let distinct = self.relation.distinct(column);
        let Some(statistics) = self.statistics(column) else { return 1.0 / distinct };
        let common: f64 = statistics.common.iter().map(|(_, frequency)| frequency).sum();
        let rest = (1.0 - common - statistics.null_fraction).max(0.0);
        match value {
            Constant::Null => 0.0,
            Constant::Known(value) => {
                let known = statistics.common.iter().find(|(other, _)| order(other, value) == Some(Ordering::Equal));
                match known {
                    Some((_, frequency)) => *frequency,
                    None => rest / (distinct - statistics.common.len() as f64).max(1.0),
                }
            }
            Constant::Unknown => (1.0 - statistics.null_fraction) / distinct,
        }
    }

    /// `column < value`, or `<=`.
    fn below(&self, column: usize, inclusive: bool, value: Constant<'_>) -> f64 {
        let (value, statistics) = match (value, self.statistics(column)) {
            (Constant::Null, _) => return 0.0,
            (Constant::Known(value), Some(statistics)) => (value, statistics),
            _ => return DEFAULT_INEQUALITY,
        };
        let is_below = |other: &Value| match order(other, value) {
            Some(Ordering::Less) => true,
            Some(Ordering::Equal) => inclusive,
            _ => false,
        };
        let common = &statistics.common;
        let total: f64 = common.iter().map(|(_, frequency)| frequency).sum();
        let below: f64 = common.iter().filter(|(other, _)| is_below(other)).map(|(_, frequency)| frequency).sum();
        let rest = (1.0 - total - statistics.null_fraction).max(0.0);
        let fraction = match statistics.histogram.len() {
            0 | 1 if common.is_empty() => return DEFAULT_INEQUALITY,
            0 | 1 => 0.5,
            _ => histogram_fraction(&statistics.histogram, value),
        };
        below + rest * fraction
    }

    /// `column LIKE pattern`: tried on the values that the statistics hold.
    fn pattern(&self, value: &Expr, pattern: &Expr) -> f64 {
        let statistics = self.column(value).and_then(|column| self.statistics(column));
        let (Some(statistics), Constant::Known(Value::Text(pattern))) = (statistics, constant_of(pattern)) else {
            return DEFAULT_MATCH;
        };
        if statistics.histogram.len() + statistics.common.len() < MIN_PATTERN_SAMPLE {
            return DEFAULT_MATCH;
        }
        let pattern: Vec<char> = pattern.chars().collect();
        let is_match = |value: &Value| match value {
            Value::Text(text) => matches_pattern(&text.chars().collect::<Vec<_>>(), &pattern),
            _ => false,
        };
        let total: f64 = statistics.common.iter().map(|(_, frequency)| frequency).sum();
        let common: f64 = statistics.common.iter().filter(|(v, _)| is_match(v)).map(|(_, frequency)| frequency).sum();
        let rest = (1.0 - total - statistics.null_fraction).max(0.0);
        let sample = statistics.histogram.len();
        let matching = statistics.histogram.iter().filter(|v| is_match(v)).count();
        let fraction = if sample == 0 { 0.0 } else { matching as f64 / sample as f64 };
        (common + rest * fraction).clamp(0.0001, 0.9999)
    }
}

/// The other side of a comparison.
#[derive(Clone, Copy)]
enum Constant<'a> {
    Known(&'a Value),
    Null,
    /// A parameter or an expression.
    Unknown,
}

fn constant_of(expr: &Expr) -> Constant<'_> {
    match &expr.kind {
        ExprKind::Const(Some(value)) => Constant::Known(value),
        ExprKind::Const(None) => Constant::Null,
        _ => Constant::Unknown,
    }
}

fn default_of(op: CompareOp) -> f64 {
    match op {
        CompareOp::Eq | CompareOp::Same => DEFAULT_EQUALITY,
        CompareOp::Ne => 1.0 - DEFAULT_EQUALITY,
        _ => DEFAULT_INEQUALITY,
    }
}

fn swapped(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
        same => same,
    }
}

/// Fraction of the values between a histogram's bounds that are below `value`.
fn histogram_fraction(bounds: &[Value], value: &Value) -> f64 {
    let bins = (bounds.len() - 1) as f64;
    let below = bounds.iter().filter(|bound| order(bound, value) == Some(Ordering::Less)).count();
    let Some(bin) = below.checked_sub(1) else { return 0.0 };
    let (Some(low), Some(high)) = (bounds.get(bin), bounds.get(bin + 1)) else { return 1.0 };
    let within = match (scalar(low), scalar(high), scalar(value)) {
        (Some(low), Some(high), Some(value)) if high > low => ((value - low) / (high - low)).clamp(0.0, 1.0),
        _ => 0.5,
    };
    ((bin as f64 + within) / bins).clamp(0.0, 1.0)
}

/// A value on a line, where its type has one: days and timestamps in microseconds.
fn scalar(value: &Value) -> Option<f64> {
    const DAY_MICROS: f64 = 86_400_000_000.0;
    Some(match value {
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Int2(value) => f64::from(*value),
        Value::Int4(value) => f64::from(*value),
        Value::Int8(value) => *value as f64,
        Value::Float4(value) => f64::from(*value),
        Value::Float8(value) => *value,
        Value::Numeric { unscaled, scale } => *unscaled as f64 / 10_f64.powi(i32::from(*scale)),
        Value::Date(i32::MIN) => f64::NEG_INFINITY,
        Value::Date(i32::MAX) => f64::INFINITY,
        Value::Date(days) => f64::from(*days) * DAY_MICROS,
        Value::Timestamp(micros) | Value::Timestamptz(micros) => *micros as f64,
        Value::NumericVar(_) | Value::Text(_) | Value::Opaque(_) | Value::Array(..) => return None,
    })
}

/// Order of two values, strings by their bytes; None where there is none.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.trim_end_matches(' ').cmp(right.trim_end_matches(' '))),
        (Value::NumericVar(left), Value::NumericVar(right)) | (Value::Opaque(left), Value::Opaque(right)) => {
            (left == right).then_some(Ordering::Equal)
        }
        _ => scalar(left)?.partial_cmp(&scalar(right)?),
    }
}

/// LIKE with escape `\`.
fn matches_pattern(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skip| matches_pattern(&text[skip..], rest)),
        ['_', rest @ ..] => !text.is_empty() && matches_pattern(&text[1..], rest),
        ['\\', letter, rest @ ..] | [letter, rest @ ..] => {
            text.first() == Some(letter) && matches_pattern(&text[1..], rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fusion_common::TypeRef;
    use fusion_common::types::{PG_EPOCH_DAYS, oid};

    fn statistics(column: StatisticRow<Value>) -> RelationStatistics {
        RelationStatistics { rows: 1000.0, attnums: vec![1], unique_indexes: Vec::new(), columns: vec![Some(column)] }
    }

    fn uniform() -> RelationStatistics {
        let histogram = (0..=10).map(|i| Value::Int4(i * 10)).collect();
        statistics(StatisticRow { distinct: 100.0, null_fraction: 0.0, width: 4.0, common: Vec::new(), histogram })
    }

    fn compare(op: CompareOp, value: i32) -> Expr {
        let ty = TypeRef::plain(oid::INT4);
        let right = Expr { ty, kind: ExprKind::Const(Some(Value::Int4(value))) };
        Expr::boolean(ExprKind::Compare { op, left: Box::new(Expr::column(ty, 3)), right: Box::new(right) })
    }

    fn assert_close(rows: f64, expected: f64) {
        assert!((rows - expected).abs() < expected * 0.02 + 0.5, "{rows} is not about {expected}");
    }

    #[test]
    fn ranges_come_from_the_histogram() {
        let relation = uniform();
        assert_close(relation.filtered_rows(&[&compare(CompareOp::Lt, 25)], 3), 250.0);
        assert_close(relation.filtered_rows(&[&compare(CompareOp::Ge, 75)], 3), 250.0);
        let (low, high) = (compare(CompareOp::Ge, 20), compare(CompareOp::Lt, 30));
        assert_close(relation.filtered_rows(&[&low, &high], 3), 100.0);
        assert_close(relation.filtered_rows(&[&compare(CompareOp::Lt, -5)], 3), 1.0);
        assert_close(relation.filtered_rows(&[&compare(CompareOp::Lt, 500)], 3), 1000.0);
    }

    #[test]
    fn equality_comes_from_common_values() {
        let mut relation = uniform();
        assert_close(relation.filtered_rows(&[&compare(CompareOp::Eq, 5)], 3), 10.0);
        if let Some(column) = &mut relation.columns[0] {
            column.common = vec![(Value::Int4(7), 0.5)];
        }
        assert_close(relation.filtered_rows(&[&compare(CompareOp::Eq, 7)], 3), 500.0);
    }

    #[test]
    fn patterns_match_as_like_does() {
        let is_match = |text: &str, pattern: &str| {
            matches_pattern(&text.chars().collect::<Vec<_>>(), &pattern.chars().collect::<Vec<_>>())
        };
        assert!(is_match("PROMO TIN", "PROMO%"));
        assert!(is_match("a green tin", "%green%"));
        assert!(is_match("a%", "_\\%"));
        assert!(!is_match("ab", "_\\%"));
        assert!(!is_match("abc", "ab"));
    }

    #[test]
    fn dates_and_timestamps_share_a_line() {
        let micros = i64::from(PG_EPOCH_DAYS) * 86_400_000_000;
        assert_eq!(order(&Value::Date(PG_EPOCH_DAYS), &Value::Timestamp(micros)), Some(Ordering::Equal));
    }
}
