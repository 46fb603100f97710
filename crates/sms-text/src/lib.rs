//! What an SMS says: languages, templates, and how many parts a text takes.
//!
//! Pure: whoever has the files of further languages reads them.

mod clean;
mod error;
mod fill;
mod gsm7;
mod language;
mod locale;
mod segments;
mod settings;
mod template;
mod texts;
mod word;

pub use error::{Place, TextsError};
pub use fill::{MAX_PARTS, Text};
pub use gsm7::encode_gsm7_unpacked;
pub use locale::{Locale, LocaleError};
pub use segments::{Coding, Segments, segments};
pub use settings::{MAX_BRAND_CHARS, TextSettings};
pub use template::Template;
pub use texts::Texts;
pub use word::{MAX_WORD_CHARS, Word, WordError, parse_word};
