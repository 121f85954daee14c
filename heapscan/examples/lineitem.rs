//! Prints TPC-H's lineitem as COPY reads it with delimiter `|`: `lineitem SCALE_FACTOR`.
//! `benches/make_fixture.sh` loads it into a server to make the pages of the benchmark.

use std::io::Write;
use tpchgen::generators::LineItemGenerator;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scale_factor: f64 = std::env::args().nth(1).as_deref().unwrap_or("0.001").parse()?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for item in LineItemGenerator::new(scale_factor, 1, 1).iter() {
        let line = item.to_string();
        writeln!(out, "{}", line.strip_suffix('|').unwrap_or(&line))?;
    }
    out.flush()?;
    Ok(())
}
