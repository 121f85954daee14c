//! What do window functions compute?
//!
//! They come after grouping and HAVING, before the select list, whose expressions find them again by [`Source::Computed`].

use super::expr::is_parameter;
use super::scope::{Bound, Column, Scope, Source, Typed};
use super::select::check_grouping;
use super::{Refusal, Result, Translator, check_width, collation, sort};
use crate::pg::names;
use crate::pg::node::{Node, NodeRef, Walk, WindowNode};
use crate::pg::query::{FrameEnd, QueryRef, SortGroup, Target, Window};
use fusion_common::types::oid;
use fusion_common::{ColumnType, TypeRef};
use fusion_proto::plan::{
    Aggregate, Expr, Frame, FrameBound, FrameUnit, Rel, SortKey, WindowCall, WindowFunction, window_type,
};

impl<'q> Translator<'q, '_> {
    /// Computes the window functions of `query`; `grouped` as in [`Scope`]. What is `carried` parts the rows of every window.
    pub(super) fn windows(
        &mut self,
        query: QueryRef<'q>,
        input: Bound<'q>,
        grouped: bool,
        carried: &[Source<'q>],
    ) -> Result<Bound<'q>> {
        let targets = query.targets();
        let found = window_functions(&targets);
        if found.is_empty() {
            return Ok(input);
        }
        let windows = query.windows();
        let mut parts = Vec::with_capacity(carried.len());
        for &source in carried {
            let position = input.position(source).and_then(|at| Some(input.columns.get(at)?.at(at).expr));
            parts.push(position.ok_or_else(|| Refusal::unsupported("a window in this subquery"))?);
        }
        let scope = Scope { grouped, ..Scope::new(input.columns) };
        let mut columns = scope.columns.clone();
        let mut calls = Vec::with_capacity(found.len());
        for (node, function) in found {
            let Some(window) = windows.iter().find(|window| window.reference == function.window) else {
                return Err(Refusal::unsupported("this window"));
            };
            let (mut call, held) = self.window_call(node, &function, window, &targets, &scope)?;
            call.partition.extend(parts.iter().cloned());
            columns.push(Column { source: Source::Computed(node), ty: call.ty, held });
            calls.push(call);
        }
        check_width(columns.len())?;
        Ok(Bound { rel: Rel::Window { input: Box::new(input.rel), calls }, columns })
    }

    fn window_call(
        &mut self,
        node: NodeRef<'q>,
        call: &WindowNode<'q>,
        window: &Window<'q>,
        targets: &[Target<'q>],
        scope: &Scope<'q>,
    ) -> Result<(WindowCall, ColumnType)> {
        let name = || names::function(call.function);
        let Some(function) = WindowFunction::from_oid(call.function) else {
            return Err(Refusal::unsupported(format_args!("window function {}", name())));
        };
        let args = call.args.iter().map(|&arg| self.expr(arg, scope)).collect::<Result<Vec<Typed>>>()?;
        if let (WindowFunction::Aggregate(aggregate), Some(arg)) = (function, args.first()) {
            if arg.held == ColumnType::Opaque && aggregate != Aggregate::Count {
                return Err(Refusal::unsupported(format_args!("aggregate {} over values of this type", name())));
            }
            if matches!(aggregate, Aggregate::Min | Aggregate::Max) {
                collation::check_order(&format!("aggregate {}", name()), arg.held, call.collation)?;
            }
        }
        let is_aggregate = matches!(function, WindowFunction::Aggregate(_));
        let types: Vec<Option<ColumnType>> =
            args.iter().map(|arg| (is_aggregate || !arg.is_null()).then_some(arg.held)).collect();
        let ty = node.type_ref();
        let held = window_type(function, &types, ty)?;
        let filter = call.filter.map(|filter| self.condition(filter, scope)).transpose()?;

        let mut partition = Vec::with_capacity(window.partition.len());
        for clause in &window.partition {
            let (key, ty) = self.window_key(clause, targets, scope)?;
            check_grouping("PARTITION BY", clause.equality, key.held, ty)?;
            partition.push(key.expr);
        }
        let mut order = Vec::with_capacity(window.order.len());
        let mut keys = Vec::with_capacity(window.order.len());
        for clause in &window.order {
            let (key, ty) = self.window_key(clause, targets, scope)?;
            let Some(descending) = sort::direction(clause, key.held, ty) else {
                return Err(sort::unsortable("in a window", ty));
            };
            order.push(SortKey { expr: key.expr, descending, nulls_first: clause.nulls_first });
            keys.push(key.held);
        }
        let frame = self.frame(window, &keys)?;
        let args = args.into_iter().map(|arg| arg.expr).collect();
        Ok((WindowCall { function, args, filter, partition, order, frame, ty }, held))
    }

    fn window_key(
        &mut self,
        clause: &SortGroup,
        targets: &[Target<'q>],
        scope: &Scope<'q>,
    ) -> Result<(Typed, TypeRef)> {
        let Some(target) = targets.iter().find(|target| target.reference == clause.reference) else {
            return Err(Refusal::unsupported("this form of a window"));
        };
        Ok((self.expr(target.expr, scope)?, target.expr.type_ref()))
    }

    fn frame(&mut self, window: &Window<'q>, keys: &[ColumnType]) -> Result<Frame> {
        let bound = |translator: &mut Self, end: &FrameEnd<'q>| {
            Ok::<_, Refusal>(match end {
                FrameEnd::Unbounded => FrameBound::Unbounded,
                FrameEnd::CurrentRow => FrameBound::CurrentRow,
                FrameEnd::Preceding(offset) => {
                    FrameBound::Preceding(translator.frame_offset(*offset, window.unit, keys)?)
                }
                FrameEnd::Following(offset) => {
                    FrameBound::Following(translator.frame_offset(*offset, window.unit, keys)?)
                }
            })
        };
        let (start, end) = (bound(self, &window.start)?, bound(self, &window.end)?);
        Ok(Frame { unit: window.unit, start, end, exclusion: window.exclusion })
    }

    fn frame_offset(&mut self, offset: NodeRef<'q>, unit: FrameUnit, keys: &[ColumnType]) -> Result<Expr> {
        let ty = offset.type_ref().oid;
        if !is_parameter(offset) {
            return Err(Refusal::unsupported("a frame offset that is computed by a subquery"));
        }
        if unit == FrameUnit::Range {
            use ColumnType as T;
            let known = match keys {
                [T::Int2 | T::Int4 | T::Int8] => matches!(ty, oid::INT2 | oid::INT4 | oid::INT8),
                [T::Float4 | T::Float8] => matches!(ty, oid::FLOAT4 | oid::FLOAT8),
                [T::Numeric { .. } | T::NumericVar] => ty == oid::NUMERIC,
                [T::Date | T::Timestamp] => ty == oid::INTERVAL,
                _ => false,
            };
            if !known {
                let name = names::type_name(ty);
                return Err(Refusal::unsupported(format_args!("RANGE with an offset of type {name} over this type")));
            }
        }
        Ok(self.expr(offset, &Scope::default())?.expr)
    }
}

/// The window functions in the select list, each once.
fn window_functions<'q>(targets: &[Target<'q>]) -> Vec<(NodeRef<'q>, WindowNode<'q>)> {
    let mut found: Vec<(NodeRef<'q>, WindowNode<'q>)> = Vec::new();
    for target in targets {
        target.expr.walk(|node| match node.view() {
            Node::Window(call) => {
                if !found.iter().any(|(known, _)| known.equals(node)) {
                    found.push((node, call));
                }
                Walk::Over
            }
            // Its window functions are its own.
            Node::SubLink(_) => Walk::Over,
            _ => Walk::Into,
        });
    }
    found
}
