//! Medians, geometric means, and how times and ratios are written.

use std::time::Duration;

/// Of an even number, the mean of the two in the middle; zero of none.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    match (times.get(times.len().saturating_sub(1) / 2), times.get(times.len() / 2)) {
        (Some(below), Some(above)) => (*below + *above) / 2,
        _ => Duration::ZERO,
    }
}

/// The time within which `percent` of a hundred are; zero of none. Sorts them.
pub fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied().unwrap_or(Duration::ZERO)
}

/// None of none; values must be above zero.
pub fn geometric_mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value.ln();
        count += 1.0;
    }
    (count > 0.0).then(|| (sum / count).exp())
}

/// How many times as long `base` took as `time`.
pub fn ratio(base: Duration, time: Duration) -> f64 {
    base.as_secs_f64() / time.as_secs_f64().max(1e-9)
}

pub fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

/// `1234567` as `1.2 MB`; the units are powers of 1024, as in PostgreSQL.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = count as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 1024.0 {
        let Some(next) = units.next() else { break };
        value /= 1024.0;
        unit = Some(next);
    }
    format!("{value:.1} {}", unit.unwrap_or(&"kB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_odd_and_even() {
        let times = |list: &[u64]| list.iter().map(|ms| Duration::from_millis(*ms)).collect::<Vec<_>>();
        assert_eq!(median(times(&[9, 1, 5])), Duration::from_millis(5));
        assert_eq!(median(times(&[4, 1, 2, 9])), Duration::from_millis(3));
        assert_eq!(median(vec![]), Duration::ZERO);
    }

    #[test]
    fn percentiles_by_rank() {
        let mut times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut times, 50), Duration::from_millis(100));
        assert_eq!(percentile(&mut times, 99), Duration::from_millis(198));
        assert_eq!(percentile(&mut times, 100), Duration::from_millis(200));
        assert_eq!(percentile(&mut [], 99), Duration::ZERO);
    }

    #[test]
    fn geometric_mean_of_ratios() {
        assert_eq!(geometric_mean([]), None);
        let mean = geometric_mean([2.0, 8.0]).expect("a mean");
        assert!((mean - 4.0).abs() < 1e-12, "{mean}");
    }

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes(512), "0.5 kB");
        assert_eq!(bytes(3 << 20), "3.0 MB");
        assert_eq!(bytes(5 << 50), "5120.0 TB");
    }
}
