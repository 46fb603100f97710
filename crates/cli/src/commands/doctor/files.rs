//! The configuration, the policy, and who may read and write which file.

use std::path::Path;

use anyhow::Error;

use super::Line;

/// The rights of group and others.
const OTHERS: u32 = 0o077;
/// The right of everybody to read.
const EVERYBODY_READS: u32 = 0o004;
/// The rights of group and others to write.
const OTHERS_WRITE: u32 = 0o022;

/// What the configuration at a path says wrong, and which variables take precedence over it.
pub(super) fn configuration(path: &str, faults: &[String], variables: &[String]) -> Vec<Line> {
    let check = "configuration";
    let advice = format!("correct it, then run `countersign config check --config {path}`");
    let mut lines: Vec<Line> = faults
        .iter()
        .map(|fault| Line::wrong(check, fault, &advice))
        .collect();
    if faults.is_empty() {
        lines.push(Line::ok(check, format!("{path} is right")));
    }
    lines.push(Line::ok(
        "environment",
        if variables.is_empty() {
            "no variable takes precedence over the configuration".to_owned()
        } else {
            let names = variables.join(", ");
            format!("these variables take precedence over the configuration: {names}")
        },
    ));
    lines
}

/// Which policy is in force. One that is not right is a fault of the configuration.
pub(super) fn policy(file: Option<&Path>) -> Line {
    Line::ok(
        "policy",
        file.map_or_else(
            || "the one that is built in".to_owned(),
            |file| format!("named: {}", file.display()),
        ),
    )
}

/// Whether the key file can be used.
pub(super) fn key_file(path: &Path, fault: Option<&Error>) -> Line {
    let shown = path.display();
    let check = "key file";
    match fault {
        None => Line::ok(check, format!("{shown} has a key for each use")),
        Some(fault) => Line::wrong(
            check,
            format!("{fault:#}"),
            format!(
                "name the key file of this installation as `keys.file`, or bring {shown} back from \
                 the copy that is kept apart"
            ),
        ),
    }
}

/// Whether others may read the key file: `serve` refuses it then.
pub(super) fn key_file_mode(path: &Path, mode: u32) -> Line {
    let shown = path.display();
    if mode & OTHERS == 0 {
        return Line::ok("key file's mode", format!("{mode:o}: its owner's alone"));
    }
    Line::wrong(
        "key file's mode",
        format!("{mode:o}: other users of this machine have a right to {shown}"),
        format!(
            "run `chmod 600 {shown}`; if somebody may have read it, whatever it seals is open to \
             whoever has the database too"
        ),
    )
}

/// Whether others may read the gateway's private key. A group may be how it was handed over.
pub(super) fn tls_key_mode(path: &Path, mode: u32) -> Line {
    let (check, shown) = ("certificate's key's mode", path.display());
    let advice = format!("run `chmod 600 {shown}`");
    if mode & EVERYBODY_READS != 0 {
        let found = format!("{mode:o}: {shown} can be read by every user of this machine");
        return Line::wrong(
            check,
            found,
            format!("{advice}, and have another key and certificate issued"),
        );
    }
    if mode & OTHERS != 0 {
        let found = format!("{mode:o}: others than the owner of {shown} have rights to it");
        return Line::warning(check, found, advice);
    }
    Line::ok(check, format!("{mode:o}: its owner's alone"))
}

/// Who may read and write an SQLite file and its folder.
pub(super) fn database_modes(path: &Path, file: Option<u32>, folder: Option<u32>) -> Vec<Line> {
    let check = "database file's mode";
    let mut lines = Vec::new();
    if let Some(mode) = file {
        let shown = path.display();
        lines.push(if mode & OTHERS == 0 {
            Line::ok(check, format!("{mode:o}: its owner's alone"))
        } else {
            Line::warning(
                check,
                format!("{mode:o}: others than the owner of {shown} have rights to it"),
                format!("run `chmod 600 {shown}*`"),
            )
        });
    }
    if let Some(mode) = folder
        && mode & OTHERS_WRITE != 0
    {
        let folder = folder_of(path).display();
        lines.push(Line::warning(
            "database folder's mode",
            format!("{mode:o}: others may put another file in the place of the database"),
            format!("run `chmod go-w {folder}`"),
        ));
    }
    lines
}

/// The folder that a file lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::report::Status::{Ok, Warning, Wrong},
        *,
    };

    #[test]
    fn every_fault_is_a_line_and_variables_are_named() {
        let faults = ["`a` must be given".to_owned(), "`b` too".to_owned()];
        let lines = configuration("x.toml", &faults, &["COUNTERSIGN_SET_ISSUER".to_owned()]);
        let statuses: Vec<_> = lines.iter().map(|line| line.status).collect();
        assert_eq!(statuses, [Wrong, Wrong, Ok]);
        assert!(
            lines[0]
                .advice
                .as_ref()
                .unwrap()
                .contains("--config x.toml")
        );
        assert!(lines[2].found.contains("COUNTERSIGN_SET_ISSUER"));
        let lines = configuration("x.toml", &[], &[]);
        assert!(lines.iter().all(|line| line.status == Ok), "{lines:?}");
    }

    #[test]
    fn a_file_that_others_have_rights_to_is_told_with_what_to_run() {
        let path = Path::new("data/x");
        for (mode, keys, tls, database) in [
            (0o600, Ok, Ok, Ok),
            (0o400, Ok, Ok, Ok),
            (0o640, Wrong, Warning, Warning),
            (0o620, Wrong, Warning, Warning),
            (0o644, Wrong, Wrong, Warning),
            (0o604, Wrong, Wrong, Warning),
        ] {
            let lines = [
                key_file_mode(path, mode),
                tls_key_mode(path, mode),
                database_modes(path, Some(mode), Some(0o755)).remove(0),
            ];
            let found = lines.each_ref().map(|line| line.status);
            assert_eq!(found, [keys, tls, database], "{mode:o}");
            for line in lines.iter().filter(|line| line.status != Ok) {
                assert!(line.advice.as_ref().unwrap().contains("chmod 600 data/x"));
            }
        }
        let open = database_modes(path, Some(0o600), Some(0o775));
        assert_eq!(open[1].status, Warning);
        assert_eq!(open[1].advice.as_deref(), Some("run `chmod go-w data`"));
        let here = database_modes(Path::new("x.db"), None, Some(0o777));
        assert_eq!(here[0].advice.as_deref(), Some("run `chmod go-w .`"));
    }
}
