//! From stored rows to what decisions look at, and back: opens, seals, encodes.

use countersign_keyring::{KeyUse, Place};
use countersign_primitives::{SecretBytes, SubjectId, encode};
use countersign_security_identifiers::Registry;
use countersign_sms_codes::PhoneNumber;
use rand::rngs::StdRng;

use super::{Call, ChangeSet, Platform, Snapshot};
use crate::{
    Error, Method,
    confirmation::Confirmation,
    event::Fact,
    letter::Letter,
    ports::{
        Change, ConfirmationWrite, Event, RequestWrite, Rows, StoreError,
        sms::{Claimed, MessageWrite, NumberUse, SmsChange},
    },
    posting::prefix_index,
    sms_plan::{NewMessage, SmsPlan},
};

/// A column of a table whose values are sealed.
#[derive(Clone, Copy)]
struct Sealed {
    table: &'static str,
    column: &'static str,
}

const SECRETS: Sealed = Sealed {
    table: "subject",
    column: "secrets",
};
/// The sealed part of a confirmation lies within its body.
const PRIVATE: Sealed = Sealed {
    table: "confirmation",
    column: "private",
};
const LETTER: Sealed = Sealed {
    table: "message",
    column: "body",
};

impl Sealed {
    const fn of(self, subject: &SubjectId) -> Place<'_> {
        Place {
            table: self.table,
            subject,
            column: self.column,
        }
    }

    fn unreadable(self) -> Error {
        Error::from(StoreError::Inconsistent {
            table: self.table,
            column: self.column,
        })
    }
}

impl Platform {
    /// Opens the rows.
    pub(crate) fn open(&self, subject: &SubjectId, rows: &Rows) -> Result<Snapshot, Error> {
        let (registry, secrets) = match &rows.subject {
            None => (Registry::default(), SecretBytes::new(Vec::new())),
            Some(row) => {
                let secrets = self.open_sealed(SECRETS, subject, &row.secrets)?;
                let registry = Registry::decode(&secrets, &row.counters)
                    .map_err(|error| Error::Internal(Box::new(error)))?;
                (registry, secrets)
            }
        };
        let mut confirmation: Option<Confirmation> = match &rows.confirmation {
            None => None,
            Some(body) => Some(minicbor::decode(body).map_err(|_| {
                let (table, column) = (PRIVATE.table, "body");
                Error::from(StoreError::Inconsistent { table, column })
            })?),
        };
        if let Some(confirmation) = &mut confirmation {
            if let Some(at) = registry.restored_at() {
                confirmation.void_after_restore(at);
            }
            if let Some(sealed) = &confirmation.sealed {
                let plain = self.open_sealed(PRIVATE, subject, sealed)?;
                let private = minicbor::decode(plain.expose());
                confirmation.private = Some(private.map_err(|_| PRIVATE.unreadable())?);
            }
        }
        Ok(Snapshot {
            now: rows.now,
            registry,
            confirmation,
            version: rows.subject.as_ref().map(|row| row.version),
            secrets,
        })
    }

    /// Opens a message that is to be sent.
    pub(crate) fn open_letter(&self, claimed: &Claimed) -> Result<Letter, Error> {
        let plain = self.open_sealed(LETTER, &claimed.subject, &claimed.body)?;
        let letter: Letter = minicbor::decode(plain.expose()).map_err(|_| LETTER.unreadable())?;
        // The seal binds it to its subject, and this to its row.
        if letter.challenge.message != claimed.id {
            return Err(LETTER.unreadable());
        }
        Ok(letter)
    }

    /// Turns a change set into rows, and gives its facts back.
    pub(crate) fn change<A>(
        &self,
        call: &Call,
        method: Method,
        snapshot: &Snapshot,
        mut set: ChangeSet<A>,
        request: Option<RequestWrite>,
        rng: &mut StdRng,
    ) -> Result<(A, Change, Vec<Fact>), Error> {
        let (now, subject) = (snapshot.now, &call.subject);
        set.registry.prune(now);
        let bindings = set.registry.bindings_changed_since(&snapshot.registry, now);
        let encoded = set.registry.encode();
        let stays = snapshot.is_known() && encoded.secrets.expose() == snapshot.secrets.expose();
        let secrets = if stays {
            None
        } else {
            Some(self.seal(SECRETS, subject, &encoded.secrets, rng)?)
        };
        let facts =
            serde_json::to_string(&set.facts).map_err(|error| Error::Internal(Box::new(error)))?;
        if let Some(confirmation) = &mut set.confirmation {
            if confirmation.has_ended_with_messages(now) {
                let ended = *confirmation.id.as_bytes();
                set.sms.withdrawn.get_or_insert(ended);
            }
            confirmation.sealed = match &confirmation.private {
                None => None,
                Some(private) => {
                    let plain = SecretBytes::new(encode(private));
                    Some(self.seal(PRIVATE, subject, &plain, rng)?.into())
                }
            };
        }
        let numbers = self.numbers_changed(&snapshot.registry, &set.registry);
        let change = Change {
            subject: subject.clone(),
            from_version: snapshot.version,
            now,
            secrets,
            counters: encoded.counters,
            event: Event {
                caller: call.caller.clone(),
                method,
                facts,
            },
            confirmation: set.confirmation.map(|confirmation| ConfirmationWrite {
                id: confirmation.id,
                created_at: confirmation.created_at,
                state: confirmation.phase_name(),
                body: encode(&confirmation),
            }),
            request,
            bindings,
            sms: self.sms_change(set.sms, numbers, snapshot, subject, rng)?,
        };
        Ok((set.answer, change, set.facts))
    }

    fn sms_change(
        &self,
        plan: SmsPlan,
        numbers: Vec<NumberUse>,
        snapshot: &Snapshot,
        subject: &SubjectId,
        rng: &mut StdRng,
    ) -> Result<Option<Box<SmsChange>>, Error> {
        let SmsPlan {
            message,
            withdrawn,
            confirmed,
            mark,
            spend,
        } = plan;
        let is_none = message.is_none()
            && withdrawn.is_none()
            && confirmed.is_none()
            && mark.is_none()
            && numbers.is_empty()
            && spend.is_empty();
        if is_none {
            return Ok(None);
        }
        let message = match message {
            None => None,
            Some(message) => {
                let NewMessage { letter, expires_at } = *message;
                let plain = SecretBytes::new(encode(&letter));
                Some(MessageWrite {
                    id: letter.challenge.message,
                    identifier: letter.challenge.identifier,
                    target: letter.target,
                    created_at: snapshot.now,
                    expires_at,
                    prefix: prefix_index(&self.keyring, &letter.prefix_scope()),
                    body: self.seal(LETTER, subject, &plain, rng)?,
                })
            }
        };
        Ok(Some(Box::new(SmsChange {
            message,
            withdrawn,
            confirmed,
            mark,
            numbers,
            spend,
        })))
    }

    /// The numbers that the subject begins or ceases to use by a change. Whatever changed the
    /// registry, none can be left out.
    fn numbers_changed(&self, before: &Registry, after: &Registry) -> Vec<NumberUse> {
        let has = |registry: &Registry, number: &PhoneNumber| {
            registry.numbers().any(|other| other == number)
        };
        let begun = after.numbers().filter(|number| !has(before, number));
        let ended = before.numbers().filter(|number| !has(after, number));
        let index = |number: &PhoneNumber| {
            let number = number.e164().as_bytes();
            self.keyring.mac(KeyUse::NumberIndex, number)
        };
        let indexes = |number: &PhoneNumber| {
            let number = number.e164().as_bytes();
            self.keyring.macs(KeyUse::NumberIndex, number).collect()
        };
        let begun = begun.map(|number| NumberUse::Begin(index(number)));
        let ended = ended.map(|number| NumberUse::End(indexes(number)));
        begun.chain(ended).collect()
    }

    fn seal(
        &self,
        what: Sealed,
        subject: &SubjectId,
        plain: &SecretBytes,
        rng: &mut StdRng,
    ) -> Result<Vec<u8>, Error> {
        self.keyring
            .seal(what.of(subject), plain, rng)
            .map_err(|error| Error::Internal(Box::new(error)))
    }

    fn open_sealed(
        &self,
        what: Sealed,
        subject: &SubjectId,
        sealed: &[u8],
    ) -> Result<SecretBytes, Error> {
        self.keyring
            .open(what.of(subject), sealed)
            .map_err(|error| Error::Internal(Box::new(error)))
    }
}
