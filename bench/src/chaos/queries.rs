//! Tables, queries and writes of the chaos run.
//!
//! Invariant: every query's rows are in a total order, or one row, so that answers can be compared as they come.

use crate::{client::Client, error::Result, random::Random};

pub const ORDERS: usize = 40_000;
const PARTS: usize = 500;

/// Makes the tables in `chaos` anew, with fusion tables over them in `chaos_fast`.
pub fn make_tables(client: &mut Client) -> Result<()> {
    client.query(&format!(
        "SET client_min_messages = warning;
         CREATE EXTENSION IF NOT EXISTS pg_fusion;
         DROP SCHEMA IF EXISTS chaos, chaos_fast CASCADE;
         CREATE SCHEMA chaos;
         CREATE SCHEMA chaos_fast;
         CREATE TABLE chaos.orders (id int PRIMARY KEY, customer int, status char(1), total numeric(12,2), placed date, note text);
         CREATE TABLE chaos.lines (order_id int, line int, part int, quantity numeric(10,2), price numeric(12,2),
             discount numeric(4,2), shipped date, PRIMARY KEY (order_id, line));
         INSERT INTO chaos.orders SELECT g, g * 7919 % 3000, (ARRAY['F','O','P'])[1 + g % 3], g * 13 % 100000 / 7.0,
             date '2020-01-01' + g % 1500, CASE WHEN g % 11 <> 0 THEN repeat('note ' || g % 97 || ' ', g % 5) END
             FROM generate_series(1, {ORDERS}) g;
         INSERT INTO chaos.lines SELECT g, l, (g * 31 + l * 17) % {PARTS}, (g + l) % 50 + 1, (g * l) % 9973 / 9.0 + 1,
             (g % 11) / 100.0, date '2020-01-01' + (g * l) % 1500
             FROM generate_series(1, {ORDERS}) g, generate_series(1, 4) l;
         CREATE INDEX ON chaos.lines (part);
         IMPORT FOREIGN SCHEMA chaos FROM SERVER fusion INTO chaos_fast"
    ))?;
    client.query("VACUUM (ANALYZE) chaos.orders, chaos.lines")?;
    Ok(())
}

/// Kinds of queries.
pub const KINDS: usize = 14;
/// The one that looks an order up.
pub const POINT: usize = 12;

/// A query over `orders` and `lines`, and whether it gives many rows.
pub fn query(random: &mut Random) -> (String, bool) {
    let kind = random.below(KINDS);
    of_kind(kind, random)
}

/// A query of a kind.
pub fn of_kind(kind: usize, random: &mut Random) -> (String, bool) {
    let number = |random: &mut Random, end: usize| random.below(end);
    match kind {
        0 => (
            "SELECT discount, count(*), sum(quantity), sum(price * (1 - discount)), avg(price) FROM lines GROUP BY discount ORDER BY discount"
                .to_owned(),
            false,
        ),
        1 => {
            let day = number(random, 1400);
            (
                format!(
                    "SELECT sum(price * discount), count(*) FROM lines WHERE shipped >= date '2020-01-01' + {day} \
                     AND shipped < date '2020-01-01' + {} AND quantity < 24",
                    day + 60
                ),
                false,
            )
        }
        2 => (
            format!(
                "SELECT o.status, count(*), sum(l.price * (1 - l.discount)) FROM orders o JOIN lines l ON l.order_id = o.id \
                 WHERE o.placed >= date '2020-01-01' + {} GROUP BY o.status ORDER BY o.status",
                number(random, 1500)
            ),
            false,
        ),
        3 => (
            format!(
                "SELECT o.status, count(*) FROM orders o WHERE EXISTS (SELECT FROM lines l WHERE l.order_id = o.id AND l.part = {}) \
                 GROUP BY o.status ORDER BY o.status",
                number(random, PARTS)
            ),
            false,
        ),
        4 => (
            format!(
                "SELECT count(*), sum(total) FROM orders o WHERE NOT EXISTS (SELECT FROM lines l WHERE l.order_id = o.id AND l.quantity > {})",
                number(random, 50)
            ),
            false,
        ),
        5 => (
            format!(
                "SELECT sum(price) / 7.0 FROM lines l WHERE part = {} AND quantity < (SELECT 0.5 * avg(quantity) FROM lines WHERE part = l.part)",
                number(random, PARTS)
            ),
            false,
        ),
        6 => ("SELECT id, customer, total, placed FROM orders ORDER BY total DESC, id LIMIT 20".to_owned(), false),
        7 => (
            format!(
                "SELECT id, rank() OVER (PARTITION BY status ORDER BY total DESC, id), sum(total) OVER (PARTITION BY status ORDER BY id) \
                 FROM orders WHERE customer < {} ORDER BY id",
                number(random, 200)
            ),
            true,
        ),
        8 => (
            format!(
                "SELECT count(*) FROM (SELECT customer FROM orders WHERE status = 'F' EXCEPT SELECT customer FROM orders WHERE placed < date '2020-01-01' + {}) x",
                number(random, 1500)
            ),
            false,
        ),
        9 => (
            format!("SELECT * FROM lines WHERE part % 7 = {} ORDER BY order_id, line", number(random, 7)),
            true,
        ),
        10 => ("SELECT count(DISTINCT customer), count(DISTINCT note), min(note), max(placed) FROM orders".to_owned(), false),
        11 => (
            format!(
                "SELECT substr(note, 1, 8), count(*) FROM orders WHERE note LIKE '%{}%' GROUP BY 1 ORDER BY 1",
                number(random, 97)
            ),
            false,
        ),
        POINT => (format!("SELECT * FROM orders WHERE id = {}", number(random, ORDERS)), false),
        _ => (
            format!(
                "SELECT o.customer, string_agg(l.part::text, ',' ORDER BY l.part, l.order_id, l.line) FROM orders o JOIN lines l ON l.order_id = o.id \
                 WHERE o.customer BETWEEN {0} AND {0} + 5 GROUP BY o.customer ORDER BY o.customer",
                number(random, 3000)
            ),
            true,
        ),
    }
}

/// Of a hundred writes so many change tables that generated queries read.
const WRITES_TO_GENERATED: usize = 25;

/// Something that changes the tables, a statement or a transaction.
pub fn write(random: &mut Random) -> String {
    let id = 1 + random.below(ORDERS);
    let end = if random.percent(20) { "ROLLBACK" } else { "COMMIT" };
    if random.percent(WRITES_TO_GENERATED) {
        return write_to_generated(random, end);
    }
    match random.below(40) {
        0 => "VACUUM chaos.orders".to_owned(),
        1 => "VACUUM chaos.lines".to_owned(),
        2..12 => format!("BEGIN; UPDATE chaos.orders SET total = total + 1 WHERE id BETWEEN {id} AND {id} + 20; {end}"),
        12..22 => format!(
            "BEGIN; UPDATE chaos.lines SET quantity = quantity % 50 + 1, part = (part + 1) % {PARTS} WHERE order_id BETWEEN {id} AND {id} + 5; {end}"
        ),
        22..28 => format!("BEGIN; DELETE FROM chaos.lines WHERE order_id = {id} AND line > 2; {end}"),
        28..34 => format!(
            "BEGIN; INSERT INTO chaos.lines SELECT {id}, l, l, 1, 2.5, 0.05, date '2021-05-05' FROM generate_series(3, 6) l ON CONFLICT DO NOTHING; {end}"
        ),
        34..37 => format!(
            "BEGIN; SELECT count(*) FROM (SELECT FROM chaos.orders WHERE customer = {} FOR UPDATE) x; {end}",
            id % 3000
        ),
        _ => format!(
            "BEGIN; SAVEPOINT a; UPDATE chaos.orders SET note = 'changed ' || id WHERE id = {id}; ROLLBACK TO a; UPDATE chaos.orders SET customer = customer + 1 WHERE id = {id}; {end}"
        ),
    }
}

/// Changes tables of the differential suite. Floats stay multiples of 1/8, whose sums are exact in any order.
fn write_to_generated(random: &mut Random, end: &str) -> String {
    let id = 1 + random.below(700);
    match random.below(12) {
        0 => "VACUUM data.sales, data.num, data.emp".to_owned(),
        1..5 => format!(
            "BEGIN; UPDATE data.sales SET qty = qty % 20 + 1, amount = amount + 0.25 WHERE id BETWEEN {id} AND {id} + 30; {end}"
        ),
        5..8 => format!(
            "BEGIN; UPDATE data.num SET i4 = i4 % 1000 + 1, f8 = f8 + 0.5, n2 = n2 + 0.01 WHERE id BETWEEN {id} AND {id} + 10; {end}"
        ),
        8..10 => format!(
            "BEGIN; DELETE FROM data.sales WHERE id = {id}; INSERT INTO data.sales (id, emp, qty) VALUES ({id}, {id} % 170, NULL) ON CONFLICT DO NOTHING; {end}"
        ),
        _ => format!(
            "BEGIN; UPDATE data.emp SET salary = salary % 5000 + 1.25, active = NOT active WHERE id = {} ; {end}",
            1 + id % 150
        ),
    }
}
