//! A generated query as a tree: how it reads as SQL, and the ways to make it smaller.
//!
//! Invariant: a reduction is smaller than its origin, so that reducing ends. It need not be valid SQL, nor mean the same: who
//! reduces tries whether the failure is still there.

use std::fmt::Write as _;

/// The kinds of values that expressions are made of; what is told apart is what rules of the generator differ for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Bool,
    Int,
    /// numeric whose values all have one display scale
    Fixed,
    /// numeric
    Variable,
    Float,
    Text,
    Date,
    Timestamp,
}

impl Type {
    pub const ALL: [Type; 8] =
        [Type::Bool, Type::Int, Type::Fixed, Type::Variable, Type::Float, Type::Text, Type::Date, Type::Timestamp];

    pub fn name(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Fixed => "numeric(20,4)",
            Type::Variable => "numeric",
            Type::Float => "float8",
            Type::Text => "text",
            Type::Date => "date",
            Type::Timestamp => "timestamp",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Expr {
    pub ty: Type,
    /// Equal values are the same bytes, so that it does not matter which of them a group shows.
    pub key: bool,
    /// A column, perhaps of an outer query.
    pub column: bool,
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone)]
pub enum Part {
    Text(String),
    Expr(Expr),
    Query(Box<Query>),
}

#[derive(Debug, Clone)]
pub struct Query {
    pub with: Vec<(String, Query)>,
    /// The first has no operator before it.
    pub branches: Vec<(&'static str, Select)>,
    /// By all columns, so that rows that compare equal are the same.
    pub ordered: bool,
    /// LIMIT and OFFSET.
    pub limit: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Select {
    pub distinct: bool,
    pub targets: Vec<Expr>,
    pub from: Vec<Item>,
    pub filters: Vec<Expr>,
    pub groups: Vec<Expr>,
    /// Empty, ROLLUP or CUBE.
    pub sets: &'static str,
    pub having: Vec<Expr>,
}

#[derive(Debug, Clone)]
pub struct Item {
    /// Empty for the first.
    pub join: &'static str,
    pub source: Source,
    pub alias: String,
    pub on: Vec<Expr>,
}

#[derive(Debug, Clone)]
pub enum Source {
    /// A relation or a WITH query.
    Named(String),
    Query(Box<Query>),
    Lateral(Box<Query>),
}

impl Expr {
    /// `template` with its `{}` replaced by the arguments.
    pub fn new(ty: Type, key: bool, template: &str, arguments: Vec<Part>) -> Expr {
        let mut parts = Vec::new();
        let mut arguments = arguments.into_iter();
        for (at, text) in template.split("{}").enumerate() {
            if at > 0 {
                parts.extend(arguments.next());
            }
            parts.push(Part::Text(text.to_string()));
        }
        Expr { ty, key, column: false, parts }
    }

    pub fn column(ty: Type, key: bool, name: String) -> Expr {
        Expr { ty, key, column: true, parts: vec![Part::Text(name)] }
    }

    pub fn sql(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Expr(inner) => text.push_str(&inner.sql()),
                Part::Query(query) => {
                    let _ = write!(text, "({})", query.sql());
                }
            }
        }
        text
    }

    /// Any inner expression of the type in its place, or one of its parts made smaller, or NULL.
    fn reductions(&self) -> Vec<Expr> {
        let mut result = Vec::new();
        if self.column || self.parts.len() == 1 {
            return result;
        }
        for part in &self.parts {
            if let Part::Expr(inner) = part
                && inner.ty == self.ty
            {
                result.push(inner.clone());
            }
        }
        result.push(Expr::new(self.ty, true, &format!("NULL::{}", self.ty.name()), Vec::new()));
        for (at, part) in self.parts.iter().enumerate() {
            let smaller: Vec<Part> = match part {
                Part::Text(_) => continue,
                Part::Expr(inner) => inner.reductions().into_iter().map(Part::Expr).collect(),
                Part::Query(query) => {
                    query.reductions().into_iter().map(|query| Part::Query(Box::new(query))).collect()
                }
            };
            for part in smaller {
                let mut whole = self.clone();
                whole.parts[at] = part;
                result.push(whole);
            }
        }
        result
    }
}

/// A condition that is always true, and that no translation takes.
fn volatile() -> Expr {
    Expr::new(Type::Bool, false, "random() < 2", Vec::new())
}

fn list(expressions: &[Expr], separator: &str) -> String {
    expressions.iter().map(Expr::sql).collect::<Vec<_>>().join(separator)
}

impl Query {
    pub fn sql(&self) -> String {
        let mut text = String::new();
        for (at, (name, query)) in self.with.iter().enumerate() {
            let _ = write!(text, "{}{name} AS ({})", if at == 0 { "WITH " } else { ", " }, query.sql());
        }
        if !self.with.is_empty() {
            text.push(' ');
        }
        for (operator, select) in &self.branches {
            if !operator.is_empty() {
                let _ = write!(text, " {operator} ");
            }
            text.push_str(&select.sql());
        }
        if self.ordered {
            let count = self.branches.first().map_or(0, |(_, select)| select.targets.len());
            let columns: Vec<String> = (1..=count).map(|column| column.to_string()).collect();
            let _ = write!(text, " ORDER BY {}", columns.join(", "));
        }
        if let Some(limit) = &self.limit {
            let _ = write!(text, " {limit}");
        }
        text
    }

    /// The same rows by a query that does not translate as a whole: sub-selects in it may run in the engine.
    pub fn in_parts(mut self) -> Query {
        if let Some((_, select)) = self.branches.first_mut() {
            select.filters.push(volatile());
        }
        self
    }

    /// The same rows by a query of which this one is a part.
    pub fn into_part(self) -> Query {
        let targets = self.branches.first().map_or(&[][..], |(_, select)| &select.targets);
        let column = |(at, target): (usize, &Expr)| Expr::column(target.ty, target.key, format!("part.c{at}"));
        let select = Select {
            targets: targets.iter().enumerate().map(column).collect(),
            filters: vec![volatile()],
            from: vec![Item {
                join: "",
                alias: String::from("part"),
                on: Vec::new(),
                source: Source::Query(Box::new(self)),
            }],
            ..Select::default()
        };
        Query { with: Vec::new(), branches: vec![("", select)], ordered: false, limit: None }
    }

    /// The queries that are one step smaller, the greatest steps first.
    pub fn reductions(&self) -> Vec<Query> {
        let mut result = Vec::new();
        if self.branches.len() > 1 {
            for at in 0..self.branches.len() {
                let mut smaller = self.clone();
                smaller.branches.remove(at);
                if let Some(first) = smaller.branches.first_mut() {
                    first.0 = "";
                }
                result.push(smaller);
            }
        }
        for at in 0..self.with.len() {
            let mut smaller = self.clone();
            smaller.with.remove(at);
            result.push(smaller);
        }
        if self.limit.is_some() {
            result.push(Query { limit: None, ..self.clone() });
        } else if self.ordered {
            result.push(Query { ordered: false, ..self.clone() });
        }
        for (at, (_, select)) in self.branches.iter().enumerate() {
            for select in select.reductions() {
                let mut smaller = self.clone();
                smaller.branches[at].1 = select;
                result.push(smaller);
            }
        }
        for (at, (_, query)) in self.with.iter().enumerate() {
            for query in query.reductions() {
                let mut smaller = self.clone();
                smaller.with[at].1 = query;
                result.push(smaller);
            }
        }
        result
    }
}

impl Select {
    fn sql(&self) -> String {
        let mut text = String::from(if self.distinct { "SELECT DISTINCT " } else { "SELECT " });
        for (at, target) in self.targets.iter().enumerate() {
            let _ = write!(text, "{}{} AS c{at}", if at == 0 { "" } else { ", " }, target.sql());
        }
        for (at, item) in self.from.iter().enumerate() {
            let _ = write!(text, " {} ", if at == 0 { "FROM" } else { item.join });
            let _ = match &item.source {
                Source::Named(name) => write!(text, "{name}"),
                Source::Query(query) => write!(text, "({})", query.sql()),
                Source::Lateral(query) => write!(text, "LATERAL ({})", query.sql()),
            };
            let _ = write!(text, " {}", item.alias);
            if at > 0 && item.join != "CROSS JOIN" {
                let on = if item.on.is_empty() { String::from("true") } else { list(&item.on, " AND ") };
                let _ = write!(text, " ON {on}");
            }
        }
        if !self.filters.is_empty() {
            let _ = write!(text, " WHERE {}", list(&self.filters, " AND "));
        }
        match (self.groups.is_empty(), self.sets) {
            (true, _) => {}
            (false, "") => {
                let _ = write!(text, " GROUP BY {}", list(&self.groups, ", "));
            }
            (false, sets) => {
                let _ = write!(text, " GROUP BY {sets} ({})", list(&self.groups, ", "));
            }
        }
        if !self.having.is_empty() {
            let _ = write!(text, " HAVING {}", list(&self.having, " AND "));
        }
        text
    }

    fn reductions(&self) -> Vec<Select> {
        let mut result = Vec::new();
        for at in 1..self.from.len() {
            let mut smaller = self.clone();
            smaller.from.remove(at);
            result.push(smaller);
        }
        for (at, item) in self.from.iter().enumerate() {
            for condition in 0..item.on.len() {
                let mut smaller = self.clone();
                smaller.from[at].on.remove(condition);
                result.push(smaller);
            }
            if at > 0 && !["JOIN", "CROSS JOIN"].contains(&item.join) {
                let mut smaller = self.clone();
                smaller.from[at].join = "JOIN";
                result.push(smaller);
            }
        }
        for (pick, count) in [self.filters.len(), self.having.len(), self.groups.len()].into_iter().enumerate() {
            for at in 0..count {
                let mut smaller = self.clone();
                match pick {
                    0 => smaller.filters.remove(at),
                    1 => smaller.having.remove(at),
                    _ => smaller.groups.remove(at),
                };
                result.push(smaller);
            }
        }
        if self.distinct {
            result.push(Select { distinct: false, ..self.clone() });
        }
        if !self.sets.is_empty() {
            result.push(Select { sets: "", ..self.clone() });
        }
        if self.targets.len() > 1 {
            for at in 0..self.targets.len() {
                let mut smaller = self.clone();
                smaller.targets.remove(at);
                result.push(smaller);
            }
        }
        self.reduce_inside(&mut result);
        result
    }

    fn reduce_inside(&self, result: &mut Vec<Select>) {
        for (at, item) in self.from.iter().enumerate() {
            let (Source::Query(query) | Source::Lateral(query)) = &item.source else { continue };
            for query in query.reductions() {
                let mut smaller = self.clone();
                smaller.from[at].source = match item.source {
                    Source::Lateral(_) => Source::Lateral(Box::new(query)),
                    _ => Source::Query(Box::new(query)),
                };
                result.push(smaller);
            }
        }
        let mut put = |expressions: &[Expr], place: &dyn Fn(&mut Select) -> &mut Vec<Expr>| {
            for (at, expression) in expressions.iter().enumerate() {
                for expression in expression.reductions() {
                    let mut smaller = self.clone();
                    place(&mut smaller)[at] = expression;
                    result.push(smaller);
                }
            }
        };
        put(&self.filters, &|select| &mut select.filters);
        put(&self.having, &|select| &mut select.having);
        put(&self.targets, &|select| &mut select.targets);
        for (at, item) in self.from.iter().enumerate() {
            put(&item.on, &move |select| &mut select.from[at].on);
        }
    }
}
