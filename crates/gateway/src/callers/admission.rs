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

use super::{Callers, Lacks, Row};
use crate::{kept::Place, status, target::Target};

/// How often those that are in no row may ask, all together: enough to read of it in the log.
const STRANGERS_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Lets requests in.
pub(crate) struct Admission {
    clock: DefaultClock,
    /// `None` where callers are taken at their word.
    table: Option<HashMap<String, Arc<Entry>>>,
    strangers: DefaultDirectRateLimiter,
}

struct Entry {
    row: Row,
    rate: DefaultDirectRateLimiter,
    at_once: Arc<Semaphore>,
}

/// Who sent a request, among the extensions of the request.
#[derive(Clone)]
pub(crate) struct Identified {
    pub(crate) caller: Caller,
    entry: Option<Arc<Entry>>,
}

/// A request that was let in, until it is answered.
pub(crate) struct Admitted {
    pub(crate) identified: Identified,
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
                    rate: RateLimiter::direct(Quota::per_second(row.share.per_second)),
                    at_once: Arc::new(Semaphore::new(row.share.at_once)),
                    row,
                };
                (name, Arc::new(entry))
            })),
        };
        Self {
            clock: DefaultClock::default(),
            table: table.map(Iterator::collect),
            strangers: RateLimiter::direct(Quota::per_second(STRANGERS_PER_SECOND)),
        }
    }

    /// Lets a request for a method in, or says why not. Whatever the request is about was not looked
    /// at: the answer is the same whether it exists.
    pub(crate) fn admit(&self, caller: Caller, target: &Target) -> Result<Admitted, Status> {
        let Some(table) = &self.table else {
            let entry = None;
            return Ok(Admitted {
                identified: Identified { caller, entry },
                place: None,
            });
        };
        let entry = table.get(caller.as_str());
        let rate = entry.map_or(&self.strangers, |entry| &entry.rate);
        if let Err(full) = rate.check() {
            return Err(status::caller_busy(full.wait_time_from(self.clock.now())));
        }
        let Some(entry) = entry else {
            // Whoever is proved may ask whether we are well.
            return match target {
                Target::Standard(_) => Ok(Admitted {
                    identified: Identified {
                        caller,
                        entry: None,
                    },
                    place: None,
                }),
                Target::Ours(_) | Target::Unknown(_) => Err(status::not_permitted(Lacks::Row)),
            };
        };
        // A method that there is not is answered as such, to those who may call anything.
        if let Target::Ours(method) = target
            && !entry.row.methods.contains(method.name)
        {
            return Err(status::not_permitted(Lacks::Methods));
        }
        let place = Arc::clone(&entry.at_once)
            .try_acquire_owned()
            .map_err(|_| status::caller_busy(SOON))?;
        Ok(Admitted {
            identified: Identified {
                caller,
                entry: Some(Arc::clone(entry)),
            },
            place: Some(Arc::new(place)),
        })
    }
}

/// How long to wait where a caller has too much at work.
const SOON: Duration = Duration::from_millis(250);

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
