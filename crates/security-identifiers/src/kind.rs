//! Kinds of identifiers, and what they are switched on for.

use minicbor::{CborLen, Decode, Encode};

/// A kind of security identifier. The numbers are those of the wire; 4 (e-mail) and 5 (passkey) are
/// kept free for the kinds to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum Kind {
    /// An authenticator app (RFC 6238).
    #[n(2)]
    Totp,
    /// A phone number that codes are sent to.
    #[n(1)]
    Sms,
    /// A printed list of single-use codes.
    #[n(3)]
    BackupCodes,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Self; 3] = [Self::Totp, Self::Sms, Self::BackupCodes];

    /// The kind's name in stored rows and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Totp => "TOTP",
            Self::Sms => "SMS",
            Self::BackupCodes => "BACKUP_CODES",
        }
    }

    /// What an identifier of this kind is called until its owner names it.
    pub const fn default_label(self) -> &'static str {
        match self {
            Self::Totp => "Authenticator",
            Self::Sms => "SMS",
            Self::BackupCodes => "Backup codes",
        }
    }
}

/// What an identifier can be switched on for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum Purpose {
    /// Logging in.
    #[n(0)]
    Login,
    /// Confirming a withdrawal.
    #[n(1)]
    Withdrawal,
    /// Everything else. Settings changes count their failures here and need no switch.
    #[n(2)]
    Other,
}

impl Purpose {
    /// Every purpose there is.
    pub const ALL: [Self; 3] = [Self::Login, Self::Withdrawal, Self::Other];

    /// The purpose's name in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "LOGIN",
            Self::Withdrawal => "WITHDRAWAL",
            Self::Other => "OTHER",
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Login => 0,
            Self::Withdrawal => 1,
            Self::Other => 2,
        }
    }
}

/// A set of purposes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct PurposeSet(#[n(0)] u8);

impl PurposeSet {
    /// No purpose.
    pub const NONE: Self = Self(0);

    /// The purposes of the set, in their order.
    pub fn iter(self) -> impl Iterator<Item = Purpose> {
        Purpose::ALL
            .into_iter()
            .filter(move |purpose| self.contains(*purpose))
    }

    /// Whether the purpose is in the set.
    pub const fn contains(self, purpose: Purpose) -> bool {
        self.0 & (1 << purpose.index()) != 0
    }

    /// Whether no purpose is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The purposes of either set.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The purposes of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl FromIterator<Purpose> for PurposeSet {
    fn from_iter<I: IntoIterator<Item = Purpose>>(purposes: I) -> Self {
        purposes.into_iter().fold(Self::default(), |set, purpose| {
            Self(set.0 | 1 << purpose.index())
        })
    }
}

impl std::fmt::Debug for PurposeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
