//! A new authenticator, and what its owner's app needs to know of it.

use countersign_primitives::{SecretBytes, SecretString};
use rand::CryptoRng;
use thiserror::Error;
use totp_rs::{Builder, Secret, Totp};

use crate::state::{Algorithm, Authenticator, Digits, PERIOD, Step};

impl Authenticator {
    /// A new authenticator with a random seed: 160 bits and more.
    pub fn generate(
        algorithm: Algorithm,
        digits: Digits,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        let mut seed = vec![0; algorithm.seed_bytes()];
        rng.fill_bytes(&mut seed);
        Self::new(algorithm, digits, SecretBytes::new(seed))
    }

    /// The code that the app shows during `step`.
    pub fn code(&self, step: Step) -> SecretString {
        let shown = self.totp("", "").generate(step.seconds());
        SecretString::from(shown.to_string())
    }

    /// What an app must be told to show the codes of this authenticator.
    ///
    /// # Errors
    /// [`ProvisioningError`] when the names cannot stand in an `otpauth` URI.
    pub fn provisioning(
        &self,
        issuer: &str,
        account: &str,
    ) -> Result<Provisioning, ProvisioningError> {
        // A colon parts issuer and account in the label of the URI, so neither may hold one.
        let totp = self.totp(&issuer.replace(':', " "), &account.replace(':', " "));
        let uri = totp.to_url().map_err(|_| ProvisioningError)?;
        let qr_png = totp.to_qr_png().map_err(|_| ProvisioningError)?;
        let seed = data_encoding::BASE32_NOPAD.encode(self.seed.expose());
        Ok(Provisioning {
            secret_base32: SecretString::from(seed),
            otpauth_uri: SecretString::from(uri),
            qr_png: SecretBytes::new(qr_png),
        })
    }

    /// The library's form of this authenticator. It checks nothing here: lengths and digits are
    /// right by construction, and its own `check` cannot tell a replayed step from a new one.
    fn totp(&self, issuer: &str, account: &str) -> Totp {
        let algorithm = match self.algorithm {
            Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
            Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
            Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
        };
        Builder::new()
            .with_algorithm(algorithm)
            .with_digits(self.digits.count())
            .with_step_duration(PERIOD.as_secs())
            .with_secret(Secret::new(self.seed.expose().into()))
            .with_issuer((!issuer.is_empty()).then_some(issuer))
            .with_account_name(account)
            .build_noncompliant()
    }
}

/// What an authenticator app must be told, in the three forms that apps take. All three hold the
/// seed and are shown once.
#[derive(Clone, Debug)]
pub struct Provisioning {
    /// The seed in base32 without padding, for typing.
    pub secret_base32: SecretString,
    /// The `otpauth://totp/…` URI.
    pub otpauth_uri: SecretString,
    /// The URI as a QR code, a PNG picture.
    pub qr_png: SecretBytes,
}

/// The issuer or the account name cannot stand in an `otpauth` URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the issuer or account name is too long for a QR code")]
pub struct ProvisioningError;

#[cfg(test)]
mod tests {
    use countersign_primitives::ExposeSecret;

    use super::*;

    #[test]
    fn the_uri_has_the_form_that_apps_agree_on() {
        let seed = SecretBytes::new(b"12345678901234567890".to_vec());
        let authenticator = Authenticator::new(Algorithm::Sha1, Digits::Six, seed);
        let told = authenticator.provisioning("Broker: One", "anna").unwrap();
        assert_eq!(
            told.otpauth_uri.expose_secret(),
            "otpauth://totp/Broker%20%20One:anna?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Broker%20%20One"
        );
        assert_eq!(
            told.secret_base32.expose_secret(),
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        );
        assert!(told.qr_png.expose().starts_with(b"\x89PNG"));
    }

    #[test]
    fn nothing_of_the_seed_shows_in_debug() {
        let seed = SecretBytes::new(b"canary-canary-canary".to_vec());
        let authenticator = Authenticator::new(Algorithm::Sha1, Digits::Six, seed);
        let told = authenticator.provisioning("Broker", "anna").unwrap();
        let shown = format!("{authenticator:?} {told:?}");
        assert!(
            !shown.contains("canary") && !shown.contains("MNQW4YLSPE"),
            "{shown}"
        );
    }
}
