//! Whether a report is the provider's.

use axum::http::{HeaderMap, HeaderName};
use countersign_primitives::{ExposeSecret as _, SecretString, Timestamp};
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// How old a report may be that says when it was made, and how far its clock may be ahead.
pub(super) const FRESH: Duration = Duration::from_secs(300);

/// How the reports of a provider are signed.
pub(super) enum Check {
    /// HMAC-SHA256 over the time, a separator and the body, in hexadecimal digits.
    Signed {
        secret: SecretString,
        signature: HeaderName,
        timestamp: HeaderName,
        separator: String,
    },
    /// As Twilio does: HMAC-SHA1 over the address and the sorted fields, in base 64.
    Twilio { token: SecretString, url: String },
    /// As SMSC does: the field `sha1` is the SHA-1 of `id:phone:status:secret`.
    Smsc { secret: SecretString },
}

/// Why a report is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Forged,
    Late,
}

impl Check {
    /// The signature, by which a repetition is known.
    pub(super) fn signature(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Signed {
                secret,
                signature,
                timestamp,
                separator,
            } => {
                let made_at = text(headers, timestamp)?;
                let signed = text(headers, signature)?;
                let parts = [made_at.as_bytes(), separator.as_bytes(), body];
                let right = hmac_sha256(secret, &parts)?;
                let signed = HEXLOWER_PERMISSIVE.decode(signed.as_bytes());
                let signature = equal(&right, &signed.map_err(|_| Fault::Forged)?)?;
                is_fresh(made_at, now)
                    .then_some(signature)
                    .ok_or(Fault::Late)
            }
            Self::Twilio { token, url } => {
                let signed = text(headers, &TWILIO)?;
                let signed = BASE64.decode(signed.as_bytes());
                let right = twilio(token, url, body)?;
                equal(&right, &signed.map_err(|_| Fault::Forged)?)
            }
            Self::Smsc { secret } => {
                let field = |name: &str| {
                    let mut fields = form_urlencoded::parse(body);
                    let found = fields.find(|(key, _)| key == name);
                    found.map(|(_, value)| value.into_owned())
                };
                let (id, phone, status, signed) =
                    match (field("id"), field("phone"), field("status"), field("sha1")) {
                        (Some(id), Some(phone), Some(status), Some(signed)) => {
                            (id, phone, status, signed)
                        }
                        _ => return Err(Fault::Forged),
                    };
                let mut right = Sha1::new();
                for part in [&id, ":", &phone, ":", &status, ":", secret.expose_secret()] {
                    right.update(part.as_bytes());
                }
                let signed = HEXLOWER_PERMISSIVE.decode(signed.as_bytes());
                equal(&right.finalize(), &signed.map_err(|_| Fault::Forged)?)
            }
        }
    }
}

/// The header that Twilio's signature is in.
const TWILIO: HeaderName = HeaderName::from_static("x-twilio-signature");

/// What Twilio signs a form with that it sends to this address.
fn twilio(token: &SecretString, url: &str, body: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut fields: Vec<_> = form_urlencoded::parse(body).collect();
    fields.sort();
    let key = token.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha1>::new_from_slice(key).map_err(|_| Fault::Forged)?;
    mac.update(url.as_bytes());
    for (name, value) in fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    Ok(mac.finalize().into_bytes().to_vec())
}

fn hmac_sha256(secret: &SecretString, parts: &[&[u8]]) -> Result<Vec<u8>, Fault> {
    let key = secret.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Fault::Forged)?;
    for part in parts {
        mac.update(part);
    }
    Ok(mac.finalize().into_bytes().to_vec())
}

fn equal(right: &[u8], given: &[u8]) -> Result<Vec<u8>, Fault> {
    if bool::from(right.ct_eq(given)) {
        Ok(given.to_vec())
    } else {
        Err(Fault::Forged)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Fault> {
    let value = headers.get(name).ok_or(Fault::Forged)?;
    value.to_str().map_err(|_| Fault::Forged)
}

fn is_fresh(made_at: &str, now: Timestamp) -> bool {
    let Some(millis) = made_at
        .parse::<i64>()
        .ok()
        .and_then(|at| at.checked_mul(1000))
    else {
        return false;
    };
    let made_at = Timestamp::from_millis(millis);
    made_at.until(now) <= FRESH && now.until(made_at) <= FRESH
}

#[cfg(test)]
mod tests;
