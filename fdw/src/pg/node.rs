//! A safe view of the expression nodes of an analysed query.
//!
//! [`NodeRef`] is a node that somebody vouched for once; [`NodeRef::view`] shows it as a [`Node`], whose parts are again
//! `NodeRef`s, so that the translation reads like logic and needs no pointers.
//!
//! Invariant: a `NodeRef<'q>` points into a tree that PostgreSQL made, that nobody changes, and whose memory context
//! outlives `'q`. Lists reached from it hold what the parser puts there.

use super::datum::TypedDatum;
use super::walk;
pub use super::walk::Walk;
use fusion_common::{Oid, TypeRef};
use pgrx::pg_sys::{self, NodeTag};
use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A node of an analysed query.
#[derive(Clone, Copy)]
pub struct NodeRef<'q> {
    node: NonNull<pg_sys::Node>,
    tree: PhantomData<&'q pg_sys::Node>,
}

/// What a node is. Node types that nobody asks about are `Other`.
pub enum Node<'q> {
    /// A column.
    Var(Var),
    /// A constant: None is NULL.
    Const(Option<TypedDatum<'q>>),
    /// A parameter.
    Param { kind: pg_sys::ParamKind::Type, id: i32 },
    /// An aggregate call.
    Aggregate(AggregateNode<'q>),
    /// A window function call.
    Window(WindowNode<'q>),
    /// `GROUPING(…)`.
    Grouping(GroupingNode),
    /// A function call.
    Function(CallNode<'q>),
    /// An operator call.
    Operator(CallNode<'q>),
    /// `IS DISTINCT FROM`; the call is of its equality operator.
    Distinct(CallNode<'q>),
    /// `NULLIF`; the call is of its equality operator.
    NullIf(CallNode<'q>),
    /// `x op ANY (array)`, or ALL.
    ArrayOperator { call: CallNode<'q>, any: bool },
    /// AND, OR, NOT.
    Bool { op: BoolOp, args: Vec<NodeRef<'q>> },
    /// A sub-select in an expression.
    SubLink(SubLinkNode<'q>),
    /// CASE.
    Case { arg: Option<NodeRef<'q>>, branches: Vec<(NodeRef<'q>, NodeRef<'q>)>, otherwise: Option<NodeRef<'q>> },
    /// The operand of the CASE around it.
    CaseTest,
    /// COALESCE.
    Coalesce(Vec<NodeRef<'q>>),
    /// `IS [NOT] NULL`; `row` where the operand is a composite value.
    NullTest { arg: NodeRef<'q>, negated: bool, row: bool },
    /// `IS [NOT] TRUE/FALSE/UNKNOWN`.
    BooleanTest { arg: NodeRef<'q>, value: Option<bool>, negated: bool },
    /// A binary-compatible change of type, or of collation.
    Relabel(NodeRef<'q>),
    /// GREATEST, LEAST.
    MinMax { greatest: bool, args: Vec<NodeRef<'q>>, collation: Oid },
    /// `(a, b) < (c, d)` and the like: per column, operator and operands.
    RowCompare(Vec<CallNode<'q>>),
    /// A cast by the output and input functions.
    ViaText(NodeRef<'q>),
    /// `ARRAY[…]` of one dimension.
    Array(Vec<NodeRef<'q>>),
    /// A set-up the translation has no words for.
    Other(NodeTag),
}

/// AND, OR, NOT.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BoolOp {
    And,
    Or,
    Not,
}

/// A `Var`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Var {
    /// Range-table index, from 1.
    pub rtindex: u32,
    /// Column; 0 is the whole row, negative a system column.
    pub attnum: i16,
    /// Query levels up.
    pub level: u32,
}

/// A function or operator call.
#[derive(Clone)]
pub struct CallNode<'q> {
    /// `pg_proc.oid`.
    pub function: Oid,
    /// `pg_operator.oid`, 0 for a function.
    pub operator: Oid,
    /// Arguments.
    pub args: Vec<NodeRef<'q>>,
    /// Collation that the function uses.
    pub collation: Oid,
    /// Returns a set.
    pub returns_set: bool,
    /// The last argument was spelled VARIADIC.
    pub variadic: bool,
}

/// An `Aggref`.
#[derive(Clone)]
pub struct AggregateNode<'q> {
    /// `pg_proc.oid`.
    pub function: Oid,
    /// Arguments.
    pub args: Vec<NodeRef<'q>>,
    /// FILTER.
    pub filter: Option<NodeRef<'q>>,
    /// DISTINCT: all arguments, those of ORDER BY first.
    pub distinct: Vec<AggregateKey<'q>>,
    /// ORDER BY inside the call.
    pub order_by: Vec<AggregateKey<'q>>,
    /// Ordered-set or hypothetical-set aggregate, or VARIADIC.
    pub special: bool,
    /// Collation that the aggregate uses.
    pub collation: Oid,
    /// Query levels up.
    pub level: u32,
}

/// A `WindowFunc`.
#[derive(Clone)]
pub struct WindowNode<'q> {
    /// `pg_proc.oid`.
    pub function: Oid,
    /// Arguments.
    pub args: Vec<NodeRef<'q>>,
    /// FILTER.
    pub filter: Option<NodeRef<'q>>,
    /// `winref` of its window.
    pub window: u32,
    /// Collation that the function uses.
    pub collation: Oid,
}

/// A `GroupingFunc`.
#[derive(Clone)]
pub struct GroupingNode {
    /// `tleSortGroupRef`s of its arguments, as in GROUP BY.
    pub references: Vec<u32>,
    /// Query levels up.
    pub level: u32,
}

/// A key of DISTINCT or ORDER BY inside an aggregate call.
#[derive(Clone, Copy)]
pub struct AggregateKey<'q> {
    /// Expression.
    pub expr: NodeRef<'q>,
    /// Equality operator.
    pub equality: Oid,
    /// Ordering operator; 0 where there is none.
    pub ordering: Oid,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// A `SubLink`.
#[derive(Clone, Copy)]
pub struct SubLinkNode<'q> {
    /// EXISTS, ANY, ALL, expression …
    pub kind: pg_sys::SubLinkType::Type,
    /// The comparison of ANY and ALL.
    pub test: Option<NodeRef<'q>>,
    /// The sub-select.
    pub query: super::query::QueryRef<'q>,
}

impl<'q> NodeRef<'q> {
    /// # Safety
    /// `node` is null or a node as the type's invariant says.
    pub unsafe fn new<T>(node: *mut T) -> Option<Self> {
        Some(Self { node: NonNull::new(node.cast())?, tree: PhantomData })
    }

    /// The node for PostgreSQL's functions.
    pub fn as_ptr(self) -> *mut pg_sys::Node {
        self.node.as_ptr()
    }

    /// Its tag.
    pub fn tag(self) -> NodeTag {
        // SAFETY: every node starts with its tag.
        unsafe { self.node.as_ref().type_ }
    }

    /// The node as `T`.
    ///
    /// # Safety
    /// The tag is that of `T`.
    pub(super) unsafe fn cast<T>(self) -> &'q T {
        // SAFETY: the caller looked at the tag; the tree lives for 'q and is not changed.
        unsafe { self.node.cast::<T>().as_ref() }
    }

    /// The node's own type, as `exprType`, `exprTypmod` and `exprCollation` give it.
    pub fn type_ref(self) -> TypeRef {
        let node = self.as_ptr();
        // SAFETY: a valid expression node; the functions only read it.
        unsafe {
            TypeRef {
                oid: pg_sys::exprType(node).to_u32(),
                typmod: pg_sys::exprTypmod(node),
                collation: pg_sys::exprCollation(node).to_u32(),
            }
        }
    }

    /// Whether both are the same expression (`equal` of equalfuncs.c).
    pub fn equals(self, other: NodeRef<'_>) -> bool {
        // SAFETY: both are valid nodes; the function only reads them.
        unsafe { pg_sys::equal(self.as_ptr().cast(), other.as_ptr().cast()) }
    }

    /// Whether evaluating it twice can give two results.
    pub fn is_volatile(self) -> bool {
        // SAFETY: a valid expression or query; the function only reads it.
        unsafe { pg_sys::contain_volatile_functions(self.as_ptr()) }
    }

    /// This value of type `name` as text.
    pub fn name_as_text(self) -> Self {
        /// `text(name)`.
        const TEXT_OF_NAME: u32 = 406;
        // SAFETY: a call of a built-in function with an argument of its type, made in the memory context of the translation.
        unsafe {
            let call = pg_sys::makeFuncExpr(
                pg_sys::Oid::from(TEXT_OF_NAME),
                pg_sys::TEXTOID,
                pg_sys::list_make1_impl(pg_sys::NodeTag::T_List, pg_sys::ListCell { ptr_value: self.as_ptr().cast() }),
                pg_sys::DEFAULT_COLLATION_OID,
                pg_sys::InvalidOid,
                pg_sys::CoercionForm::COERCE_IMPLICIT_CAST,
            );
            part(call)
        }
    }

    /// Whether evaluating it may tell something of the columns in it, by an error or otherwise (`proleakproof`).
    pub fn may_leak(self) -> bool {
        // SAFETY: a valid expression; the function only reads it.
        unsafe { pg_sys::contain_leaked_vars(self.as_ptr()) }
    }

    /// Walks over this node and those below it, sub-selects included, parents first.
    pub fn walk(self, mut visit: impl FnMut(NodeRef<'q>) -> Walk) {
        let mut enter = |node: *mut pg_sys::Node| {
            // SAFETY: the walkers give valid nodes of the tree.
            let found = unsafe { NodeRef::new(node) };
            found.map_or(Walk::Over, &mut visit)
        };
        // SAFETY: a valid node.
        unsafe { walk::any(self.as_ptr(), &mut enter) };
    }

    /// Whether `test` is true for this node or one below it, in sub-selects, too.
    pub fn any(self, mut test: impl FnMut(NodeRef<'q>) -> bool) -> bool {
        let mut found = false;
        self.walk(|node| {
            found = found || test(node);
            if found { Walk::Stop } else { Walk::Into }
        });
        found
    }

    /// Columns of the queries around the one that this node belongs to (or that it is), once per use, sub-selects included;
    /// levels are counted from that query.
    pub fn outer_columns(self) -> Vec<Var> {
        let mut found = Vec::new();
        // SAFETY: the walkers give valid nodes; the tag says which struct one is.
        let mut visit = |node: *mut pg_sys::Node, level: u32| unsafe {
            if (*node).type_ != NodeTag::T_Var {
                return Walk::Into;
            }
            let var = Var::new(&*node.cast());
            if var.level > level {
                found.push(Var { level: var.level - level, ..var });
            }
            Walk::Over
        };
        // SAFETY: a valid node. What joins are made of is seen where it stands.
        unsafe { walk::by_level(self.as_ptr(), pg_sys::QTW_IGNORE_JOINALIASES, &mut visit) };
        found
    }

    /// Whether there are nodes more than `limit` levels below this one.
    pub fn is_deeper_than(self, limit: u32) -> bool {
        let level = Cell::new(0);
        let mut enter = |_| {
            if level.get() >= limit {
                return Walk::Stop;
            }
            level.set(level.get() + 1);
            Walk::Into
        };
        let mut leave = |_| level.set(level.get() - 1);
        // SAFETY: a valid node.
        unsafe { walk::walk(self.as_ptr(), 0, &mut enter, &mut leave) }
    }

    /// What it is.
    pub fn view(self) -> Node<'q> {
        macro_rules! cast {
            ($type:ident) => {
                // SAFETY: the tag is matched first.
                unsafe { self.cast::<pg_sys::$type>() }
            };
        }
        match self.tag() {
            NodeTag::T_Var => Node::Var(Var::new(cast!(Var))),
            NodeTag::T_Const => {
                let constant = cast!(Const);
                Node::Const((!constant.constisnull).then(|| {
                    // SAFETY: the parser's Const: the datum is of the length and kind that it says.
                    unsafe { TypedDatum::new(constant.constvalue, constant.constlen as i16, constant.constbyval) }
                }))
            }
            NodeTag::T_Param => Node::Param { kind: cast!(Param).paramkind, id: cast!(Param).paramid },
            NodeTag::T_Aggref => Node::Aggregate(AggregateNode::new(cast!(Aggref))),
            NodeTag::T_WindowFunc => Node::Window(WindowNode::new(cast!(WindowFunc))),
            NodeTag::T_GroupingFunc => Node::Grouping(GroupingNode::new(cast!(GroupingFunc))),
            NodeTag::T_FuncExpr => Node::Function(function_call(cast!(FuncExpr))),
            NodeTag::T_OpExpr => Node::Operator(operator_call(cast!(OpExpr))),
            // DistinctExpr and NullIfExpr are typedefs of OpExpr.
            NodeTag::T_DistinctExpr => Node::Distinct(operator_call(cast!(OpExpr))),
            NodeTag::T_NullIfExpr => Node::NullIf(operator_call(cast!(OpExpr))),
            NodeTag::T_ScalarArrayOpExpr => array_operator(cast!(ScalarArrayOpExpr)),
            NodeTag::T_BoolExpr => {
                let op = match cast!(BoolExpr).boolop {
                    pg_sys::BoolExprType::AND_EXPR => BoolOp::And,
                    pg_sys::BoolExprType::OR_EXPR => BoolOp::Or,
                    _ => BoolOp::Not,
                };
                Node::Bool { op, args: nodes(cast!(BoolExpr).args) }
            }
            NodeTag::T_SubLink => sub_link(cast!(SubLink)),
            NodeTag::T_CaseExpr => case(cast!(CaseExpr)),
            NodeTag::T_CaseTestExpr => Node::CaseTest,
            NodeTag::T_CoalesceExpr => Node::Coalesce(nodes(cast!(CoalesceExpr).args)),
            NodeTag::T_NullTest => Node::NullTest {
                arg: part(cast!(NullTest).arg),
                negated: cast!(NullTest).nulltesttype == pg_sys::NullTestType::IS_NOT_NULL,
                row: cast!(NullTest).argisrow,
            },
            NodeTag::T_BooleanTest => boolean_test(cast!(BooleanTest)),
            NodeTag::T_RelabelType => Node::Relabel(part(cast!(RelabelType).arg)),
            NodeTag::T_CoerceViaIO => Node::ViaText(part(cast!(CoerceViaIO).arg)),
            NodeTag::T_MinMaxExpr => Node::MinMax {
                greatest: cast!(MinMaxExpr).op == pg_sys::MinMaxOp::IS_GREATEST,
                args: nodes(cast!(MinMaxExpr).args),
                collation: cast!(MinMaxExpr).inputcollid.to_u32(),
            },
            NodeTag::T_RowCompareExpr => Node::RowCompare(row_compare(cast!(RowCompareExpr))),
            NodeTag::T_ArrayExpr if !cast!(ArrayExpr).multidims => Node::Array(nodes(cast!(ArrayExpr).elements)),
            tag => Node::Other(tag),
        }
    }
}

impl Var {
    pub(super) fn new(var: &pg_sys::Var) -> Self {
        Self { rtindex: var.varno as u32, attnum: var.varattno, level: var.varlevelsup }
    }
}

impl<'q> AggregateNode<'q> {
    fn new(aggref: &'q pg_sys::Aggref) -> Self {
        // SAFETY: an Aggref's arguments are TargetEntry nodes.
        let targets = || nodes(aggref.args).into_iter().map(|arg| unsafe { arg.cast::<pg_sys::TargetEntry>() });
        let key = |clause: NodeRef<'q>| {
            // SAFETY: aggdistinct and aggorder hold SortGroupClause nodes.
            let clause = unsafe { clause.cast::<pg_sys::SortGroupClause>() };
            let target = targets().find(|target| target.ressortgroupref == clause.tleSortGroupRef)?;
            Some(AggregateKey {
                expr: part(target.expr),
                equality: clause.eqop.to_u32(),
                ordering: clause.sortop.to_u32(),
                nulls_first: clause.nulls_first,
            })
        };
        Self {
            function: aggref.aggfnoid.to_u32(),
            args: targets().filter(|target| !target.resjunk).map(|target| part(target.expr)).collect(),
            filter: optional(aggref.aggfilter),
            distinct: nodes(aggref.aggdistinct).into_iter().filter_map(key).collect(),
            order_by: nodes(aggref.aggorder).into_iter().filter_map(key).collect(),
            special: aggref.aggvariadic || aggref.aggkind as u8 != b'n' || !aggref.aggdirectargs.is_null(),
            collation: aggref.inputcollid.to_u32(),
            level: aggref.agglevelsup,
        }
    }
}

impl<'q> WindowNode<'q> {
    fn new(call: &'q pg_sys::WindowFunc) -> Self {
        Self {
            function: call.winfnoid.to_u32(),
            args: nodes(call.args),
            filter: optional(call.aggfilter),
            window: call.winref,
            collation: call.inputcollid.to_u32(),
        }
    }
}

impl GroupingNode {
    fn new(call: &pg_sys::GroupingFunc) -> Self {
        Self {
            references: integers(call.refs).into_iter().map(|reference| reference as u32).collect(),
            level: call.agglevelsup,
        }
    }
}

fn function_call(call: &pg_sys::FuncExpr) -> CallNode<'_> {
    CallNode {
        function: call.funcid.to_u32(),
        operator: 0,
        args: nodes(call.args),
        collation: call.inputcollid.to_u32(),
        returns_set: call.funcretset,
        variadic: call.funcvariadic,
    }
}

/// `opfuncid`, looked up where the parser left it 0.
fn operator_function(function: pg_sys::Oid, operator: pg_sys::Oid) -> Oid {
    if function != pg_sys::InvalidOid {
        return function.to_u32();
    }
    // SAFETY: a syscache look-up by OID.
    unsafe { pg_sys::get_opcode(operator) }.to_u32()
}

fn operator_call(call: &pg_sys::OpExpr) -> CallNode<'_> {
    CallNode {
        function: operator_function(call.opfuncid, call.opno),
        operator: call.opno.to_u32(),
        args: nodes(call.args),
        collation: call.inputcollid.to_u32(),
        returns_set: call.opretset,
        variadic: false,
    }
}

fn array_operator(call: &pg_sys::ScalarArrayOpExpr) -> Node<'_> {
    let any = call.useOr;
    let call = CallNode {
        function: operator_function(call.opfuncid, call.opno),
        operator: call.opno.to_u32(),
        args: nodes(call.args),
        collation: call.inputcollid.to_u32(),
        returns_set: false,
        variadic: false,
    };
    Node::ArrayOperator { call, any }
}

/// The OIDs of an OID list field of a node.
fn oids(list: *mut pg_sys::List) -> Vec<Oid> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: only called with list fields of valid nodes that hold OIDs: the list has `length` cells.
    unsafe {
        let cells = std::slice::from_raw_parts((*list).elements, (*list).length as usize);
        cells.iter().map(|cell| cell.oid_value.to_u32()).collect()
    }
}

fn row_compare(compare: &pg_sys::RowCompareExpr) -> Vec<CallNode<'_>> {
    let (operators, collations) = (oids(compare.opnos), oids(compare.inputcollids));
    let operands = nodes(compare.largs).into_iter().zip(nodes(compare.rargs));
    let columns = operators.into_iter().zip(collations).zip(operands);
    columns
        .map(|((operator, collation), (left, right))| CallNode {
            function: operator_function(pg_sys::InvalidOid, operator.into()),
            operator,
            args: vec![left, right],
            collation,
            returns_set: false,
            variadic: false,
        })
        .collect()
}

fn sub_link(link: &pg_sys::SubLink) -> Node<'_> {
    // SAFETY: after analysis a sub-select is a Query of the same tree.
    match unsafe { super::query::QueryRef::new(link.subselect.cast()) } {
        Some(query) => Node::SubLink(SubLinkNode { kind: link.subLinkType, test: optional(link.testexpr), query }),
        None => Node::Other(NodeTag::T_SubLink),
    }
}

fn case(case: &pg_sys::CaseExpr) -> Node<'_> {
    let branches = nodes(case.args)
        .into_iter()
        .map(|branch| {
            // SAFETY: a CaseExpr's arguments are CaseWhen nodes.
            let when = unsafe { branch.cast::<pg_sys::CaseWhen>() };
            (part(when.expr), part(when.result))
        })
        .collect();
    Node::Case { arg: optional(case.arg), branches, otherwise: optional(case.defresult) }
}

fn boolean_test(test: &pg_sys::BooleanTest) -> Node<'_> {
    use pg_sys::BoolTestType as T;
    let (value, negated) = match test.booltesttype {
        T::IS_TRUE => (Some(true), false),
        T::IS_NOT_TRUE => (Some(true), true),
        T::IS_FALSE => (Some(false), false),
        T::IS_NOT_FALSE => (Some(false), true),
        T::IS_UNKNOWN => (None, false),
        _ => (None, true),
    };
    Node::BooleanTest { arg: part(test.arg), value, negated }
}

/// A part of a node that may be missing.
pub(super) fn optional<'q, T>(node: *mut T) -> Option<NodeRef<'q>> {
    // SAFETY: only called with fields of valid nodes, which are null or valid nodes of the same tree.
    unsafe { NodeRef::new(node) }
}

/// A part of a node that is always there.
pub(super) fn part<'q, T>(node: *mut T) -> NodeRef<'q> {
    match optional(node) {
        Some(node) => node,
        None => pgrx::error!("pg_fusion: an expression node lacks a part that it must have"),
    }
}

/// The nodes of a `List` field of a node.
pub(super) fn nodes<'q>(list: *mut pg_sys::List) -> Vec<NodeRef<'q>> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: only called with list fields of valid nodes: the list has `length` cells, each a pointer to a node.
    unsafe {
        let cells = std::slice::from_raw_parts((*list).elements, (*list).length as usize);
        cells.iter().filter_map(|cell| NodeRef::new(cell.ptr_value)).collect()
    }
}

/// The integers of an integer list field of a node.
pub(super) fn integers(list: *mut pg_sys::List) -> Vec<i32> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: only called with integer list fields of valid nodes: the list has `length` cells, each an integer.
    unsafe {
        let cells = std::slice::from_raw_parts((*list).elements, (*list).length as usize);
        cells.iter().map(|cell| cell.int_value).collect()
    }
}

/// A C string field of a node; empty where it is null.
pub(super) fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: only called with string fields of valid nodes and fresh results of PostgreSQL, which end with a zero byte.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}
