//! Makes queries at random over the tables of the differential suite: joins of all kinds, subqueries in all clauses, grouping,
//! set operations, WITH, LATERAL, windows, over expressions of all types.
//!
//! Invariants: the same seed gives the same query; the answer does not depend on the order of rows: what is grouped, compared
//! for DISTINCT or sorted under a LIMIT is a *key* (`Expr::key`), sums of floats are over columns with exact sums, and windows
//! have no functions and frames that tell peers apart.

use super::tree::{Expr, Item, Part, Query, Select, Source, Type};
use crate::random::Random;

/// A table, its rows, and its columns.
type Table = (&'static str, usize, &'static [(&'static str, Type)]);

const TABLES: [Table; 13] = {
    use Type::*;
    [
        (
            "num",
            800,
            &[
                ("id", Int),
                ("b", Bool),
                ("i2", Int),
                ("i4", Int),
                ("i8", Int),
                ("f8", Float),
                ("n2", Fixed),
                ("n4", Fixed),
                ("n", Variable),
            ],
        ),
        ("l", 40, &[("id", Int), ("k", Int), ("s", Text), ("n", Fixed), ("d", Date)]),
        ("r", 34, &[("id", Int), ("k", Int), ("s", Text), ("n", Fixed), ("d", Timestamp)]),
        ("m", 60, &[("l_id", Int), ("r_id", Int), ("w", Int)]),
        (
            "emp",
            150,
            &[
                ("id", Int),
                ("name", Text),
                ("dept", Int),
                ("boss", Int),
                ("salary", Fixed),
                ("hired", Date),
                ("active", Bool),
            ],
        ),
        ("dept", 7, &[("id", Int), ("name", Text), ("city", Text), ("budget", Fixed)]),
        ("sales", 1500, &[("emp", Int), ("product", Text), ("day", Date), ("qty", Int), ("amount", Fixed)]),
        ("dup", 120, &[("k", Int), ("v", Int), ("w", Text)]),
        ("tri", 27, &[("id", Int), ("a", Bool), ("b", Bool), ("c", Bool)]),
        ("tim", 500, &[("id", Int), ("d", Date), ("ts", Timestamp)]),
        ("zero", 1, &[("id", Int), ("k", Int), ("t", Text), ("n", Fixed), ("d", Date), ("b", Bool)]),
        ("nulls", 10, &[("id", Int), ("k", Int), ("t", Text), ("n", Fixed), ("d", Date), ("b", Bool)]),
        ("changed", 90, &[("id", Int), ("kept", Int), ("later", Fixed), ("word", Text), ("none", Date), ("last", Int)]),
    ]
};

/// Rows of a join, estimated, above which another table is joined by equality only.
const JOIN_ROWS: usize = 30_000;

pub fn query(random: &mut Random) -> Query {
    let mut generator = Generator { random, aliases: 0, with: Vec::new() };
    generator.whole()
}

/// What an expression may refer to: columns, and above a grouping also aggregates.
type Scope = Vec<Expr>;

struct Generator<'a> {
    random: &'a mut Random,
    aliases: usize,
    /// WITH queries of the whole query: name and column types.
    with: Vec<(String, Vec<(Type, bool)>)>,
}

impl Generator<'_> {
    fn whole(&mut self) -> Query {
        let mut with = Vec::new();
        if self.random.percent(15) {
            let name = String::from("w");
            let query = self.query(&Scope::new(), None, 1);
            let columns = columns_of(&query);
            with.push((name.clone(), query));
            self.with.push((name, columns));
        }
        let mut query = self.query(&Scope::new(), None, 2);
        query.with = with;
        query
    }

    /// `types`: of the columns, where they are given.
    fn query(&mut self, outer: &Scope, types: Option<&[Type]>, depth: usize) -> Query {
        let set_operation = depth > 0 && self.random.percent(12);
        let chosen: Vec<Type> = match types {
            Some(types) => types.to_vec(),
            None => (0..1 + self.random.below(4)).map(|_| self.random.pick(&Type::ALL)).collect(),
        };
        let keys = set_operation || self.random.percent(25);
        let mut branches = vec![("", self.select(outer, &chosen, keys, depth))];
        if set_operation {
            let operators = ["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"];
            for _ in 0..1 + self.random.below(2) {
                let operator = self.random.pick(&operators);
                branches.push((operator, self.select(outer, &chosen, true, depth)));
            }
        }
        if set_operation {
            // Equal numerics of two branches may differ in scale.
            for target in branches.iter_mut().flat_map(|(_, select)| &mut select.targets) {
                target.key &= !matches!(target.ty, Type::Fixed | Type::Variable);
                *target = as_key(target.clone());
            }
        }
        let all_keys = branches.iter().all(|(_, select)| select.targets.iter().all(|target| target.key));
        let ordered = all_keys && self.random.percent(30);
        let limit = (ordered && self.random.percent(50)).then(|| {
            let offset =
                if self.random.percent(40) { format!(" OFFSET {}", self.random.below(5)) } else { String::new() };
            format!("LIMIT {}{offset}", self.random.below(12))
        });
        Query { with: Vec::new(), branches, ordered, limit }
    }

    fn select(&mut self, outer: &Scope, types: &[Type], keys: bool, depth: usize) -> Select {
        let mut select = Select::default();
        let mut scope = self.from(&mut select, outer, depth);
        let own = scope.clone();
        // Correlation: outer columns are seen less often than own ones.
        if self.random.percent(70) {
            scope.extend(outer.iter().cloned());
        }
        for _ in 0..[0, 1, 1, 2][self.random.below(4)] {
            let filter = self.condition(&scope, depth, 2);
            select.filters.push(filter);
        }
        // A grouping above outer columns only would not be one of this level.
        if self.random.percent(30) && !own.is_empty() {
            scope = self.group(&mut select, &own);
            if self.random.percent(30) {
                let having = self.condition(&scope, depth.min(1), 1);
                select.having.push(having);
            }
        } else if self.random.percent(12) && depth == 2 {
            let windows: Vec<Expr> = (0..2).map(|_| self.window(&own)).collect();
            scope.extend(windows);
        }
        for ty in types {
            let target = self.expression(*ty, &scope, 2, depth);
            select.targets.push(if keys { as_key(target) } else { target });
        }
        select.distinct = keys && select.targets.iter().all(|target| target.key) && self.random.percent(25);
        select
    }

    fn from(&mut self, select: &mut Select, outer: &Scope, depth: usize) -> Scope {
        let mut scope = Scope::new();
        let mut rows = 1;
        let count = if depth == 0 { 1 } else { [1, 1, 2, 2, 3, 4][self.random.below(6)] };
        for at in 0..count {
            self.aliases += 1;
            let alias = format!("t{}", self.aliases);
            let (source, size, columns) = self.source(at, outer, &scope, depth);
            let many = rows * size > JOIN_ROWS;
            let lateral = matches!(source, Source::Lateral(_));
            let join = match self.random.below(10) {
                0 if !many => "CROSS JOIN",
                1..=3 => "LEFT JOIN",
                4 if !lateral => "RIGHT JOIN",
                5 if !lateral => "FULL JOIN",
                _ => "JOIN",
            };
            let columns: Scope =
                columns.into_iter().map(|(name, ty, key)| Expr::column(ty, key, format!("{alias}.{name}"))).collect();
            let mut on = Vec::new();
            if at > 0 && join != "CROSS JOIN" {
                if many || join == "FULL JOIN" || self.random.percent(80) {
                    on.extend(self.equality(&scope, &columns));
                }
                let both: Scope = scope.iter().chain(&columns).cloned().collect();
                if on.is_empty() || (join != "FULL JOIN" && self.random.percent(30)) {
                    let condition = self.condition(&both, 0, 1);
                    on.push(condition);
                }
                rows = if on.len() > 1 || many { rows.max(size) * 4 } else { rows * size / 8 + 1 };
            } else {
                rows *= size;
            }
            scope.extend(columns);
            select.from.push(Item { join: if at == 0 { "" } else { join }, source, alias, on });
        }
        scope
    }

    /// A FROM item: what it is, its rows, and its columns.
    fn source(
        &mut self,
        at: usize,
        outer: &Scope,
        before: &Scope,
        depth: usize,
    ) -> (Source, usize, Vec<(String, Type, bool)>) {
        if let Some((name, columns)) = self.with.first().cloned()
            && self.random.percent(30)
        {
            return (Source::Named(name), 200, numbered(&columns));
        }
        if depth > 0 && self.random.percent(15) {
            let lateral = at > 0 && self.random.percent(30);
            let seen: Scope = if lateral { before.iter().chain(outer).cloned().collect() } else { Scope::new() };
            let query = self.query(&seen, None, depth - 1);
            let columns = numbered(&columns_of(&query));
            let query = Box::new(query);
            return (if lateral { Source::Lateral(query) } else { Source::Query(query) }, 400, columns);
        }
        let (name, size, columns) = self.random.pick(&TABLES);
        let columns = columns.iter().map(|(name, ty)| (name.to_string(), *ty, *ty != Type::Variable)).collect();
        (Source::Named(name.to_string()), size, columns)
    }

    /// An equality between a column of each side.
    fn equality(&mut self, left: &Scope, right: &Scope) -> Option<Expr> {
        let pairs: Vec<(&Expr, &Expr)> = left
            .iter()
            .flat_map(|a| right.iter().map(move |b| (a, b)))
            .filter(|(a, b)| a.ty == b.ty && ![Type::Bool, Type::Variable].contains(&a.ty))
            .collect();
        if pairs.is_empty() {
            return None;
        }
        let (a, b) = pairs[self.random.below(pairs.len())];
        Some(Expr::new(Type::Bool, true, "{} = {}", vec![Part::Expr(a.clone()), Part::Expr(b.clone())]))
    }

    /// Adds a GROUP BY; the scope above it.
    fn group(&mut self, select: &mut Select, below: &Scope) -> Scope {
        for _ in 0..self.random.below(3) {
            let column = self.random.pick(below);
            let group = match column.ty {
                Type::Int if self.random.percent(30) => {
                    Expr::new(Type::Int, true, "({} % 3)", vec![Part::Expr(column)])
                }
                Type::Date if self.random.percent(50) => {
                    Expr::new(Type::Fixed, true, "extract(year FROM {})", vec![Part::Expr(column)])
                }
                _ => as_key(column),
            };
            if group.key {
                select.groups.push(group);
            }
        }
        select.sets = if select.groups.is_empty() { "" } else { self.random.pick(&["", "", "", "ROLLUP", "CUBE"]) };
        let mut above: Scope = select.groups.clone();
        for _ in 0..1 + self.random.below(3) {
            let aggregate = self.aggregate(below);
            above.push(aggregate);
        }
        above
    }

    fn aggregate(&mut self, below: &Scope) -> Expr {
        let ty = self.random.pick(&Type::ALL);
        let mut argument = self.expression(ty, below, 1, 0);
        if ty == Type::Float {
            // Sums of what was computed would depend on the order of rows.
            argument = below.iter().find(|leaf| leaf.ty == ty && leaf.key).cloned().unwrap_or_else(|| literal(ty, 1));
        }
        let distinct = if argument.key && self.random.percent(15) { "DISTINCT " } else { "" };
        let (result, key, call) = match (ty, self.random.below(8)) {
            (Type::Int, 6) => (Type::Variable, false, String::from("stddev({})")),
            (Type::Fixed, 6) => (Type::Variable, false, String::from("var_pop({})")),
            (Type::Text, 6) => (Type::Text, true, String::from("string_agg({0}, ',' ORDER BY {0})")),
            (_, 0) => (Type::Int, true, String::from("count(*)")),
            (_, 1) => (Type::Int, true, format!("count({distinct}{{}})")),
            (Type::Bool, 2) => (Type::Bool, true, String::from("bool_and({})")),
            (Type::Bool, _) => (Type::Bool, true, String::from("bool_or({})")),
            (Type::Int, 2) => (Type::Variable, false, format!("sum({distinct}({{}})::int8)")),
            (Type::Fixed, 2) => (Type::Fixed, argument.key, format!("sum({distinct}{{}})")),
            (Type::Variable, 2) => (Type::Variable, false, String::from("sum({})")),
            (Type::Float, 2) => (Type::Float, false, format!("sum({distinct}{{}})")),
            (Type::Int | Type::Fixed, 3) => (Type::Variable, false, format!("avg({distinct}{{}})")),
            (Type::Variable, 3) => (Type::Variable, false, String::from("avg({})")),
            (Type::Float, 3) => (Type::Float, false, String::from("avg({})")),
            (_, pick) if argument.key => (ty, true, format!("{}({{}})", if pick % 2 == 0 { "min" } else { "max" })),
            _ => (Type::Int, true, String::from("count({})")),
        };
        let filter = if self.random.percent(15) { Some(self.condition(below, 0, 1)) } else { None };
        let mut arguments = Vec::new();
        let call = if call.contains("{0}") {
            arguments.push(Part::Expr(argument.clone()));
            call.replace("{0}", "{}")
        } else {
            call
        };
        if call.contains("{}") {
            arguments.push(Part::Expr(argument));
        }
        let template = match filter {
            Some(filter) => {
                arguments.push(Part::Expr(filter));
                format!("{call} FILTER (WHERE {{}})")
            }
            None => call,
        };
        Expr::new(result, key, &template, arguments)
    }

    /// A window function whose value does not depend on the order of rows that compare equal: none that counts single rows.
    fn window(&mut self, below: &Scope) -> Expr {
        let keys: Vec<Expr> = below.iter().filter(|leaf| leaf.key).cloned().collect();
        if keys.is_empty() {
            return Expr::new(Type::Int, true, "count(*) OVER ()", Vec::new());
        }
        let argument = self.random.pick(below);
        // Aggregates have frames that are worth it, the others do not look at theirs.
        let (ty, key, call, framed) = match (self.random.below(8), argument.ty) {
            (0, _) => (Type::Int, true, "rank()", false),
            (1, _) => (Type::Int, true, "dense_rank()", false),
            (2, _) => self
                .random
                .pick(&[(Type::Float, true, "cume_dist()", false), (Type::Float, true, "percent_rank()", false)]),
            (3, _) => (Type::Int, true, "count(*)", true),
            (4, _) if argument.key => (argument.ty, true, "min({})", true),
            (5, _) if argument.key => (argument.ty, true, "max({})", true),
            (6, Type::Int | Type::Fixed | Type::Variable) => (Type::Variable, false, "avg({})", true),
            (_, Type::Int) => (Type::Variable, false, "sum(({})::int8)", true),
            (_, Type::Fixed | Type::Variable) => (Type::Variable, false, "sum({})", true),
            (_, Type::Float) => (Type::Float, false, "sum({})", true),
            (_, Type::Bool) => (Type::Bool, true, "bool_and({})", true),
            _ => (Type::Int, true, "count({})", true),
        };
        let mut arguments = Vec::new();
        if call.contains("{}") {
            arguments.push(Part::Expr(argument));
        }
        let over = match self.random.below(4) {
            0 => "PARTITION BY {}, {}",
            1 => "PARTITION BY {} ORDER BY {} DESC NULLS LAST",
            2 => "PARTITION BY {} ORDER BY {}",
            _ => "ORDER BY {}, {}",
        };
        arguments.extend((0..2).map(|_| Part::Expr(self.random.pick(&keys))));
        let frame = if framed && over.contains("ORDER") { self.frame() } else { String::new() };
        Expr::new(ty, key, &format!("{call} OVER ({over}{frame})"), arguments)
    }

    /// A frame of whole groups of peers, or none.
    fn frame(&mut self) -> String {
        let bounds = self.random.pick(&[
            "",
            "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            "RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
            "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
            "GROUPS BETWEEN 3 PRECEDING AND 2 PRECEDING",
            "GROUPS BETWEEN 1 FOLLOWING AND 4 FOLLOWING",
            "GROUPS BETWEEN 2 PRECEDING AND CURRENT ROW",
            "GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING",
        ]);
        if bounds.is_empty() {
            return String::new();
        }
        let exclude = self.random.pick(&["", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"]);
        format!(" {bounds}{exclude}")
    }

    /// `levels`: how deep the expression may get; `depth`: how deep subqueries in it may nest.
    fn expression(&mut self, ty: Type, scope: &Scope, levels: usize, depth: usize) -> Expr {
        if levels == 0 || self.random.percent(30) {
            return self.leaf(ty, scope);
        }
        if depth > 0 && self.random.percent(7) {
            return self.scalar_subquery(ty, scope, depth);
        }
        let same =
            |generator: &mut Self, wanted: Type| Part::Expr(generator.expression(wanted, scope, levels - 1, depth));
        if self.random.percent(20) {
            return match self.random.below(3) {
                0 => {
                    let condition = Part::Expr(self.condition(scope, depth.min(1), 1));
                    let (a, b) = (same(self, ty), same(self, ty));
                    mixed(ty, "CASE WHEN {} THEN {} ELSE {} END", vec![condition, a, b])
                }
                1 => {
                    let (a, b) = (same(self, ty), same(self, ty));
                    mixed(ty, "coalesce({}, {})", vec![a, b])
                }
                _ => {
                    let (a, b) = (same(self, ty), same(self, ty));
                    mixed(ty, "nullif({}, {})", vec![a, b])
                }
            };
        }
        if self.random.percent(20)
            && let Some((from, template, key)) = self.conversion(ty)
        {
            return Expr::new(ty, key, template, vec![same(self, from)]);
        }
        match ty {
            Type::Bool => self.condition(scope, depth, levels),
            Type::Int => {
                let template = self.random.pick(&[
                    "({} + {})",
                    "({} - {})",
                    "({} % 7)",
                    "(- {})",
                    "abs({})",
                    "({} / nullif({}, 0))",
                    "({} * 3)",
                ]);
                self.fill(ty, true, template, scope, levels, depth)
            }
            Type::Fixed => {
                let template = self.random.pick(&["({} + {})", "({} - {})", "({} * 2)", "(- {})", "abs({})"]);
                self.fill(ty, false, template, scope, levels, depth)
            }
            Type::Variable => match self.random.below(4) {
                0 => {
                    let (a, b) = (same(self, Type::Fixed), same(self, Type::Fixed));
                    Expr::new(ty, false, "({} * {})", vec![a, b])
                }
                1 => {
                    let (a, b) = (same(self, Type::Fixed), same(self, Type::Int));
                    Expr::new(ty, false, "({} / nullif({}, 0))", vec![a, b])
                }
                2 => {
                    let (a, b) = (same(self, Type::Variable), same(self, Type::Int));
                    Expr::new(ty, false, "({} + {})", vec![a, b])
                }
                _ => {
                    let a = same(self, Type::Fixed);
                    Expr::new(ty, false, "({})::numeric(18,2)", vec![a])
                }
            },
            Type::Float => {
                let template = self.random.pick(&["({} + {})", "({} - {})", "({} * 0.5)", "abs({})"]);
                self.fill(ty, false, template, scope, levels, depth)
            }
            Type::Text => {
                let template = self.random.pick(&[
                    "substring({}, 2, 3)",
                    "({} || '-' || {})",
                    "upper({})",
                    "({} || 'x')",
                    "lower({})",
                    "left({}, 2)",
                    "right({}, -1)",
                    "trim({})",
                    "replace({}, 's', '')",
                    "lpad({}, 5, 'ab')",
                    "reverse({})",
                    "greatest({}, {})",
                ]);
                self.fill(ty, true, template, scope, levels, depth)
            }
            Type::Date => {
                let (a, b) = (same(self, ty), self.random.below(40));
                Expr::new(ty, true, &format!("({{}} + {b})"), vec![a])
            }
            Type::Timestamp => {
                let a = same(self, Type::Date);
                Expr::new(ty, true, "({})::timestamp", vec![a])
            }
        }
    }

    /// A way to make a value of one type from another, and whether the result is a key.
    fn conversion(&mut self, ty: Type) -> Option<(Type, &'static str, bool)> {
        let choices: &[(Type, &'static str, bool)] = match ty {
            Type::Int => &[
                (Type::Text, "length({})", true),
                (Type::Fixed, "({})::int", true),
                (Type::Float, "({})::int", true),
                (Type::Date, "extract(month FROM {})::int", true),
                (Type::Bool, "({})::int", true),
            ],
            Type::Fixed => &[
                (Type::Variable, "round({}, 2)", true),
                (Type::Variable, "trunc({}, 1)", true),
                (Type::Int, "({})::numeric(12,3)", true),
                (Type::Timestamp, "extract(year FROM {})", true),
            ],
            Type::Variable => &[(Type::Int, "({})::numeric", false), (Type::Variable, "ceil({})", false)],
            Type::Float => &[(Type::Int, "({})::float8", false), (Type::Fixed, "({})::float8", false)],
            Type::Text => &[(Type::Int, "({})::text", true), (Type::Date, "({})::text", true)],
            Type::Date => &[(Type::Timestamp, "({})::date", true)],
            Type::Timestamp => &[(Type::Timestamp, "date_trunc('month', {})", true)],
            Type::Bool => return None,
        };
        Some(self.random.pick(choices))
    }

    /// A template with arguments of its own type.
    fn fill(&mut self, ty: Type, key: bool, template: &str, scope: &Scope, levels: usize, depth: usize) -> Expr {
        let count = template.matches("{}").count();
        let arguments = (0..count).map(|_| Part::Expr(self.expression(ty, scope, levels - 1, depth))).collect();
        Expr::new(ty, key, template, arguments)
    }

    fn leaf(&mut self, ty: Type, scope: &Scope) -> Expr {
        let fitting: Vec<&Expr> = scope.iter().filter(|leaf| leaf.ty == ty).collect();
        if fitting.is_empty() || self.random.percent(12) {
            let pick = self.random.below(6);
            return literal(ty, pick);
        }
        fitting[self.random.below(fitting.len())].clone()
    }

    fn scalar_subquery(&mut self, ty: Type, scope: &Scope, depth: usize) -> Expr {
        let outer: Scope = scope.iter().filter(|leaf| leaf.column).cloned().collect();
        let mut select = Select::default();
        let own = self.from(&mut select, &outer, 0);
        let both: Scope = own.iter().chain(&outer).cloned().collect();
        if let Some(equality) = self.equality(&outer, &own).filter(|_| self.random.percent(75)) {
            select.filters.push(equality);
        }
        if self.random.percent(30) {
            let filter = self.condition(&both, depth - 1, 1);
            select.filters.push(filter);
        }
        for _ in 0..20 {
            let aggregate = self.aggregate(&own);
            if aggregate.ty == ty {
                let key = aggregate.key;
                select.targets.push(aggregate);
                let query = Query { with: Vec::new(), branches: vec![("", select)], ordered: false, limit: None };
                return Expr::new(ty, key, "{}", vec![Part::Query(Box::new(query))]);
            }
        }
        self.leaf(ty, scope)
    }

    /// A boolean expression.
    fn condition(&mut self, scope: &Scope, depth: usize, levels: usize) -> Expr {
        if depth > 0 && self.random.percent(25) {
            return self.subquery_condition(scope, depth);
        }
        if levels > 1 && self.random.percent(35) {
            let template =
                self.random.pick(&["({} AND {})", "({} OR {})", "(NOT {})", "({} IS NOT TRUE)", "({} OR {} AND {})"]);
            let count = template.matches("{}").count();
            let arguments = (0..count).map(|_| Part::Expr(self.condition(scope, depth, levels - 1))).collect();
            return Expr::new(Type::Bool, true, template, arguments);
        }
        // Mostly about a type that is there.
        let ty = if scope.is_empty() || self.random.percent(10) {
            self.random.pick(&Type::ALL)
        } else {
            self.random.pick(scope).ty
        };
        let template = match (ty, self.random.below(9)) {
            (Type::Bool, 0..=5) => return self.leaf(ty, scope),
            (Type::Text, 0..=2) => self.random.pick(&[
                "({} LIKE 's%')",
                "({} LIKE '%1%')",
                "({} NOT LIKE '_%5')",
                "({} IN ('s1', 's4', NULL))",
            ]),
            (Type::Int, 0) => "({} IN (1, 2, 5, 9))",
            (Type::Int, 1) => "({} NOT IN (3, 7))",
            (_, 2) => "({} IS NULL)",
            (_, 3) => "({} IS NOT NULL)",
            (_, 4) => "({} IS DISTINCT FROM {})",
            (_, 5) => "({} BETWEEN {} AND {})",
            _ => self.random.pick(&["({} = {})", "({} <> {})", "({} < {})", "({} >= {})", "({} > {})"]),
        };
        let count = template.matches("{}").count();
        let arguments =
            (0..count).map(|_| Part::Expr(self.expression(ty, scope, levels.saturating_sub(1), 0))).collect();
        Expr::new(Type::Bool, true, template, arguments)
    }

    fn subquery_condition(&mut self, scope: &Scope, depth: usize) -> Expr {
        let outer: Scope = scope.iter().filter(|leaf| leaf.column).cloned().collect();
        let ty = self.random.pick(&[Type::Int, Type::Int, Type::Int, Type::Text, Type::Fixed, Type::Date]);
        let mut query = self.query(&outer, Some(&[ty]), depth - 1);
        if self.random.percent(45) {
            if let Some((_, select)) = query.branches.first_mut().filter(|(_, select)| select.groups.is_empty()) {
                let own: Scope = own_columns(select);
                select.filters.extend(self.equality(&outer, &own));
            }
            let template = self.random.pick(&["(EXISTS {})", "(NOT EXISTS {})"]);
            return Expr::new(Type::Bool, true, template, vec![Part::Query(Box::new(query))]);
        }
        let operand = Part::Expr(self.expression(ty, scope, 1, 0));
        let template = self.random.pick(&[
            "({} IN {})",
            "({} IN {})",
            "({} NOT IN {})",
            "({} NOT IN {})",
            "({} > ANY {})",
            "({} <= ALL {})",
            "({} = ALL {})",
        ]);
        Expr::new(Type::Bool, true, template, vec![operand, Part::Query(Box::new(query))])
    }
}

/// The columns of the tables that a SELECT names itself.
fn own_columns(select: &Select) -> Scope {
    let mut scope = Scope::new();
    for item in &select.from {
        let Source::Named(name) = &item.source else { continue };
        if let Some((_, _, columns)) = TABLES.iter().find(|(table, ..)| table == name) {
            scope
                .extend(columns.iter().map(|(column, ty)| Expr::column(*ty, true, format!("{}.{column}", item.alias))));
        }
    }
    scope
}

fn columns_of(query: &Query) -> Vec<(Type, bool)> {
    let Some((_, first)) = query.branches.first() else { return Vec::new() };
    let one = query.branches.len() == 1;
    first.targets.iter().map(|target| (target.ty, target.key && one)).collect()
}

fn numbered(columns: &[(Type, bool)]) -> Vec<(String, Type, bool)> {
    columns.iter().enumerate().map(|(at, (ty, key))| (format!("c{at}"), *ty, *key)).collect()
}

/// An expression of two operands: numerics of two scales, and floats of two signs of zero, may be equal and differ.
fn mixed(ty: Type, template: &str, arguments: Vec<Part>) -> Expr {
    let key = !matches!(ty, Type::Fixed | Type::Variable | Type::Float);
    Expr::new(if ty == Type::Fixed { Type::Fixed } else { ty }, key, template, arguments)
}

fn as_key(expression: Expr) -> Expr {
    match expression.ty {
        _ if expression.key => expression,
        Type::Fixed | Type::Variable => {
            let ty = expression.ty;
            Expr::new(ty, true, "({})::numeric(20,4)", vec![Part::Expr(expression)])
        }
        _ => expression,
    }
}

fn literal(ty: Type, pick: usize) -> Expr {
    let choices: [&str; 6] = match ty {
        Type::Bool => ["true", "false", "NULL::bool", "true", "false", "true"],
        Type::Int => ["(0 + 0)", "(1 + 0)", "(5 + 0)", "(- 3)", "NULL::int", "(100 + 0)"],
        Type::Fixed => ["0.0000", "1.2500", "(- 2.5000)", "NULL::numeric(20,4)", "100.0000", "7.7500"],
        Type::Variable => ["0.5", "1.333", "(- 2)", "NULL::numeric", "1e3", "17"],
        Type::Float => ["0.5::float8", "1::float8", "(- 2.25::float8)", "NULL::float8", "100::float8", "0.125::float8"],
        Type::Text => ["'s1'::text", "''::text", "'emp 7'::text", "NULL::text", "'P3'::text", "'w1'::text"],
        Type::Date => [
            "date '2020-01-05'",
            "date '1998-06-01'",
            "date '2021-07-01'",
            "NULL::date",
            "date '2012-01-01'",
            "date '2000-02-29'",
        ],
        Type::Timestamp => [
            "timestamp '2020-01-05 12:00'",
            "timestamp '2000-01-10'",
            "timestamp '2020-01-04'",
            "NULL::timestamp",
            "timestamp '2000-03-01 01:02:03'",
            "timestamp '1999-12-31'",
        ],
    };
    Expr::new(ty, !matches!(ty, Type::Variable), choices[pick % choices.len()], Vec::new())
}
