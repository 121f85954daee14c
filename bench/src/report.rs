//! The table of results: printed line by line as the queries end, and written as CSV and Markdown.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use crate::{
    error::{Error, Result},
    statistics::milliseconds,
};

/// What is known of one query.
#[derive(Debug, Clone)]
pub struct Measured {
    pub number: u32,
    pub native: Duration,
    /// None: not run, or it ended in an error.
    pub fusion: Option<Duration>,
    pub same: bool,
    pub in_engine: bool,
    /// Why it is not the same or not in the engine.
    pub notes: Vec<String>,
}

pub struct Report {
    label: String,
    version: String,
    runs: usize,
    pub queries: Vec<Measured>,
}

pub fn print_head() {
    println!("{:<7}{:>11}{:>12}{:>9}   {:<14}in engine", "query", "native ms", "fusion ms", "ratio", "same answer");
}

pub fn print_query(number: u32) {
    print!("{:<7}", format!("Q{number}"));
    flush();
}

pub fn print_native(time: Duration) {
    print!("{:>11}", milliseconds(time));
    flush();
}

pub fn print_fusion(measured: &Measured) {
    let [fusion, ratio, same, in_engine] = cells(measured);
    println!("{fusion:>12}{ratio:>9}   {same:<14}{in_engine}");
}

/// A line that is not complete yet is shown all the same; a closed standard output is noticed by the next println.
fn flush() {
    let _ = io::stdout().flush();
}

impl Report {
    pub fn new(label: &str, version: String, runs: usize) -> Self {
        Report { label: String::from(label), version, runs, queries: Vec::new() }
    }

    pub fn succeeded(&self) -> bool {
        self.queries.iter().all(|query| query.same && query.in_engine)
    }

    /// The last line, such as `6 of 6 equal, in the engine`.
    pub fn summary(&self) -> String {
        let total = self.queries.len();
        let equal = self.queries.iter().filter(|query| query.same).count();
        let in_engine = self.queries.iter().filter(|query| query.in_engine).count();
        if in_engine == total {
            format!("{equal} of {total} equal, in the engine")
        } else {
            format!("{equal} of {total} equal, {in_engine} of {total} in the engine")
        }
    }

    pub fn print_notes(&self) {
        for query in &self.queries {
            for note in &query.notes {
                eprintln!("Q{}: {note}", query.number);
            }
        }
    }

    /// Writes STEM.csv and STEM.md.
    pub fn write(&self, stem: &Path) -> Result<()> {
        for (extension, text) in [("csv", self.csv()), ("md", self.markdown())] {
            let path = stem.with_file_name(format!(
                "{}.{extension}",
                stem.file_name().map_or_else(Default::default, |name| name.to_string_lossy())
            ));
            fs::write(&path, text).map_err(|error| Error::file(&path, &error))?;
            println!("written: {}", path.display());
        }
        Ok(())
    }

    fn csv(&self) -> String {
        let mut text = String::from("query,native_ms,fusion_ms,ratio,same_answer,in_engine\n");
        for query in &self.queries {
            let [fusion, ratio, same, in_engine] = cells(query);
            let ratio = ratio.trim_end_matches('x');
            let _ =
                writeln!(text, "{},{},{fusion},{ratio},{same},{in_engine}", query.number, milliseconds(query.native));
        }
        text
    }

    fn markdown(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let mut text = format!(
            "# {}\n\nPostgreSQL {}, {cores} cores, medians of {} runs after a warm-up.\n\n\
             | query | native ms | fusion ms | ratio | same answer | in engine |\n\
             | --- | ---: | ---: | ---: | --- | --- |\n",
            self.label, self.version, self.runs
        );
        for query in &self.queries {
            let [fusion, ratio, same, in_engine] = cells(query);
            let native = milliseconds(query.native);
            let _ = writeln!(text, "| Q{} | {native} | {fusion} | {ratio} | {same} | {in_engine} |", query.number);
        }
        let _ = writeln!(text, "\n{}", self.summary());
        text
    }
}

/// fusion ms, ratio, same answer, in engine.
fn cells(measured: &Measured) -> [String; 4] {
    let yes_or_no = |flag: bool| String::from(if flag { "yes" } else { "no" });
    let (fusion, ratio) = match measured.fusion {
        Some(time) => {
            (milliseconds(time), format!("{:.2}x", measured.native.as_secs_f64() / time.as_secs_f64().max(1e-9)))
        }
        None => (String::from("-"), String::from("-")),
    };
    [fusion, ratio, yes_or_no(measured.same), yes_or_no(measured.in_engine)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(number: u32, same: bool, in_engine: bool) -> Measured {
        let fusion = Some(Duration::from_millis(50));
        Measured { number, native: Duration::from_millis(100), fusion, same, in_engine, notes: vec![] }
    }

    #[test]
    fn the_summary_names_what_failed() {
        let mut report = Report::new("t", String::from("18"), 3);
        report.queries = vec![query(1, true, true), query(3, true, true)];
        assert!(report.succeeded());
        assert_eq!(report.summary(), "2 of 2 equal, in the engine");
        report.queries.push(query(5, false, false));
        assert!(!report.succeeded());
        assert_eq!(report.summary(), "2 of 3 equal, 2 of 3 in the engine");
    }

    #[test]
    fn a_query_without_a_time_has_no_ratio() {
        let mut failed = query(6, false, false);
        failed.fusion = None;
        assert_eq!(cells(&failed), ["-", "-", "no", "no"]);
        let mut report = Report::new("t", String::from("18"), 3);
        report.queries = vec![query(1, true, true), failed];
        assert!(report.csv().ends_with("1,100.0,50.0,2.00,yes,yes\n6,100.0,-,-,no,no\n"), "{}", report.csv());
    }
}
