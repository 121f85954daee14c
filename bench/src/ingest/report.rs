//! What came of a run under writing: printed, and written as CSV, Markdown and a chart.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use super::writer::Writing;
use crate::{
    chart::{Chart, Series},
    error::{Error, Result},
    statistics::{geometric_mean, median, milliseconds, ratio},
};

const MISSING: &str = "-";
const NATIVE_COLOUR: &str = "#4477aa";
const FUSION_COLOUR: &str = "#cc3311";
const QUIET_NATIVE_COLOUR: &str = "#a8c0dc";
const QUIET_FUSION_COLOUR: &str = "#f0b0a0";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Fills the cache; not timed.
    Warm,
    /// Nobody writes.
    Quiet,
    Writing,
}

/// What is known of one query.
pub struct Measured {
    number: u32,
    in_engine: bool,
    same: bool,
    /// Phase, native, fusion.
    times: Vec<(Phase, Duration, Duration)>,
    notes: Vec<String>,
}

pub struct Report {
    label: String,
    setting: String,
    pub queries: Vec<Measured>,
    /// Complete passes under writing.
    pub passes: usize,
    pub writing: Writing,
    /// Of fusion.stat_cache: what changed while there was writing.
    pub counters: Vec<(String, i64)>,
}

impl Measured {
    pub fn new(number: u32, in_engine: bool, note: Option<String>) -> Measured {
        Measured { number, in_engine, same: true, times: Vec::new(), notes: note.into_iter().collect() }
    }

    pub fn add(&mut self, phase: Phase, native: Duration, fusion: Duration) {
        if phase != Phase::Warm {
            self.times.push((phase, native, fusion));
        }
    }

    /// Another answer, or an error; the same note once.
    pub fn differs(&mut self, text: String) {
        self.same = false;
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Runs, and the medians of native and fusion.
    fn medians(&self, phase: Phase) -> Option<(usize, Duration, Duration)> {
        let (native, fusion): (Vec<_>, Vec<_>) = self
            .times
            .iter()
            .filter(|(other, ..)| *other == phase)
            .map(|(_, native, fusion)| (*native, *fusion))
            .unzip();
        (!native.is_empty()).then(|| (native.len(), median(native), median(fusion)))
    }

    fn ratio(&self, phase: Phase) -> Option<f64> {
        self.medians(phase).map(|(_, native, fusion)| ratio(native, fusion))
    }

    /// Query, runs, then native, fusion and ratio of the quiet phase and of writing, then the answer.
    fn cells(&self) -> [String; 9] {
        let sides = |phase| match self.medians(phase) {
            Some((_, native, fusion)) => {
                [milliseconds(native), milliseconds(fusion), format!("{:.2}", ratio(native, fusion))]
            }
            None => [MISSING; 3].map(String::from),
        };
        let [quiet_native, quiet_fusion, quiet_ratio] = sides(Phase::Quiet);
        let [native, fusion, ratio] = sides(Phase::Writing);
        let runs = self.medians(Phase::Writing).map_or(0, |(runs, ..)| runs).to_string();
        let answer = match (self.same, self.in_engine) {
            (false, _) => "no",
            (true, false) => "not in the engine",
            (true, true) => "yes",
        };
        [
            format!("Q{}", self.number),
            runs,
            quiet_native,
            quiet_fusion,
            quiet_ratio,
            native,
            fusion,
            ratio,
            String::from(answer),
        ]
    }
}

impl Report {
    pub fn new(label: &str, setting: String) -> Report {
        Report {
            label: String::from(label),
            setting,
            queries: Vec::new(),
            passes: 0,
            writing: Writing::default(),
            counters: Vec::new(),
        }
    }

    pub fn succeeded(&self) -> bool {
        !self.queries.is_empty() && self.queries.iter().all(|query| query.same && query.in_engine)
    }

    pub fn print(&self) {
        let line = |cells: &[&str; 9]| {
            let [query, runs, numbers @ .., same] = cells;
            let numbers: String = numbers.iter().map(|cell| format!("{cell:>12}")).collect();
            println!("{query:<7}{runs:>5}{numbers}   {same}");
        };
        println!("{:12}{:^36}{:^36}", "", "without writing", "while another session writes");
        line(&["query", "runs", "native ms", "fusion ms", "ratio", "native ms", "fusion ms", "ratio", "same answer"]);
        for query in &self.queries {
            line(&query.cells().each_ref().map(String::as_str));
        }
        for query in &self.queries {
            query.notes.iter().for_each(|note| eprintln!("Q{}: {note}", query.number));
        }
        self.facts().iter().for_each(|fact| println!("    {fact}"));
    }

    /// The last line.
    pub fn summary(&self) -> String {
        let equal = self.queries.iter().filter(|query| query.same && query.in_engine).count();
        let mut text = format!("{equal} of {} equal, in the engine, under one snapshot", self.queries.len());
        for (phase, label) in [(Phase::Quiet, "without writing"), (Phase::Writing, "under writing")] {
            if let Some(mean) = geometric_mean(self.queries.iter().filter_map(|query| query.ratio(phase))) {
                let _ = write!(text, "; {label} {mean:.2}x");
            }
        }
        text
    }

    /// About the writing and the cache.
    fn facts(&self) -> Vec<String> {
        let writing = &self.writing;
        let vacuumed: Duration = writing.vacuums.iter().sum();
        let mut facts = vec![
            format!("{} complete passes under writing", self.passes),
            format!(
                "{} rows of lineitem updated in {} batches within {:.0} s: {:.2} % a minute",
                writing.rows,
                writing.batches,
                writing.time.as_secs_f64(),
                writing.percent_per_minute()
            ),
            format!("{} times VACUUM lineitem, {:.1} s in all", writing.vacuums.len(), vacuumed.as_secs_f64()),
        ];
        facts.extend(self.counters.iter().map(|(name, change)| format!("fusion.stat_cache: {name} {change:+}")));
        facts
    }

    /// Writes STEM.csv, STEM.md and STEM.svg.
    pub fn write(&self, stem: &Path) -> Result<()> {
        let name = stem.file_name().map_or_else(Default::default, |name| name.to_string_lossy());
        for (extension, text) in
            [("csv", self.csv()), ("md", self.markdown(&format!("{name}.svg"))), ("svg", self.chart().svg())]
        {
            let path = stem.with_file_name(format!("{name}.{extension}"));
            fs::write(&path, text).map_err(|error| Error::file(&path, &error))?;
            println!("written: {}", path.display());
        }
        Ok(())
    }

    fn csv(&self) -> String {
        let mut text = String::from(
            "query,runs,quiet_native_ms,quiet_fusion_ms,quiet_ratio,native_ms,fusion_ms,ratio,same_answer\n",
        );
        for query in &self.queries {
            let _ = writeln!(text, "{}", query.cells().join(",").trim_start_matches('Q'));
        }
        text
    }

    fn markdown(&self, picture: &str) -> String {
        let mut text = format!("# {}\n\n- {}\n", self.label, self.setting);
        for fact in self.facts() {
            let _ = writeln!(text, "- {fact}");
        }
        let _ = write!(
            text,
            "\n![milliseconds by query]({picture})\n\n\
             | query | runs | native ms, quiet | fusion ms, quiet | ratio | native ms | fusion ms | ratio | same answer |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n"
        );
        for query in &self.queries {
            let _ = writeln!(text, "| {} |", query.cells().join(" | "));
        }
        let _ = writeln!(text, "\n{}", self.summary());
        text
    }

    fn chart(&self) -> Chart {
        let series = |name: &str, colour, phase, native: bool| Series {
            name: String::from(name),
            colour,
            values: self
                .queries
                .iter()
                .map(|query| query.medians(phase))
                .map(|found| found.map(|(_, left, right)| if native { left } else { right }.as_secs_f64() * 1000.0))
                .collect(),
        };
        Chart {
            title: self.label.clone(),
            subtitle: self.setting.clone(),
            axis: String::from("milliseconds, logarithmic"),
            groups: self.queries.iter().map(|query| format!("Q{}", query.number)).collect(),
            series: vec![
                series("PostgreSQL, quiet", QUIET_NATIVE_COLOUR, Phase::Quiet, true),
                series("fusion, quiet", QUIET_FUSION_COLOUR, Phase::Quiet, false),
                series("PostgreSQL, under writing", NATIVE_COLOUR, Phase::Writing, true),
                series("fusion, under writing", FUSION_COLOUR, Phase::Writing, false),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let ms = Duration::from_millis;
        let mut query = Measured::new(6, true, None);
        query.add(Phase::Warm, ms(9000), ms(9000));
        query.add(Phase::Quiet, ms(100), ms(25));
        query.add(Phase::Writing, ms(100), ms(40));
        query.add(Phase::Writing, ms(120), ms(60));
        let mut report = Report::new("t", String::from("a machine"));
        report.queries.push(query);
        report
    }

    #[test]
    fn medians_by_phase() {
        let report = report();
        assert_eq!(report.csv().lines().last(), Some("6,2,100.0,25.0,4.00,110.0,50.0,2.20,yes"));
        assert_eq!(
            report.summary(),
            "1 of 1 equal, in the engine, under one snapshot; without writing 4.00x; under writing 2.20x"
        );
        assert!(report.succeeded());
    }

    #[test]
    fn a_difference_fails_the_run() {
        let mut report = report();
        if let Some(query) = report.queries.first_mut() {
            query.differs(String::from("row 1"));
            query.differs(String::from("row 1"));
            assert_eq!(query.notes.len(), 1);
        }
        assert!(!report.succeeded());
        assert!(report.csv().ends_with(",no\n"));
    }
}
