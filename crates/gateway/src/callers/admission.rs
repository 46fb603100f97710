//! Who calls, whether it may, and whether it has not too much at work already.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};

use countersign_mfa::{Caller, Operation};
use countersign_security_identifiers::PurposeSet;
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use tokio::sync::Semaphore;
use tonic::Status;

use super::{Callers, Lacks, Row, Share};
use crate::{kept::Place, status, target::Target};

/// What those that are in no row may take, all together: enough to read of it in the log, and to ask
/// whether we are well.
const STRANGERS: Share = Share {
    per_second: NonZeroU32::new(10).unwrap(),
    at_once: 32,
};
/// What each caller may take of gRPC's own services, beside its share: its instances watch our health,
/// and must hear of it also when it has too much else at work.
const STANDARD: Share = Share {
    per_second: NonZeroU32::new(100).unwrap(),
    at_once: 128,
};
/// How long to wait where a caller has too much at work.
const SOON: Duration = Duration::from_millis(250);

/// Lets requests in.
pub(crate) struct Admission {
    clock: DefaultClock,
    /// `None` where callers are taken at their word.
    table: Option<HashMap<String, Arc<Entry>>>,
    strangers: Gate,
}

struct Entry {
    row: Row,
    calls: Gate,
    standard: Gate,
}

/// Keeps a share.
struct Gate {
    rate: DefaultDirectRateLimiter,
    at_once: Arc<Semaphore>,
}

impl Gate {
    fn of(share: Share) -> Self {
        Self {
            rate: RateLimiter::direct(Quota::per_second(share.per_second)),
            at_once: Arc::new(Semaphore::new(share.at_once)),
        }
    }
}

/// Who sent a request, among the extensions of the request.
#[derive(Clone)]
pub(crate) struct Identified {
    pub(crate) caller: Caller,
    /// `None` where callers are taken at their word.
    entry: Option<Arc<Entry>>,
}

/// A request that was let in, until it is answered.
pub(crate) struct Admitted {
    /// Who is answered by services of ours: nobody without a row, where there is a table.
    pub(crate) identified: Option<Identified>,
    /// Its part of what its caller may have at work.
    pub(crate) place: Option<Place>,
}

impl Admission {
    /// Lets in what the table allows.
    pub(crate) fn new(callers: Callers) -> Self {
        let table = match callers {
            Callers::AtTheirWord => None,
            Callers::Table(rows) => Some(rows.into_iter().map(|(name, row)| {
                let entry = Entry {
                    calls: Gate::of(row.share),
                    standard: Gate::of(STANDARD),
                    row,
                };
                (name, Arc::new(entry))
            })),
        };
        Self {
            clock: DefaultClock::default(),
            table: table.map(Iterator::collect),
            strangers: Gate::of(STRANGERS),
        }
    }

    /// Lets a request in, or says why not. Whatever the request is about was not looked at: the answer
    /// is the same whether it exists.
    pub(crate) fn admit(&self, caller: Caller, target: &Target) -> Result<Admitted, Status> {
        let Some(table) = &self.table else {
            return Ok(Admitted {
                identified: Some(Identified {
                    caller,
                    entry: None,
                }),
                place: None,
            });
        };
        let entry = table.get(caller.as_str());
        let gate = match (entry, target) {
            (None, _) => &self.strangers,
            (Some(entry), Target::Standard(_)) => &entry.standard,
            (Some(entry), Target::Ours(_) | Target::Unknown(_)) => &entry.calls,
        };
        if let Err(full) = gate.rate.check() {
            return Err(status::caller_busy(full.wait_time_from(self.clock.now())));
        }
        match (entry, target) {
            // Whoever is proved may ask whether we are well.
            (_, Target::Standard(_)) => {}
            (None, _) => return Err(status::not_permitted(Lacks::Row)),
            (Some(entry), Target::Ours(method)) => {
                if !entry.row.methods.contains(method.name) {
                    return Err(status::not_permitted(Lacks::Methods));
                }
            }
            // It is answered that there is no such method.
            (Some(_), Target::Unknown(_)) => {}
        }
        let place = Arc::clone(&gate.at_once)
            .try_acquire_owned()
            .map_err(|_| status::caller_busy(SOON))?;
        Ok(Admitted {
            identified: entry.map(|entry| Identified {
                caller,
                entry: Some(Arc::clone(entry)),
            }),
            place: Some(Arc::new(place)),
        })
    }
}

impl Identified {
    /// Somebody on this machine who is taken at his word.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn local() -> Self {
        Self {
            caller: Caller::local(),
            entry: None,
        }
    }

    /// That the method may be called, where another one does its work too.
    pub(crate) fn require_method(&self, name: &str) -> Result<(), Status> {
        self.require(|row| match row.methods.contains(name) {
            true => Ok(()),
            false => Err(Lacks::Methods),
        })
    }

    /// That the operation may be confirmed for this caller, and redeemed by it.
    pub(crate) fn require_operation(&self, operation: &Operation) -> Result<(), Status> {
        self.require(|row| row.require_operation(operation))
    }

    /// That identifiers may be switched on and off for these purposes.
    pub(crate) fn require_purposes(&self, purposes: PurposeSet) -> Result<(), Status> {
        self.require(|row| row.require_purposes(purposes))
    }

    fn require(&self, rule: impl FnOnce(&Row) -> Result<(), Lacks>) -> Result<(), Status> {
        match &self.entry {
            None => Ok(()),
            Some(entry) => rule(&entry.row).map_err(status::not_permitted),
        }
    }
}
