//! The answer to a rejected proof tells nothing about why, nor does the work behind it.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{App, Backend, Person, app_proof, pin_proof, v1, v1::Purpose};
use prost::Message;

use crate::{
    harness::Suite,
    world::{HOUR, World, login, payout, rejected, stranger},
};

const WRONG_PIN: &str = "111222";

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("uniform::a_rejected_code_has_one_body", codes);
    suite.on_each_backend("uniform::a_capped_app_has_the_body_of_a_wrong_code", capped);
    suite.on_each_backend("uniform::a_rejected_pin_has_one_body_and_one_hash", pins);
    suite.on_each_backend(
        "uniform::which_of_two_proofs_was_wrong_does_not_show",
        which,
    );
    suite.on_each_backend(
        "uniform::an_unknown_subject_has_the_body_and_hashes_of_a_wrong_proof",
        unknown,
    );
}

/// What a rejected call answered, without what the request itself says: ids and the digest; and
/// with instants as seen from now.
async fn body(world: &World, person: &Person, id: &str, proofs: Vec<v1::Proof>) -> Result<Vec<u8>> {
    let mut answer = person.submit(&world.client, id, proofs).await?;
    ensure!(rejected(&answer), "accepted");
    let shown = answer.confirmation.as_mut().context("a confirmation")?;
    shown.subject_id.clear();
    shown.confirmation_id.clear();
    shown.operation_digest.clear();
    let now = world.now().as_millis() / 1000;
    let mut times = vec![&mut shown.create_time, &mut shown.expire_time];
    for option in shown
        .paths
        .iter_mut()
        .flat_map(|path| &mut path.stages)
        .flat_map(|stage| &mut stage.options)
    {
        if let Some(v1::stage_option::Authenticator::Identifier(shown)) = &mut option.authenticator
        {
            shown.identifier_id.clear();
        }
        times.push(&mut option.usable_from);
    }
    for time in times.into_iter().flatten() {
        time.seconds -= now;
    }
    Ok(answer.encode_to_vec())
}

/// Somebody whose app's present code is used already, with a login that awaits a code.
async fn waiting(world: &World) -> Result<(Person, App, String)> {
    let anna = world.somebody().await?;
    let app = anna.begin(&world.client, "").await?;
    let code = app.code(world.now());
    let proofs = vec![pin_proof(&anna.pin)];
    anna.confirm_enable(&world.client, &app, &code, &[Purpose::Login], proofs)
        .await?
        .context("done")?;
    let id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    Ok((anna, app, id))
}

async fn codes(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app, id) = waiting(&world).await?;
    let wrong = body(&world, &anna, &id, vec![world.wrong(&app)]).await?;
    let runs = world.platform.pool.runs();

    for malformed in ["", "12345", "1234567", "abcdef", "٣٣٣٣٣٣", "\u{0}"] {
        let (anna, app, id) = waiting(&world).await?;
        let said = body(&world, &anna, &id, vec![app_proof(&app, malformed)]).await?;
        ensure!(said == wrong, "malformed {malformed:?}");
    }
    for replayed in [App::code, App::earlier_code] {
        let (anna, app, id) = waiting(&world).await?;
        let typed = replayed(&app, world.now());
        let said = body(&world, &anna, &id, vec![app_proof(&app, &typed)]).await?;
        ensure!(said == wrong, "replayed");
    }
    let (anna, app, id) = waiting(&world).await?;
    world.guess(&anna, &app, &login("phone"), 5).await?;
    let next = app_proof(&app, &app.next_code(world.now()));
    ensure!(
        body(&world, &anna, &id, vec![next]).await? == wrong,
        "locked"
    );

    let (anna, app, id) = waiting(&world).await?;
    let stranger = stranger(&app);
    ensure!(
        body(&world, &anna, &id, vec![world.right(&stranger)]).await? == wrong,
        "never enrolled"
    );

    let (anna, app, id) = waiting(&world).await?;
    world.platform.disable(&anna, &app).await?;
    let next = app_proof(&app, &app.next_code(world.now()));
    ensure!(
        body(&world, &anna, &id, vec![next]).await? == wrong,
        "no longer enrolled"
    );
    // Each `waiting` hashes a new PIN and checks it once; no code is hashed for.
    ensure!(
        world.platform.pool.runs() == runs + 2 * 11,
        "a code was hashed"
    );
    Ok(())
}

async fn capped(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let (boris, control) = world.owner(&[Purpose::Login]).await?;
    for _ in 0..19 {
        world.guess(&anna, &app, &login("phone"), 5).await?;
        world.pass(HOUR);
    }
    let id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    world.guess(&anna, &app, &login("phone"), 5).await?;
    let list = anna.list(&world.client).await?;
    ensure!(list.identifiers[0].disabled_by_cap);
    let said = body(&world, &anna, &id, vec![world.right(&app)]).await?;
    let id = boris
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    ensure!(said == body(&world, &boris, &id, vec![world.wrong(&control)]).await?);
    Ok(())
}

async fn pins(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let hashed = || world.platform.pool.runs();
    let (anna, _) = world.owner(&[Purpose::Withdrawal]).await?;
    let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
    let before = hashed();
    let wrong = body(&world, &anna, &id, vec![pin_proof(WRONG_PIN)]).await?;
    ensure!(hashed() == before + 1);

    let long = "9".repeat(64);
    for typed in ["", "850", "85037x", &long] {
        let (anna, _) = world.owner(&[Purpose::Withdrawal]).await?;
        let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
        let before = hashed();
        let said = body(&world, &anna, &id, vec![pin_proof(typed)]).await?;
        ensure!(
            said == wrong && hashed() == before + 1,
            "malformed {typed:?}"
        );
    }
    let (anna, _) = world.owner(&[Purpose::Withdrawal]).await?;
    let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
    world.platform.reset_pin(&anna).await?;
    let before = hashed();
    let said = body(&world, &anna, &id, vec![pin_proof(&anna.pin)]).await?;
    ensure!(said == wrong && hashed() == before + 1, "no longer set");

    let (anna, _) = world.owner(&[Purpose::Withdrawal]).await?;
    let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
    let other = anna.open(&world.client, payout(2)).await?.confirmation_id;
    for _ in 0..5 {
        anna.submit(&world.client, &other, vec![pin_proof(WRONG_PIN)])
            .await?;
    }
    let before = hashed();
    let said = body(&world, &anna, &id, vec![pin_proof(&anna.pin)]).await?;
    ensure!(said == wrong, "locked");
    ensure!(hashed() == before, "a locked PIN was hashed");
    Ok(())
}

async fn which(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let mut bodies = Vec::new();
    for (pin_is_right, code_is_right) in [(false, true), (true, false), (false, false)] {
        let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
        let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
        let pin = pin_proof(if pin_is_right { &anna.pin } else { WRONG_PIN });
        let code = if code_is_right {
            world.right(&app)
        } else {
            world.wrong(&app)
        };
        let before = world.platform.pool.runs();
        bodies.push(body(&world, &anna, &id, vec![pin, code]).await?);
        ensure!(world.platform.pool.runs() == before + 1);
    }
    ensure!(bodies.iter().all(|said| *said == bodies[0]));
    Ok(())
}

async fn unknown(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (known, app) = world.owner(&[]).await?;
    let nobody = Person::new();
    let purposes = [Purpose::Login];
    let stranger = stranger(&app);
    let pending = known.begin(&world.client, "new").await?;
    for (person, app, pending) in [(&known, &app, &pending), (&nobody, &stranger, &stranger)] {
        let before = world.platform.pool.runs();
        let proofs = || vec![pin_proof(WRONG_PIN), world.wrong(app)];
        ensure!(
            person
                .change_pin(&world.client, "604829", proofs())
                .await?
                .is_none()
        );
        ensure!(
            person
                .disable(&world.client, app, true, proofs())
                .await?
                .is_none()
        );
        ensure!(
            person
                .switch(&world.client, app, &purposes, &[], proofs())
                .await?
                .is_none()
        );
        let confirmed = person
            .confirm_enable(&world.client, pending, "000000", &[], proofs())
            .await?;
        ensure!(confirmed.is_none());
        ensure!(
            world.platform.pool.runs() == before + 4,
            "one hash for each PIN typed"
        );
    }
    world.platform.reset_pin(&known).await?;
    for (person, app) in [(&known, &app), (&nobody, &stranger)] {
        let before = world.platform.pool.runs();
        let proofs = vec![pin_proof(WRONG_PIN), world.wrong(app)];
        ensure!(
            person
                .set_first_pin(&world.client, "604829", proofs)
                .await?
                .is_none()
        );
        ensure!(world.platform.pool.runs() == before + 1);
    }
    for table in ["subject", "event", "request", "identifier", "confirmation"] {
        ensure!(
            world.rows(table, &nobody)? == 0,
            "{table} knows somebody who never was"
        );
    }
    Ok(())
}
