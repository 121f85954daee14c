//! The table of results: printed line by line as the queries end, and written as CSV, Markdown and a chart.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use super::{
    Engine,
    results::{Query, Results},
};
use crate::{
    chart::{Chart, Series},
    error::{Error, Result},
    statistics::{bytes, milliseconds},
};

const MISSING: &str = "-";

pub fn print_head(engines: &[Engine]) {
    let columns: String = engines.iter().map(|engine| format!("{:>12}", engine.name())).collect();
    println!("{:<9}{columns}   (ms, medians)", "query");
}

pub fn print_query(engines: &[Engine], query: &Query) {
    let cells: String = engines.iter().map(|engine| format!("{:>12}", time(query.time(*engine)))).collect();
    let mut marks = Vec::new();
    if !query.same() {
        marks.push(String::from("DIFFERENT"));
    }
    if !query.forced_in_engine() {
        marks.push(String::from("not in the engine"));
    }
    marks.extend(query.routed_to().filter(|route| *route != "engine").map(|route| format!("routed: {route}")));
    println!("{:<9}{cells}   {}", format!("Q{}", query.number), marks.join(", "));
    for note in &query.notes {
        eprintln!("Q{}: {note}", query.number);
    }
}

pub fn print_foot(results: &Results) {
    let line = |name: &str, cell: &dyn Fn(Engine) -> String| {
        let cells: String = results.engines.iter().map(|engine| format!("{:>12}", cell(*engine))).collect();
        println!("{name:<9}{cells}");
    };
    line("total", &|engine| milliseconds(results.total(engine)));
    line("geo.mean", &|engine| time(results.mean_time(engine)));
    line("ratio", &|engine| ratio(results.mean_ratio(engine)));
    for memory in &results.memory {
        println!("    {}: {} before the first query, {} at most", memory.name, size(memory.at_rest), size(memory.peak));
    }
    for note in &results.notes {
        println!("    {note}");
    }
}

/// Writes STEM.csv, STEM-runs.csv, STEM.md and STEM.svg.
pub fn write(results: &Results, stem: &Path) -> Result<()> {
    let name = stem.file_name().map_or_else(Default::default, |name| name.to_string_lossy());
    for (file, text) in [
        (format!("{name}.csv"), csv(results)),
        (format!("{name}-runs.csv"), runs_csv(results)),
        (format!("{name}.md"), markdown(results, &format!("{name}.svg"))),
        (format!("{name}.svg"), chart(results).svg()),
    ] {
        let path = stem.with_file_name(file);
        fs::write(&path, text).map_err(|error| Error::file(&path, &error))?;
        println!("written: {}", path.display());
    }
    Ok(())
}

fn csv(results: &Results) -> String {
    let mut text = String::from("query,rows,same_answer,in_engine,routed_to");
    for engine in &results.engines {
        let _ = write!(text, ",{}_ms", engine.name());
    }
    for engine in results.others() {
        let _ = write!(text, ",{}_ratio", engine.name());
    }
    text.push('\n');
    for query in &results.queries {
        let routed = query.routed_to().unwrap_or(MISSING);
        let (same, in_engine) = (yes_or_no(query.same()), yes_or_no(query.forced_in_engine()));
        let _ = write!(text, "{},{},{same},{in_engine},{routed}", query.number, query.rows);
        for engine in &results.engines {
            let _ = write!(text, ",{}", time(query.time(*engine)));
        }
        for engine in results.others() {
            let ratio = ratio(query.ratio(engine));
            let _ = write!(text, ",{}", ratio.trim_end_matches('x'));
        }
        text.push('\n');
    }
    text
}

fn runs_csv(results: &Results) -> String {
    let mut text = String::from("query,round,engine,ms\n");
    for query in &results.queries {
        for run in &query.runs {
            let _ = writeln!(
                text,
                "{},{},{},{:.3}",
                query.number,
                run.round,
                run.engine.name(),
                run.time.as_secs_f64() * 1000.0
            );
        }
    }
    text
}

fn markdown(results: &Results, picture: &str) -> String {
    let mut text = format!("# {}\n\n", results.label);
    for line in &results.setting {
        let _ = writeln!(text, "- {line}");
    }
    let _ = write!(
        text,
        "- medians of {} runs after a warm-up, the engines in turns\n\n![milliseconds by query]({picture})\n\n\
         ## Milliseconds\n\n",
        results.runs
    );
    let columns: Vec<&str> = results.engines.iter().map(|engine| engine.title()).collect();
    head(&mut text, &[&["query"], columns.as_slice(), &["same answer", "default route"]].concat(), columns.len());
    for query in &results.queries {
        let mut cells = vec![format!("Q{}", query.number)];
        cells.extend(results.engines.iter().map(|engine| time(query.time(*engine))));
        let same = if query.forced_in_engine() { yes_or_no(query.same()) } else { "not in the engine" };
        cells.extend([String::from(same), String::from(query.routed_to().unwrap_or(MISSING))]);
        row(&mut text, &cells);
    }
    let missing = || [String::new(), String::new()];
    let mut total = vec![format!("total of {}", results.complete_count())];
    total.extend(results.engines.iter().map(|engine| milliseconds(results.total(*engine))).chain(missing()));
    row(&mut text, &total);
    let mut mean = vec![String::from("geometric mean")];
    mean.extend(results.engines.iter().map(|engine| time(results.mean_time(*engine))).chain(missing()));
    row(&mut text, &mean);

    text.push_str("\n## Times as fast as PostgreSQL\n\n");
    let columns: Vec<&str> = results.others().map(Engine::title).collect();
    head(&mut text, &[&["query"], columns.as_slice()].concat(), columns.len());
    for query in &results.queries {
        let mut cells = vec![format!("Q{}", query.number)];
        cells.extend(results.others().map(|engine| ratio(query.ratio(engine))));
        row(&mut text, &cells);
    }
    let mut mean = vec![String::from("geometric mean")];
    mean.extend(results.others().map(|engine| ratio(results.mean_ratio(engine))));
    row(&mut text, &mean);

    text.push_str("\n## Memory\n\n");
    head(&mut text, &["process", "before the first query", "at most"], 2);
    for memory in &results.memory {
        row(&mut text, &[memory.name.clone(), size(memory.at_rest), size(memory.peak)]);
    }
    let notes =
        results.queries.iter().flat_map(|query| query.notes.iter().map(|note| format!("Q{}: {note}", query.number)));
    text.push_str("\n## Notes\n\n");
    for note in results.notes.iter().cloned().chain(notes).chain([results.summary()]) {
        let _ = writeln!(text, "- {note}");
    }
    text
}

/// `numbers`: how many columns after the first are aligned to the right.
fn head(text: &mut String, columns: &[&str], numbers: usize) {
    let _ = writeln!(text, "| {} |", columns.join(" | "));
    let rules: Vec<&str> =
        (0..columns.len()).map(|at| if (1..=numbers).contains(&at) { "---:" } else { "---" }).collect();
    let _ = writeln!(text, "| {} |", rules.join(" | "));
}

fn row(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn chart(results: &Results) -> Chart {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let series = |engine: &Engine| Series {
        name: String::from(engine.title()),
        colour: engine.colour(),
        values: results
            .queries
            .iter()
            .map(|query| query.time(*engine))
            .chain([results.mean_time(*engine)])
            .map(|time| time.map(milliseconds))
            .collect(),
    };
    let setting: Vec<&str> = results.setting.iter().take(2).map(String::as_str).collect();
    let groups = results.queries.iter().map(|query| format!("Q{}", query.number)).chain([String::from("mean")]);
    Chart {
        title: results.label.clone(),
        subtitle: format!("Medians of {} runs; lower is better. {}", results.runs, setting.join("; ")),
        axis: String::from("milliseconds, logarithmic"),
        groups: groups.collect(),
        series: results.engines.iter().map(series).collect(),
    }
}

fn time(time: Option<Duration>) -> String {
    time.map_or(String::from(MISSING), milliseconds)
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or(String::from(MISSING), |ratio| format!("{ratio:.2}x"))
}

fn size(memory: Option<u64>) -> String {
    memory.map_or(String::from(MISSING), bytes)
}

fn yes_or_no(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::{query, results};
    use super::*;

    #[test]
    fn csv_has_times_and_ratios() {
        let mut bad = query(6, Engine::Cold, 10);
        bad.fail(Engine::Cold, "out of memory");
        let text = csv(&results(vec![query(1, Engine::Cold, 50), bad]));
        let expected = "query,rows,same_answer,in_engine,routed_to,native_ms,cold_ms,cold_ratio\n\
                        1,0,yes,yes,native,100.0,50.0,2.00\n6,0,no,yes,native,100.0,-,-\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn every_run_is_written() {
        let text = runs_csv(&results(vec![query(1, Engine::Cold, 50)]));
        assert_eq!(text.lines().count(), 5);
        assert!(text.ends_with("1,2,native,100.000\n1,2,cold,50.000\n"), "{text}");
    }

    #[test]
    fn markdown_has_a_line_for_every_query_in_both_tables() {
        let text = markdown(&results(vec![query(1, Engine::Cold, 50), query(12, Engine::Cold, 20)]), "t.svg");
        assert_eq!(text.matches("| Q12 |").count(), 2, "{text}");
        assert!(text.contains("| total of 2 | 200.0 | 70.0 |"), "{text}");
        assert!(text.contains("| m | 1.0 MB | - |"), "{text}");
    }

    #[test]
    fn the_chart_has_the_mean_as_a_last_group() {
        let chart = chart(&results(vec![query(1, Engine::Cold, 50)]));
        assert_eq!(chart.groups, ["Q1", "mean"]);
        assert!(chart.series.iter().all(|series| series.values.len() == 2));
    }
}
