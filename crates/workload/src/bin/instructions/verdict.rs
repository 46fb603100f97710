//! Compares counts with the baseline.

use std::{collections::BTreeSet, fmt::Write};

use crate::Counts;

/// How far a count may be from its baseline, either way: far more than counts differ between two
/// runs, and less than any change worth a thought.
const TOLERANCE_PERCENT: u64 = 2;

/// What became of every path.
pub(crate) struct Verdict {
    /// All paths, for people.
    pub(crate) table: String,
    /// What is wrong, a sentence for each path; none when all is well.
    pub(crate) complaints: Vec<String>,
}

impl Verdict {
    /// Compares.
    pub(crate) fn new(baseline: &Counts, now: &Counts) -> Self {
        let mut table = format!(
            "{:<16} {:>12} {:>12} {:>9}\n",
            "path", "baseline", "now", "change"
        );
        let mut complaints = Vec::new();
        let names: BTreeSet<_> = baseline.keys().chain(now.keys()).collect();
        for name in names {
            let (before, after) = (baseline.get(name).copied(), now.get(name).copied());
            complaints.extend(complaint(name, before, after));
            let change = before.zip(after).map(change_percent);
            let _ = writeln!(
                table,
                "{name:<16} {:>12} {:>12} {:>9}",
                shown(before),
                shown(after),
                change.map_or_else(|| "-".to_owned(), |change| format!("{change:+.2} %")),
            );
        }
        Self { table, complaints }
    }
}

fn complaint(name: &str, before: Option<u64>, after: Option<u64>) -> Option<String> {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, _) => return Some(format!("{name} is not in the baseline: bless it")),
        (_, None) => {
            return Some(format!(
                "{name} is in the baseline and no longer a path: bless its end"
            ));
        }
    };
    let is_near = before.abs_diff(after) * 100 <= before * TOLERANCE_PERCENT;
    let change = change_percent((before, after)).abs();
    match after > before {
        _ if is_near => None,
        true => Some(format!(
            "{name} takes {change:.1} % more instructions than its baseline: find out why, \
             and bless it only where that is wanted"
        )),
        false => Some(format!(
            "{name} takes {change:.1} % fewer instructions than its baseline: bless it, so that \
             the baseline stays sharp"
        )),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts are far below 2^52, and this is shown only"
)]
fn change_percent((before, after): (u64, u64)) -> f64 {
    (after as f64 / before as f64 - 1.0) * 100.0
}

fn shown(count: Option<u64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| count.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(before: Option<u64>, after: Option<u64>) -> Vec<String> {
        let counts = |count: Option<u64>| {
            let named = count.map(|count| ("redeem".to_owned(), count));
            named.into_iter().collect::<Counts>()
        };
        Verdict::new(&counts(before), &counts(after)).complaints
    }

    #[test]
    fn two_percent_either_way_are_let_through() {
        for after in [9_800, 10_000, 10_200] {
            assert_eq!(complaints(Some(10_000), Some(after)), [""; 0]);
        }
    }

    #[test]
    fn a_path_that_costs_more_is_refused() {
        let said = complaints(Some(10_000), Some(10_201));
        assert!(said[0].starts_with("redeem takes 2.0 % more"), "{said:?}");
    }

    #[test]
    fn a_path_that_costs_less_is_to_be_blessed() {
        let said = complaints(Some(10_000), Some(9_000));
        assert!(said[0].starts_with("redeem takes 10.0 % fewer"), "{said:?}");
    }

    #[test]
    fn a_path_on_one_side_only_is_refused() {
        let said = [complaints(None, Some(1)), complaints(Some(1), None)].concat();
        assert!(said[0].contains("not in the baseline"), "{said:?}");
        assert!(said[1].contains("no longer a path"), "{said:?}");
    }
}
