//! Providers of a configuration behind the one port.

use std::time::Duration;

use super::*;
use crate::testing::{MovedClock, message, to};

fn open(text: &str, folder: &Path, clock: Arc<dyn Clock>) -> Providers {
    let settings: ProvidersSettings = toml::from_str(text).unwrap();
    Providers::open(&settings, folder, clock).unwrap()
}

fn names(route: &[ProviderName]) -> Vec<&str> {
    route.iter().map(ProviderName::as_str).collect()
}

/// An address where nobody listens: the port was free a moment ago, and is kept.
async fn nobody() -> (tokio::net::TcpSocket, u16) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

fn dead_first(port: u16) -> String {
    format!(
        "[dead]\nkind = 'http'\nurl = 'http://127.0.0.1:{port}/'\nquery = {{ a = '{{number}}', b = '{{text}}' }}\n\
         [spare]\nkind = 'file'\ndirectory = 'sms'\norder = 2\n"
    )
}

#[tokio::test]
async fn a_provider_that_fails_again_and_again_is_tried_last_for_a_while() {
    let (_kept, port) = nobody().await;
    let folder = tempfile::tempdir().unwrap();
    let clock = MovedClock::new();
    let providers = open(&dead_first(port), folder.path(), clock.clone());
    let route = || providers.route(&message(1).number, message(1).id);
    let dead = ProviderName::from_str("dead").unwrap();
    for _ in 0..5 {
        assert_eq!(names(&route()), ["dead", "spare"]);
        let outcome = providers.submit(&dead, &message(1)).await;
        assert_eq!(outcome, Submission::Unreachable("no connection".to_owned()));
    }
    assert_eq!(names(&route()), ["spare", "dead"]);
    clock.advance(29);
    assert_eq!(names(&route()), ["spare", "dead"]);
    clock.advance(1);
    assert_eq!(names(&route()), ["dead", "spare"]);
    providers.submit(&dead, &message(1)).await;
    assert_eq!(names(&route()), ["spare", "dead"]);
}

#[tokio::test]
async fn numbers_go_to_the_providers_of_their_country() {
    let folder = tempfile::tempdir().unwrap();
    let text = "
        [home]
        kind = 'file'
        directory = 'home'
        countries = ['RU', 'KZ']
        [world]
        kind = 'file'
        directory = 'world'
        order = 2
    ";
    let providers = open(text, folder.path(), MovedClock::new());
    let route = |number| {
        let message = to(number, 1);
        providers.route(&message.number, message.id)
    };
    assert_eq!(names(&route("+79123456789")), ["home", "world"]);
    assert_eq!(names(&route("+77771234567")), ["home", "world"]);
    assert_eq!(names(&route("+4915123456789")), ["world"]);
}

#[tokio::test]
async fn the_inbox_has_a_message_and_reports_that_it_arrived() {
    let clock = MovedClock::new();
    let inbox = Inbox::new(clock.clone());
    let providers = Providers::inbox(inbox.clone(), clock);
    let route = providers.route(&message(1).number, message(1).id);
    assert_eq!(names(&route), [INBOX]);
    let outcome = providers.submit(&route[0], &message(1)).await;
    let id = message(1).id.to_string();
    let carrier_id = Some(id.clone());
    assert_eq!(outcome, Submission::Accepted { carrier_id });
    assert_eq!(inbox.list(None).len(), 1);
    let expected = Report {
        provider: route[0].clone(),
        about: ReportedMessage::ByCarrier(id),
        state: MessageState::Delivered,
    };
    assert_eq!(providers.report().await, expected);
}

#[tokio::test]
async fn a_provider_that_is_no_longer_configured_takes_nothing() {
    let providers = open("", Path::new(""), MovedClock::new());
    let gone = ProviderName::from_str("gone").unwrap();
    let outcome = providers.submit(&gone, &message(1)).await;
    assert!(matches!(outcome, Submission::Refused(_)), "{outcome:?}");
    assert!(
        providers
            .route(&message(1).number, message(1).id)
            .is_empty()
    );
    assert!(!providers.take_webhooks());
}

#[tokio::test]
async fn reports_are_waited_for() {
    let providers = open("", Path::new(""), MovedClock::new());
    let waited = tokio::time::timeout(Duration::from_millis(20), providers.report()).await;
    assert!(waited.is_err());
}

#[tokio::test]
async fn submissions_and_dead_providers_are_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    // Of this thread, which all of this runs on.
    let _counting = metrics::set_default_local_recorder(&recorder);
    let (_kept, port) = nobody().await;
    let folder = tempfile::tempdir().unwrap();
    let providers = open(&dead_first(port), folder.path(), MovedClock::new());
    let has = |line: &str| {
        let page = page.render();
        assert!(page.lines().any(|found| found == line), "{line}:\n{page}");
    };
    has("countersign_sms_provider_up{provider=\"dead\"} 1");
    has("countersign_sms_submissions_total{provider=\"dead\",outcome=\"accepted\"} 0");
    let [dead, spare] = ["dead", "spare"].map(|name| ProviderName::from_str(name).unwrap());
    for _ in 0..5 {
        providers.submit(&dead, &message(1)).await;
    }
    providers.submit(&spare, &message(1)).await;
    has("countersign_sms_provider_up{provider=\"dead\"} 0");
    has("countersign_sms_provider_up{provider=\"spare\"} 1");
    has("countersign_sms_submissions_total{provider=\"dead\",outcome=\"unreachable\"} 5");
    has("countersign_sms_submissions_total{provider=\"spare\",outcome=\"accepted\"} 1");
}
