//! Where randomness comes from.

use rand::{SeedableRng, rngs::StdRng, rngs::SysRng};

/// A source of generators for secrets, ids and nonces. Only tests have one that can be foretold.
pub trait Entropy: Send + Sync {
    /// A generator of its own for one request.
    ///
    /// # Errors
    /// [`EntropyError`] when the operating system gives no randomness.
    fn generator(&self) -> Result<StdRng, EntropyError>;
}

/// The operating system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct EntropyError;

/// The operating system's generator, by way of a ChaCha generator seeded from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn generator(&self) -> Result<StdRng, EntropyError> {
        StdRng::try_from_rng(&mut SysRng).map_err(|_| EntropyError)
    }
}
