//! The rows of the TPC-H tables from the generator (crate tpchgen), in the text form of COPY with the delimiter `|`: for the
//! loader, and on standard output for other databases.

use std::{
    fmt::Display,
    io::{self, Write},
};

use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};

use crate::{
    error::{Error, Result},
    schema::TABLES,
};

/// Bytes written at a time.
const CHUNK: usize = 1 << 16;

/// Appends the next row and a line feed to a buffer; false when there is none.
pub type Rows = Box<dyn FnMut(&mut Vec<u8>) -> bool>;

pub fn of(table: &str, scale: f64) -> Result<Rows> {
    Ok(match table {
        "lineitem" => lines(LineItemGenerator::new(scale, 1, 1).iter()),
        "orders" => lines(OrderGenerator::new(scale, 1, 1).iter()),
        "partsupp" => lines(PartSuppGenerator::new(scale, 1, 1).iter()),
        "part" => lines(PartGenerator::new(scale, 1, 1).iter()),
        "customer" => lines(CustomerGenerator::new(scale, 1, 1).iter()),
        "supplier" => lines(SupplierGenerator::new(scale, 1, 1).iter()),
        "nation" => lines(NationGenerator::new(scale, 1, 1).iter()),
        "region" => lines(RegionGenerator::new(scale, 1, 1).iter()),
        other => return Err(Error::File(format!("no generator for table {other}"))),
    })
}

/// The generator's own text form is `value|value|`, whose values never need quoting.
fn lines<R: Display>(mut rows: impl Iterator<Item = R> + 'static) -> Rows {
    Box::new(move |buffer| {
        let Some(row) = rows.next() else { return false };
        // Writing into a Vec cannot fail.
        let _ = write!(buffer, "{row}");
        if let Some(last) = buffer.last_mut() {
            *last = b'\n';
        }
        true
    })
}

pub fn print(table: &str, scale: f64) -> Result<()> {
    let mut rows = of(table, scale)?;
    let mut output = io::stdout().lock();
    let mut buffer = Vec::with_capacity(2 * CHUNK);
    let mut more = true;
    while more {
        buffer.clear();
        while more && buffer.len() < CHUNK {
            more = rows(&mut buffer);
        }
        output.write_all(&buffer).map_err(|error| Error::File(format!("standard output: {error}")))?;
    }
    Ok(())
}

/// Name, tabulator, column definitions.
pub fn print_tables() -> Result<()> {
    let mut output = io::stdout().lock();
    for table in &TABLES {
        writeln!(output, "{}\t{}", table.name, table.columns)
            .map_err(|error| Error::File(format!("standard output: {error}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_rows_of_its_columns() {
        for table in &TABLES {
            let mut rows = of(table.name, 0.001).expect("a generator");
            let mut buffer = Vec::new();
            assert!(rows(&mut buffer), "{}", table.name);
            let line = String::from_utf8(buffer).expect("text");
            // The comma in numeric(15,2) has no blank behind it.
            let columns = table.columns.split(", ").count();
            assert_eq!(line.trim_end().split('|').count(), columns, "{line}");
            assert!(line.ends_with('\n'));
        }
        assert!(of("walks", 0.001).is_err());
    }
}
