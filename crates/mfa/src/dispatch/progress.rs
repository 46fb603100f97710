//! How far sending a message has come, kept with it between tries.

use minicbor::{CborLen, Decode, Encode};

use crate::ports::sms::{MessageState, ProviderName};

/// How far sending a message has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
pub(super) struct Progress {
    #[n(0)]
    tries: u32,
    /// Providers that will not take it.
    #[n(1)]
    refused: Vec<String>,
    /// The provider that may have it: it is given it once more, and nobody else is.
    #[n(2)]
    pinned: Option<String>,
}

impl Progress {
    /// What was kept; nothing where that cannot be read.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        minicbor::decode(bytes).unwrap_or_default()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        countersign_primitives::encode(self)
    }

    /// Notes a try that came to nothing, and tells how many came before it.
    pub(super) const fn count_try(&mut self) -> u32 {
        let before = self.tries;
        self.tries = before.saturating_add(1);
        before
    }

    pub(super) fn refuse(&mut self, provider: &ProviderName) {
        self.refused.push(provider.to_string());
    }

    pub(super) fn has_refused(&self, provider: &ProviderName) -> bool {
        self.refused
            .iter()
            .any(|refused| refused == provider.as_str())
    }

    /// Whether a message that this provider may have is given to it once more, where the connection
    /// was cut: once, so that no cut leads to more than one message too many.
    pub(super) fn may_repeat(&mut self, provider: &ProviderName) -> bool {
        let is_first = self.pinned.is_none();
        self.pinned.get_or_insert_with(|| provider.to_string());
        is_first
    }

    pub(super) fn pinned(&self) -> Option<&str> {
        self.pinned.as_deref()
    }

    /// What a message is that nobody is given any more, where nobody said that he has it.
    pub(super) const fn ending(&self) -> MessageState {
        match self.pinned {
            Some(_) => MessageState::Unknown,
            None => MessageState::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_repeated_once_and_by_the_provider_that_may_have_it() {
        let provider: ProviderName = "alpha".parse().unwrap();
        let mut progress = Progress::default();
        assert!(progress.may_repeat(&provider));
        let mut progress = Progress::decode(&progress.encode());
        assert_eq!(progress.pinned(), Some("alpha"));
        assert!(!progress.may_repeat(&provider));
    }

    #[test]
    fn whether_a_carrier_that_was_cut_off_has_it_stays_unknown() {
        let mut progress = Progress::default();
        assert_eq!(progress.ending(), MessageState::Failed);
        let provider: ProviderName = "alpha".parse().unwrap();
        assert!(progress.may_repeat(&provider));
        // Refused the second time, it may still have the first.
        progress.refuse(&provider);
        assert_eq!(progress.ending(), MessageState::Unknown);
    }

    #[test]
    fn what_cannot_be_read_is_a_beginning() {
        assert_eq!(Progress::decode(b"?"), Progress::default());
        assert_eq!(Progress::decode(b""), Progress::default());
    }
}
