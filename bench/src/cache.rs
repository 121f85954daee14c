//! The column cache of the engine, as SQL shows it: emptied before a cold run, and counted.
//!
//! Invariant: an extension without these functions is no error; it has no cache to speak of.

use crate::{client::Client, error::Result};

/// int8, int2, int4, numeric.
const NUMBER_TYPES: [u32; 4] = [20, 21, 23, 1700];

/// Whether the extension can empty its cache. If not, it keeps nothing from query to query.
pub fn can_evict(client: &mut Client) -> Result<bool> {
    let found = client.query("SELECT pg_catalog.to_regprocedure('fusion.cache_evict(regclass)') IS NOT NULL")?;
    Ok(found.lines().any(|line| line == "t"))
}

/// Empties the cache of this database.
pub fn evict(client: &mut Client) -> Result<()> {
    client.query("SELECT fusion.cache_evict(NULL)").map(|_| ())
}

/// Every number in fusion.stat_cache, summed over its rows; empty when there is no such view, or it has no row.
pub fn counters(client: &mut Client) -> Result<Vec<(String, i64)>> {
    let found = client.query("SELECT pg_catalog.to_regclass('fusion.stat_cache') IS NOT NULL")?;
    if !found.lines().any(|line| line == "t") {
        return Ok(Vec::new());
    }
    let answer = client.query("SELECT * FROM fusion.stat_cache")?;
    let mut counters = Vec::new();
    for (at, column) in answer.columns.iter().enumerate() {
        if !NUMBER_TYPES.contains(&column.type_oid) || answer.rows().is_empty() {
            continue;
        }
        let values = answer.rows().iter().filter_map(|row| row.get(at)?.as_deref());
        let numbers = values.filter_map(|value| str::from_utf8(value).ok()?.parse::<i64>().ok());
        counters.push((column.name.clone(), numbers.fold(0, i64::saturating_add)));
    }
    Ok(counters)
}

/// The counters that changed, and by how much.
pub fn changes(before: &[(String, i64)], after: &[(String, i64)]) -> Vec<(String, i64)> {
    let change = |(name, value): &(String, i64)| {
        let old = before.iter().find(|(other, _)| other == name).map_or(0, |(_, value)| *value);
        (name.clone(), value.saturating_sub(old))
    };
    after.iter().map(change).filter(|(_, change)| *change != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_leave_out_what_stayed() {
        let counters = |hits, bytes| vec![(String::from("hits"), hits), (String::from("bytes"), bytes)];
        assert_eq!(changes(&counters(1, 5), &counters(4, 5)), [(String::from("hits"), 3)]);
        assert_eq!(changes(&[], &counters(4, 0)), [(String::from("hits"), 4)]);
    }
}
