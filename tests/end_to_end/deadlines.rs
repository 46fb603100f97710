//! A request whose deadline passes is answered with a reason, and what it does is found again.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Client, Database, Options, POSTGRES, Person, Proxy, TestClock, TestPlatform,
    new_request_id, v1,
};
use tonic::Code;

use crate::{
    harness::Suite,
    world::{login, refused},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[POSTGRES],
        "postgres::deadlines::what_takes_longer_than_the_server_lets_it_is_answered_and_found_again",
        passes,
    );
}

/// The database falls silent, so the answer is late.
async fn passes() -> Result<()> {
    let database = Database::fresh(Backend::Postgres).await?;
    let proxy = Proxy::start(database.server()?).await?;
    let options = Options {
        url: Some(database.url_via(proxy.address())?),
        deadline: Duration::from_secs(2),
        patience: Duration::from_secs(4),
        ..Options::default()
    };
    let platform = TestPlatform::start(&database, &TestClock::default(), options).await?;
    let client: Client = platform.client("logins").await?;
    let anna = Person::new();
    anna.set_pin(&client).await?;

    let request = v1::ConfirmationServiceCreateRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        operation: Some(v1::Operation {
            operation: Some(login("phone")),
        }),
        redeem_on_approval: false,
    };
    proxy.fall_silent();
    let answer = client.confirmations().create(request.clone()).await;
    refused(answer, Code::DeadlineExceeded, "OUTCOME_UNKNOWN")?;
    proxy.speak_again();
    let mut again = client.confirmations().create(request.clone()).await;
    // The first one may still wait for its connection, and this one behind it.
    for _ in 0..100 {
        match &again {
            Err(status) if [Code::DeadlineExceeded, Code::Unavailable].contains(&status.code()) => {
                again = client.confirmations().create(request.clone()).await;
            }
            _ => break,
        }
    }
    again?.into_inner().outcome.context("an outcome")?;
    let subject = &anna.subject;
    let sql = format!(
        "SELECT count(*) FROM event WHERE subject_id = '{subject}' \
         AND method = 'ConfirmationService.Create'"
    );
    ensure!(database.query(&sql)? == "1");
    Ok(())
}
