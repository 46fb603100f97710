//! What a key file may say.

use countersign_primitives::ExposeSecret;
use rand::{SeedableRng, rngs::StdRng};

use super::*;

fn file() -> String {
    let mut rng = StdRng::seed_from_u64(7);
    generate_file(&mut rng).expose_secret().to_owned()
}

#[test]
fn a_generated_file_has_one_key_for_each_use() {
    let keyring = parse_file(&file()).unwrap();
    let uses: Vec<&str> = keyring.checks().iter().map(|check| check.usage).collect();
    assert_eq!(uses, ["seal", "request-mac", "page-token", "number-index"]);
}

#[test]
fn check_values_differ_between_files() {
    let mut rng = StdRng::seed_from_u64(8);
    let other = parse_file(generate_file(&mut rng).expose_secret()).unwrap();
    assert_ne!(parse_file(&file()).unwrap().checks(), other.checks());
}

#[test]
fn a_broken_file_is_refused_with_the_entry_named() {
    let text = file();
    let cases = [
        (text.replace("format = 1", "format = 2"), "format 2"),
        (
            text.replace("use = \"seal\"", "use = \"sea\""),
            "key 1: `use`",
        ),
        (
            text.replacen("secret = \"", "secret = \"!", 1),
            "key 1: `secret`",
        ),
        (text.replacen("id = \"", "id = \"x", 1), "key 1: `id`"),
        (
            text.replace("use = \"page-token\"", "use = \"seal\""),
            "`page-token`",
        ),
        (format!("{text}\ncolour = 1"), "line 26"),
        (text.replace("format = 1", ""), "line 1"),
    ];
    for (broken, expected) in cases {
        let error = parse_file(&broken).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let second = text[text.find("[[key]]").unwrap()..].to_owned();
    let error = parse_file(&format!("{text}\n{second}")).unwrap_err();
    assert_eq!(error, KeyFileError::Twice { number: 5 });
}

#[test]
fn no_error_quotes_a_secret() {
    let canary = "Y2FuYXJ5Y2FuYXJ5";
    let broken = [
        file().replacen("secret = \"", &format!("secret = {canary}\""), 1),
        file().replacen("secret = \"", &format!("\"{canary}\" = \""), 1),
        file().replace("format = 1", &format!("format = \"{canary}\"")),
        format!("format = 1\nkey = \"{canary}\""),
    ];
    for text in broken {
        let error = parse_file(&text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(canary), "{error}");
    }
}
