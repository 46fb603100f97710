//! What is kept of a challenge.

use countersign_primitives::{Digest, IdentifierId, MessageId, SecretBytes, SubjectId, Timestamp};
use minicbor::{CborLen, Decode, Encode};

/// What a challenge is for: the 16 bytes of the confirmation's id, or of the identifier's that is
/// being enrolled.
pub type TargetId = [u8; 16];

/// A code that was sent. It is good for one target and one identifier, until it dies. Its digits
/// are made from it anew each time, and are stored nowhere.
#[derive(Clone, Debug, Encode, Decode, CborLen)]
pub struct Challenge {
    /// Random bytes that no other challenge has: to be sealed.
    #[n(0)]
    pub(crate) nonce: SecretBytes,
    /// Whose number it was sent to.
    #[n(1)]
    pub identifier: IdentifierId,
    /// When it was made.
    #[n(2)]
    pub issued_at: Timestamp,
    /// When it dies, however often it is sent until then.
    #[n(3)]
    pub expires_at: Timestamp,
    /// The message that it was last sent with.
    #[n(4)]
    pub message: MessageId,
}

/// Everything that a code is bound to beside its challenge.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// Whose it is.
    pub subject: &'a SubjectId,
    /// What it is for.
    pub target: TargetId,
    /// The number that it is sent to, in the form of E.164.
    pub number: &'a str,
    /// The purpose: a fixed word for each.
    pub purpose: &'a str,
    /// The digest of the operation; none for an enrolment.
    pub operation: Option<Digest>,
}
