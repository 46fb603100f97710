//! What a language's file may say, and what is said about one that is not right.

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource};

use super::*;

/// A file with this in place of one of its messages.
fn file_with(id: &str, message: &str) -> String {
    let line = |kind: MessageKind| match kind {
        _ if kind.id() == id => format!("{message}\n"),
        MessageKind::Withdrawal => {
            "withdrawal = { $amount } { $currency } { $destination } { $code }\n".to_owned()
        }
        _ => format!("{} = {{ $code }} for {{ $brand }}\n", kind.id()),
    };
    MessageKind::ALL.into_iter().map(line).collect()
}

/// That the file is refused with this text.
#[track_caller]
fn refused(content: &str, text: &str) {
    let error = Language::parse(content).unwrap_err().in_file("kk.ftl");
    assert_eq!(error.to_string(), text, "{content}");
}

/// That a file is refused which has this as its message for logins.
#[track_caller]
fn refused_login(message: &str, wrong: &str) {
    let text = format!("kk.ftl: message `login`: {wrong}");
    refused(&file_with("login", message), &text);
}

/// The same for withdrawals.
#[track_caller]
fn refused_withdrawal(pattern: &str, parameter: &str) {
    let file = file_with("withdrawal", &format!("withdrawal = {pattern}"));
    let text = format!(
        "kk.ftl: message `withdrawal`: must show {{ ${parameter} }} before {{ $code }}: amount, \
         currency and destination come first"
    );
    refused(&file, &text);
}

/// A message as the Fluent runtime shows it, with the names of parameters for their values.
fn as_the_runtime_shows(content: &str, kind: MessageKind) -> String {
    let resource = FluentResource::try_new(content.to_owned()).unwrap();
    let mut bundle = FluentBundle::new(vec!["en".parse().unwrap()]);
    bundle.set_use_isolating(false);
    bundle.add_resource(resource).unwrap();
    let mut arguments = FluentArgs::new();
    for parameter in kind.parameters() {
        arguments.set(parameter.name(), parameter.name());
    }
    let (message, mut errors) = (bundle.get_message(kind.id()).unwrap(), Vec::new());
    let text = bundle.format_pattern(message.value().unwrap(), Some(&arguments), &mut errors);
    assert!(errors.is_empty(), "{errors:?}");
    text.into_owned()
}

#[track_caller]
fn is_as_the_runtime_shows(content: &str) {
    let language = Language::parse(content).unwrap();
    for kind in MessageKind::ALL {
        let pieces = language.message(kind).pieces().iter();
        let ours: String = pieces
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Parameter(parameter) => parameter.name(),
            })
            .collect();
        assert_eq!(ours, as_the_runtime_shows(content, kind));
    }
}

#[test]
fn messages_come_down_to_what_the_fluent_runtime_shows() {
    is_as_the_runtime_shows(include_str!("../../texts/en.ftl"));
    is_as_the_runtime_shows(include_str!("../../texts/ru.ftl"));
    is_as_the_runtime_shows(include_str!("../texts/de.ftl"));
    for login in [
        "-end = never { \"{\" } tell { -us }\n-us = us \\u0041\nlogin = { $code }: { -end } end.",
        "login = {$code}, { { \"a\\u0041\\\\ \\\" b\" } }{\" \"}{ 12.50 } {$brand}  ",
        "login =\n    { $code } on the next line",
        "login = { settings-change }, as above",
    ] {
        is_as_the_runtime_shows(&file_with("login", login));
    }
}

#[test]
fn lines_may_end_as_on_windows_and_begin_with_a_mark() {
    let plain = file_with("", "");
    let other = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
    let (plain, other) = (Language::parse(&plain), Language::parse(&other));
    let (plain, other) = (plain.unwrap(), other.unwrap());
    for kind in MessageKind::ALL {
        assert_eq!(plain.message(kind), other.message(kind));
    }
}

#[test]
fn what_is_not_fluent_is_refused_with_its_line() {
    let wrong = |line: usize, reason: &str| {
        format!(
            "kk.ftl: line {line}: this is not Fluent: {reason}; a message is a line such as \
             `login = {{ $code }} is your code.`"
        )
    };
    refused(
        "login { $code }\n",
        &wrong(1, "expected a token starting with \"=\""),
    );
    let content = "# Kazakh\n\nlogin = { $code\n";
    refused(content, &wrong(4, "expected a token starting with \"}\""));
    let content = format!("{}\nthis is a note\n", file_with("", ""));
    refused(&content, &wrong(7, "expected a token starting with \"=\""));
    refused(
        "login = \"{ $code }\" }\n",
        &wrong(1, "unbalanced closing brace"),
    );
}

#[test]
fn every_message_is_there_once_and_no_other() {
    let all = "a file has the messages enrolment, login, withdrawal, settings-change, custom";
    refused(
        "",
        &format!("kk.ftl: there is no message `enrolment`: {all}"),
    );
    for kind in MessageKind::ALL {
        let id = kind.id();
        let missing = format!("kk.ftl: there is no message `{id}`: {all}");
        refused(&file_with(id, ""), &missing);
    }
    let unknown = format!(
        "kk.ftl: message `logn`: is unknown: {all}; words that several share are a term, such as `-logn`"
    );
    refused(&file_with("login", "logn = { $code }"), &unknown);
    refused_login(
        "login = { $code }\nlogin = { $code } again",
        "stands there twice: keep one",
    );
    refused(
        &file_with("login", "-a = a\n-a = b"),
        "kk.ftl: term `-a`: stands there twice: keep one",
    );
    refused_login(
        "login =\n    .label = x",
        "has no text of its own: write one",
    );
    refused_login(
        "login = { $code }\n    .label = x",
        "has attributes, which are shown nowhere: take them out",
    );
}

#[test]
fn the_code_is_shown_once_and_by_itself() {
    let times = |times| format!("must show {{ $code }} exactly once, and shows it {times} times");
    refused_login("login = your code", &times(0));
    refused_login("login = { $code } or { $code }", &times(2));
    refused_login("-a = no code\nlogin = { custom } { $code }", &times(2));
    let apart = "must set { $code } apart: a space or a mark stands before and after it";
    for pattern in [
        "1{ $code }",
        "{ $code }a",
        "{ $brand }{ $code }",
        "{ $code }{ $brand }",
    ] {
        refused_login(&format!("login = {pattern}"), apart);
    }
    Language::parse(&file_with("login", "login = ({ $code })")).unwrap();
}

#[test]
fn only_known_parameters_are_shown() {
    let known = "it may show { $code }, { $brand }";
    refused_login(
        "login = { $code } { $cod }",
        &format!("shows {{ $cod }}, which it has not: {known}"),
    );
    refused_login(
        "login = { $amount } { $code }",
        &format!("shows {{ $amount }}, which it has not: {known}"),
    );
    refused_login(
        "login = { withdrawal }",
        &format!("shows {{ $amount }}, which it has not: {known}"),
    );
    refused(
        &file_with("login", "-sender = from { $brand }"),
        "kk.ftl: term `-sender`: shows { $brand } in the term `-sender`: terms have no parameters; \
         show it in the message",
    );
}

#[test]
fn a_withdrawal_shows_what_it_is_before_the_code() {
    refused_withdrawal("{ $currency } { $destination } { $code }", "amount");
    refused_withdrawal("{ $amount } { $destination } { $code }", "currency");
    refused_withdrawal("{ $amount } { $currency } { $code }", "destination");
    refused_withdrawal(
        "{ $code } { $amount } { $currency } { $destination }",
        "amount",
    );
    refused_withdrawal(
        "{ $amount } { $currency } { $code } { $destination }",
        "destination",
    );
}

#[test]
fn references_lead_somewhere_and_end() {
    refused_login(
        "login = { $code } { -end }",
        "refers to `-end`, which is not in this file: write it there, or the words here",
    );
    refused_login(
        "login = { $code } { end }",
        "refers to `end`, which is not in this file: write it there, or the words here",
    );
    refused_login(
        "login = { $code } { login }",
        "refers to `login` within `login`, which never ends: write the words there",
    );
    refused(
        &file_with("login", "-a = { -b }\n-b = b { -a }"),
        "kk.ftl: term `-a`: refers to `-a` within `-a`, which never ends: write the words there",
    );
    let attribute = "refers to an attribute of `end` or gives it arguments: refer to its text, \
                     such as { -end }";
    refused_login("login = { $code } { -end(case: \"of\") }", attribute);
    refused_login("login = { $code } { end.label }", attribute);
}

#[test]
fn terms_within_terms_do_not_grow_without_end() {
    let double = |n: usize| format!("-a{n} = {{ -a{0} }}{{ -a{0} }}\n", n + 1);
    let doubling: String = (0..64).map(double).collect();
    let message = format!("{doubling}-a64 = ha");
    refused(
        &file_with("login", &message),
        "kk.ftl: term `-a0`: is longer than 2000 bytes: write a short text",
    );
    let message = format!("{doubling}-a64 = {{ \"\" }}");
    refused(
        &file_with("login", &message),
        "kk.ftl: term `-a0`: comes down to nothing: write its words",
    );
}

#[test]
fn there_is_nothing_to_choose_by_and_nothing_to_call() {
    refused_login(
        "login = { $code } { $brand ->\n    [one] a\n   *[other] b\n }",
        "chooses between variants, and there is nothing to choose by: parameters are ready texts; \
         write one text",
    );
    refused_login(
        "login = { NUMBER($code) }",
        "calls the function `NUMBER`, and there are none: parameters are ready texts",
    );
}

#[test]
fn a_text_is_one_line_of_what_can_be_seen() {
    let wrong = |code| {
        format!(
            "has the character U+{code}, a line break or another control: a text is one line of \
             characters that can be seen"
        )
    };
    refused_login("login = { $code } is\n    your code", &wrong("000A"));
    refused_login("login = { $code } {\"\\u000A\"}", &wrong("000A"));
    refused_login("login = { $code } \u{202e}x", &wrong("202E"));
    refused_login("login = { $code } {\"\\u2066\"}", &wrong("2066"));
    refused_login("login = { $code } \u{2028}x", &wrong("2028"));
}

#[test]
fn no_text_has_what_browsers_take_for_a_website() {
    let wrong =
        "has an `@`, which browsers take for the website that the code is for: write it without";
    refused_login("login = @example.com #123456 { $code }", wrong);
    refused_login(
        "-at = {\"\\u0040\"}\nlogin = { $code } { -at }evil.example",
        wrong,
    );
}
