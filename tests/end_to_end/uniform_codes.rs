//! The answer to a rejected backup code tells nothing about why, nor does the work behind it.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Cluster, Codes, NO_CODE, PGBIN, Person, new_request_id, v1, v1::Purpose,
};
use prost::Message;

use crate::{
    campaign::login as any_login,
    harness::Suite,
    meter::Meter,
    world::{World, login, rejected},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "uniform::a_rejected_backup_code_has_one_body_and_one_hash",
        bodies,
    );
    suite.on_each_backend(
        "uniform::codes_of_nobody_are_hashed_once_in_a_call",
        strangers,
    );
    suite.with(
        &[PGBIN],
        "postgres::uniform::a_rejected_backup_code_costs_the_same_round_trips_and_commits",
        costs,
    );
}

/// A code of an identifier that nobody has is hashed in place of one of a set: one in a call.
async fn strangers(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
    let nobody = Person::new();
    let stranger = || v1::Proof {
        authenticator: Some(v1::proof::Authenticator::IdentifierId(new_request_id())),
        code: NO_CODE.to_owned(),
    };
    let id = anna
        .open(&world.client, login("desk"))
        .await?
        .confirmation_id;
    let four = || vec![stranger(), stranger(), stranger(), stranger()];
    let with_own = vec![stranger(), codes.typed(NO_CODE), stranger()];
    for proofs in [four(), with_own, vec![stranger()]] {
        let before = world.platform.pool.runs();
        let answer = anna.submit(&world.client, &id, proofs).await?;
        let runs = world.platform.pool.runs() - before;
        ensure!(rejected(&answer) && runs == 1, "{runs} hashes");
    }
    let before = world.platform.pool.runs();
    let answer = nobody.create_more(&world.client, &codes, four()).await?;
    let runs = world.platform.pool.runs() - before;
    ensure!(answer.is_none() && runs == 1, "{runs} hashes");
    Ok(())
}

/// What is typed that is no code, or is one no longer.
#[derive(Clone, Copy, Debug)]
enum Bad {
    Wrong,
    Malformed,
    Used,
    OfAVoidList,
    Anothers,
    Held,
    /// The set was disabled while the login waited.
    Disabled,
}

const ALL: [Bad; 7] = [
    Bad::Wrong,
    Bad::Malformed,
    Bad::Used,
    Bad::OfAVoidList,
    Bad::Anothers,
    Bad::Held,
    Bad::Disabled,
];

async fn bodies(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let mut first = None;
    for bad in ALL {
        let (anna, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
        let (_, others) = Person::with_codes(&world.client, &[]).await?;
        let id = anna
            .open(&world.client, login("desk"))
            .await?
            .confirmation_id;
        let typed = prepare(bad, &world.client, &anna, &codes, &others).await?;
        let before = world.platform.pool.runs();
        let answer = anna.submit(&world.client, &id, vec![codes.typed(&typed)]);
        let answer = answer.await?;
        let runs = world.platform.pool.runs() - before;
        ensure!(rejected(&answer), "{bad:?} was accepted");
        ensure!(runs == 1, "{bad:?}: {runs} hashes");
        let body = body(answer)?;
        let first = first.get_or_insert_with(|| body.clone());
        ensure!(body == *first, "{bad:?} has another body");
        let facts = world.last_facts(&anna)?;
        let counted = !matches!(bad, Bad::Disabled);
        ensure!(facts.contains("PROOF_REJECTED") && counted != facts.contains("NOT_ENROLLED"));
    }
    Ok(())
}

/// Without what the request itself says: ids, the digest, and instants.
fn body(mut answer: v1::ConfirmationServiceSubmitProofResponse) -> Result<Vec<u8>> {
    let shown = answer.confirmation.as_mut().context("a confirmation")?;
    shown.subject_id.clear();
    shown.confirmation_id.clear();
    shown.operation_digest.clear();
    shown.create_time = None;
    shown.expire_time = None;
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
    }
    Ok(answer.encode_to_vec())
}

/// Brings it about, and says what is typed.
async fn prepare(
    bad: Bad,
    client: &countersign_testkit::Client,
    anna: &Person,
    codes: &Codes,
    others: &Codes,
) -> Result<String> {
    let made = |place| anna.create_more(client, codes, vec![codes.proof(place)]);
    Ok(match bad {
        Bad::Wrong => NO_CODE.to_owned(),
        Bad::Malformed => "7K3QX".to_owned(),
        Bad::Used => codes.codes[0].clone(),
        Bad::Anothers => others.codes[5].clone(),
        Bad::OfAVoidList => {
            let next = made(1).await?.context("a list")?;
            anna.finish(client, &next).await?;
            codes.codes[5].clone()
        }
        Bad::Held => {
            made(1).await?.context("a list")?;
            codes.codes[1].clone()
        }
        Bad::Disabled => {
            let proofs = vec![codes.proof(1)];
            let gone = anna.disable_codes(client, codes, true, proofs).await?;
            gone.context("a right code was rejected")?;
            codes.codes[5].clone()
        }
    })
}

async fn costs() -> Result<()> {
    let cluster = Cluster::start()?.context(PGBIN)?;
    let (meter, client) = Meter::start(&cluster).await?;
    for bad in ALL {
        // The gateway looks whether its database is there whenever it likes: the least counts.
        let mut least: Option<[u64; 2]> = None;
        for _ in 0..5 {
            let (anna, codes) = Person::with_codes(&client, &[Purpose::Login]).await?;
            let (_, others) = Person::with_codes(&client, &[Purpose::Login]).await?;
            let id = anna.open(&client, any_login()).await?.confirmation_id;
            let typed = prepare(bad, &client, &anna, &codes, &others).await?;
            let before = meter.read()?;
            let answer = anna.submit(&client, &id, vec![codes.typed(&typed)]).await?;
            ensure!(rejected(&answer), "{bad:?} was accepted");
            let after = meter.read()?;
            let cost = [after[0] - before[0], after[1] - before[1]];
            let so_far = least.unwrap_or(cost);
            least = Some([so_far[0].min(cost[0]), so_far[1].min(cost[1])]);
        }
        ensure!(least == Some([2, 1]), "{bad:?}: {least:?}");
    }
    Ok(())
}
