//! Enrolling an authenticator app.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    App, Backend, Person, app_proof, pin_proof, step_up_paths, v1,
    v1::{IdentifierState, Purpose},
};

use crate::{
    harness::Suite,
    world::{MINUTE, World, accepted, login, outline, precondition, rejected},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("enrolment::secret_uri_and_picture_agree", told);
    suite.on_each_backend("enrolment::beginning_again_gives_a_new_secret", again);
    suite.on_each_backend("enrolment::the_code_typed_at_it_is_burned", burned);
    suite.on_each_backend("enrolment::it_lapses_after_ten_minutes", lapsed);
    suite.on_each_backend("enrolment::it_takes_the_pin", takes_pin);
    suite.on_each_backend("enrolment::a_second_app_takes_a_code_of_the_first", second);
    suite.on_each_backend(
        "enrolment::to_be_on_at_once_takes_a_code_of_one_that_is_on",
        on_at_once,
    );
    suite.on_each_backend("enrolment::purposes_are_on_in_the_same_commit", purposes);
    suite.on_each_backend("enrolment::a_rejected_one_uses_nothing_up", rejected_one);
}

async fn told(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let request = v1::TotpServiceBeginEnableRequest {
        account_name: "anna@example.com".to_owned(),
        ..Default::default()
    };
    let begun = anna.begin_enable(&world.client, request).await?;
    let secret = &begun.secret_base32;
    ensure!(
        secret.len() == 32,
        "160 bits are 32 characters: {}",
        secret.len()
    );
    let uri = &begun.otpauth_uri;
    ensure!(
        uri.starts_with("otpauth://totp/Countersign:anna%40example.com?"),
        "{uri}"
    );
    ensure!(uri.contains(&format!("secret={secret}")) && uri.contains("issuer=Countersign"));
    ensure!(begun.qr_png.starts_with(b"\x89PNG\r\n\x1a\n"));
    ensure!(
        begun.qr_png.ends_with(b"IEND\xaeB`\x82"),
        "the picture is cut off"
    );
    ensure!(!begun.secret_already_delivered);
    let lapses = begun.expire_time.map(|time| time.seconds * 1000);
    ensure!(lapses == Some(world.now().as_millis() + 600_000));
    // The same names and another secret make another picture.
    let other = anna
        .begin_enable(
            &world.client,
            v1::TotpServiceBeginEnableRequest {
                account_name: "anna@example.com".to_owned(),
                ..Default::default()
            },
        )
        .await?;
    ensure!(other.qr_png != begun.qr_png && other.secret_base32 != *secret);
    Ok(())
}

async fn again(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let old = anna.begin(&world.client, "phone").await?;
    let new = anna.begin(&world.client, "phone").await?;
    ensure!(old.secret_base32 != new.secret_base32 && old.id != new.id);
    let code = old.code(world.now());
    for app in [&old, &new] {
        let answer = confirm(&world, &anna, app, &code, vec![]).await?;
        ensure!(
            answer.is_none(),
            "a code of the secret that is void was accepted"
        );
    }
    let answer = confirm(&world, &anna, &new, &new.code(world.now()), vec![]).await?;
    ensure!(answer.is_some());
    let list = anna.list(&world.client).await?;
    ensure!(list.identifiers.len() == 1 && list.identifiers[0].identifier_id == new.id);
    Ok(())
}

/// Ends an enrolment with the PIN and more.
pub(crate) async fn confirm(
    world: &World,
    person: &Person,
    app: &App,
    code: &str,
    more: Vec<v1::Proof>,
) -> Result<Option<v1::SecurityIdentifier>, tonic::Status> {
    let proofs = std::iter::once(pin_proof(&person.pin))
        .chain(more)
        .collect();
    person
        .confirm_enable(&world.client, app, code, &[], proofs)
        .await
}

async fn burned(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let app = anna.begin(&world.client, "").await?;
    let typed = app.code(world.now());
    let proofs = vec![pin_proof(&anna.pin)];
    let done = anna
        .confirm_enable(&world.client, &app, &typed, &[Purpose::Login], proofs)
        .await?
        .context("done")?;
    ensure!(done.usable_from.is_some());
    let id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    let answer = anna
        .submit(&world.client, &id, vec![app_proof(&app, &typed)])
        .await?;
    ensure!(
        rejected(&answer),
        "the code of the enrolment was accepted again"
    );
    let next = app_proof(&app, &app.next_code(world.now()));
    ensure!(accepted(
        &anna.submit(&world.client, &id, vec![next]).await?
    ));
    Ok(())
}

async fn lapsed(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let app = anna.begin(&world.client, "late").await?;
    world.pass(10 * MINUTE - 1);
    let list = anna.list(&world.client).await?;
    ensure!(list.identifiers[0].state() == IdentifierState::Pending);
    world.pass(1);
    let answer = confirm(&world, &anna, &app, &app.code(world.now()), vec![]).await?;
    ensure!(
        answer.is_none(),
        "an enrolment that had lapsed was finished"
    );
    ensure!(anna.list(&world.client).await?.identifiers.is_empty());

    let app = anna.begin(&world.client, "late").await?;
    world.pass(10 * MINUTE - 1);
    ensure!(
        confirm(&world, &anna, &app, &app.code(world.now()), vec![])
            .await?
            .is_some()
    );
    Ok(())
}

async fn takes_pin(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let request = v1::TotpServiceBeginEnableRequest::default();
    precondition(
        Person::new().begin_enable(&world.client, request).await,
        "PIN_NOT_SET",
    )?;
    let anna = world.somebody().await?;
    let app = anna.begin(&world.client, "").await?;
    let code = app.code(world.now());
    let without = anna
        .confirm_enable(&world.client, &app, &code, &[], vec![])
        .await;
    let status = precondition(without, "STEP_UP_REQUIRED")?;
    let paths = step_up_paths(&status).context("paths")?;
    ensure!(outline(&paths) == "PIN", "{}", outline(&paths));
    let proofs = vec![pin_proof("111222")];
    let wrong = anna
        .confirm_enable(&world.client, &app, &code, &[], proofs)
        .await?;
    ensure!(wrong.is_none());
    ensure!(
        confirm(&world, &anna, &app, &code, vec![]).await?.is_some(),
        "it was used up"
    );
    Ok(())
}

async fn second(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, first) = world.owner(&[]).await?;
    let app = anna.begin(&world.client, "second").await?;
    let code = app.code(world.now());
    let status = precondition(
        confirm(&world, &anna, &app, &code, vec![]).await,
        "STEP_UP_REQUIRED",
    )?;
    let paths = step_up_paths(&status).context("paths")?;
    ensure!(
        outline(&paths) == format!("PIN > {}", first.id),
        "{}",
        outline(&paths)
    );
    // A code of the first without the PIN, and the new app's own code in its place.
    let alone = vec![world.right(&first)];
    let answer = anna
        .confirm_enable(&world.client, &app, &code, &[], alone)
        .await;
    precondition(answer, "STEP_UP_REQUIRED")?;
    let own = vec![app_proof(&app, &code)];
    ensure!(!matches!(
        confirm(&world, &anna, &app, &code, own).await,
        Ok(Some(_))
    ));
    let wrong = vec![world.wrong(&first)];
    ensure!(confirm(&world, &anna, &app, &code, wrong).await?.is_none());
    let right = vec![world.right(&first)];
    let done = confirm(&world, &anna, &app, &code, right)
        .await?
        .context("done")?;
    ensure!(done.state() == IdentifierState::Enabled && done.label == "second");
    ensure!(
        done.purposes.iter().all(|setting| !setting.on),
        "it is on for nothing"
    );
    Ok(())
}

async fn on_at_once(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, on) = world.owner(&[Purpose::Login]).await?;
    let off = world.another(&anna, &on, "off", &[]).await?;
    let app = anna.begin(&world.client, "third").await?;
    let code = app.code(world.now());
    let purposes = [Purpose::Login];
    let proofs = vec![pin_proof(&anna.pin), world.right(&off)];
    let answer = anna
        .confirm_enable(&world.client, &app, &code, &purposes, proofs)
        .await;
    let status = precondition(answer, "STEP_UP_REQUIRED")?;
    let paths = step_up_paths(&status).context("paths")?;
    ensure!(
        outline(&paths) == format!("PIN > {}", on.id),
        "{}",
        outline(&paths)
    );
    let proofs = vec![pin_proof(&anna.pin), world.right(&on)];
    let answer = anna
        .confirm_enable(&world.client, &app, &code, &purposes, proofs)
        .await?;
    ensure!(answer.is_some());
    Ok(())
}

async fn purposes(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let app = anna.begin(&world.client, "").await?;
    let before = world.rows("event", &anna)?;
    let purposes = [Purpose::Login, Purpose::Other];
    let proofs = vec![pin_proof(&anna.pin)];
    let code = app.code(world.now());
    let done = anna
        .confirm_enable(&world.client, &app, &code, &purposes, proofs)
        .await?;
    let settings = done.context("done")?.purposes;
    let on: Vec<Purpose> = settings
        .iter()
        .filter(|one| one.on)
        .map(|one| one.purpose())
        .collect();
    ensure!(on == purposes && settings.len() == 3, "{settings:?}");
    ensure!(
        world.rows("event", &anna)? == before + 1,
        "one commit is one event"
    );
    let facts = world.last_facts(&anna)?;
    ensure!(
        facts.contains("ENABLED") && facts.matches("SWITCHED_ON").count() == 2,
        "{facts}"
    );
    Ok(())
}

async fn rejected_one(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, first) = world.owner(&[]).await?;
    let app = anna.begin(&world.client, "second").await?;
    let code = app.code(world.now());
    let wrong_pin = vec![pin_proof("111222"), world.right(&first)];
    let answer = anna
        .confirm_enable(&world.client, &app, &code, &[], wrong_pin)
        .await?;
    ensure!(answer.is_none());
    let wrong_code = app.wrong_code(world.now());
    let answer = confirm(&world, &anna, &app, &wrong_code, vec![world.right(&first)]).await?;
    ensure!(answer.is_none());
    // Both codes are still good.
    let answer = confirm(&world, &anna, &app, &code, vec![world.right(&first)]).await?;
    ensure!(answer.is_some(), "a rejected call used a code up");
    Ok(())
}
