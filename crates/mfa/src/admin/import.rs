//! Takes authenticator apps over from another system.

use countersign_keyring::KeyUse;
use countersign_primitives::{IdentifierId, Label, SecretBytes, SubjectId, encode};
use countersign_security_identifiers::{BindingState, PurposeSet, RegistryError};
use countersign_totp::Authenticator;
use minicbor::{CborLen, Decode, Encode};
use rand::rngs::StdRng;

use super::{METHOD, Reason, operators_call};
use crate::{
    Error, Method, Platform,
    event::Fact,
    hashing::Hashes,
    platform::{ChangeSet, Context, Decision, Snapshot, UseCase},
};

/// An app to be taken over.
#[derive(Clone, Debug)]
pub struct ImportTotp {
    /// What its owner will find it called; a name of the kind where it is `None`.
    pub label: Option<Label>,
    /// The app.
    pub authenticator: Authenticator,
    /// What it is switched on for.
    pub purposes: PurposeSet,
}

/// What became of an app that was to be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Imported {
    /// It is enabled, as this identifier.
    #[n(0)]
    New(#[n(0)] IdentifierId),
    /// It is there already, and is left as it is.
    #[n(1)]
    AlreadyThere,
    /// It was taken over before, and has been disabled since: only its owner can enrol it anew.
    #[n(2)]
    DisabledSince,
    /// The subject has as many identifiers as are allowed.
    #[n(3)]
    NoRoom,
}

/// An app, and what the history has of it.
struct Candidate<'a> {
    app: &'a ImportTotp,
    id: IdentifierId,
    known: Option<BindingState>,
}

struct Import<'a> {
    candidates: Vec<Candidate<'a>>,
    reason: &'a Reason,
    is_dry_run: bool,
}

impl Platform {
    /// Takes apps of a subject over, those that can be, in one commit. Says of each, in their order,
    /// what became of it; in a dry run, what would become of it, and nothing is written.
    ///
    /// An app that was taken over once is known by its id ever after, so the same records can be
    /// given again and do not bring back what was disabled in between.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn admin_import(
        &self,
        subject: &SubjectId,
        apps: &[ImportTotp],
        reason: &Reason,
        is_dry_run: bool,
    ) -> Result<Vec<Imported>, Error> {
        let history = self.store.bindings(subject).await?;
        let candidates = apps.iter().map(|app| {
            let (id, ever) = self.ids_of_import(subject, &app.authenticator);
            let known = history.iter().find(|binding| ever.contains(&binding.id));
            Candidate {
                app,
                id,
                known: known.map(|binding| binding.state),
            }
        });
        let import = Import {
            candidates: candidates.collect(),
            reason,
            is_dry_run,
        };
        self.run(&operators_call(subject), &import).await
    }

    /// The id that an app has once it is taken over, and all that it may have had, under earlier
    /// keys too: a MAC of whose it is and of its seed, however long its codes are. Whoever has no key cannot try
    /// seeds against it.
    fn ids_of_import(
        &self,
        subject: &SubjectId,
        app: &Authenticator,
    ) -> (IdentifierId, Vec<IdentifierId>) {
        let seed = SecretBytes::new(app.seed_digest().to_vec());
        let body = SecretBytes::new(encode(&("countersign admin import-totp", subject, seed)));
        let present = self.keyring.mac(KeyUse::RequestMac, body.expose());
        let all = self.keyring.macs(KeyUse::RequestMac, body.expose());
        (id_of_mac(present), all.map(id_of_mac).collect())
    }
}

/// The first 16 bytes, as a UUID of one's own making (RFC 9562 §5.8).
fn id_of_mac(mac: [u8; 32]) -> IdentifierId {
    let mut id = [0; 16];
    id.copy_from_slice(&mac[..16]);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    IdentifierId::from_bytes(id)
}

impl UseCase for Import<'_> {
    type Answer = Vec<Imported>;

    fn method(&self) -> Method {
        METHOD
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        _: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<Vec<Imported>>, Error> {
        let (now, limits) = (snapshot.now, &context.settings.limits);
        let mut registry = snapshot.registry.clone();
        let mut facts = Vec::new();
        let mut outcomes = Vec::new();
        for Candidate { app, id, known } in &self.candidates {
            let (identifier, purposes) = (*id, app.purposes);
            let (label, authenticator) = (app.label.clone(), app.authenticator.clone());
            let import =
                || registry.import_totp(identifier, label, authenticator, purposes, limits, now);
            outcomes.push(match known {
                Some(BindingState::Disabled) => Imported::DisabledSince,
                Some(BindingState::Enabled | BindingState::Capped) => Imported::AlreadyThere,
                None => match import() {
                    Ok(true) => {
                        facts.push(Fact::Imported { identifier });
                        facts.extend(purposes.iter().map(|purpose| Fact::SwitchedOn {
                            identifier,
                            purpose,
                        }));
                        Imported::New(identifier)
                    }
                    Ok(false) => Imported::AlreadyThere,
                    Err(RegistryError::TooManyIdentifiers) => Imported::NoRoom,
                    Err(error) => return Err(Error::of_registry(error, now)),
                },
            });
        }
        if self.is_dry_run || facts.is_empty() {
            return Ok(Decision::Unchanged(outcomes));
        }
        facts.push(self.reason.fact());
        Ok(Decision::from(ChangeSet::new(registry, facts, outcomes)))
    }
}
