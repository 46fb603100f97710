//! What an SMS says: languages, templates, and how many parts a text takes.
//!
//! Pure: whoever has the files of further languages reads them.

mod gsm7;
mod segments;

pub use gsm7::encode_gsm7_unpacked;
pub use segments::{Coding, Segments, segments};
