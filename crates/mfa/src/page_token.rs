//! Tokens of pages (AIP-158): where the next page goes on, and a MAC of it. A token grants nothing by
//! itself, but must not be one that somebody else was given.

use countersign_keyring::KeyUse;
use subtle::ConstantTimeEq;

use crate::{Error, Platform};

impl Platform {
    /// The token that goes on after a place in the list of this scope.
    pub(crate) fn page_token(&self, scope: &str, place: &str) -> String {
        let mac = self
            .keyring
            .mac(KeyUse::PageToken, format!("{scope}\n{place}").as_bytes());
        let mac: String = mac[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{place}.{mac}")
    }

    /// The place of a token.
    ///
    /// # Errors
    /// [`Error::PageTokenInvalid`] for a token that was not given for this scope.
    pub(crate) fn read_page_token<P>(
        &self,
        scope: &str,
        token: &str,
        read: impl Fn(&str) -> Option<P>,
    ) -> Result<P, Error> {
        token
            .rsplit_once('.')
            .map(|(place, _)| place)
            .filter(|place| {
                let right = self.page_token(scope, place);
                right.as_bytes().ct_eq(token.as_bytes()).into()
            })
            .and_then(read)
            .ok_or(Error::PageTokenInvalid)
    }
}
