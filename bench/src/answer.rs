//! What an EXPLAIN says of the way of a query, and where two answers differ.

use crate::client::Answer;

const ROUTE: &str = "Fusion Route:";

/// Whether an EXPLAIN shows the route through the engine, and if not, what it shows instead.
pub fn route(plan: &Answer) -> (bool, Option<String>) {
    let shown = plan.lines().find_map(|line| line.split_once(ROUTE).map(|(_, route)| String::from(route.trim())));
    match shown {
        Some(route) if route.starts_with("engine") => (true, None),
        Some(route) => (false, Some(format!("route: {route}"))),
        None => {
            let top = plan.lines().next().unwrap_or_default();
            (false, Some(format!("EXPLAIN shows no route; it starts with: {}", top.trim())))
        }
    }
}

/// The first thing that two answers differ in: columns, then rows in their order, byte for byte.
pub fn difference(expected: &Answer, got: &Answer) -> Option<String> {
    if expected == got {
        return None;
    }
    if expected.columns != got.columns {
        return Some(format!("columns: expected {:?}, got {:?}", expected.columns, got.columns));
    }
    let (left, right) = (expected.rows(), got.rows());
    Some(match left.iter().zip(right).enumerate().find(|(_, (a, b))| a != b) {
        Some((at, (a, b))) => format!("row {}: expected {}, got {}", at + 1, show(a), show(b)),
        None => format!("expected {} rows, got {}", left.len(), right.len()),
    })
}

fn show(row: &[Option<Vec<u8>>]) -> String {
    let values: Vec<String> = row
        .iter()
        .map(|value| value.as_ref().map_or(String::from("NULL"), |bytes| String::from_utf8_lossy(bytes).into_owned()))
        .collect();
    values.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Column;

    fn answer(values: &[&str]) -> Answer {
        let column = Column { name: String::from("a"), type_oid: 25, typmod: -1 };
        Answer::new(vec![column], values.iter().map(|value| vec![Some(value.as_bytes().to_vec())]).collect())
    }

    #[test]
    fn a_difference_says_where() {
        assert_eq!(difference(&answer(&["1"]), &answer(&["1"])), None);
        let text = difference(&answer(&["1", "2"]), &answer(&["1", "3"])).expect("a difference");
        assert_eq!(text, "row 2: expected 2, got 3");
        let text = difference(&answer(&["1", "2"]), &answer(&["1"])).expect("a difference");
        assert_eq!(text, "expected 2 rows, got 1");
    }

    #[test]
    fn the_route_is_read_from_the_plan() {
        assert_eq!(route(&answer(&["Foreign Scan", "  Fusion Route: engine"])), (true, None));
        assert_eq!(route(&answer(&["  Fusion Route: native (cheap)"])).1.as_deref(), Some("route: native (cheap)"));
        assert!(!route(&answer(&["Seq Scan on t"])).0);
    }
}
