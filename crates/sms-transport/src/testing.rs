//! What the tests of this crate share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use countersign_mfa::ports::sms::Outgoing;
use countersign_primitives::{Clock, MessageId, SecretString, Timestamp};
use countersign_sms_codes::{Countries, PhoneNumber};

/// A clock that stands still until it is moved.
pub(crate) struct MovedClock(AtomicI64);

impl MovedClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_800_000_000_000)))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A message to +79123456789.
pub(crate) fn message(id: u8) -> Outgoing {
    to("+79123456789", id)
}

/// A message to this number.
pub(crate) fn to(number: &str, id: u8) -> Outgoing {
    Outgoing {
        id: MessageId::from_bytes([id; 16]),
        number: PhoneNumber::parse(number, &Countries::All).unwrap(),
        text: SecretString::from("Ваш код: 123456"),
        validity: Duration::from_secs(290),
    }
}
