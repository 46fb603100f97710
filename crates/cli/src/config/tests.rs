//! What a configuration may say, and what is said about one that is not right.

use super::*;

const LEAST: &str = "
insecure = true
[database]
url = 'postgres://countersign:canary-password@127.0.0.1/countersign'
[keys]
file = 'keys.toml'
";

fn parsed(text: &str) -> Result<Config> {
    Config::parse(text, Path::new("/etc/countersign"))
}

fn error(text: &str) -> String {
    format!("{:#}", parsed(text).unwrap_err())
}

#[test]
fn what_is_not_said_has_the_defaults_of_the_design() {
    let config = parsed(LEAST).unwrap();
    let (settings, defaults) = (config.settings(), Settings::default());
    assert_eq!(format!("{settings:?}"), format!("{defaults:?}"));
    assert_eq!(config.listen, DEFAULT_LISTEN);
    assert_eq!(
        config.confirmations_kept(),
        Duration::from_secs(30 * 24 * 3600)
    );
    assert_eq!(config.keys.file, Path::new("/etc/countersign/keys.toml"));
}

#[test]
fn what_is_said_reaches_the_use_cases() {
    let config = parsed(&format!(
        "issuer = 'Broker'\n{LEAST}
        [pin]\nmin_digits = 8
        [backup_codes]\ncodes = 12\nfinish_within_seconds = 600
        [hash]\nmemory_kib = 64\npasses = 1\nthreads = 2
        [throttle]\nfailures_per_lock = 3\ncap = 40
        [confirmation]\napprove_within_seconds = 60\nattempts = 2
        [limits]\npending_confirmations = 4
        [log]\nformat = 'json'"
    ))
    .unwrap();
    let settings = config.settings();
    assert_eq!(settings.issuer, "Broker");
    assert_eq!(settings.pin.min_digits, 8);
    assert_eq!(settings.backup_codes, 12);
    let finish_within = settings.limits.code_list_life;
    assert_eq!(finish_within, Duration::from_secs(600));
    assert_eq!(
        (settings.hash_cost.memory_kib, settings.hash_cost.passes),
        (64, 1)
    );
    assert_eq!(settings.throttle.failures_per_lock, 3);
    assert_eq!(settings.throttle.warnings, [20, 32]);
    assert_eq!(settings.approve_within, Duration::from_secs(60));
    assert_eq!(settings.attempts, 2);
    assert_eq!(settings.limits.pending_confirmations, 4);
    assert_eq!(config.log.format, logs::Format::Json);
}

#[test]
fn an_unknown_key_is_an_error_that_names_it_and_the_known_ones() {
    let unknown = error(&format!("{LEAST}[pin]\nmax_digits = 8"));
    assert!(
        unknown.contains("`pin.max_digits`") && unknown.contains("min_digits"),
        "{unknown}"
    );
    let unknown_section = error(&format!("port = 1\n{LEAST}"));
    assert!(unknown_section.contains("`port`"), "{unknown_section}");
}

#[test]
fn a_value_out_of_range_is_an_error_that_names_the_key_and_what_would_be_right() {
    for (extra, key, rule) in [
        ("[pin]\nmin_digits = 4", "pin.min_digits", "from 6 to 12"),
        (
            "[confirmation]\nattempts = 6",
            "confirmation.attempts",
            "from 1 to 5",
        ),
        ("[throttle]\ncap = 101", "throttle.cap", "to 100"),
        (
            "[throttle]\nfailures_per_lock = 6",
            "throttle.failures_per_lock",
            "from 1 to 5",
        ),
        (
            "[throttle]\ncap = 50\nwarn_at = [20, 60]",
            "throttle.warn_at",
            "below throttle.cap",
        ),
        (
            "[hash]\nmemory_kib = 8\nlanes = 4",
            "hash",
            "at least 8 for each lane",
        ),
        (
            "[hash]\nmemory_kib = 2000000",
            "hash.memory_kib",
            "from 8 to",
        ),
        ("[hash]\nthreads = 0", "hash.threads", "from 1 on"),
        ("[pin]\nmin_digits = -1", "pin.min_digits", "a whole number"),
        (
            "[pin]\nmin_digits = 7.5",
            "pin.min_digits",
            "a whole number",
        ),
        ("[keys]\nfile = 1", "keys", "duplicate"),
        ("[log]\nformat = 'xml'", "log.format", "text, json"),
        (
            "[pin]\nmin_digits = 'six'",
            "pin.min_digits",
            "a whole number",
        ),
    ] {
        let error = error(&format!("{LEAST}{extra}"));
        assert!(
            error.contains(key) && error.contains(rule),
            "{extra}: {error}"
        );
    }
}

#[test]
fn everything_wrong_is_said_at_once() {
    let error = error("[limits]\ndrain_seconds = 601\n[pin]\nmin_digits = 4");
    for key in [
        "limits.drain_seconds",
        "tls",
        "callers",
        "database.url",
        "keys.file",
        "pin.min_digits",
    ] {
        assert!(error.contains(&format!("`{key}`")), "{key}: {error}");
    }
}

#[test]
fn without_mutual_tls_only_loopback_is_listened_on() {
    for address in [
        "0.0.0.0:50051",
        "[::]:1",
        "192.0.2.1:1",
        "[::ffff:192.0.2.1]:1",
    ] {
        let error = error(&format!("listen = '{address}'\n{LEAST}"));
        assert!(error.contains("`listen` must be on loopback"), "{error}");
    }
    for address in [
        "127.0.0.1:0",
        "127.1.2.3:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
    ] {
        parsed(&format!("listen = '{address}'\n{LEAST}")).unwrap();
    }
    let error = error(&format!("listen = 'localhost'\n{LEAST}"));
    assert!(
        error.contains("`listen`") && error.contains("127.0.0.1:50051"),
        "{error}"
    );
}

#[test]
fn no_password_is_shown() {
    let shown = parsed(LEAST).unwrap().shown().unwrap();
    assert!(
        shown.contains("postgres://countersign:***@127.0.0.1/countersign"),
        "{shown}"
    );
    for broken in [
        "[database]\nurl = 'postgres://a:canary-password@db/mfa",
        "[database]\nurl = ['canary-password']",
        "[database]\nmax_connections = 'canary-password'",
        "database = 'canary-password'",
        "[database]\nurl = 'mysql://a:canary-password@db/mfa'",
    ] {
        let error = error(broken);
        assert!(!error.contains("canary-password"), "{error}");
    }
    assert!(!shown.contains("canary-password"), "{shown}");
}

#[test]
fn what_config_check_shows_is_a_configuration_itself() {
    let shown = parsed(LEAST).unwrap().shown().unwrap();
    let again = parsed(&shown).unwrap().shown().unwrap();
    assert_eq!(again, shown);
}

/// A configuration in a folder of its own that names a policy of this text.
fn with_policy(policy: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("countersign.toml");
    fs::write(&config, format!("{LEAST}[policy]\nfile = 'policy.toml'")).unwrap();
    fs::write(folder.path().join("policy.toml"), policy).unwrap();
    (folder, config)
}

const LOGINS_ONLY: &str = "version = 1
strength = ['totp', 'sms', 'backup-codes']
[[rules]]
name = 'logins'
operations = ['login']
stages = [['totp']]
";

#[test]
fn the_policy_that_is_named_reaches_the_use_cases() {
    let (folder, path) = with_policy(LOGINS_ONLY);
    let config = Config::read(&path).unwrap();
    let expected = countersign_policy::Policy::parse(LOGINS_ONLY).unwrap();
    assert_eq!(config.settings().policy, expected);
    assert_eq!(config.policy.text(), LOGINS_ONLY);
    let file = folder.path().join("policy.toml");
    assert_eq!(config.policy.file(), Some(file.as_path()));
    let shown = config.shown().unwrap();
    assert!(
        shown.contains(&format!("[policy]\nfile = \"{}\"", file.display())),
        "{shown}"
    );
    assert_eq!(parsed(&shown).unwrap().shown().unwrap(), shown);
}

#[test]
fn without_a_policy_the_built_in_one_is_in_force() {
    let config = parsed(LEAST).unwrap();
    assert_eq!(config.policy.text(), countersign_policy::DEFAULT_POLICY);
    assert_eq!(config.policy.file(), None);
    assert_eq!(
        *config.policy.in_force(),
        countersign_policy::Policy::default()
    );
}

#[test]
fn a_policy_that_is_not_right_is_an_error_with_its_file_line_and_column() {
    let (folder, path) = with_policy(&LOGINS_ONLY.replace("'totp']]", "'fax']]"));
    let error = format!("{:#}", Config::read(&path).unwrap_err());
    let expected = format!(
        "the configuration {} is not right: the policy {} is not right: line 6, column 12: unknown \
         kind \"fax\": it must be one of totp, sms, backup-codes, any, pin",
        path.display(),
        folder.path().join("policy.toml").display()
    );
    assert_eq!(error, expected);
}

#[test]
fn a_policy_that_is_not_there_is_an_error_that_names_its_file() {
    let (folder, path) = with_policy(LOGINS_ONLY);
    fs::remove_file(folder.path().join("policy.toml")).unwrap();
    let missing = format!("{:#}", Config::read(&path).unwrap_err());
    let expected = format!(
        "the policy {}/policy.toml cannot be read",
        folder.path().display()
    );
    assert!(missing.contains(&expected), "{missing}");
    let empty = error(&format!("{LEAST}[policy]\nfile = ''"));
    assert!(empty.contains("`policy.file` must be the path"), "{empty}");
    let unknown = error(&format!("{LEAST}[policy]\ntext = 'version = 1'"));
    assert!(
        unknown.contains("`policy.text`") && unknown.contains("those here are file"),
        "{unknown}"
    );
}
