//! The flows of the personal area, the login service and the withdrawal service.

use std::time::Duration;

use anyhow::{Result, ensure};
use countersign_testkit::{
    Backend, Clock, Database, Options, Person, TestClock, TestPlatform, app_proof, pin_proof, reason_of,
    v1,
    v1::{
        ConfirmationState, Purpose, confirmation_service_submit_proof_response::Outcome,
        operation::Operation,
    },
};

use crate::harness::Suite;

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "a_withdrawal_is_confirmed_by_pin_and_code_and_redeemed_once",
        withdrawal,
    );
}

fn payout(units: i64) -> Operation {
    Operation::Withdrawal(v1::Withdrawal {
        source_account: "main".to_owned(),
        amount: Some(v1::Money {
            currency_code: "EUR".to_owned(),
            units,
            nanos: 0,
        }),
        destination: "DE02120300000000202051".to_owned(),
        payment_method: "sepa".to_owned(),
    })
}

async fn withdrawal(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let clock = TestClock::default();
    let platform = TestPlatform::start(&database, &clock, Options::default()).await?;
    let client = platform.client("withdrawal-service").await?;
    let anna = Person::new();
    anna.set_pin(&client).await?;
    let now = || clock.now();
    let app = anna.enrol(&client, &[Purpose::Withdrawal], now()).await?;

    let open = anna.open(&client, payout(100)).await?;
    let id = &open.confirmation_id;
    let early = anna
        .submit(&client, id, vec![app_proof(&app, &app.code(now()))])
        .await;
    ensure!(early.is_err_and(|status| reason_of(&status) == "WRONG_STAGE"));
    let pin = anna.submit(&client, id, vec![pin_proof(&anna.pin)]).await?;
    ensure!(matches!(pin.outcome, Some(Outcome::Accepted(_))));
    let code = anna
        .submit(&client, id, vec![app_proof(&app, &app.code(now()))])
        .await?;
    let state = code.confirmation.map(|after| after.state());
    ensure!(state == Some(ConfirmationState::Approved));

    let other = anna.redeem(&client, id, payout(101)).await;
    ensure!(other.is_err_and(|status| reason_of(&status) == "OPERATION_MISMATCH"));
    let redeemed = anna.redeem(&client, id, payout(100)).await?;
    ensure!(redeemed.state() == ConfirmationState::Redeemed);
    let again = anna.redeem(&client, id, payout(100)).await;
    ensure!(again.is_err_and(|status| reason_of(&status) == "ALREADY_REDEEMED"));
    clock.advance(Duration::from_secs(1));
    Ok(())
}
