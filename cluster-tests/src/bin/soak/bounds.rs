//! What is promised of durations, and what of it was not kept.
//!
//! It measures nothing. Invariant: where nothing was measured nothing was kept.

use std::time::Duration;

use vaultara_cluster_tests::{Failure, probe::Figures};

/// So many of a hundred shall stay below this; all of them if it is a hundred.
pub(crate) type Bound = (usize, Duration);

/// What of something's figures is not below its bounds.
pub(crate) fn beyond(what: &str, figures: &Figures, bounds: &[Bound]) -> Vec<String> {
    if figures.asked() == 0 {
        return vec![format!("{what}: nothing was measured")];
    }
    let broken = bounds.iter().filter(|(part, bound)| figures.percentile(*part) >= *bound);
    let in_words = |(part, bound): &Bound| {
        let name = if *part < 100 { format!("p{part}") } else { "max".to_owned() };
        let (is, below) = (figures.percentile(*part).as_millis(), bound.as_millis());
        format!("{what}: {name} is {is} ms and shall be below {below} ms")
    };
    broken.map(in_words).collect()
}

/// A report with its figures, which is good if nothing is beyond a bound.
///
/// # Errors
/// Something is.
pub(crate) fn judged(report: String, beyond: &[String]) -> Result<String, Failure> {
    if beyond.is_empty() { Ok(report) } else { Err(format!("{}; {report}", beyond.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_is_beyond_its_bound_is_named_with_it() {
        let figures = Figures::of((1..=200).map(|ms| ms * MS).collect(), 0);
        assert!(beyond("it", &figures, &[(50, 102 * MS), (100, 201 * MS)]).is_empty());
        let found = beyond("it", &figures, &[(50, 101 * MS), (99, 200 * MS), (100, 200 * MS)]);
        let said = ["p50 is 101 ms and shall be below 101", "max is 200 ms and shall be below 200"];
        assert_eq!(found, said.map(|words| format!("it: {words} ms")));
        assert!(judged("figures".into(), &found).is_err_and(|why| why.ends_with("; figures")));
        assert_eq!(judged("figures".into(), &[]), Ok("figures".into()));
    }

    #[test]
    fn nothing_measured_is_nothing_kept() {
        assert_eq!(beyond("it", &Figures::of(Vec::new(), 0), &[(99, MS)]).len(), 1);
    }
}
