//! What a configuration may say of SMS, and what is refused with its key.

use std::fs;

use super::*;

/// A configuration with this beside what every one must have.
fn parsed(sms: &str, folder: &Path) -> Result<Config> {
    let head = "insecure = true\ndatabase.url = 'sqlite:x.db'\nkeys.file = 'keys.toml'\n";
    Config::parse(&format!("{head}{sms}"), folder)
}

const STAGING: &str = "[sms.providers.staging]\nkind = 'file'\ndirectory = 'sms'\n";

fn wrong(sms: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let error = parsed(sms, folder.path()).unwrap_err();
    format!("{error:#}")
}

#[test]
fn without_a_provider_no_codes_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let config = parsed("", folder.path()).unwrap();
    assert!(config.settings().sms.is_none());
    let config = parsed(STAGING, folder.path()).unwrap();
    assert!(config.settings().sms.is_some());
}

#[test]
fn each_wrong_value_is_refused_with_its_key() {
    for (sms, key) in [
        ("sms.code_seconds = 601", "sms.code_seconds"),
        ("sms.countries = ['Russia']", "sms.countries"),
        ("sms.countries = ['RU', 'UK']", "sms.countries"),
        ("sms.prices = { '+7' = '0.03' }", "sms.prices.+7"),
        ("sms.prices = { 7 = '3 cents' }", "sms.prices.7"),
        ("sms.prices = { others = '0.03' }", "sms.prices"),
        (
            "sms.money = { per_day = '10', enrolments_per_day = '5' }",
            "sms.money",
        ),
        (
            "sms.limits.total = { hour = 0, day = 1 }",
            "sms.limits.total.hour",
        ),
        (
            "sms.conversion.floor_percent = 101",
            "sms.conversion.floor_percent",
        ),
        (
            "sms.conversion.window_hours = 9223372036854775807",
            "sms.conversion.window_hours",
        ),
        (
            "sms.conversion.closed_minutes = 0",
            "sms.conversion.closed_minutes",
        ),
        (
            "sms.prices = { 7 = '0.03' }\nsms.money = { per_day = '10', enrolments_per_day = '5' }",
            "sms.prices.others",
        ),
        ("sms.webhooks.listen = 'here'", "sms.webhooks.listen"),
        ("limits.phone_numbers = 0", "limits.phone_numbers"),
        ("sms.providers.x.kind = 'fax'", "fax"),
        ("sms.colour = 'red'", "colour"),
    ] {
        let error = wrong(sms);
        assert!(error.contains(key), "{sms}: {error}");
    }
    let error = wrong(&format!("sms.fallback_locale = 'tlh'\n{STAGING}"));
    assert!(error.contains("`sms.fallback_locale`"), "{error}");
    let error = wrong(&format!("sms.domain = 'https://example.com'\n{STAGING}"));
    assert!(error.contains("`sms.domain`"), "{error}");
}

#[test]
fn codes_are_sent_where_somebody_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    let staging = format!("{STAGING}countries = ['RU', 'KZ']\n");
    for (own, expected) in [
        ("", &["KZ", "RU"][..]),
        ("sms.countries = ['DE', 'RU']\n", &["RU"]),
    ] {
        let config = parsed(&format!("{own}{staging}"), folder.path()).unwrap();
        let expected = expected.iter().map(|code| (*code).to_owned()).collect();
        let sms = config.settings().sms.unwrap();
        assert_eq!(sms.countries, Countries::Only(expected), "{own}");
    }
    let error = wrong(&format!("sms.countries = ['DE']\n{staging}"));
    assert!(
        error.contains("must have one that a provider takes"),
        "{error}"
    );
}

#[test]
fn languages_of_a_folder_are_read_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("texts")).unwrap();
    let file = folder.path().join("texts/de.ftl");
    let sms = format!("sms.texts = 'texts'\n{STAGING}");
    fs::write(&file, "login = nur { $code }").unwrap();
    let error = parsed(&sms, folder.path()).unwrap_err();
    assert!(format!("{error:#}").contains("de.ftl"), "{error:#}");
    let right = "enrolment = { $code } bei { $brand }\nlogin = { $code } bei { $brand }\n\
        withdrawal = { $amount } { $currency } an { $destination }: { $code }\n\
        settings-change = { $code } bei { $brand }\ncustom = { $code } bei { $brand }\n";
    fs::write(&file, right).unwrap();
    parsed(&sms, folder.path()).unwrap();
}

#[test]
fn amounts_are_exact() {
    assert_eq!(millionths("0.045"), Some(45_000));
    assert_eq!(millionths("12"), Some(12_000_000));
    for wrong in ["", ".5", "1.", "-1", "1,5", "0.0000001", "1e3"] {
        assert_eq!(millionths(wrong), None, "{wrong}");
    }
}

#[test]
fn prices_and_budgets_are_what_the_configuration_says() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[sms]\nprices = {{ 7 = '0.03', others = '0.1' }}\n\
         money = {{ per_day = '100', enrolments_per_day = '20' }}\n{STAGING}"
    );
    let sms = parsed(&text, folder.path())
        .unwrap()
        .settings()
        .sms
        .unwrap();
    let money = sms.spend.money.unwrap();
    assert_eq!(money.per_day, 100_000_000);
    assert_eq!(money.dearest, 300_000);
}
