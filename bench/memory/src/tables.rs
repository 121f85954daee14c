//! The TPC-H tables as Arrow arrays in memory: from the generator that the PostgreSQL loader uses, so the rows are the same.
//!
//! Invariants: keys are Int64, money and quantities Decimal128(15, 2), dates Date32, texts Utf8View without PostgreSQL's blank
//! padding; no column is nullable; a table has a partition per thread (region and nation have one).

use std::{fmt::Display, fmt::Write as _, sync::Arc, thread};

use arrow::{
    array::{ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringViewBuilder},
    error::ArrowError,
};
use datafusion::{datasource::MemTable, error::DataFusionError, prelude::SessionContext};
use tpchgen::{
    dates::TPCHDate,
    decimal::TPCHDecimal,
    distribution::Distributions,
    generators::{
        Customer, CustomerGenerator, LineItem, LineItemGenerator, Nation, NationGenerator, Order, OrderGenerator, Part,
        PartGenerator, PartSupp, PartSuppGenerator, Region, RegionGenerator, Supplier, SupplierGenerator,
    },
    text::TextPool,
};

pub const BATCH_ROWS: usize = 8192;
/// Of the text that comments are cut from; another size gives other comments than the loader's.
const POOL_BYTES: i32 = 300 << 20;
const PRECISION: u8 = 15;
const SCALE: i8 = 2;

type Result<T> = std::result::Result<T, DataFusionError>;
type Column = std::result::Result<(&'static str, ArrayRef), ArrowError>;
type Columns = std::result::Result<Vec<(&'static str, ArrayRef)>, ArrowError>;

/// Makes all tables of a scale factor, and says on standard error which one is being made.
pub fn register(context: &SessionContext, scale: f64, threads: usize) -> Result<()> {
    let parts = i32::try_from(threads).unwrap_or(1);
    let words = Distributions::static_default();
    // The generators' own pool would stay for good, and count as memory of the tables.
    let pool = &TextPool::new(POOL_BYTES, words);
    let rows = |part| LineItemGenerator::new_with_distributions_and_text_pool(scale, part, parts, words, pool).iter();
    add(context, "lineitem", parts, rows, lineitem)?;
    let rows = |part| OrderGenerator::new_with_distributions_and_text_pool(scale, part, parts, words, pool).iter();
    add(context, "orders", parts, rows, orders)?;
    let rows = |part| PartSuppGenerator::new_with_text_pool(scale, part, parts, pool).iter();
    add(context, "partsupp", parts, rows, partsupp)?;
    let rows = |part| PartGenerator::new_with_distributions_and_text_pool(scale, part, parts, words, pool).iter();
    add(context, "part", parts, rows, part)?;
    let rows = |part| CustomerGenerator::new_with_distributions_and_text_pool(scale, part, parts, words, pool).iter();
    add(context, "customer", parts, rows, customer)?;
    let rows = |part| SupplierGenerator::new_with_distributions_and_text_pool(scale, part, parts, words, pool).iter();
    add(context, "supplier", parts, rows, supplier)?;
    let rows = |_| NationGenerator::new_with_distributions_and_text_pool(words, pool).iter();
    add(context, "nation", 1, rows, nation)?;
    let rows = |_| RegionGenerator::new_with_distributions_and_text_pool(words, pool).iter();
    add(context, "region", 1, rows, region)
}

/// Makes one table: `rows` gives those of a part (from 1 on), `columns` turns rows into arrays.
fn add<R, I: Iterator<Item = R>>(
    context: &SessionContext,
    name: &str,
    parts: i32,
    rows: impl Fn(i32) -> I + Sync,
    columns: impl Fn(&[R]) -> Columns + Sync,
) -> Result<()> {
    eprintln!("    DataFusion: {name}");
    let (rows, columns) = (&rows, &columns);
    let partitions = thread::scope(|scope| {
        let workers: Vec<_> = (1..=parts).map(|part| scope.spawn(move || batches(rows(part), columns))).collect();
        workers
            .into_iter()
            .map(|worker| {
                worker.join().unwrap_or_else(|_| Err(ArrowError::ComputeError(String::from("a generator panicked"))))
            })
            .collect::<std::result::Result<Vec<_>, ArrowError>>()
    })?;
    let schema = RecordBatch::try_from_iter(columns(&[])?)?.schema();
    context.register_table(name, Arc::new(MemTable::try_new(schema, partitions)?))?;
    Ok(())
}

fn batches<R>(
    mut rows: impl Iterator<Item = R>,
    columns: impl Fn(&[R]) -> Columns,
) -> std::result::Result<Vec<RecordBatch>, ArrowError> {
    let mut batches = Vec::new();
    let mut chunk = Vec::with_capacity(BATCH_ROWS);
    loop {
        chunk.clear();
        chunk.extend(rows.by_ref().take(BATCH_ROWS));
        if chunk.is_empty() {
            return Ok(batches);
        }
        batches.push(RecordBatch::try_from_iter(columns(&chunk)?)?);
    }
}

fn lineitem(rows: &[LineItem]) -> Columns {
    [
        keys("l_orderkey", rows, |row| row.l_orderkey),
        keys("l_partkey", rows, |row| row.l_partkey),
        keys("l_suppkey", rows, |row| row.l_suppkey),
        integers("l_linenumber", rows, |row| row.l_linenumber),
        decimals("l_quantity", rows, |row| TPCHDecimal(row.l_quantity * 100)),
        decimals("l_extendedprice", rows, |row| row.l_extendedprice),
        decimals("l_discount", rows, |row| row.l_discount),
        decimals("l_tax", rows, |row| row.l_tax),
        texts("l_returnflag", rows, |row| &row.l_returnflag),
        texts("l_linestatus", rows, |row| &row.l_linestatus),
        dates("l_shipdate", rows, |row| row.l_shipdate),
        dates("l_commitdate", rows, |row| row.l_commitdate),
        dates("l_receiptdate", rows, |row| row.l_receiptdate),
        texts("l_shipinstruct", rows, |row| &row.l_shipinstruct),
        texts("l_shipmode", rows, |row| &row.l_shipmode),
        texts("l_comment", rows, |row| &row.l_comment),
    ]
    .into_iter()
    .collect()
}

fn orders(rows: &[Order]) -> Columns {
    [
        keys("o_orderkey", rows, |row| row.o_orderkey),
        keys("o_custkey", rows, |row| row.o_custkey),
        texts("o_orderstatus", rows, |row| &row.o_orderstatus),
        decimals("o_totalprice", rows, |row| row.o_totalprice),
        dates("o_orderdate", rows, |row| row.o_orderdate),
        texts("o_orderpriority", rows, |row| &row.o_orderpriority),
        texts("o_clerk", rows, |row| &row.o_clerk),
        integers("o_shippriority", rows, |row| row.o_shippriority),
        texts("o_comment", rows, |row| &row.o_comment),
    ]
    .into_iter()
    .collect()
}

fn partsupp(rows: &[PartSupp]) -> Columns {
    [
        keys("ps_partkey", rows, |row| row.ps_partkey),
        keys("ps_suppkey", rows, |row| row.ps_suppkey),
        integers("ps_availqty", rows, |row| row.ps_availqty),
        decimals("ps_supplycost", rows, |row| row.ps_supplycost),
        texts("ps_comment", rows, |row| &row.ps_comment),
    ]
    .into_iter()
    .collect()
}

fn part(rows: &[Part]) -> Columns {
    [
        keys("p_partkey", rows, |row| row.p_partkey),
        texts("p_name", rows, |row| &row.p_name),
        texts("p_mfgr", rows, |row| &row.p_mfgr),
        texts("p_brand", rows, |row| &row.p_brand),
        texts("p_type", rows, |row| &row.p_type),
        integers("p_size", rows, |row| row.p_size),
        texts("p_container", rows, |row| &row.p_container),
        decimals("p_retailprice", rows, |row| row.p_retailprice),
        texts("p_comment", rows, |row| &row.p_comment),
    ]
    .into_iter()
    .collect()
}

fn customer(rows: &[Customer]) -> Columns {
    [
        keys("c_custkey", rows, |row| row.c_custkey),
        texts("c_name", rows, |row| &row.c_name),
        texts("c_address", rows, |row| &row.c_address),
        keys("c_nationkey", rows, |row| row.c_nationkey),
        texts("c_phone", rows, |row| &row.c_phone),
        decimals("c_acctbal", rows, |row| row.c_acctbal),
        texts("c_mktsegment", rows, |row| &row.c_mktsegment),
        texts("c_comment", rows, |row| &row.c_comment),
    ]
    .into_iter()
    .collect()
}

fn supplier(rows: &[Supplier]) -> Columns {
    [
        keys("s_suppkey", rows, |row| row.s_suppkey),
        texts("s_name", rows, |row| &row.s_name),
        texts("s_address", rows, |row| &row.s_address),
        keys("s_nationkey", rows, |row| row.s_nationkey),
        texts("s_phone", rows, |row| &row.s_phone),
        decimals("s_acctbal", rows, |row| row.s_acctbal),
        texts("s_comment", rows, |row| &row.s_comment),
    ]
    .into_iter()
    .collect()
}

fn nation(rows: &[Nation]) -> Columns {
    [
        keys("n_nationkey", rows, |row| row.n_nationkey),
        texts("n_name", rows, |row| &row.n_name),
        keys("n_regionkey", rows, |row| row.n_regionkey),
        texts("n_comment", rows, |row| &row.n_comment),
    ]
    .into_iter()
    .collect()
}

fn region(rows: &[Region]) -> Columns {
    [
        keys("r_regionkey", rows, |row| row.r_regionkey),
        texts("r_name", rows, |row| &row.r_name),
        texts("r_comment", rows, |row| &row.r_comment),
    ]
    .into_iter()
    .collect()
}

fn keys<R>(name: &'static str, rows: &[R], value: impl Fn(&R) -> i64) -> Column {
    Ok((name, Arc::new(Int64Array::from_iter_values(rows.iter().map(value)))))
}

fn integers<R>(name: &'static str, rows: &[R], value: impl Fn(&R) -> i32) -> Column {
    Ok((name, Arc::new(Int32Array::from_iter_values(rows.iter().map(value)))))
}

fn decimals<R>(name: &'static str, rows: &[R], value: impl Fn(&R) -> TPCHDecimal) -> Column {
    let values = rows.iter().map(|row| i128::from(value(row).into_inner()));
    let array = Decimal128Array::from_iter_values(values).with_precision_and_scale(PRECISION, SCALE)?;
    Ok((name, Arc::new(array)))
}

fn dates<R>(name: &'static str, rows: &[R], value: impl Fn(&R) -> TPCHDate) -> Column {
    Ok((name, Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| value(row).to_unix_epoch())))))
}

fn texts<R>(name: &'static str, rows: &[R], value: impl for<'r> Fn(&'r R) -> &'r dyn Display) -> Column {
    let mut builder = StringViewBuilder::with_capacity(rows.len());
    let mut text = String::new();
    for row in rows {
        text.clear();
        // Writing into a String cannot fail.
        let _ = write!(text, "{}", value(row));
        builder.append_value(&text);
    }
    Ok((name, Arc::new(builder.finish())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_the_rows_of_the_whole() {
        let whole = batches(OrderGenerator::new(0.001, 1, 1).iter(), orders).expect("batches");
        let parts: Vec<RecordBatch> = (1..=3)
            .flat_map(|part| batches(OrderGenerator::new(0.001, part, 3).iter(), orders).expect("batches"))
            .collect();
        let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        assert_eq!((rows(&whole), rows(&parts)), (1500, 1500));
        assert_eq!(whole.first().map(RecordBatch::schema), parts.first().map(RecordBatch::schema));
    }

    #[test]
    fn the_pool_is_the_loaders() {
        let words = Distributions::static_default();
        let pool = TextPool::new(POOL_BYTES, words);
        let mine = OrderGenerator::new_with_distributions_and_text_pool(0.001, 1, 1, words, &pool);
        assert!(mine.iter().eq(OrderGenerator::new(0.001, 1, 1).iter()));
    }
}
