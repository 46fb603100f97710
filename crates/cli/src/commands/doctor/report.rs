//! What was found, a line for each check.

use anyhow::Result;
use serde::Serialize;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Ok,
    Warning,
    Wrong,
}

/// What one check has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// What was looked at.
    pub(super) check: String,
    /// How it came out.
    pub(super) status: Status,
    /// What was found.
    pub(super) found: String,
    /// What to do, where it is not as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Line {
    pub(super) fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            status: Status::Ok,
            found: found.into(),
            advice: None,
        }
    }

    pub(super) fn warning(
        check: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Warning,
            advice: Some(advice.into()),
            ..Self::ok(check, found)
        }
    }

    pub(super) fn wrong(
        check: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Wrong,
            ..Self::warning(check, found, advice)
        }
    }
}

/// All lines.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Line>);

/// A report as monitoring reads it.
#[derive(Serialize)]
struct Document<'a> {
    status: Status,
    checks: &'a [Line],
}

impl Report {
    pub(super) fn push(&mut self, line: Line) {
        self.0.push(line);
    }

    pub(super) fn extend(&mut self, lines: impl IntoIterator<Item = Line>) {
        self.0.extend(lines);
    }

    /// Whether nothing is wrong.
    pub(super) fn is_sound(&self) -> bool {
        self.status() != Status::Wrong
    }

    /// How the worst of the checks came out.
    fn status(&self) -> Status {
        let worst = self.0.iter().map(|line| line.status).max();
        worst.unwrap_or(Status::Ok)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.0 {
            let word = match line.status {
                Status::Ok => "ok",
                Status::Warning => "warning",
                Status::Wrong => "wrong",
            };
            text += &format!("{word:<8} {}: {}\n", line.check, line.found);
            if let Some(advice) = &line.advice {
                text += &format!("{:<8} -> {advice}\n", "");
            }
        }
        let count = |status| self.0.iter().filter(|line| line.status == status).count();
        let (wrong, warnings) = (count(Status::Wrong), count(Status::Warning));
        text + &format!(
            "\nwrong {wrong}, warnings {warnings}, ok {}",
            count(Status::Ok)
        )
    }

    /// For programs.
    pub(super) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(&Document {
            status: self.status(),
            checks: &self.0,
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &[Line]) -> Report {
        Report(lines.to_vec())
    }

    #[test]
    fn warnings_are_sound_and_one_wrong_line_is_not() {
        let ok = Line::ok("a", "as it should be");
        let warning = Line::warning("b", "odd", "look");
        let wrong = Line::wrong("c", "broken", "mend it");
        assert!(report(&[]).is_sound());
        assert!(report(&[ok.clone(), warning.clone()]).is_sound());
        let all = report(&[wrong, warning, ok]);
        assert!(!all.is_sound());
        assert_eq!(
            all.text(),
            "wrong    c: broken\n         -> mend it\nwarning  b: odd\n         -> look\n\
             ok       a: as it should be\n\nwrong 1, warnings 1, ok 1"
        );
        let document: serde_json::Value = serde_json::from_str(&all.json().unwrap()).unwrap();
        assert_eq!(document["status"], "wrong");
        assert_eq!(document["checks"][1]["status"], "warning");
        assert_eq!(document["checks"][1]["advice"], "look");
        assert_eq!(document["checks"][2].get("advice"), None);
    }
}
