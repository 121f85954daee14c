//! A bar chart as SVG: groups of bars over a logarithmic axis, with a legend.
//!
//! Invariants: the axis runs over whole decades that hold every value; a value that is missing, or not above zero, has no
//! bar; texts are escaped.

use std::fmt::Write as _;

pub struct Chart {
    pub title: String,
    /// Smaller, below the title.
    pub subtitle: String,
    /// Of the axis, with the unit.
    pub axis: String,
    /// Names of the groups, from left to right.
    pub groups: Vec<String>,
    pub series: Vec<Series>,
}

pub struct Series {
    pub name: String,
    pub colour: &'static str,
    /// One for each group.
    pub values: Vec<Option<f64>>,
}

/// Width of a bar: this, or more where few groups leave room.
const BAR: f64 = 9.0;
const WIDEST_BAR: f64 = 28.0;
const GROUP_GAP: f64 = 12.0;
const PLOT_HEIGHT: f64 = 380.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 108.0;
const BOTTOM: f64 = 44.0;
/// So that title and legend have room above few groups.
const LEAST_WIDTH: f64 = 860.0;
/// Of a character of the legend, about.
const LEGEND_CHARACTER: f64 = 7.2;

impl Chart {
    pub fn svg(&self) -> String {
        let series = self.series.len().max(1) as f64;
        let groups = self.groups.len().max(1) as f64;
        let width = (LEFT + (BAR * series + GROUP_GAP) * groups + GROUP_GAP + RIGHT).max(LEAST_WIDTH);
        let step = (width - LEFT - RIGHT - GROUP_GAP) / groups;
        let bar = ((step - GROUP_GAP) / series).min(WIDEST_BAR);
        let height = TOP + PLOT_HEIGHT + BOTTOM;
        let axis = Axis::around(self.series.iter().flat_map(|series| series.values.iter().flatten().copied()));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        text(&mut svg, LEFT, 30.0, "font-size=\"18\" font-weight=\"bold\" fill=\"#222222\"", &self.title);
        text(&mut svg, LEFT, 50.0, "fill=\"#555555\"", &self.subtitle);
        self.legend(&mut svg);
        grid(&mut svg, &axis, width);
        let middle = TOP + PLOT_HEIGHT / 2.0;
        let turned = format!("text-anchor=\"middle\" fill=\"#555555\" transform=\"rotate(-90 18 {middle:.1})\"");
        text(&mut svg, 18.0, middle, &turned, &self.axis);
        for (at, group) in self.groups.iter().enumerate() {
            // The bars stand in the middle of the group's room.
            let x = LEFT + GROUP_GAP + step * at as f64 + (step - GROUP_GAP - bar * series) / 2.0;
            self.bars(&mut svg, &axis, at, (x, bar), group);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn legend(&self, svg: &mut String) {
        let mut x = LEFT;
        for series in &self.series {
            let _ =
                writeln!(svg, "<rect x=\"{x:.1}\" y=\"68\" width=\"12\" height=\"12\" fill=\"{}\"/>", series.colour);
            text(svg, x + 17.0, 78.5, "fill=\"#222222\"", &series.name);
            x += 17.0 + LEGEND_CHARACTER * series.name.chars().count() as f64 + 14.0;
        }
    }

    fn bars(&self, svg: &mut String, axis: &Axis, group: usize, (x, bar): (f64, f64), name: &str) {
        let base = TOP + PLOT_HEIGHT;
        for (at, series) in self.series.iter().enumerate() {
            let Some(value) = series.values.get(group).copied().flatten().filter(|value| *value > 0.0) else {
                continue;
            };
            let y = axis.y(value);
            let _ = writeln!(
                svg,
                "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\">\
                 <title>{} {}: {}</title></rect>",
                x + bar * at as f64,
                bar - 1.0,
                base - y,
                series.colour,
                escape(name),
                escape(&series.name),
                number(value)
            );
        }
        let middle = x + bar * self.series.len() as f64 / 2.0;
        text(svg, middle, base + 18.0, "text-anchor=\"middle\" fill=\"#222222\"", name);
    }
}

/// Decades, as exponents of ten.
#[derive(Debug, PartialEq)]
struct Axis {
    low: i32,
    high: i32,
}

impl Axis {
    fn around(values: impl Iterator<Item = f64>) -> Axis {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| *value > 0.0 && value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            return Axis { low: 0, high: 1 };
        }
        let low = low.log10().floor() as i32;
        Axis { low, high: (high.log10().ceil() as i32).max(low + 1) }
    }

    fn y(&self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        TOP + PLOT_HEIGHT * (1.0 - part.clamp(0.0, 1.0))
    }
}

/// A line for every decade with its value, and fainter ones between.
fn grid(svg: &mut String, axis: &Axis, width: f64) {
    for exponent in axis.low..=axis.high {
        let decade = 10f64.powi(exponent);
        for step in 1..=9 {
            let value = decade * f64::from(step);
            if step > 1 && exponent == axis.high {
                break;
            }
            let y = axis.y(value);
            let colour = if step == 1 { "#b0b0b0" } else { "#eeeeee" };
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\"/>",
                width - RIGHT
            );
        }
        text(svg, LEFT - 8.0, axis.y(decade) + 4.0, "text-anchor=\"end\" fill=\"#555555\"", &number(decade));
    }
}

fn text(svg: &mut String, x: f64, y: f64, attributes: &str, content: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{}</text>", escape(content));
}

/// Three digits, and no zeros after them.
fn number(value: f64) -> String {
    let digits = 2 - (value.abs().max(1e-9).log10().floor() as i32);
    let text = format!("{value:.*}", usize::try_from(digits).unwrap_or(0));
    if text.contains('.') { String::from(text.trim_end_matches('0').trim_end_matches('.')) } else { text }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_holds_every_value() {
        assert_eq!(Axis::around([3.0, 250.0].into_iter()), Axis { low: 0, high: 3 });
        assert_eq!(Axis::around([100.0].into_iter()), Axis { low: 2, high: 3 });
        assert_eq!(Axis::around([0.0, f64::NAN].into_iter()), Axis { low: 0, high: 1 });
        let axis = Axis { low: 0, high: 2 };
        assert_eq!((axis.y(1.0), axis.y(100.0)), (TOP + PLOT_HEIGHT, TOP));
        assert_eq!(axis.y(10.0), TOP + PLOT_HEIGHT / 2.0);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.01, 0.5, 1.0, 12.34, 1234.5, 1e6].map(number), ["0.01", "0.5", "1", "12.3", "1234", "1000000"]);
    }

    #[test]
    fn there_is_a_bar_for_every_value() {
        let series = |values| Series { name: String::from("a & b"), colour: "#000000", values };
        let chart = Chart {
            title: String::from("1 < 2"),
            subtitle: String::new(),
            axis: String::from("ms"),
            groups: vec![String::from("Q1"), String::from("Q2")],
            series: vec![series(vec![Some(1.0), None]), series(vec![Some(2.0), Some(0.0)])],
        };
        let svg = chart.svg();
        assert_eq!(svg.matches("<title>").count(), 2);
        assert!(svg.contains("1 &lt; 2") && svg.contains("a &amp; b") && svg.ends_with("</svg>\n"));
    }
}
