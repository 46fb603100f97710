//! Requests that race for one subject: each is answered, and a change that loses leaves nothing.

use std::time::Duration;

use anyhow::{Result, ensure};
use countersign_testkit::{
    BIN, Backend, Client, Clock, Database, Options, Person, TestClock, TestPlatform,
    new_request_id, reason_of, v1,
    v1::{Purpose, confirmation_service_create_response as created},
};
use futures::future::{join, join_all, try_join_all};
use tonic::Status;

use crate::{
    campaign::{Gateways, enrolled, gives_code, login},
    harness::{Suite, rounds},
    ledger::Ledger,
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "races::64_changes_of_one_subject_in_flight_are_all_made",
        all_are_made,
    );
    suite.on_each_backend(
        "races::a_change_that_loses_its_race_to_another_platform_leaves_nothing",
        losers_leave_nothing,
    );
}

async fn all_are_made(backend: Backend) -> Result<()> {
    let gateways = Gateways::start(backend).await?;
    let (anna, app) = enrolled(gateways.client(0), &[]).await?;
    let before = Ledger::read(&gateways.database)?.changes(&anna.subject);
    let rounds = rounds(10, 100);
    for round in 0..rounds {
        let renames = (0..64).map(|number| {
            let label = format!("{round}-{number}");
            rename(&anna, gateways.client(number), &app.id, label)
        });
        try_join_all(renames).await?;
    }
    let after = Ledger::read(&gateways.database)?.changes(&anna.subject);
    let made = after - before;
    ensure!(made == rounds as usize * 64, "{made} changes were made");
    Ok(())
}

/// Two platforms that know nothing of each other, with nothing between them but the guard of the
/// subject's row: on SQLite too, where one process would never see it miss.
async fn losers_leave_nothing(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let clock = TestClock::default();
    let options = |seed| Options {
        seed,
        ..Options::default()
    };
    let platforms = [
        TestPlatform::start(&database, &clock, options(1)).await?,
        TestPlatform::start(&database, &clock, options(2)).await?,
    ];
    let clients = [
        platforms[0].client("test").await?,
        platforms[1].client("test").await?,
    ];
    let anna = Person::new();
    anna.set_pin(&clients[0]).await?;
    let app = anna
        .enrol(&clients[0], &[Purpose::Login], clock.now())
        .await?;
    let mut changes = 3;

    for round in 0..rounds(30, 300) {
        // Whatever was pending or locked is so no more.
        clock.advance(Duration::from_secs(60 * 60));
        let mut open = Vec::new();
        for _ in 0..4 {
            open.push(anna.open(&clients[0], login()).await?.confirmation_id);
        }
        let code = app.code(clock.now());
        let submits = join_all((0..8).map(|number| {
            let client = &clients[number / 4];
            gives_code(&anna, client, &open[number % 4], &app, &code)
        }));
        let others = try_join_all((0..8).map(|number| {
            let (anna, app, client) = (&anna, &app, &clients[number % 2]);
            async move {
                if number < 4 {
                    rename(anna, client, &app.id, format!("{round}-{number}")).await?;
                    return Ok(1);
                }
                // Denied, once five replays have locked the app.
                let created = anna.create(client, login()).await?;
                let created::Outcome::Confirmation(open) = created else {
                    return anyhow::Ok(1);
                };
                anna.cancel(client, &open.confirmation_id).await?;
                Ok(2)
            }
        }));
        let (submits, others) = join(submits, others).await;
        let mut accepted = 0;
        for submit in submits {
            match submit {
                Ok(is_accepted) => {
                    accepted += usize::from(is_accepted);
                    changes += 1;
                }
                // The other one of the two for this confirmation was accepted.
                Err(error) => {
                    let status = error.downcast::<Status>()?;
                    ensure!(
                        reason_of(&status) == "CONFIRMATION_NOT_PENDING",
                        "{status:?}"
                    );
                }
            }
        }
        ensure!(
            accepted == 1,
            "round {round}: {accepted} submits were accepted"
        );
        changes += open.len() + others?.iter().sum::<usize>();
    }
    let found = Ledger::read(&database)?.changes(&anna.subject);
    ensure!(found == changes, "{found} changes, {changes} acknowledged");
    Ok(())
}

async fn rename(anna: &Person, client: &Client, app: &str, label: String) -> Result<(), Status> {
    let request = v1::IdentifierServiceRenameRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        identifier_id: app.to_owned(),
        label,
    };
    client.identifiers().rename(request).await?;
    Ok(())
}
