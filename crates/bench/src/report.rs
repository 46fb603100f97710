//! The table, and its comparison with an earlier one.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use comfy_table::{Cell, CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde::{Deserialize, Serialize};

use crate::{load::Tally, usage::Usage};

/// All that was measured in one run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
}

/// One thing that was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// A second.
    pub(crate) rate: Option<f64>,
    pub(crate) latency: Option<Latency>,
    pub(crate) goals: Vec<Goal>,
    pub(crate) usage: Vec<Usage>,
    /// What else was seen.
    pub(crate) note: String,
}

/// In microseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
}

/// What a figure should be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Goal {
    /// What the figure is.
    pub(crate) what: String,
    pub(crate) measured: f64,
    pub(crate) bound: f64,
    pub(crate) is_least: bool,
}

impl Goal {
    pub(crate) fn at_least(what: impl Into<String>, bound: f64, measured: f64) -> Self {
        Self {
            what: what.into(),
            measured,
            bound,
            is_least: true,
        }
    }

    pub(crate) fn at_most(what: impl Into<String>, bound: f64, measured: f64) -> Self {
        Self {
            is_least: false,
            ..Self::at_least(what, bound, measured)
        }
    }

    /// A figure that is no number, such as that of an empty measurement, holds nothing.
    pub(crate) fn holds(&self) -> bool {
        if self.is_least {
            self.measured >= self.bound
        } else {
            self.measured <= self.bound
        }
    }
}

impl Latency {
    pub(crate) fn of(tally: &hdrhistogram::Histogram<u64>) -> Self {
        Self {
            p50: tally.value_at_quantile(0.5),
            p99: tally.value_at_quantile(0.99),
            p999: tally.value_at_quantile(0.999),
        }
    }
}

impl Row {
    pub(crate) fn new(name: &str, tally: &Tally) -> Self {
        let mut row = Self::plain(name);
        row.rate = Some(tally.rate());
        row.latency = Some(Latency::of(&tally.done));
        for (why, count) in &tally.failures {
            // What failed makes the row worth nothing, whatever its rate.
            row.goals
                .push(Goal::at_most(format!("failed: {why}"), 0.0, *count as f64));
        }
        row
    }

    pub(crate) fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn with_goal(mut self, goal: Goal) -> Self {
        self.goals.push(goal);
        self
    }

    pub(crate) fn with_usage(mut self, usage: Vec<Usage>) -> Self {
        self.usage = usage;
        self
    }

    pub(crate) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

impl Report {
    pub(crate) fn all_goals_hold(&self) -> bool {
        self.rows.iter().flat_map(|row| &row.goals).all(Goal::holds)
    }

    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is no result of --json", path.display()))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
    }

    /// What was measured, with the goals beside it.
    pub(crate) fn table(&self) -> String {
        let mut table = new_table(&[
            "path", "rate/s", "p50 ms", "p99 ms", "p99.9 ms", "figure", "goal", "measured", "",
        ]);
        for row in &self.rows {
            let mut head = vec![row.name.clone()];
            head.push(row.rate.map(number).unwrap_or_default());
            match row.latency {
                Some(Latency { p50, p99, p999 }) => head.extend([p50, p99, p999].map(millis)),
                None => head.extend([const { String::new() }; 3]),
            }
            let mut goals = row.goals.iter().map(|goal| {
                let sign = if goal.is_least { "≥" } else { "≤" };
                let verdict = if goal.holds() { "holds" } else { "MISSED" };
                [
                    goal.what.clone(),
                    format!("{sign} {}", number(goal.bound)),
                    number(goal.measured),
                    verdict.to_owned(),
                ]
            });
            let first = goals.next().unwrap_or_default();
            table.add_row(head.into_iter().chain(first));
            for goal in goals {
                table.add_row([const { String::new() }; 5].into_iter().chain(goal));
            }
        }
        align(&mut table, &[1, 2, 3, 4, 6, 7]);
        table.to_string()
    }

    /// What processes used meanwhile.
    pub(crate) fn usage(&self) -> String {
        let mut table = new_table(&["path", "process", "cores", "MB"]);
        for row in &self.rows {
            for usage in &row.usage {
                table.add_row([
                    row.name.clone(),
                    usage.process.clone(),
                    format!("{:.2}", usage.cores),
                    format!("{:.0}", usage.megabytes),
                ]);
            }
        }
        align(&mut table, &[2, 3]);
        table.to_string()
    }

    pub(crate) fn notes(&self) -> String {
        self.rows
            .iter()
            .filter(|row| !row.note.is_empty())
            .map(|row| format!("{}: {}\n", row.name, row.note))
            .collect()
    }

    /// The difference to an earlier run, for what both measured.
    pub(crate) fn compared_with(&self, earlier: &Self) -> String {
        let earlier: BTreeMap<&str, &Row> = earlier
            .rows
            .iter()
            .map(|row| (row.name.as_str(), row))
            .collect();
        let mut table = new_table(&["path", "figure", "before", "now", "change"]);
        for row in &self.rows {
            let Some(before) = earlier.get(row.name.as_str()) else {
                continue;
            };
            let mut pairs = Vec::new();
            if let (Some(then), Some(now)) = (before.rate, row.rate) {
                pairs.push(("rate/s".to_owned(), then, now));
            }
            if let (Some(then), Some(now)) = (before.latency, row.latency) {
                let in_millis = |micros: u64| micros as f64 / 1000.0;
                pairs.push(("p50 ms".to_owned(), in_millis(then.p50), in_millis(now.p50)));
                pairs.push(("p99 ms".to_owned(), in_millis(then.p99), in_millis(now.p99)));
            }
            for goal in &row.goals {
                if let Some(then) = before.goals.iter().find(|it| it.what == goal.what) {
                    pairs.push((goal.what.clone(), then.measured, goal.measured));
                }
            }
            for (figure, then, now) in pairs {
                let change = format!("{:+.1} %", (now / then - 1.0) * 100.0);
                table.add_row([row.name.clone(), figure, number(then), number(now), change]);
            }
        }
        align(&mut table, &[2, 3, 4]);
        table.to_string()
    }
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    table.set_header(header.iter().map(Cell::new));
    table
}

fn align(table: &mut Table, right: &[usize]) {
    for index in right {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn millis(micros: u64) -> String {
    format!("{:.2}", micros as f64 / 1000.0)
}
