//! What a request has the processor do, apart from its database and its Argon2 runs.

use std::{hint::black_box, sync::Arc};

use anyhow::{Context, Result, ensure};
use countersign_keyring::{generate_file, parse_file};
use countersign_mfa::{
    Create, Created, Entropy, EntropyError, Proof, Proofs, Redeem, Settings, StateView,
    SubmitProof,
    ports::{Change, SubjectRow},
};
use countersign_primitives::{ConfirmationId, ExposeSecret, HashCost, Label, SubjectId, Timestamp};
use countersign_security_identifiers::AuthenticatorRef;
use countersign_totp::{Algorithm, Authenticator, Digits, Rejection, Step, Verdict, verify};
use rand::{SeedableRng, rngs::StdRng};

use crate::{
    Maker, Person, login,
    maker::{rows_after, rows_at},
};

/// Makes one call again, from the same past as before, and fails when its answer is not the one
/// that the path is about.
pub type Repeat = Box<dyn FnMut() -> Result<()>>;

/// A call whose cost is watched.
#[derive(Clone, Copy, Debug)]
pub struct PurePath {
    /// Its name in the baseline.
    pub name: &'static str,
    prepare: fn() -> Result<Repeat>,
}

/// All of them. The requests go through the whole of the use cases: open, decode, decide, encode,
/// and seal where the sealed part changes, as it does in `rename`.
pub const PATHS: [PurePath; 10] = [
    path("verify-right", || verification(NOW, None)),
    path("verify-wrong", || {
        verification(LONG_AGO, Some(Rejection::Wrong))
    }),
    path("verify-replayed", || {
        verification(NOW, Some(Rejection::Replayed))
    }),
    path("create", creation),
    path("submit-right", || submission(NOW)),
    path("submit-wrong", || submission(LONG_AGO)),
    path("submit-repeated", repetition),
    path("redeem", redemption),
    path("get", look),
    path("rename", renaming),
];

const fn path(name: &'static str, prepare: fn() -> Result<Repeat>) -> PurePath {
    PurePath { name, prepare }
}

impl PurePath {
    /// Sets the stage. Time and randomness are always the same, so every call is too.
    ///
    /// # Errors
    /// When the use cases refuse what leads up to the call.
    pub fn prepare(&self) -> Result<Repeat> {
        (self.prepare)()
    }
}

/// The instant at which everything happens.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// An instant whose code is wrong by now.
const LONG_AGO: Timestamp = Timestamp::from_millis(NOW.as_millis() - 3_600_000);
const SEED: u64 = 1;

fn verification(typed: Timestamp, rejection: Option<Rejection>) -> Result<Repeat> {
    let mut rng = StdRng::seed_from_u64(SEED);
    let app = Authenticator::generate(Algorithm::Sha1, Digits::Six, &mut rng);
    let step = Step::at(typed);
    let code = app.code(step);
    let last_used = (rejection == Some(Rejection::Replayed)).then_some(step);
    let expected = rejection.map_or(Verdict::Accepted { step }, Verdict::Rejected);
    Ok(Box::new(move || {
        let verdict = verify(black_box(&app), last_used, code.expose_secret(), NOW);
        ensure!(verdict == expected, "{verdict:?} in place of {expected:?}");
        Ok(())
    }))
}

fn creation() -> Result<Repeat> {
    let Scene {
        mut maker,
        anna,
        row,
        ..
    } = Scene::new()?;
    let mut rows = rows_at(NOW);
    rows.subject = Some(row);
    maker.store().set(rows);
    let call = maker.call(&anna);
    let create = Create {
        operation: login(),
        redeem_on_approval: false,
    };
    Ok(Box::new(move || {
        let created = maker.block_on(maker.platform().create(&call, &create))?;
        let is_due = matches!(created, Created::Confirmation(_));
        ensure!(is_due, "the login needs no code: {created:?}");
        Ok(())
    }))
}

fn submission(typed: Timestamp) -> Result<Repeat> {
    let scene = Scene::new()?;
    scene.load(&scene.opening);
    scene.submit(typed)
}

fn repetition() -> Result<Repeat> {
    let mut scene = Scene::new()?;
    let approval = scene.approve()?;
    let mut rows = rows_after(&scene.row, &approval, NOW);
    rows.request = approval.request.map(|written| written.record);
    scene.maker.store().set(rows);
    scene.submit(NOW)
}

fn redemption() -> Result<Repeat> {
    let mut scene = Scene::new()?;
    let approval = scene.approve()?;
    scene.load(&approval);
    let Scene {
        mut maker, anna, ..
    } = scene;
    let call = maker.call(&anna);
    let redeem = Redeem {
        confirmation: scene.confirmation,
        operation: login(),
    };
    Ok(Box::new(move || {
        let redeemed = maker.block_on(maker.platform().redeem(&call, &redeem))?;
        ensure!(redeemed.state == StateView::Redeemed, "{redeemed:?}");
        Ok(())
    }))
}

fn look() -> Result<Repeat> {
    let scene = Scene::new()?;
    scene.load(&scene.opening);
    let Scene {
        maker,
        anna,
        confirmation,
        ..
    } = scene;
    Ok(Box::new(move || {
        let platform = maker.platform();
        let seen = maker.block_on(platform.get(&anna.subject, maker.caller(), confirmation))?;
        ensure!(seen.state == StateView::Pending, "{seen:?}");
        Ok(())
    }))
}

fn renaming() -> Result<Repeat> {
    let scene = Scene::new()?;
    scene.load(&scene.opening);
    let Scene {
        mut maker, anna, ..
    } = scene;
    let call = maker.call(&anna);
    let label = Label::parse("my phone")?;
    Ok(Box::new(move || {
        let platform = maker.platform();
        maker.block_on(platform.rename(&call, anna.identifier, label.clone()))?;
        Ok(())
    }))
}

/// Somebody whose login awaits a code.
struct Scene {
    maker: Maker,
    anna: Person,
    /// The row before the login.
    row: SubjectRow,
    confirmation: ConfirmationId,
    opening: Change,
}

impl Scene {
    fn new() -> Result<Self> {
        let keys = generate_file(&mut StdRng::seed_from_u64(SEED));
        let keyring = parse_file(keys.expose_secret())?;
        // The least that Argon2 takes: nobody types a PIN here, but everybody has one.
        let hash_cost = HashCost {
            memory_kib: 32,
            passes: 1,
            lanes: 1,
        };
        let settings = Settings {
            hash_cost,
            ..Settings::default()
        };
        let mut maker = Maker::with_entropy(keyring, settings, "bench", Arc::new(Foretold))?;
        let (anna, row) = maker.person(SubjectId::parse("anna")?, LONG_AGO)?;
        let opened = maker.open(&anna, row.clone(), NOW)?;
        Ok(Self {
            maker,
            anna,
            row,
            confirmation: opened.confirmation,
            opening: opened.change,
        })
    }

    /// Has the store load what is there after a change.
    fn load(&self, change: &Change) {
        self.maker.store().set(rows_after(&self.row, change, NOW));
    }

    fn approve(&mut self) -> Result<Change> {
        let rows = rows_after(&self.row, &self.opening, NOW);
        let code = self.anna.app.code(Step::at(NOW));
        let (accepted, change) = self
            .maker
            .submit(&self.anna, rows, self.confirmation, code)?;
        ensure!(accepted, "the right code was refused");
        Ok(change)
    }

    /// Submits the code of an instant: that of now is right.
    fn submit(self, typed: Timestamp) -> Result<Repeat> {
        let Self {
            mut maker, anna, ..
        } = self;
        let call = maker.call(&anna);
        let proof = Proof {
            authenticator: AuthenticatorRef::Identifier(anna.identifier),
            code: anna.app.code(Step::at(typed)),
        };
        let submit = SubmitProof {
            confirmation: self.confirmation,
            proofs: Proofs::new(vec![proof]).context("one proof is too many")?,
        };
        Ok(Box::new(move || {
            let platform = maker.platform();
            let submitted = maker.block_on(platform.submit_proof(&call, &submit))?;
            ensure!(submitted.accepted == (typed == NOW), "{submitted:?}");
            Ok(())
        }))
    }
}

/// The same generator for every request.
struct Foretold;

impl Entropy for Foretold {
    fn generator(&self) -> Result<StdRng, EntropyError> {
        Ok(StdRng::seed_from_u64(SEED))
    }
}
