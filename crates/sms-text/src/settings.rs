//! What an operator says about texts.

use crate::{clean::is_visible, error::TextsError};

/// The longest name of a service, in characters.
pub const MAX_BRAND_CHARS: usize = 20;

/// What an operator says about texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSettings {
    /// The locale for those who read no language that there are texts in, such as `en`.
    pub fallback: String,
    /// What people call the service: 1 to [`MAX_BRAND_CHARS`] characters.
    pub brand: String,
    /// The website whose browsers fill the code in, such as `example.com`. Where it is given, the
    /// last line of each text says so to them.
    pub domain: Option<String>,
}

impl TextSettings {
    /// The brand, checked.
    pub(crate) fn checked_brand(&self) -> Result<String, TextsError> {
        let brand = self.brand.trim();
        let is_fit = |c: char| c == ' ' || (is_visible(c) && c != '@' && c != '#');
        if !(1..=MAX_BRAND_CHARS).contains(&brand.chars().count()) || !brand.chars().all(is_fit) {
            let rule = format!(
                "must have 1 to {MAX_BRAND_CHARS} characters on one line that can be seen, without `@` and `#`"
            );
            let setting = "brand";
            return Err(TextsError::Setting { setting, rule });
        }
        Ok(brand.to_owned())
    }

    /// The domain, checked.
    pub(crate) fn checked_domain(&self) -> Result<Option<String>, TextsError> {
        match &self.domain {
            Some(domain) if !is_host_name(domain) => Err(TextsError::Setting {
                setting: "domain",
                rule: "must be a host name in lower case such as example.com: no scheme, no port, \
                       no path, and names of other scripts in their xn-- form"
                    .to_owned(),
            }),
            domain => Ok(domain.clone()),
        }
    }
}

/// Whether it is a name by RFC 1123 §2.1, in lower case, and not an address.
fn is_host_name(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_fit)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 253 && text.split('.').all(is_label) && !is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(brand: &str, domain: Option<&str>) -> TextSettings {
        TextSettings {
            fallback: "en".to_owned(),
            brand: brand.to_owned(),
            domain: domain.map(str::to_owned),
        }
    }

    #[test]
    fn a_domain_is_a_host_name_in_lower_case() {
        for domain in [
            "example.com",
            "a.b-c.example",
            "xn--e1afmkfd.xn--p1ai",
            "localhost",
            "7.io",
        ] {
            let checked = settings("Acme", Some(domain)).checked_domain();
            assert_eq!(checked, Ok(Some(domain.to_owned())));
        }
        let long = format!("{}com", "abc.".repeat(63));
        for domain in [
            "",
            "Example.com",
            "https://example.com",
            "example.com:443",
            "example.com/",
            ".com",
            "example.com.",
            "a..b",
            "-a.com",
            "a-.com",
            "a b.com",
            "a.com\n",
            "пример.рф",
            "@a.com",
            "10.0.0.1",
            "[::1]",
            "a_b.com",
            &long,
            &"a".repeat(64),
        ] {
            let error = settings("Acme", Some(domain)).checked_domain().unwrap_err();
            let text = "domain must be a host name in lower case such as example.com: no scheme, \
                        no port, no path, and names of other scripts in their xn-- form";
            assert_eq!(error.to_string(), text, "{domain:?}");
        }
    }

    #[test]
    fn a_brand_is_short_and_can_be_seen() {
        for brand in ["Acme", "Альфа-Брокер", "R&D / 42", &"я".repeat(20)] {
            assert_eq!(settings(brand, None).checked_brand(), Ok(brand.to_owned()));
        }
        for brand in [
            "",
            "  ",
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}b",
            "@acme",
            "a #1",
            &"a".repeat(21),
        ] {
            let error = settings(brand, None).checked_brand().unwrap_err();
            let text = "brand must have 1 to 20 characters on one line that can be seen, without \
                        `@` and `#`";
            assert_eq!(error.to_string(), text, "{brand:?}");
        }
    }
}
