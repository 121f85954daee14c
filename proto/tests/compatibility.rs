//! docs/compatibility.md is what the tables in the code say: this test writes it anew (`UPDATE=1 cargo test -p fusion_proto --test
//! compatibility`), and fails where the file says something else.
//!
//! PostgreSQL's side is `builtins.txt`, made by `builtins.sql`.

use fusion_common::types::oid;
use fusion_common::{ColumnType, TypeRef};
use fusion_proto::plan::{Aggregate, DateField, Function};
use std::fmt::Write;
use std::path::Path;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/compatibility.md");

/// A line of `builtins.txt`.
struct Builtin {
    oid: u32,
    aggregate: bool,
    stable: bool,
    name: &'static str,
}

fn builtins() -> Vec<Builtin> {
    let parse = |line: &'static str| {
        let [oid, kind, volatility, name] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        Builtin { oid: oid.parse().unwrap(), aggregate: kind == "a", stable: volatility == "s", name }
    };
    include_str!("builtins.txt").lines().map(parse).collect()
}

/// What the engine needs of a call, if it implements the function at all.
fn condition(oid: u32) -> Option<String> {
    const FIELDS: &str = "year quarter month day dow doy millennium century decade isoyear week isodow hour minute second milliseconds microseconds epoch julian";
    let fields: Vec<&str> =
        FIELDS.split(' ').filter(|field| Function::extract_from_oid(oid, field).is_some()).collect();
    if !fields.is_empty() {
        return Some(format!("fields {}", fields.join(", ")));
    }
    match oid {
        1633 | 1634 => return Some("as LIKE over `lower`".into()),
        870 | 871 => return Some("non-ASCII letters only in the C locale; else PostgreSQL computes it".into()),
        _ => {}
    }
    if Function::rounding_from_oid(oid, 0).is_some() {
        return Some("with constant digits".into());
    }
    if Function::length_from_oid(oid, 5, false).is_some() || oid == 1703 {
        return Some("a cast to a length or to digits".into());
    }
    (Function::from_oid(oid).is_some() || Function::is_identity(oid)).then(String::new)
}

fn aggregate_condition(oid: u32) -> Option<&'static str> {
    let aggregate = Aggregate::from_oid(oid)?;
    Some(match aggregate {
        Aggregate::StringAgg | Aggregate::ArrayAgg => "with ORDER BY, or DISTINCT",
        Aggregate::Sum(_) | Aggregate::Avg(_) | Aggregate::Spread(..) if aggregate.is_ordered() => {
            "last digits by the order of rows, as in PostgreSQL; without ORDER BY"
        }
        _ => "",
    })
}

fn written() -> String {
    let mut out = String::from(
        "# What the engine computes\n\n\
         Exact: the engine gives PostgreSQL's answer, digit by digit, and its errors. Native: PostgreSQL runs the query, or the part of it.\n\
         `fusion.explain_route` tells which. This file is made from the tables in the code (`proto/tests/compatibility.rs`).\n\n\
         Whatever has no columns in it (`now()`, `current_date - 90`, parameters) PostgreSQL evaluates itself, once, and the engine gets the value.\n\n\
         ## Types\n\n| type | in the engine |\n| --- | --- |\n",
    );
    let types = [
        ("boolean", TypeRef::plain(oid::BOOL)),
        ("smallint", TypeRef::plain(oid::INT2)),
        ("integer", TypeRef::plain(oid::INT4)),
        ("bigint", TypeRef::plain(oid::INT8)),
        ("real", TypeRef::plain(oid::FLOAT4)),
        ("double precision", TypeRef::plain(oid::FLOAT8)),
        ("numeric(15,2)", TypeRef { oid: oid::NUMERIC, typmod: (15 << 16 | 2) + 4, collation: 0 }),
        ("numeric", TypeRef::plain(oid::NUMERIC)),
        ("text", TypeRef::plain(oid::TEXT)),
        ("character varying", TypeRef::plain(oid::VARCHAR)),
        ("character(10)", TypeRef { oid: oid::BPCHAR, typmod: 14, collation: 100 }),
        ("date", TypeRef::plain(oid::DATE)),
        ("timestamp", TypeRef::plain(oid::TIMESTAMP)),
        ("timestamp with time zone", TypeRef::plain(oid::TIMESTAMPTZ)),
        ("interval", TypeRef::plain(oid::INTERVAL)),
        ("any other", TypeRef::plain(oid::BYTEA)),
    ];
    for (name, ty) in types {
        let how = match ty.column_type() {
            ColumnType::Opaque if ty.oid == oid::INTERVAL => "passed through; added to dates and timestamps",
            ColumnType::Opaque => "passed through: returned and counted, not compared",
            ColumnType::Numeric { .. } => "exact, up to 38 digits; NaN and longer results: native",
            ColumnType::NumericVar => "exact, up to 38 digits; arithmetic with NaN and infinities: native",
            ColumnType::Text | ColumnType::Bpchar { .. } => {
                "exact; order only under C collations, equality under deterministic ones"
            }
            ColumnType::Timestamptz => {
                "exact: comparison, grouping, min, max; the rest depends on the time zone: native"
            }
            _ => "exact",
        };
        writeln!(out, "| {name} | {how} |").unwrap();
    }
    let builtins = builtins();
    let row = |out: &mut String, builtin: &Builtin, note: &str| {
        writeln!(out, "| `{}` | {note} |", builtin.name.replace('|', "\\|")).unwrap();
    };
    out.push_str("\nComparisons (`= <> < <= > >=`, IN, BETWEEN, `= ANY`, `<> ALL`, IS DISTINCT FROM, rows, GREATEST, LEAST, NULLIF) are exact within and across the integer types, the\nfloat types, numeric, text and varchar, char(n), boolean, date and timestamp, and timestamptz. Casts through text: integers, numeric to text; text to\nnumbers and dates, where it is plainly written.\n");
    out.push_str("\n## Aggregates: exact\n\n| aggregate | condition |\n| --- | --- |\n");
    for builtin in builtins.iter().filter(|builtin| builtin.aggregate) {
        if let Some(note) = aggregate_condition(builtin.oid) {
            row(&mut out, builtin, note);
        }
    }
    out.push_str("\nAll take FILTER; all but bit_xor take DISTINCT.\n\n## Functions and operators: exact\n\n| function | condition |\n| --- | --- |\n");
    for builtin in builtins.iter().filter(|builtin| !builtin.aggregate) {
        if let Some(note) = condition(builtin.oid) {
            row(&mut out, builtin, &note);
        }
    }
    out.push_str("\n## Native\n\nFunctions and aggregates over types that the engine knows. Those over other types are native, too.\n\n| function | why |\n| --- | --- |\n");
    for builtin in &builtins {
        let known = if builtin.aggregate {
            aggregate_condition(builtin.oid).is_some()
        } else {
            condition(builtin.oid).is_some()
        };
        if !known {
            row(&mut out, builtin, if builtin.stable { "depends on the session" } else { "not in the engine" });
        }
    }
    out
}

#[test]
fn the_document_is_what_the_code_says() {
    let written = written();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(FILE, &written).unwrap();
    }
    let found = std::fs::read_to_string(Path::new(FILE)).unwrap_or_default();
    assert!(
        found == written,
        "docs/compatibility.md is stale: UPDATE=1 cargo test -p fusion_proto --test compatibility"
    );
}

#[test]
fn every_field_has_one_name() {
    for name in ["year", "week", "microseconds", "epoch"] {
        assert_eq!(DateField::from_name(name).unwrap().name(), name);
    }
}
