//! Random ids, shown as UUIDs.

use std::{fmt, str::FromStr};

use minicbor::{CborLen, Decode, Encode};
use rand::CryptoRng;
use thiserror::Error;
use uuid::{Builder, Uuid};

/// The text is not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be a UUID such as 2c5ea4c0-4067-4fe9-8bad-9b1deb4d3b7d")]
pub struct ParseIdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

        impl $name {
            /// A random (version 4) id: 122 bits, so ids of different subjects never meet.
            pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
                let mut bytes = [0; 16];
                rng.fill_bytes(&mut bytes);
                Self(Builder::from_random_bytes(bytes).into_uuid().into_bytes())
            }

            /// The id whose 16 bytes these are.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes, as the databases store them.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let uuid = Uuid::try_parse(text).map_err(|_| ParseIdError)?;
                Ok(Self(uuid.into_bytes()))
            }
        }
    };
}

id! {
    /// Names one security identifier of a subject, from enrolment on.
    IdentifierId
}
id! {
    /// Names one list of backup codes that was shown and is to be kept or dropped.
    CodeListId
}
id! {
    /// Names one confirmation of a subject.
    ConfirmationId
}
id! {
    /// Names one mutation of a caller, so that a retry is recognised (AIP-155).
    RequestId
}
id! {
    /// Names one message to a phone.
    MessageId
}
