//! Two providers, the first of which fails in one way or another: the second is given exactly the
//! messages that the first surely does not have.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{BIN, Backend, v1::DeliveryState};
use futures::future::try_join_all;

use crate::{
    harness::Suite,
    sms_http::{HttpCarrier, Manner},
    sms_process::{Bank, folder, send_code},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[BIN],
        "sms_failover::another_provider_gets_what_the_first_surely_does_not_have",
        fails_over,
    );
}

/// Fewer than the failures in a row that put a provider last.
const MESSAGES: usize = 4;

/// How the first provider fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    Down,
    Does(fn() -> Manner),
}

/// A failure, and what comes of it: how often each provider is given each message, and where the
/// messages are in the end.
struct Case {
    what: &'static str,
    failure: Failure,
    given: [usize; 2],
    state: DeliveryState,
}

const CASES: &[Case] = &[
    Case {
        what: "down",
        failure: Failure::Down,
        given: [0, 1],
        state: DeliveryState::Sent,
    },
    Case {
        what: "refuses",
        failure: Failure::Does(|| Manner::Answers("400 Bad Request", "{}")),
        given: [1, 1],
        state: DeliveryState::Sent,
    },
    Case {
        what: "throttles",
        failure: Failure::Does(|| Manner::Answers("429 Too Many Requests", "{}")),
        given: [1, 1],
        state: DeliveryState::Sent,
    },
    Case {
        what: "takes it and says that it failed",
        failure: Failure::Does(|| Manner::Answers("200 OK", r#"{"id": "1", "state": "FAILED"}"#)),
        given: [1, 1],
        state: DeliveryState::Sent,
    },
    // From here on the first may have it.
    Case {
        what: "never answers",
        failure: Failure::Does(|| Manner::NeverAnswers),
        given: [1, 0],
        state: DeliveryState::Unknown,
    },
    Case {
        what: "fails inside",
        failure: Failure::Does(|| Manner::Answers("500 Internal Server Error", "{}")),
        given: [2, 0],
        state: DeliveryState::Unknown,
    },
    Case {
        what: "answers with rubbish",
        failure: Failure::Does(|| Manner::Answers("200 OK", "<html>It works!</html>")),
        given: [2, 0],
        state: DeliveryState::Unknown,
    },
    Case {
        what: "hangs up",
        failure: Failure::Does(|| Manner::Cuts),
        given: [2, 0],
        state: DeliveryState::Unknown,
    },
    Case {
        what: "hangs up, and then refuses",
        failure: Failure::Does(|| Manner::CutsThenRefuses),
        given: [2, 0],
        state: DeliveryState::Unknown,
    },
];

async fn fails_over() -> Result<()> {
    for some in CASES.chunks(3) {
        let some = some.iter().map(|case| async {
            let tried = tried(case).await;
            tried.with_context(|| case.what)
        });
        try_join_all(some).await?;
    }
    Ok(())
}

async fn tried(case: &Case) -> Result<()> {
    let (first, second) = (
        HttpCarrier::start(Manner::Accepts).await?,
        HttpCarrier::start(Manner::Accepts).await?,
    );
    let folder = folder()?;
    let providers = [
        first.provider("first", folder.path(), "timeout_seconds = 5\n")?,
        second.provider("second", folder.path(), "order = 2\n")?,
    ];
    let bank = Bank::start(Backend::Sqlite, "", &providers.concat()).await?;
    let people = bank.people(&first, 0..4).await?;
    ensure!(
        second.given().is_empty(),
        "the first one was not tried first"
    );
    let askers = bank.askers(&first, &people).await?;
    let before = first.given().len();
    match case.failure {
        Failure::Down => first.go_down().await,
        Failure::Does(manner) => first.set_manner(manner()),
    }
    try_join_all(askers.iter().map(|asker| send_code(&bank.client, asker))).await?;
    bank.counted("due_at IS NOT NULL", 0).await?;
    let given = first.given().split_off(before);
    println!(
        "the first provider {}: given {}, the second {}; {}",
        case.what,
        given.len(),
        second.given().len(),
        bank.states().await?
    );
    for asker in &askers {
        bank.delivery_becomes(asker, case.state).await?;
        let number = &asker.phone.number;
        let by_first: Vec<_> = given.iter().filter(|it| it.number == *number).collect();
        let by_second = second.given_to(number);
        let times = [by_first.len(), by_second.len()];
        ensure!(times == case.given, "given {times:?} times");
        // The same message each time: the same name, the same text.
        let mut all = by_first.into_iter().chain(&by_second);
        let one = all.next().context("nobody was given it")?;
        ensure!(
            all.all(|other| (&other.reference, &other.text) == (&one.reference, &one.text)),
            "another message"
        );
    }
    let provider = if case.given[1] == 0 {
        "first"
    } else {
        "second"
    };
    let named = format!("provider = '{provider}' AND state <> 'QUEUED'");
    let enrolments = if provider == "first" { MESSAGES } else { 0 };
    bank.counted(&named, MESSAGES + enrolments).await?;
    Ok(())
}
