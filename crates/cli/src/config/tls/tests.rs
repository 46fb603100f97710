//! What the sections `tls` and `callers` may say.

use anyhow::Result;
use countersign_mfa::Settings;

use super::*;

const LEAST: &str = "
listen = '0.0.0.0:50051'
[database]
url = 'sqlite:countersign.db'
[keys]
file = 'keys.toml'
[tls]
certificate = 'gateway.pem'
key = '/run/gateway.key'
[tls.bundles]
'bank.example' = 'bank.pem'
";
const LOGIN: &str = "[callers.'spiffe://bank.example/login']
methods = ['ConfirmationService.*']
operations = ['login']
";

fn parsed(text: &str) -> Result<Config> {
    Config::parse(text, Path::new("/etc/countersign"))
}

fn error(text: &str) -> String {
    format!("{:#}", parsed(text).unwrap_err())
}

fn row(text: &str) -> Row {
    let config = parsed(&format!("{LEAST}{text}")).unwrap();
    match config.caller_table() {
        Callers::Table(mut rows) => rows.pop_first().unwrap().1,
        Callers::AtTheirWord => panic!("there is a table"),
    }
}

#[test]
fn files_are_found_from_the_folder_of_the_configuration() {
    let files = parsed(&format!("{LEAST}{LOGIN}"))
        .unwrap()
        .tls_files()
        .unwrap();
    assert_eq!(files.certificate, Path::new("/etc/countersign/gateway.pem"));
    assert_eq!(files.key, Path::new("/run/gateway.key"));
    assert_eq!(files.min_version, TlsVersion::Tls13);
    let bundles: Vec<_> = files.bundles.values().collect();
    assert_eq!(bundles, [Path::new("/etc/countersign/bank.pem")]);
}

#[test]
fn what_a_row_does_not_name_it_does_not_allow() {
    let row = row("[callers.'spiffe://bank.example/nobody']\n");
    assert!(row.methods.is_empty() && row.operations.is_empty() && row.purposes.is_empty());
    assert_eq!(row.payment_methods, PaymentMethods::Only([].into()));
    assert!(row.ceilings.is_empty() && row.other_ceiling.is_none());
}

#[test]
fn a_row_says_what_its_caller_may() {
    let row = row("[callers.'spiffe://bank.example/payouts']
        methods = ['ConfirmationService.Create', 'ConfirmationService.Redeem', 'PinService.*']
        operations = ['withdrawal', 'custom:api-key']
        payment_methods = ['sepa', '']
        ceilings = { EUR = '10000.50', '*' = 'unlimited' }
        purposes = ['login', 'other']
        requests_at_once = 8
        requests_per_second = 20");
    let methods: Vec<_> = row.methods.into_iter().collect();
    assert_eq!(
        methods,
        [
            "ConfirmationService.Create",
            "ConfirmationService.Redeem",
            "PinService.Change",
            "PinService.Set"
        ]
    );
    let api_keys = OperationKind::CustomOf("api-key".to_owned());
    assert_eq!(row.operations, [OperationKind::Withdrawal, api_keys].into());
    let names = ["sepa".to_owned(), String::new()].into();
    assert_eq!(row.payment_methods, PaymentMethods::Only(names));
    let most = Ceiling::UpTo("10000.5".parse().unwrap());
    assert_eq!(row.ceilings, [("EUR".to_owned(), most)].into());
    assert_eq!(row.other_ceiling, Some(Ceiling::Unlimited));
    let purposes: PurposeSet = [Purpose::Login, Purpose::Other].into_iter().collect();
    assert_eq!(row.purposes, purposes);
    assert_eq!((row.share.at_once, row.share.per_second.get()), (8, 20));
}

#[test]
fn a_caller_has_its_share_where_its_row_says_nothing_of_it() {
    let one = row(LOGIN).share;
    assert_eq!((one.at_once, one.per_second.get()), (64, 1000));
    let limits = "[limits]\ncaller_requests_at_once = 9\ncaller_requests_per_second = 7\n";
    let one = row(&format!("{LOGIN}{limits}")).share;
    assert_eq!((one.at_once, one.per_second.get()), (9, 7));
}

#[test]
fn who_may_act_for_whom_reaches_the_use_cases() {
    let portal = "[callers.'spiffe://bank.example/portal']
        methods = ['ConfirmationService.Get']
        acts_for = ['spiffe://bank.example/login']\n";
    let config = parsed(&format!("{LEAST}{LOGIN}{portal}")).unwrap();
    let mut grants = Settings::default().grants;
    let caller = |name: &str| Caller::parse(&format!("spiffe://bank.example/{name}")).unwrap();
    grants.add(caller("portal"), &caller("login"));
    assert_eq!(config.settings().grants, grants);
}

#[test]
fn without_a_table_callers_are_taken_at_their_word_only_where_that_was_asked_for() {
    let insecure = "insecure = true\n[database]\nurl = 'sqlite:x.db'\n[keys]\nfile = 'k'\n";
    let config = parsed(insecure).unwrap();
    assert!(matches!(config.caller_table(), Callers::AtTheirWord));
    let row = "[callers.portal]\nmethods = ['PinService.Set']\n";
    let config = parsed(&format!("{insecure}{row}")).unwrap();
    assert!(matches!(config.caller_table(), Callers::Table(_)));
    assert!(error(LEAST).contains("`callers` must have a row"));
}

#[test]
fn what_is_not_right_is_said_with_its_place() {
    let own = "[callers.'spiffe://bank.example/x']\n";
    for (text, place, rule) in [
        ("insecure = true", "insecure", "choose one"),
        ("[callers.login]", "callers.\"login\"", "is no SPIFFE id"),
        (
            "[callers.'spiffe://other.example/x']",
            "x\"",
            "has none of other.example",
        ),
        (
            &format!("{own}methods = ['ConfirmationService']"),
            "methods",
            "`ConfirmationService`",
        ),
        (
            &format!("{own}methods = ['Confirmation*']"),
            "methods",
            "`Confirmation*`",
        ),
        (&format!("{own}methods = ['']"), "methods", "``"),
        (
            &format!("{own}operations = ['custom:']"),
            "operations",
            "custom:KIND",
        ),
        (
            &format!("{own}purposes = ['all']"),
            "purposes",
            "login, withdrawal or other",
        ),
        (
            &format!("{own}operations = ['withdrawal']"),
            "payment_methods",
            "[\"*\"] for all",
        ),
        (
            &format!("{own}operations = ['withdrawal']"),
            "ceilings",
            "\"unlimited\"",
        ),
        (
            &format!("{own}payment_methods = ['*', 'sepa']"),
            "payment_methods",
            "alone",
        ),
        (
            &format!("{own}ceilings = {{ EUR = '1e3' }}"),
            "ceilings.EUR",
            "a number",
        ),
        (
            &format!("{own}ceilings = {{ eur = '1' }}"),
            "ceilings.eur",
            "capital letters",
        ),
        (
            &format!("{own}ceilings = {{ EUR = '1' }}"),
            "operations",
            "must have withdrawal",
        ),
        (
            &format!("{own}methods = ['*']"),
            "operations",
            "without it all are refused",
        ),
        (
            &format!("{own}acts_for = ['spiffe://bank.example/y']"),
            "acts_for",
            "callers of the table",
        ),
        (
            &format!("{own}requests_at_once = 129"),
            "requests_at_once",
            "128",
        ),
        (
            &format!("{own}requests_at_once = 0"),
            "requests_at_once",
            "from 1",
        ),
        (
            &format!("{own}requests_per_second = 0"),
            "requests_per_second",
            "from 1 on",
        ),
        (&format!("{own}method = []"), "method", "no such key"),
        (
            "[limits]\ncaller_requests_at_once = 129",
            "limits.caller_requests_at_once",
            "1 to 128",
        ),
        (
            "[limits]\nrequest_seconds = 0",
            "limits.request_seconds",
            "1 to 60",
        ),
    ] {
        let text = match text.strip_prefix("insecure") {
            Some(_) => format!("{text}\n{LEAST}{LOGIN}"),
            None => format!("{LEAST}{LOGIN}{text}\n"),
        };
        let error = error(&text);
        assert!(
            error.contains(place) && error.contains(rule),
            "{text}: {error}"
        );
    }
}

#[test]
fn what_tls_lacks_is_said_at_once() {
    let error = error("[tls]\nmin_version = '1.3'\n[tls.bundles]\n'Bank:1' = ''\n");
    for key in [
        "tls.certificate",
        "tls.key",
        "tls.bundles.\"Bank:1\"",
        "callers",
    ] {
        assert!(error.contains(&format!("`{key}`")), "{key}: {error}");
    }
    let error = format!(
        "{:#}",
        parsed(&LEAST.replace("[tls.bundles]", "min_version = '1.1'\n[tls.bundles]")).unwrap_err()
    );
    assert!(error.contains("1.2") && error.contains("1.3"), "{error}");
}
