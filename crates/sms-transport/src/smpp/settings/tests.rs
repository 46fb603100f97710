//! What may be said of an SMPP provider.

use super::*;

const LEAST: &str = r#"
    host = "smsc.example.com"
    system_id = "shop"
    source = "Example"
"#;

fn read(more: &str) -> Result<SmppSettings, String> {
    toml::from_str(&format!("{LEAST}{more}")).map_err(|error| error.message().to_owned())
}

#[test]
fn what_is_not_said_has_a_default() {
    let settings = read("").unwrap();
    assert_eq!(settings.port, 2775);
    assert_eq!(settings.window, 10);
    assert_eq!(settings.requests_per_second, None);
    assert_eq!(settings.enquire_link, Duration::from_secs(30));
    assert_eq!(settings.response_timeout, Duration::from_secs(10));
    assert_eq!(settings.destination, NumberType { ton: 1, npi: 1 });
    assert_eq!(settings.long, Long::Udh);
    assert_eq!(settings.default_alphabet, DefaultAlphabet::Gsm7);
    assert_eq!(settings.message_ids, MessageIds::Same);
    assert!(settings.tls.is_none());
}

#[test]
fn a_sender_has_the_type_that_its_form_has() {
    for (written, text, ton, npi) in [
        ("Example", "Example", 5, 0),
        ("My Shop 24", "My Shop 24", 5, 0),
        ("1234", "1234", 3, 0),
        ("+79123456789", "79123456789", 1, 1),
        ("79123456789", "79123456789", 1, 1),
    ] {
        let address = read_source(written).unwrap();
        assert_eq!(address.text, text);
        assert_eq!(address.kind, NumberType { ton, npi }, "{written}");
    }
    let settings = read("source_ton = 2\nsource_npi = 8").unwrap();
    assert_eq!(settings.source.kind, NumberType { ton: 2, npi: 8 });
}

#[test]
fn each_error_names_its_field_and_what_would_be_right() {
    for (field, value) in [
        ("host", r#""smsc.example.com:2775""#),
        ("port", "0"),
        ("system_id", r#""sixteen letters!""#),
        ("system_id", r#""""#),
        ("system_type", r#""thirteenchars""#),
        ("source", r#""TwelveLetter""#),
        ("source", r#""""#),
        ("source", r#""Пример""#),
        ("window", "0"),
        ("requests_per_second", "0"),
        ("enquire_link_seconds", "0"),
        ("response_timeout_seconds", "61"),
    ] {
        let mut table: toml::Table = toml::from_str(LEAST).unwrap();
        let line: toml::Table = toml::from_str(&format!("{field} = {value}")).unwrap();
        table.extend(line);
        let error = SmppSettings::deserialize(table).unwrap_err();
        let error = error.message().to_owned();
        assert!(error.starts_with(&format!("{field} must be")), "{error}");
    }
    let error = read("tls = { server_name = \"a b\" }").unwrap_err();
    assert!(error.starts_with("tls.server_name must be"), "{error}");
}

#[test]
fn an_unknown_field_is_named() {
    let error = read("windows = 4").unwrap_err();
    assert!(error.contains("unknown field `windows`"), "{error}");
    let error = read("tls = { certificate = \"x\" }").unwrap_err();
    assert!(error.contains("unknown field `certificate`"), "{error}");
}

#[test]
fn settings_are_shown_with_their_defaults_and_can_be_read_again() {
    let settings = read("long = \"payload\"\ntls = { ca = \"ca.pem\" }").unwrap();
    let shown = toml::to_string(&settings).unwrap();
    for line in [
        "port = 2775",
        "window = 10",
        "long = \"payload\"",
        "ca = \"ca.pem\"",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let again: SmppSettings = toml::from_str(&shown).unwrap();
    assert_eq!(toml::to_string(&again).unwrap(), shown);
}

#[test]
fn a_relative_path_starts_at_the_folder() {
    let ca = |path: &str| {
        let settings = read(&format!("tls = {{ ca = {path:?} }}")).unwrap();
        settings
            .within(Path::new("/etc/countersign"))
            .tls
            .unwrap()
            .ca
    };
    assert_eq!(ca("ca.pem"), Some("/etc/countersign/ca.pem".into()));
    assert_eq!(ca("/elsewhere/ca.pem"), Some("/elsewhere/ca.pem".into()));
}
