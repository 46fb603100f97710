//! What may be said of providers, and what is refused with its key.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::*;
use crate::{Providers, testing::MovedClock};

/// A folder with some secrets.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("token", "tok-canary\n");
    write("pw", "pw-canar\n");
    write("empty", "\n");
    write("lines", "a\nb\n");
    write("long", &"x".repeat(4097));
    write("no-pem", "nothing");
    folder
}

/// What is wrong with a provider, or nothing.
fn wrong_in(folder: &Path, name: &str, table: &str) -> Option<String> {
    let text = format!("[{name}]\n{table}");
    let settings: ProvidersSettings = match toml::from_str(&text) {
        Ok(settings) => settings,
        Err(error) => return Some(error.message().to_owned()),
    };
    let violations = settings.violations(folder);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _within = runtime.enter();
    let opened = Providers::open(&settings, folder, MovedClock::new());
    let wrong = opened.err();
    let told = wrong.as_ref().map_or(&[][..], ProvidersError::violations);
    assert_eq!(violations, told, "what is looked at first is all there is");
    wrong.map(|error| error.to_string())
}

fn wrong(table: &str) -> Option<String> {
    wrong_in(folder().path(), "alpha", table)
}

const TWILIO: &str = "
    kind = 'twilio'
    account_sid = 'AC0123456789abcdef0123456789abcdef'
    auth_token = { file = 'token' }
    from = '+15005550006'
";
const SMSC: &str = "
    kind = 'smsc'
    url = 'https://smsc.example.com/sys/send.php'
    login = 'countersign'
    password = { file = 'token' }
";
const SMPP: &str = "
    kind = 'smpp'
    host = '127.0.0.1'
    port = 9
    system_id = 'countersign'
    password = { file = 'pw' }
    source = 'BANK'
";
const HTTP: &str = "
    kind = 'http'
    url = 'https://sms.example.com/v1/send'
    json = '{\"to\": \"{number}\", \"text\": \"{text}\", \"ttl\": {validity_seconds}}'
    secrets = { token = { file = 'token' } }
    message_id = '/id'
";
const WEBHOOK: &str = "
    [alpha.webhook]
    secret = { file = 'token' }
    message_id = '/id'
    state = '/status'
    delivered = ['DELIVRD']
    failed = ['UNDELIV']
";

/// The table with one line in the place of another, or one more.
fn with(table: &str, key: &str, line: &str) -> String {
    let begins = format!("{key} =");
    let mut lines: Vec<&str> = table
        .lines()
        .filter(|line| !line.trim_start().starts_with(&begins))
        .collect();
    lines.push(line);
    lines.join("\n")
}

#[test]
fn each_kind_of_provider_can_be_opened() {
    let every = "
        order = 2
        weight = 10
        countries = ['RU', 'KZ']
        method = 'PUT'
        headers = { Authorization = 'Bearer {secret:token}', 'X-Id' = '{id}' }
        query = { v = '2' }
        error_code = '/code'
        idempotency_header = 'Idempotency-Key'
        refused = [{ status = 402 }]
        bad_number = [{ at = '/code', is = [7] }]
        throttled = [{ at = '/code', is = [8] }]
        unclear = [{ at = '/code', is = [9] }]
        timeout_seconds = 60
    ";
    let get = "
        kind = 'http'
        method = 'GET'
        url = 'https://sms.example.com/send'
        query = { to = '{number_digits}', text = '{text}', key = '{secret:key}' }
        secrets = { key = { env = 'CARGO_PKG_NAME' } }
        basic_auth = { user = 'countersign', password = { file = 'token' } }
    ";
    for table in [
        TWILIO.to_owned(),
        with(TWILIO, "from", "messaging_service_sid = 'MG1'"),
        with(
            TWILIO,
            "public_url",
            "public_url = 'https://mfa.example.com/sms/alpha'",
        ),
        SMPP.to_owned(),
        with(SMPP, "tls", "tls = { server_name = 'smpp.example.com' }"),
        SMSC.to_owned(),
        with(
            SMSC,
            "sender",
            "sender = 'BANK'\ncallback_secret = { file = 'token' }",
        ),
        HTTP.to_owned(),
        format!("{HTTP}{every}"),
        format!("{HTTP}{WEBHOOK}"),
        with(HTTP, "url", "url = 'http://127.0.0.1:8080/{id}'"),
        with(HTTP, "url", "url = 'http://[::1]:8080/'"),
        with(HTTP, "json", "form = { to = '{number}', text = '{text}' }"),
        get.to_owned(),
        "kind = 'file'\ndirectory = 'sms'".to_owned(),
    ] {
        assert_eq!(wrong(&table), None, "{table}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_key_and_what_would_be_right() {
    for (table, expected) in [
        (
            "".to_owned(),
            "kind must be one of smpp, http, twilio, smsc, file, and is \"\"",
        ),
        (
            "kind = 'inbox'".to_owned(),
            "kind must be one of smpp, http, twilio, smsc, file, and is \"inbox\"",
        ),
        ("kind = 7".to_owned(), "kind: must be a string"),
        (
            with(HTTP, "weight", "weight = 0"),
            "sms.providers.alpha.weight must be 1 to 1000, and is 0",
        ),
        (
            with(HTTP, "weight", "weight = 1001"),
            "sms.providers.alpha.weight must be 1 to 1000, and is 1001",
        ),
        (
            with(HTTP, "weight", "weight = -1"),
            "weight: must be a whole number",
        ),
        (
            with(HTTP, "countries", "countries = ['ru']"),
            "sms.providers.alpha.countries must be ISO 3166 codes of two capital letters such as \"RU\", and \"ru\" is none",
        ),
        (
            with(HTTP, "countries", "countries = ['XX']"),
            "sms.providers.alpha.countries must be ISO 3166 codes of two capital letters such as \"RU\", and \"XX\" is none",
        ),
        (
            with(HTTP, "uri", "uri = 'x'"),
            "unknown field `uri`, expected one of `method`, `url`",
        ),
        (with(HTTP, "url", ""), "missing field `url`"),
        (
            with(HTTP, "url", "url = 'sms.example.com'"),
            "sms.providers.alpha.url must begin with https:// and a host without placeholders, then a path",
        ),
        (
            with(HTTP, "url", "url = 'https://{id}.example.com/'"),
            "sms.providers.alpha.url must begin with https:// and a host without placeholders, then a path",
        ),
        (
            with(HTTP, "url", "url = 'ftp://sms.example.com/'"),
            "sms.providers.alpha.url must be an address such as https://",
        ),
        (
            with(HTTP, "url", "url = 'http://sms.example.com/'"),
            "sms.providers.alpha.url must be https: without TLS only this machine may be spoken to",
        ),
        (
            with(HTTP, "url", "url = 'http://localhost.example.com/'"),
            "sms.providers.alpha.url must be https: without TLS",
        ),
        (
            with(HTTP, "url", "url = 'https://a:b@sms.example.com/'"),
            "sms.providers.alpha.url must have no name and password in it: use basic_auth",
        ),
        (
            with(HTTP, "url", "url = 'https://sms.example.com/#a'"),
            "sms.providers.alpha.url must have no # in it",
        ),
        (
            with(HTTP, "method", "method = 'post'"),
            "method: unknown variant `post`, expected one of `GET`, `POST`, `PUT`",
        ),
        (
            with(HTTP, "method", "method = 'GET'"),
            "sms.providers.alpha has a body, which GET sends none of: use query",
        ),
        (
            with(HTTP, "form", "form = { a = '{text}' }"),
            "sms.providers.alpha has json and form: only one is sent",
        ),
        (
            with(
                HTTP,
                "json",
                "json = '{\"to\": {number}, \"text\": \"{text}\"}'",
            ),
            "sms.providers.alpha.json is no JSON once it is filled in: ",
        ),
        (
            with(
                HTTP,
                "json",
                "json = '{\"to\": \"{number}\", \"text\": {text}}'",
            ),
            "sms.providers.alpha.json is no JSON once it is filled in: ",
        ),
        (
            with(HTTP, "json", "json = '{\"to\": \"{phone}\"}'"),
            "sms.providers.alpha.json has the placeholder {phone}; there are number, ",
        ),
        (
            with(HTTP, "json", "json = '{\"to\": \"{number}\"}'"),
            "sms.providers.alpha sends no text: {text} stands in none of url, query, form, json",
        ),
        (
            with(HTTP, "json", "json = '{\"text\": \"{text}\"}'"),
            "sms.providers.alpha sends no number: {number} stands in none of",
        ),
        (
            with(HTTP, "headers", "headers = { 'X Y' = 'a' }"),
            "sms.providers.alpha.headers must be a header's name such as \"X-Id\", and is \"X Y\"",
        ),
        (
            with(HTTP, "headers", "headers = { 'X-Text' = '{text}' }"),
            "sms.providers.alpha.headers.x-text has {text}, which no header can hold",
        ),
        (
            with(HTTP, "headers", "headers = { 'X-A' = \"a\\nb\" }"),
            "sms.providers.alpha.headers.x-a has characters that no header can hold",
        ),
        (
            with(HTTP, "headers", "headers = { 'X-A' = 7 }"),
            "headers: X-A: must be a string",
        ),
        (
            with(HTTP, "headers", "headers = 'X-A: canary'"),
            "headers: must be a table",
        ),
        (
            with(
                HTTP,
                "headers",
                "headers = { Authorization = 'Bearer canary' }",
            ),
            "sms.providers.alpha.headers.authorization must take its secret from secrets, as in",
        ),
        (
            with(
                HTTP,
                "headers",
                "headers = { Authorization = 'Bearer {secret:token}' }\nbasic_auth = { user = 'a', password = { file = 'token' } }",
            ),
            "sms.providers.alpha has basic_auth and a header Authorization: only one is sent",
        ),
        (
            with(HTTP, "headers", "headers = { X = '{secret:other}' }"),
            "sms.providers.alpha.headers.x uses the secret \"other\", which secrets does not name",
        ),
        (
            with(HTTP, "idempotency_header", "idempotency_header = ''"),
            "sms.providers.alpha.idempotency_header must be a header's name",
        ),
        (
            with(HTTP, "timeout_seconds", "timeout_seconds = 0"),
            "sms.providers.alpha.timeout_seconds must be 1 to 60, and is 0",
        ),
        (
            with(HTTP, "timeout_seconds", "timeout_seconds = 61"),
            "sms.providers.alpha.timeout_seconds must be 1 to 60, and is 61",
        ),
        (
            with(
                HTTP,
                "timeout_seconds",
                "timeout_seconds = 'canary, expected'",
            ),
            "timeout_seconds: must be a whole number",
        ),
        (
            with(HTTP, "ca_file", "ca_file = 'none'"),
            "sms.providers.alpha.ca_file names the file ",
        ),
        (
            with(HTTP, "ca_file", "ca_file = 'no-pem'"),
            "sms.providers.alpha.ca_file names the file ",
        ),
        (
            with(HTTP, "refused", "refused = [402]"),
            "refused: must be a table",
        ),
        (
            with(TWILIO, "account_sid", "account_sid = 'AC01'"),
            "sms.providers.alpha.account_sid must be the account's SID: AC and 32 hexadecimal digits",
        ),
        (
            with(TWILIO, "from", ""),
            "sms.providers.alpha needs a sender: one of from and messaging_service_sid, not both",
        ),
        (
            with(
                TWILIO,
                "messaging_service_sid",
                "messaging_service_sid = 'MG1'",
            ),
            "sms.providers.alpha needs a sender: one of from and messaging_service_sid, not both",
        ),
        (
            with(TWILIO, "from", "from = '{text}'"),
            "sms.providers.alpha.from must be a text of one line without braces",
        ),
        (
            with(TWILIO, "public_url", "public_url = 'mfa.example.com'"),
            "sms.providers.alpha.public_url must be an address",
        ),
        (
            with(TWILIO, "base_url", "base_url = 'http://api.twilio.com'"),
            "sms.providers.alpha.url must be https",
        ),
        (
            with(SMSC, "login", "login = ''"),
            "sms.providers.alpha.login must be a text of one line without braces",
        ),
        (
            with(SMSC, "sender", "sender = '{id}'"),
            "sms.providers.alpha.sender must be a text of one line without braces",
        ),
        ("kind = 'file'".to_owned(), "missing field `directory`"),
        (with(SMPP, "password", ""), "missing field `password`"),
        (
            with(SMPP, "password", "password = 'canary'"),
            "password: must be { file = ",
        ),
        (
            with(SMPP, "password", "password = { file = 'token' }"),
            "sms.providers.alpha.password must be 1 to 8 ASCII characters",
        ),
        (
            with(SMPP, "port", "port = 'canary'"),
            "port: must be a whole number",
        ),
        (
            with(SMPP, "prt", "prt = 9"),
            "unknown field `prt`, expected one of `host`, `port`",
        ),
        (
            with(SMPP, "window", "window = 0"),
            "window must be 1 to 1000",
        ),
        (
            with(SMPP, "tls", "tls = { ca = 'none' }"),
            "sms.providers.alpha.tls.ca names ",
        ),
    ] {
        let found = wrong(&table).unwrap_or_default();
        assert!(
            found.starts_with(expected),
            "{table}\nfound:    {found}\nexpected: {expected}"
        );
        assert!(!found.contains("canary"), "{found}");
    }
}

#[test]
fn secrets_come_from_files_and_variables_only() {
    for (source, expected) in [
        (
            "'canary'",
            "auth_token: must be { file = \"…\" } or { env = \"…\" }: the file or the variable that holds the secret, which does not stand in the configuration itself",
        ),
        ("{ value = 'canary' }", "auth_token: must be { file = "),
        (
            "{ file = 'token', env = 'A' }",
            "auth_token: must be { file = ",
        ),
        ("{ file = 7 }", "auth_token: must be { file = "),
        ("{ file = 'none' }", "cannot be read: there is none"),
        ("{ file = '.' }", "cannot be read: "),
        (
            "{ file = 'empty' }",
            "sms.providers.alpha.auth_token names an empty secret",
        ),
        (
            "{ file = 'lines' }",
            "sms.providers.alpha.auth_token names a secret of several lines: it must be one",
        ),
        (
            "{ file = 'long' }",
            "is too long for a secret: 4096 bytes at most",
        ),
        (
            "{ env = 'COUNTERSIGN_NOT_SET' }",
            "sms.providers.alpha.auth_token names the variable \"COUNTERSIGN_NOT_SET\", which is not set to a text",
        ),
    ] {
        let table = with(TWILIO, "auth_token", &format!("auth_token = {source}"));
        let found = wrong(&table).unwrap_or_default();
        assert!(found.contains(expected), "{source}: {found}");
        assert!(found.contains("auth_token"), "{source}: {found}");
        assert!(!found.contains("canary"), "{found}");
    }
}

#[test]
fn a_webhook_that_cannot_work_is_refused() {
    for (key, line, expected) in [
        ("secret", "", "webhook: missing field `secret`"),
        (
            "secret",
            "secret = 'canary'",
            "webhook: secret: must be { file = ",
        ),
        (
            "message_id",
            "message_id = 'id'",
            "sms.providers.alpha.webhook.message_id must be a JSON pointer",
        ),
        (
            "state",
            "state = 'status'",
            "sms.providers.alpha.webhook.state must be a JSON pointer",
        ),
        (
            "signature_header",
            "signature_header = 'a b'",
            "sms.providers.alpha.webhook.signature_header must be a header's name",
        ),
        (
            "timestamp_header",
            "timestamp_header = ''",
            "sms.providers.alpha.webhook.timestamp_header must be a header's name",
        ),
        (
            "format",
            "format = 'xml'",
            "webhook: format: unknown variant `xml`, expected `json` or `form`",
        ),
        ("delivered", "delivered = []", ""),
        ("states", "states = []", "webhook: unknown field `states`"),
    ] {
        let table = format!("{HTTP}{}", with(WEBHOOK, key, line));
        let found = wrong(&table).unwrap_or_default();
        assert!(found.starts_with(expected), "{line}: {found}");
        assert!(!found.contains("canary"), "{found}");
    }
    let neither = with(
        &with(WEBHOOK, "delivered", "delivered = []"),
        "failed",
        "failed = []",
    );
    assert_eq!(
        wrong(&format!("{HTTP}{neither}")).unwrap(),
        "sms.providers.alpha.webhook needs the states that mean delivered, or failed"
    );
    let nameless = HTTP.replace("message_id = '/id'", "");
    let found = wrong(&format!("{nameless}{WEBHOOK}")).unwrap();
    let expected = "sms.providers.alpha.message_id must be given with a webhook";
    assert!(found.starts_with(expected), "{found}");
}

#[test]
fn names_are_limited_in_form_and_number() {
    for name in ["Alpha", "a_b", "'a b'", "a123456789a123456789a123456789abc"] {
        let found = wrong_in(folder().path(), name, "kind = 'file'\ndirectory = 'sms'").unwrap();
        let rule = "cannot be called so: a provider's name is 1 to 32 of a-z, 0-9 and -";
        assert!(found.ends_with(rule), "{found}");
    }
    let provider = |number| format!("[p{number}]\nkind = 'file'\ndirectory = 'sms'\n");
    let many: String = (0..=MOST_PROVIDERS).map(provider).collect();
    let settings: ProvidersSettings = toml::from_str(&many).unwrap();
    let found = Providers::open(&settings, folder().path(), MovedClock::new()).unwrap_err();
    assert_eq!(
        found.violations(),
        ["sms.providers has 33 providers and may have 32"]
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let text = "
        [alpha]
        kind = 'file'
        directory = ''
        [beta]
        kind = 'file'
        directory = 'sms'
        weight = 0
    ";
    let settings: ProvidersSettings = toml::from_str(text).unwrap();
    let found = Providers::open(&settings, folder().path(), MovedClock::new()).unwrap_err();
    assert_eq!(
        found.violations(),
        [
            "sms.providers.alpha.directory must be a folder that messages are written into",
            "sms.providers.beta.weight must be 1 to 1000, and is 0",
        ]
    );
}

#[test]
fn settings_that_are_shown_can_be_read_again() {
    let text = format!(
        "[alpha]\n{HTTP}\norder = 3\n{WEBHOOK}\n[beta]\n{TWILIO}\n[gamma]\n{SMSC}\n[delta]\nkind = 'file'\ndirectory = 'sms'\n[epsilon]\n{SMPP}\n"
    );
    let settings: ProvidersSettings = toml::from_str(&text).unwrap();
    let shown = toml::to_string(&settings).unwrap();
    let again: ProvidersSettings = toml::from_str(&shown).unwrap();
    assert_eq!(toml::to_string(&again).unwrap(), shown);
    assert_eq!(again.named["alpha"].order, 3);
    assert!(!shown.contains("canary") && !format!("{settings:?}").contains("canary"));
}
