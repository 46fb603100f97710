//! Database URLs: where their SQLite file is, and how they are shown without their password.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What stands where a password was.
const MASK: &str = "***";

/// The URL of an SQLite file.
pub(crate) fn of_sqlite(path: &Path) -> Result<String> {
    let text = path.to_str().with_context(|| {
        format!(
            "the path {} is not in UTF-8: choose another",
            path.display()
        )
    })?;
    // These three would end the path, or begin an escape.
    let escaped = text
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    Ok(format!("sqlite:{escaped}"))
}

/// The URL with a relative SQLite path taken from `folder`.
pub(crate) fn resolved(url: &str, folder: &Path) -> Result<String> {
    let Some(rest) = url.strip_prefix("sqlite:") else {
        return Ok(url.to_owned());
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (rest, String::new()),
    };
    if path.is_empty() || path == ":memory:" || Path::new(path).is_absolute() {
        return Ok(url.to_owned());
    }
    // Joined to nothing where the folder is the present one, so that it is shown as it was given.
    let prefix = of_sqlite(&folder.join(PathBuf::new()))?;
    let prefix = if folder.as_os_str().is_empty() {
        "sqlite:".to_owned()
    } else {
        prefix
    };
    Ok(format!("{prefix}{path}{query}"))
}

/// The URL without passwords. It may hide more than that, never less: a password may hold any
/// character, so everything up to the last `@` is taken for one.
pub(crate) fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.split_once('?').map_or_else(
            || url.to_owned(),
            |(path, query)| format!("{path}?{}", masked_query(query)),
        );
    };
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, after)) => match user.split_once(':') {
            Some((name, _)) => (format!("{name}:{MASK}@"), after),
            None if user.contains('?') => (String::new(), rest),
            None => (format!("{user}@"), after),
        },
        None => (String::new(), rest),
    };
    let rest = match rest.split_once('?') {
        Some((place, query)) => format!("{place}?{}", masked_query(query)),
        None => rest.to_owned(),
    };
    format!("{scheme}://{user}{rest}")
}

fn masked_query(query: &str) -> String {
    let masked = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if key.to_lowercase().contains("pass") => format!("{key}={MASK}"),
        _ => pair.to_owned(),
    });
    masked.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_masked_wherever_it_stands() {
        for (url, shown) in [
            (
                "postgres://anna:canary@db:5432/mfa",
                "postgres://anna:***@db:5432/mfa",
            ),
            (
                "postgres://anna:can@ary@db/mfa",
                "postgres://anna:***@db/mfa",
            ),
            (
                "postgres://anna:can/ca?nary@db/mfa",
                "postgres://anna:***@db/mfa",
            ),
            ("postgres://anna@db/mfa", "postgres://anna@db/mfa"),
            (
                "postgres://db/mfa?user=anna&password=canary",
                "postgres://db/mfa?user=anna&password=***",
            ),
            (
                "postgres://db/mfa?password=can@ary",
                "postgres://db/mfa?password=***",
            ),
            (
                "postgres://a:canary@db/mfa?sslpassword=canary&x=y",
                "postgres://a:***@db/mfa?sslpassword=***&x=y",
            ),
            ("sqlite:data/countersign.db", "sqlite:data/countersign.db"),
        ] {
            assert_eq!(masked(url), shown);
        }
    }

    #[test]
    fn a_relative_sqlite_path_is_taken_from_the_folder_of_the_configuration() {
        for (url, from) in [
            ("sqlite:data.db", "sqlite:/etc/countersign/data.db"),
            (
                "sqlite://data.db?mode=rw",
                "sqlite:/etc/countersign/data.db?mode=rw",
            ),
            ("sqlite:/var/data.db", "sqlite:/var/data.db"),
            ("postgres://db/mfa", "postgres://db/mfa"),
        ] {
            assert_eq!(resolved(url, Path::new("/etc/countersign")).unwrap(), from);
        }
        assert_eq!(
            resolved("sqlite:data.db", Path::new("")).unwrap(),
            "sqlite:data.db"
        );
    }

    #[test]
    fn characters_with_a_meaning_in_urls_are_escaped() {
        let url = of_sqlite(Path::new("a?b/100%/data.db")).unwrap();
        assert_eq!(url, "sqlite:a%3fb/100%25/data.db");
    }
}
