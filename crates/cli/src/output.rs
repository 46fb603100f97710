//! What people read: standard output for what a command says, standard error for why it failed
//! and how far it is.

use std::{
    io::{self, Write},
    path::Path,
};

use countersign_primitives::Timestamp;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Writes a line. A reader that has gone away, as with `| head`, is no reason to stop: a server
/// goes on serving.
pub(crate) fn say(line: impl AsRef<str>) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{}", line.as_ref());
    let _ = stdout.flush();
}

/// Writes a line about what is going on, beside what the command says.
pub(crate) fn note(line: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "{}", line.as_ref());
}

/// Says why a command failed, with what lay behind it.
pub(crate) fn complain(error: &anyhow::Error) {
    let _ = writeln!(io::stderr().lock(), "error: {error:#}");
}

/// How this program was called, for lines that can be copied.
pub(crate) fn program() -> String {
    std::env::args()
        .next()
        .unwrap_or_else(|| "countersign".to_owned())
}

/// A path as a shell takes it, for lines that can be copied.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// An instant as people read it: UTC, to the second.
pub(crate) fn instant(at: Timestamp) -> String {
    let seconds = at.as_millis().div_euclid(1000);
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|instant| instant.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{at:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_take_it_apart() {
        for (path, shown) in [
            ("a/b-1.toml", "a/b-1.toml"),
            ("my certs", "'my certs'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(quoted(Path::new(path)), shown);
        }
    }

    #[test]
    fn an_instant_is_shown_in_utc_to_the_second() {
        let shown = instant(Timestamp::from_millis(1_700_000_000_999));
        assert_eq!(shown, "2023-11-14T22:13:20Z");
    }
}
