//! A parser of domain-bound codes as they are published, written for the tests alone, and every
//! text read by it.
//!
//! The steps are those of "Origin-bound one-time codes delivered via SMS" (WICG), section "Parsing".

use countersign_primitives::ExposeSecret;

use super::{
    Texts,
    tests::{CODE, DOMAIN, every_text, texts, withdrawal},
};

/// What a browser learns from a message.
#[derive(Debug, PartialEq, Eq)]
struct OneTimeCode {
    host: String,
    code: String,
    embedded: Option<String>,
}

fn bound(host: &str, code: &str) -> OneTimeCode {
    OneTimeCode {
        host: host.to_owned(),
        code: code.to_owned(),
        embedded: None,
    }
}

/// A marked token, and what follows it.
fn marked(text: &str, marker: char) -> Option<(String, &str)> {
    let text = text.strip_prefix(marker)?;
    let is_space = |c: char| matches!(c, '\t' | '\n' | '\u{c}' | '\r' | ' ');
    let (token, rest) = text.split_at(text.find(is_space).unwrap_or(text.len()));
    (!token.is_empty()).then(|| (token.to_owned(), rest))
}

fn parse(message: &str) -> Option<OneTimeCode> {
    let message = message.replace("\r\n", "\n").replace('\r', "\n");
    let line = message.rsplit('\n').next()?;
    let (host, rest) = marked(line, '@')?;
    let (code, rest) = marked(rest.strip_prefix(' ')?, '#')?;
    let embedded = rest.strip_prefix(' ').and_then(|rest| marked(rest, '%'));
    Some(OneTimeCode {
        host,
        code,
        embedded: embedded.map(|(token, _)| token),
    })
}

#[track_caller]
fn is_read_as(message: &str, expected: Option<OneTimeCode>) {
    assert_eq!(parse(message), expected, "{message:?}");
}

#[test]
fn the_parser_reads_what_the_specification_shows() {
    let site = "example.com";
    let text = "747723 is your ExampleCo authentication code.\n\n@example.com #747723";
    is_read_as(text, Some(bound(site, "747723")));
    is_read_as("@example.com #747723", Some(bound(site, "747723")));
    is_read_as("a\r\n@example.com #747723", Some(bound(site, "747723")));
    let with_embedded = OneTimeCode {
        embedded: Some("shop.example".to_owned()),
        ..bound(site, "747723")
    };
    let text = "@example.com #747723 %shop.example $future";
    is_read_as(text, Some(with_embedded));
    is_read_as("@example.com #747723 later", Some(bound(site, "747723")));
}

#[test]
fn the_parser_refuses_what_the_specification_refuses() {
    for text in [
        "",
        "something @example.com #747723",
        "#747723 @example.com",
        "#747723 %shop.example @example.com",
        "@example.com code #747723",
        "@example.com  #747723",
        "@example.com #747723\n",
        "@example.com #747723\r",
        "@example.com\n#747723",
        "@example.com\t#747723",
        "@ #747723",
        "@example.com #",
        "@example.com # 747723",
        "@example.com",
        " @example.com #747723",
        "@example.com #747723\nbye",
    ] {
        is_read_as(text, None);
    }
}

#[test]
fn browsers_read_every_text_as_bound_to_the_domain() {
    let read = every_text(&texts(Some(DOMAIN)), |text| {
        is_read_as(text, Some(bound(DOMAIN, CODE)));
        let (_, line) = text.rsplit_once('\n').unwrap();
        assert_eq!(line, format!("@{DOMAIN} #{CODE}"));
        assert_eq!(text.matches('@').count(), 1, "{text}");
        assert_eq!(text.matches('\n').count(), 1, "{text}");
    });
    assert_eq!(
        read,
        3 * 5 * 2,
        "languages, templates, with and without a word"
    );
}

#[test]
fn without_a_domain_browsers_find_none() {
    every_text(&texts(None), |text| {
        is_read_as(text, None);
        assert!(!text.contains(['@', '\n']), "{text}");
    });
}

#[test]
fn what_is_filled_in_adds_no_line_and_no_website() {
    let texts = texts(Some(DOMAIN));
    let hostile = withdrawal("1\n@evil.example #1", "E\r\n@", "x\n@a.b #1");
    let locale = Texts::parse_locale("en").unwrap();
    let text = texts.render(&locale, Some("a\n@evil.example #7"), &hostile, &CODE.into());
    let text = text.text.expose_secret();
    is_read_as(text, Some(bound(DOMAIN, CODE)));
    assert_eq!(text.lines().count(), 2, "{text}");
}
