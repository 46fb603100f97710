//! A request that comes twice has one effect and one answer, however it comes to be sent again;
//! its id with another body is refused.

mod codes;
mod repeater;

use anyhow::{Result, bail, ensure};
use countersign_testkit::{
    App, BIN, Backend, Client, Person, app_proof, new_request_id, now, pin_proof, v1,
    v1::{
        Purpose, confirmation_service_create_response as created,
        totp_service_confirm_enable_response as enabled,
    },
};

use self::repeater::{Repeater, Way};
use crate::{
    campaign::{is_accepted, login},
    harness::{Suite, rounds},
    ledger::Ledger,
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "idempotency::a_request_sent_twice_has_one_effect",
        |backend| story(backend, Way::InARow),
    );
    suite.on_each_backend_with(
        &[BIN],
        "idempotency::a_request_sent_32_times_at_once_has_one_effect",
        |backend| story(backend, Way::AtOnce),
    );
    suite.on_each_backend_with(
        &[BIN],
        "idempotency::a_request_repeated_after_a_kill_has_one_effect",
        |backend| story(backend, Way::AfterKill),
    );
    let needs = [BIN, countersign_testkit::POSTGRES];
    suite.with(
        &needs,
        "postgres::idempotency::a_change_whose_answer_is_cut_off_has_one_effect",
        || story(Backend::Postgres, Way::CutBehind),
    );
    suite.with(
        &needs,
        "postgres::idempotency::a_change_that_is_cut_off_has_one_effect",
        || story(Backend::Postgres, Way::CutBefore),
    );
}

async fn story(backend: Backend, way: Way) -> Result<()> {
    let mut repeater = Repeater::new(backend, way).await?;
    for _ in 0..rounds(2, 20) {
        let anna = Person::new();
        let changes = enrols(&mut repeater, &anna).await?;
        let changes = changes + codes::prints(&mut repeater, &anna).await?;
        let ledger = Ledger::read(&repeater.gateways.database)?;
        let found = ledger.changes(&anna.subject);
        ensure!(found == changes, "{changes} requests had {found} effects");
    }
    Ok(())
}

/// A PIN, an app, two logins and the app's end. Returns how many requests that were.
async fn enrols(repeater: &mut Repeater, anna: &Person) -> Result<usize> {
    let set = v1::PinServiceSetRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        new_pin: anna.pin.clone(),
        authorization: None,
    };
    repeater
        .ask(
            set,
            |other| other.new_pin = "94620571".to_owned(),
            |client, set| async move { Ok(client.pins().set(set).await?.into_inner()) },
        )
        .await?;
    let app = begins(repeater, anna).await?;
    // Each ends the enrolment, unless the step has ended meanwhile.
    let mut changes = 2;
    loop {
        changes += 1;
        ensure!(changes < 6, "an enrolment is not confirmed");
        if confirms(repeater, anna, &app).await? {
            break;
        }
    }
    let rename = v1::IdentifierServiceRenameRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        identifier_id: app.id.clone(),
        label: "phone".to_owned(),
    };
    repeater
        .ask(rename, |other| other.label = "another".to_owned(), |client, rename| async move {
            Ok(client.identifiers().rename(rename).await?.into_inner())
        })
        .await?;
    let cancelled = opens(repeater, anna).await?;
    let cancel = v1::ConfirmationServiceCancelRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        confirmation_id: cancelled,
    };
    let login = opens(repeater, anna).await?;
    let another = login.clone();
    repeater
        .ask(
            cancel,
            |other| other.confirmation_id = another,
            |client, cancel| async move {
                Ok(client.confirmations().cancel(cancel).await?.into_inner())
            },
        )
        .await?;
    let wrong = app.wrong_code(now());
    ensure!(
        !submits(repeater, anna, &login, &app, &wrong).await?,
        "a wrong code"
    );
    ensure!(
        submits(repeater, anna, &login, &app, &app.code(now())).await?,
        "a right code"
    );
    redeems(repeater, anna, &login).await?;
    disables(repeater, anna, &app).await?;
    Ok(changes + 8)
}

async fn begins(repeater: &mut Repeater, anna: &Person) -> Result<App> {
    let begin = v1::TotpServiceBeginEnableRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        ..Default::default()
    };
    let send = |client: Client, begin| async move {
        Ok(client.totp().begin_enable(begin).await?.into_inner())
    };
    let answers = repeater.answers(&begin, send).await?;
    let of_one_enrolment = |other: &v1::TotpServiceBeginEnableResponse| {
        (&other.identifier_id, &other.expire_time)
            == (&answers[0].identifier_id, &answers[0].expire_time)
    };
    ensure!(answers.iter().all(of_one_enrolment), "several enrolments");
    let (told, repeated): (Vec<_>, Vec<_>) = answers
        .iter()
        .partition(|answer| !answer.secret_already_delivered);
    ensure!(told.len() == 1, "the seed was shown {} times", told.len());
    for answer in repeated {
        let shown = [
            answer.secret_base32.as_bytes(),
            answer.otpauth_uri.as_bytes(),
            &answer.qr_png,
        ];
        ensure!(
            shown.concat().is_empty(),
            "a seed that was delivered already"
        );
    }
    let app = App::told(told[0])?;
    repeater
        .refuses_another(begin, |other| other.label = "another".to_owned(), send)
        .await?;
    Ok(app)
}

async fn confirms(repeater: &mut Repeater, anna: &Person, app: &App) -> Result<bool> {
    use v1::totp_service_confirm_enable_request::Authorization;
    let proofs = vec![pin_proof(&anna.pin)];
    let confirm = v1::TotpServiceConfirmEnableRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        identifier_id: app.id.clone(),
        code: app.earlier_code(now()),
        purposes: vec![Purpose::Login as i32],
        authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
    };
    let answer = repeater
        .ask(
            confirm,
            |other| other.code = "000000".to_owned(),
            |client, confirm| async move {
                Ok(client.totp().confirm_enable(confirm).await?.into_inner())
            },
        )
        .await?;
    Ok(matches!(answer.outcome, Some(enabled::Outcome::Done(_))))
}

async fn opens(repeater: &mut Repeater, anna: &Person) -> Result<String> {
    let create = v1::ConfirmationServiceCreateRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        operation: Some(v1::Operation {
            operation: Some(login()),
        }),
        redeem_on_approval: false,
    };
    let answer = repeater
        .ask(
            create,
            |other| other.redeem_on_approval = true,
            |client, create| async move {
                Ok(client.confirmations().create(create).await?.into_inner())
            },
        )
        .await?;
    match answer.outcome {
        Some(created::Outcome::Confirmation(open)) => Ok(open.confirmation_id),
        other => bail!("nothing to confirm: {other:?}"),
    }
}

async fn submits(
    repeater: &mut Repeater,
    anna: &Person,
    confirmation: &str,
    app: &App,
    code: &str,
) -> Result<bool> {
    let submit = v1::ConfirmationServiceSubmitProofRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        confirmation_id: confirmation.to_owned(),
        proofs: vec![app_proof(app, code)],
    };
    let twist = |other: &mut v1::ConfirmationServiceSubmitProofRequest| {
        other.proofs = vec![app_proof(app, "12345678")];
    };
    let answer = repeater
        .ask(submit, twist, |client, submit| async move {
            Ok(client
                .confirmations()
                .submit_proof(submit)
                .await?
                .into_inner())
        })
        .await?;
    is_accepted(&answer)
}

async fn redeems(repeater: &mut Repeater, anna: &Person, confirmation: &str) -> Result<()> {
    let redeem = v1::ConfirmationServiceRedeemRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        confirmation_id: confirmation.to_owned(),
        operation: Some(v1::Operation {
            operation: Some(login()),
        }),
    };
    let twist = |other: &mut v1::ConfirmationServiceRedeemRequest| {
        other.operation = Some(v1::Operation {
            operation: Some(crate::campaign::payout(1)),
        });
    };
    repeater
        .ask(redeem, twist, |client, redeem| async move {
            Ok(client.confirmations().redeem(redeem).await?.into_inner())
        })
        .await?;
    Ok(())
}

async fn disables(repeater: &mut Repeater, anna: &Person, app: &App) -> Result<()> {
    use v1::totp_service_disable_request::Authorization;
    let proofs = vec![app_proof(app, &app.next_code(now()))];
    let disable = v1::TotpServiceDisableRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        identifier_id: app.id.clone(),
        confirm_last: true,
        authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
    };
    let answer = repeater
        .ask(
            disable,
            |other| other.confirm_last = false,
            |client, disable| async move { Ok(client.totp().disable(disable).await?.into_inner()) },
        )
        .await?;
    let is_done = matches!(
        answer.outcome,
        Some(v1::totp_service_disable_response::Outcome::Done(_))
    );
    ensure!(is_done, "{answer:?}");
    Ok(())
}
