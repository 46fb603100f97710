//! Placeholders, escaped for where they stand.

use super::*;
use crate::testing::message;

fn secrets() -> Secrets {
    Secrets::from([("token".to_owned(), SecretString::from("s3cr\"t&"))])
}

fn parse(text: &str) -> Checked<Template> {
    Template::parse(text, &secrets(), &Place::provider("alpha").key("json"))
}

fn fill(text: &str, escape: fn(&str) -> String) -> String {
    let message = message(1);
    parse(text).unwrap().fill(&Values::of(&message), escape)
}

#[test]
fn each_placeholder_is_filled_in() {
    let id = message(1).id;
    let all =
        "{number} {number_digits} {text} {id} {validity_seconds} {validity_hh_mm} {secret:token}";
    assert_eq!(
        fill(all, as_is),
        format!("+79123456789 79123456789 Ваш код: 123456 {id} 290 00:04 s3cr\"t&")
    );
}

#[test]
fn a_validity_is_never_nothing_and_never_longer_than_it_is() {
    let mut message = message(1);
    for (seconds, shown) in [
        (0, "1 00:01"),
        (59, "59 00:01"),
        (119, "119 00:01"),
        (3660, "3660 01:01"),
    ] {
        message.validity = Duration::from_secs(seconds);
        let template = parse("{validity_seconds} {validity_hh_mm}").unwrap();
        assert_eq!(template.fill(&Values::of(&message), as_is), shown);
    }
}

#[test]
fn braces_that_name_nothing_are_themselves() {
    for text in [
        "{}",
        "{ \"a\": {} }",
        "{\"to\": 1}",
        "}{",
        "{1}",
        "{",
        "{{{",
        "{a b}",
    ] {
        assert_eq!(fill(text, as_is), text);
    }
    assert_eq!(fill("{{id}}", as_is), format!("{{{}}}", message(1).id));
}

#[test]
fn what_fills_a_placeholder_is_escaped_and_what_stands_there_is_not() {
    let mut quoted = message(1);
    quoted.text = SecretString::from("a \"b\" \\ c\n\u{1}{id}");
    let template = parse("{\"t\": \"{text}\"}").unwrap();
    let json = template.fill(&Values::of(&quoted), in_json);
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["t"], quoted.text.expose_secret());

    assert_eq!(in_url("+7 a/b?c#d&é~"), "%2B7%20a%2Fb%3Fc%23d%26%C3%A9~");
    assert_eq!(fill("/to/{number}", in_url), "/to/%2B79123456789");
}

#[test]
fn a_placeholder_that_there_is_not_is_refused_with_those_that_there_are() {
    assert_eq!(
        parse("{\"to\": \"{phone}\"}").unwrap_err(),
        "sms.providers.alpha.json has the placeholder {phone}; there are number, number_digits, \
         text, id, validity_seconds, validity_hh_mm, secret:<name>"
    );
    assert_eq!(
        parse("{secret:tokn}").unwrap_err(),
        "sms.providers.alpha.json uses the secret \"tokn\", which secrets does not name"
    );
}

#[test]
fn a_template_shows_no_secret() {
    let shown = format!("{:?}", parse("Bearer {secret:token}").unwrap());
    assert_eq!(shown, "[template]");
}
