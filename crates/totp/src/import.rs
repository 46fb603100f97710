//! Authenticators taken over from another system.
//!
//! No error here repeats what it refuses: a field may hold the seed by mistake.

use std::str::FromStr;

use countersign_primitives::{Digester, ExposeSecret, SecretBytes, SecretString};
use subtle::ConstantTimeEq;
use thiserror::Error;
use totp_rs::{Totp, TotpError};

use crate::state::{Algorithm, Authenticator, Digits, PERIOD};

/// The shortest seed: 128 bits (RFC 4226 §4, R6).
const LEAST_SEED_BYTES: usize = 16;
/// The longest seed: the block of SHA-512. HMAC makes a digest of a longer one, and every subject's
/// row has to hold it.
const MOST_SEED_BYTES: usize = 128;
/// What stands for the secret while the rest of a URI is read: 128 bits.
const PLACEHOLDER: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAA";

/// An authenticator as an `otpauth` URI has it.
#[derive(Clone, Debug)]
pub struct FromUri {
    /// The authenticator.
    pub authenticator: Authenticator,
    /// Who issued it, where the URI says so.
    pub issuer: Option<String>,
    /// The account's name with the issuer; may be empty.
    pub account: String,
}

/// Why an authenticator is not taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ImportError {
    /// Not an `otpauth` URI.
    #[error("it is no `otpauth` URI, or not a well-formed one")]
    Uri,
    /// Codes that are counted, or another scheme's.
    #[error("its codes are not those of RFC 6238: the URI must begin with `otpauth://totp/`")]
    NotTimeBased,
    /// Two issuers in one URI.
    #[error("the issuer before the account's name is another one than the parameter `issuer`")]
    IssuerMismatch,
    /// No seed, or two.
    #[error("it must have one secret")]
    Secret,
    /// A seed that cannot be read.
    #[error("the secret is not base32")]
    SecretMalformed,
    /// A seed that can be guessed.
    #[error("the secret has fewer than 128 bits")]
    SecretTooShort,
    /// A seed longer than any app's.
    #[error("the secret has more than 1024 bits")]
    SecretTooLong,
    /// A hash that no app knows.
    #[error("the algorithm must be SHA1, SHA256 or SHA512")]
    Algorithm,
    /// Codes of another length.
    #[error("a code must have 6 or 8 digits")]
    Digits,
    /// Codes that change faster or slower.
    #[error("the period must be 30 seconds")]
    Period,
}

impl Authenticator {
    /// The authenticator that an `otpauth` URI is about
    /// (<https://github.com/google/google-authenticator/wiki/Key-Uri-Format>).
    ///
    /// # Errors
    /// [`ImportError`] says which rule the URI breaks.
    pub fn from_otpauth(uri: &str) -> Result<FromUri, ImportError> {
        let (rest, secret) = without_secret(uri)?;
        let totp = Totp::from_url_unchecked(rest).map_err(|error| ImportError::of(&error))?;
        if totp.step() != PERIOD.as_secs() {
            return Err(ImportError::Period);
        }
        let algorithm = totp.algorithm().as_str().parse()?;
        let digits = Digits::try_from(totp.digits())?;
        let issuer = totp.issuer().map(str::trim);
        Ok(FromUri {
            authenticator: Self::from_base32(secret.expose_secret(), algorithm, digits)?,
            issuer: issuer.filter(|name| !name.is_empty()).map(str::to_owned),
            account: totp.account_name().trim().to_owned(),
        })
    }

    /// The authenticator with this seed, as people type and programs write it: lower case, spaces,
    /// dashes and padding are forgiven.
    ///
    /// # Errors
    /// [`ImportError`] where the seed cannot be read, or is too short or too long.
    pub fn from_base32(
        secret: &str,
        algorithm: Algorithm,
        digits: Digits,
    ) -> Result<Self, ImportError> {
        let seed = seed_of_base32(secret).ok_or(ImportError::SecretMalformed)?;
        match seed.expose().len() {
            ..LEAST_SEED_BYTES => Err(ImportError::SecretTooShort),
            LEAST_SEED_BYTES..=MOST_SEED_BYTES => Ok(Self::new(algorithm, digits, seed)),
            _ => Err(ImportError::SecretTooLong),
        }
    }

    /// Whether another authenticator shows the same codes but for their length, in constant time.
    pub fn is_same_seed(&self, other: &Self) -> bool {
        self.seed_digest().ct_eq(&other.seed_digest()).into()
    }

    /// A digest of the seed. HMAC fills a key up with zeros (RFC 2104 §2), so those at the end make
    /// no difference.
    pub fn seed_digest(&self) -> [u8; 32] {
        let seed = self.seed.expose();
        let end = seed.iter().rposition(|byte| *byte != 0);
        let seed = &seed[..end.map_or(0, |last| last + 1)];
        *Digester::new("countersign.totp-seed.v1")
            .bytes(seed)
            .finish()
            .as_bytes()
    }
}

impl FromStr for Algorithm {
    type Err = ImportError;

    /// Reads `SHA1`, `sha-256` and the like.
    fn from_str(name: &str) -> Result<Self, ImportError> {
        match name.to_ascii_uppercase().as_str() {
            "SHA1" | "SHA-1" => Ok(Self::Sha1),
            "SHA256" | "SHA-256" => Ok(Self::Sha256),
            "SHA512" | "SHA-512" => Ok(Self::Sha512),
            _ => Err(ImportError::Algorithm),
        }
    }
}

impl TryFrom<u8> for Digits {
    type Error = ImportError;

    fn try_from(count: u8) -> Result<Self, ImportError> {
        [Self::Six, Self::Eight]
            .into_iter()
            .find(|digits| digits.count() == count)
            .ok_or(ImportError::Digits)
    }
}

impl FromStr for Digits {
    type Err = ImportError;

    fn from_str(count: &str) -> Result<Self, ImportError> {
        let count: u8 = count.parse().map_err(|_| ImportError::Digits)?;
        Self::try_from(count)
    }
}

impl ImportError {
    /// Why the library does not read a URI. Its own words repeat the field.
    const fn of(error: &TotpError) -> Self {
        match error {
            TotpError::InvalidHost { .. } => Self::NotTimeBased,
            TotpError::InvalidAlgorithm { .. } => Self::Algorithm,
            TotpError::InvalidDigits { .. } | TotpError::DigitsParse { .. } => Self::Digits,
            TotpError::InvalidStepZero | TotpError::StepParse { .. } => Self::Period,
            TotpError::IssuerMismatch { .. } => Self::IssuerMismatch,
            _ => Self::Uri,
        }
    }
}

/// That codes change every 30 seconds: the period as a text of seconds.
///
/// # Errors
/// [`ImportError::Period`].
pub fn require_period(seconds: &str) -> Result<(), ImportError> {
    match seconds.parse::<u64>() {
        Ok(seconds) if seconds == PERIOD.as_secs() => Ok(()),
        _ => Err(ImportError::Period),
    }
}

/// A URI with another secret in it, and its own one: the library would leave copies of it about.
fn without_secret(uri: &str) -> Result<(String, SecretString), ImportError> {
    let (path, query) = uri.split_once('?').ok_or(ImportError::Secret)?;
    let (query, _) = query.split_once('#').unwrap_or((query, ""));
    let secrets = query
        .split('&')
        .filter_map(|pair| match pair.split_once('=') {
            Some(("secret", secret)) => Some((pair, secret)),
            Some(_) | None => None,
        });
    let [(pair, secret)] = secrets.collect::<Vec<_>>()[..] else {
        return Err(ImportError::Secret);
    };
    let rest = query.replace(pair, &format!("secret={PLACEHOLDER}"));
    // What is forgiven in a secret, as it is written in a URI.
    let secret = ["%20", "+", "%3D", "%3d"]
        .iter()
        .fold(SecretString::from(secret), |secret, escaped| {
            SecretString::from(secret.expose_secret().replace(escaped, ""))
        });
    Ok((format!("{path}?{rest}"), secret))
}

/// The bytes of a text in base32 (RFC 4648 §6). Bits after the last whole byte are passed over, as
/// apps do: not every system that drew a secret as letters drew a whole number of bytes.
fn seed_of_base32(text: &str) -> Option<SecretBytes> {
    let text = text.trim_end_matches([' ', '=']);
    let mut seed = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u16, 0);
    for character in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
        let value = match character.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u16::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            let [_, byte] = (bits >> count).to_be_bytes();
            seed.push(byte);
        }
    }
    Some(SecretBytes::new(seed))
}

#[cfg(test)]
mod tests;
