//! Parts against limits that are written out, and against a reference that knows units only.

use proptest::prelude::*;

use super::*;
use crate::encode_gsm7_unpacked;

/// The parts of a text as units of its coding.
fn encoded(text: &str) -> (Coding, Vec<Vec<u16>>) {
    let Segments { coding, parts } = segments(text);
    let encode = |part: Range<usize>| units(coding, &text[part]);
    (coding, parts.into_iter().map(encode).collect())
}

fn units(coding: Coding, text: &str) -> Vec<u16> {
    match coding {
        Coding::Gsm7 => {
            let bytes = encode_gsm7_unpacked(text).unwrap();
            bytes.into_iter().map(u16::from).collect()
        }
        Coding::Ucs2 => text.encode_utf16().collect(),
    }
}

/// The same by force: encodes the whole, and tries for each part every end from the furthest one
/// down until it is not within a character.
fn reference(text: &str) -> (Coding, Vec<Vec<u16>>) {
    let (coding, alone, most) = match encode_gsm7_unpacked(text) {
        Some(_) => (Coding::Gsm7, 160, 153),
        None => (Coding::Ucs2, 70, 67),
    };
    let mut rest = units(coding, text);
    if rest.len() <= alone {
        return (coding, vec![rest]);
    }
    let begins_pair = |unit: u16| match coding {
        Coding::Gsm7 => unit == 0x1b,
        Coding::Ucs2 => (0xd800..0xdc00).contains(&unit),
    };
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let furthest = most.min(rest.len());
        let end = (1..=furthest).rev().find(|end| !begins_pair(rest[end - 1]));
        parts.push(rest.drain(..end.unwrap()).collect());
    }
    (coding, parts)
}

/// How many units each part of the text takes.
fn lengths(text: &str) -> Vec<usize> {
    encoded(text).1.iter().map(Vec::len).collect()
}

#[test]
fn a_hundred_and_sixty_septets_are_one_part_and_one_more_is_two() {
    assert_eq!(lengths(&"a".repeat(160)), [160]);
    assert_eq!(lengths(&"a".repeat(161)), [153, 8]);
    assert_eq!(lengths(&"a".repeat(306)), [153, 153]);
    assert_eq!(lengths(&"a".repeat(307)), [153, 153, 1]);
}

#[test]
fn seventy_units_are_one_part_and_one_more_is_two() {
    assert_eq!(lengths(&"я".repeat(70)), [70]);
    assert_eq!(lengths(&"я".repeat(71)), [67, 4]);
    assert_eq!(lengths(&"я".repeat(134)), [67, 67]);
    assert_eq!(lengths(&"я".repeat(135)), [67, 67, 1]);
}

#[test]
fn an_extension_character_counts_twice_and_is_never_cut() {
    assert_eq!(lengths(&"€".repeat(80)), [160]);
    assert_eq!(lengths(&"€".repeat(81)), [152, 10]);
    let at_the_end = |before| format!("{}[{}", "a".repeat(before), "a".repeat(20));
    assert_eq!(lengths(&at_the_end(151)), [153, 20]);
    assert_eq!(lengths(&at_the_end(152)), [152, 22]);
    assert_eq!(lengths(&at_the_end(153)), [153, 22]);
}

#[test]
fn an_emoji_counts_twice_and_is_never_cut() {
    assert_eq!(lengths(&"😀".repeat(35)), [70]);
    assert_eq!(lengths(&"😀".repeat(36)), [66, 6]);
    let at_the_end = |before| format!("{}😀{}", "я".repeat(before), "я".repeat(20));
    assert_eq!(lengths(&at_the_end(65)), [67, 20]);
    assert_eq!(lengths(&at_the_end(66)), [66, 22]);
    assert_eq!(lengths(&at_the_end(67)), [67, 22]);
}

#[test]
fn one_character_outside_the_alphabet_changes_the_coding_of_the_whole() {
    let plain = "a".repeat(150);
    assert_eq!(encoded(&plain).0, Coding::Gsm7);
    assert_eq!(encoded(&format!("{plain}…")).0, Coding::Ucs2);
    assert_eq!(lengths(&format!("{plain}…")), [67, 67, 17]);
}

#[test]
fn an_empty_text_is_one_empty_part() {
    assert_eq!(encoded(""), (Coding::Gsm7, vec![vec![]]));
}

/// Texts that are one coding or the other, with pairs anywhere, and as long as limits are.
fn texts() -> impl Strategy<Value = String> {
    let gsm = "[a-zA-Z0-9 @\n\\[\\]{}~|^€\\\\]{0,340}";
    let mostly_pairs = "[a€\\[]{140,320}";
    let ucs = "[a-zа-я€\\[…😀🇷]{0,220}";
    let mostly_emoji = "[я😀]{30,150}";
    prop_oneof![gsm, mostly_pairs, ucs, mostly_emoji, ".{0,200}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn parts_are_those_of_the_reference(text in texts()) {
        prop_assert_eq!(encoded(&text), reference(&text));
    }

    #[test]
    fn parts_are_the_text_in_its_order_without_gaps(text in texts()) {
        let parts = segments(&text).parts;
        let joined: String = parts.iter().map(|part| &text[part.clone()]).collect();
        prop_assert_eq!(joined, text);
    }
}
