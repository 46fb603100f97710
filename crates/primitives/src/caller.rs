//! Names of callers: what a policy and a request may say.

/// The longest caller name, in bytes: what a SPIFFE id may have at most.
pub const MAX_CALLER_BYTES: usize = 2048;

/// Whether a caller can have this name: 1 to [`MAX_CALLER_BYTES`] characters of those that a URI
/// without query and fragment has.
pub fn is_caller_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~:/@%+".contains(&byte);
    (1..=MAX_CALLER_BYTES).contains(&name.len()) && name.bytes().all(is_fit)
}
