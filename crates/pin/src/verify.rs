//! Checking a PIN.

use countersign_primitives::Hash;

use crate::state::Pin;

/// What checking a PIN led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The PIN is right.
    Accepted,
    /// The PIN is not accepted.
    Rejected(Rejection),
}

/// Why a PIN was not accepted. For the event log only: callers see one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// There is no PIN.
    NotSet,
    /// Another PIN is set.
    Wrong,
}

/// Compares the hash of what was typed, at the salt and cost of `pin`, with what is kept. Where
/// there is no PIN, the caller has run a hash all the same, so that both answers cost the same.
pub fn verify(pin: Option<&Pin>, typed: &Hash) -> Verdict {
    match pin {
        None => Verdict::Rejected(Rejection::NotSet),
        Some(pin) if pin.hash.matches(typed) => Verdict::Accepted,
        Some(_) => Verdict::Rejected(Rejection::Wrong),
    }
}

#[cfg(test)]
mod tests {
    use countersign_primitives::{HashCost, HashMemory, Salt};

    use super::*;

    #[test]
    fn only_the_pin_itself_is_accepted() {
        let cost = HashCost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        };
        let mut memory = HashMemory::default();
        let mut hash = |typed: &[u8]| memory.run(typed, &Salt::DUMMY, cost).unwrap();
        let pin = Pin {
            salt: Salt::DUMMY,
            cost,
            hash: hash(b"850374"),
        };
        assert_eq!(verify(Some(&pin), &hash(b"850374")), Verdict::Accepted);
        let wrong = Verdict::Rejected(Rejection::Wrong);
        assert_eq!(verify(Some(&pin), &hash(b"850375")), wrong);
        let none = Verdict::Rejected(Rejection::NotSet);
        assert_eq!(verify(None, &hash(b"850374")), none);
    }
}
