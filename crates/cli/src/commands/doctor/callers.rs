//! The table of callers: what it says that may not have been meant.

use std::collections::BTreeMap;

use countersign_gateway::{Callers as Table, Ceiling, Row};

use super::{super::callers::nobodys, Line};
use crate::config::{CallerRow, Config};

/// What a confirmation has to pass before it permits anything.
const WAY: [&str; 3] = [
    "ConfirmationService.Create",
    "ConfirmationService.SubmitProof",
    "ConfirmationService.Redeem",
];

/// Judges the table of a configuration.
pub(super) fn judge(config: &Config) -> Vec<Line> {
    let mut lines = Vec::new();
    if config.insecure {
        lines.push(Line::warning(
            "insecure",
            "`insecure = true`: plaintext on loopback, and callers are taken at their word",
            "in production remove `insecure` and give the sections `[tls]` and `[callers]`",
        ));
    }
    if let Table::Table(rows) = config.caller_table()
        && !rows.is_empty()
    {
        lines.extend(judge_rows(&rows, &config.callers));
    }
    lines
}

fn judge_rows(rows: &BTreeMap<String, Row>, said: &BTreeMap<String, CallerRow>) -> Vec<Line> {
    let count = match rows.len() {
        1 => "1 row".to_owned(),
        count => format!("{count} rows"),
    };
    let mut lines = vec![Line::ok(
        "callers",
        format!("{count}; whoever has none is refused"),
    )];
    for (name, row) in rows {
        let check = format!("callers.\"{name}\"");
        if row.methods.is_empty() {
            lines.push(Line::warning(
                &check,
                "may call nothing",
                "name methods in its `methods`, or remove the row",
            ));
        }
        let has_all = said
            .get(name)
            .is_some_and(|said| said.methods.iter().any(|pattern| pattern == "*"));
        if has_all {
            lines.push(Line::warning(
                &check,
                "may call every method, and those of later versions too",
                "name in its `methods` what it needs; `countersign callers check` shows the rest",
            ));
        }
        let mut ceilings = row.ceilings.values().chain(&row.other_ceiling);
        if ceilings.any(|ceiling| *ceiling == Ceiling::Unlimited) {
            lines.push(Line::warning(
                &check,
                "may have withdrawals of any amount confirmed",
                "give in its `ceilings` the most that it ever needs, instead of \"unlimited\"",
            ));
        }
    }
    lines.push(judge_methods(rows));
    lines
}

/// Judges what no row allows.
fn judge_methods(rows: &BTreeMap<String, Row>) -> Line {
    let check = "methods";
    let nobodys = nobodys(rows);
    if nobodys.is_empty() {
        return Line::ok(check, "each may be called by somebody");
    }
    let found = format!("nobody may call {}", nobodys.join(", "));
    let missing: Vec<&str> = WAY.into_iter().filter(|it| nobodys.contains(it)).collect();
    if (1..WAY.len()).contains(&missing.len()) {
        let missing = missing.join(" and ");
        return Line::warning(
            check,
            found,
            format!(
                "no confirmation can be used without {missing}: name it in the `methods` of a row"
            ),
        );
    }
    Line::ok(check, found)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use countersign_gateway::{Share, methods_of};

    use super::{
        super::report::Status::{self, Ok, Warning},
        *,
    };

    fn judged(rows: &[(&[&str], Option<Ceiling>)]) -> Vec<(String, Status, String)> {
        let mut table = BTreeMap::new();
        let mut said = BTreeMap::new();
        for (number, (patterns, ceiling)) in rows.iter().enumerate() {
            let mut row = Row::nothing(Share {
                per_second: NonZeroU32::MIN,
                at_once: 1,
            });
            row.methods = patterns.iter().flat_map(|p| methods_of(p)).collect();
            row.other_ceiling = *ceiling;
            table.insert(number.to_string(), row);
            let methods = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
            let row = CallerRow {
                methods,
                ..CallerRow::default()
            };
            said.insert(number.to_string(), row);
        }
        let lines = judge_rows(&table, &said).into_iter();
        let lines = lines.map(|line| {
            let all = format!("{} {}", line.found, line.advice.unwrap_or_default());
            (line.check, line.status, all)
        });
        lines.collect()
    }

    #[test]
    fn a_row_that_allows_nothing_or_everything_is_told() {
        let ten = Some(Ceiling::UpTo("10".parse().unwrap()));
        let lines = judged(&[
            (&[], None),
            (&["*"], ten),
            (
                &["ConfirmationService.*", "PinService.*"],
                Some(Ceiling::Unlimited),
            ),
        ]);
        let checks: Vec<_> = lines.iter().map(|(c, s, _)| (c.as_str(), *s)).collect();
        assert_eq!(
            checks,
            [
                ("callers", Ok),
                ("callers.\"0\"", Warning),
                ("callers.\"1\"", Warning),
                ("callers.\"2\"", Warning),
                ("methods", Ok),
            ]
        );
        for (number, part) in [
            (0, "3 rows"),
            (1, "may call nothing"),
            (2, "every method"),
            (3, "any amount"),
            (4, "each may be called"),
        ] {
            assert!(lines[number].2.contains(part), "{lines:?}");
        }
    }

    #[test]
    fn what_nobody_may_call_is_a_warning_where_confirmations_could_not_be_used() {
        for (patterns, status, part) in [
            (&["ConfirmationService.*"][..], Ok, "nobody may call Backup"),
            (&["PinService.*"], Ok, "nobody may call Backup"),
            // All that `serve` has.
            (
                &[
                    "BackupCodeService.*",
                    "ConfirmationService.*",
                    "EventService.*",
                    "IdentifierService.*",
                    "PinService.*",
                    "SmsService.*",
                    "TotpService.*",
                ],
                Ok,
                "each may be called",
            ),
            (
                &["ConfirmationService.Create"],
                Warning,
                "without ConfirmationService.SubmitProof and ConfirmationService.Redeem:",
            ),
            (
                &[
                    "ConfirmationService.Create",
                    "ConfirmationService.SubmitProof",
                ],
                Warning,
                "without ConfirmationService.Redeem:",
            ),
        ] {
            let (check, found, said) = judged(&[(patterns, None)]).pop().unwrap();
            assert_eq!((check.as_str(), found), ("methods", status), "{said}");
            assert!(said.contains(part), "{said}");
        }
    }
}
