//! Which codes are accepted, however they are typed.

use countersign_primitives::{ExposeSecret, HashCost, HashMemory, Salt};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::{NewCode, new_codes};

const CHEAP: HashCost = HashCost {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};

fn hash(plain: &SecretString) -> Hash {
    let secret = plain.expose_secret().as_bytes();
    HashMemory::default()
        .run(secret, &Salt::DUMMY, CHEAP)
        .unwrap()
}

fn printed_list(count: usize) -> (CodeList, Vec<NewCode>) {
    let codes = new_codes(count, &mut StdRng::seed_from_u64(3));
    let list = CodeList {
        salt: Salt::DUMMY,
        cost: CHEAP,
        hashes: codes.iter().map(|code| hash(code.plain())).collect(),
    };
    (list, codes)
}

fn check(list: &CodeList, used: UsedCodes, typed: &str) -> Verdict {
    let typed = Typed::new(typed);
    verify(list, used, &typed, &hash(typed.plain()))
}

#[test]
fn every_code_is_accepted_once() {
    let (list, codes) = printed_list(32);
    let mut used = UsedCodes::default();
    for (place, code) in codes.iter().enumerate() {
        let printed = code.printed();
        assert_eq!(list.left(used, None), 32 - place);
        let Verdict::Accepted(position) = check(&list, used, printed.expose_secret()) else {
            panic!("code {place} is rejected");
        };
        used.spend(position);
        let again = check(&list, used, printed.expose_secret());
        assert_eq!(again, Verdict::Rejected(Rejection::Used));
    }
    assert_eq!(list.left(used, None), 0);
}

#[test]
fn a_held_code_is_not_left() {
    let (list, codes) = printed_list(3);
    let used = UsedCodes::default();
    let Verdict::Accepted(held) = check(&list, used, codes[1].plain().expose_secret()) else {
        panic!("a right code is rejected");
    };
    assert_eq!(list.left(used, Some(held)), 2);
}

#[test]
fn a_list_that_was_cleared_accepts_nothing() {
    let (mut list, codes) = printed_list(2);
    list.clear();
    let verdict = check(
        &list,
        UsedCodes::default(),
        codes[0].plain().expose_secret(),
    );
    assert_eq!(verdict, Verdict::Rejected(Rejection::Wrong));
}

/// There would be no place to remember that they are used.
#[test]
fn codes_beyond_the_most_are_none() {
    let (list, codes) = printed_list(33);
    assert_eq!(list.left(UsedCodes::default(), None), 32);
    let last = codes[32].plain().expose_secret();
    let verdict = check(&list, UsedCodes::default(), last);
    assert_eq!(verdict, Verdict::Rejected(Rejection::Wrong));
}

#[test]
fn what_has_not_the_form_of_a_code_is_malformed() {
    let (list, codes) = printed_list(2);
    let plain = codes[0].plain().expose_secret();
    let longer = format!("{plain}0");
    let u_for_v = format!("U{}", &plain[1..]);
    for typed in ["", "-", &plain[1..], &longer, &u_for_v, "пятнадцать букв"] {
        let verdict = check(&list, UsedCodes::default(), typed);
        assert_eq!(verdict, Verdict::Rejected(Rejection::Malformed), "{typed}");
    }
}

/// A code as somebody might type it: its plain form, and one that is forgiven.
fn spelling() -> impl Strategy<Value = (String, String)> {
    let seed = any::<u64>();
    let styles = proptest::collection::vec((any::<bool>(), 0..3_usize, 0..8_usize), LENGTH);
    (seed, styles).prop_map(|(seed, styles)| {
        let code = new_codes(1, &mut StdRng::seed_from_u64(seed)).remove(0);
        let plain = code.plain().expose_secret().to_owned();
        let between = ["", "", "", "-", " ", "\u{2013}", "\u{a0}", " - "];
        let typed = plain
            .chars()
            .zip(styles)
            .map(|(character, (is_small, look, gap))| {
                let looks = match character {
                    '0' => ['0', 'O', 'O'],
                    '1' => ['1', 'I', 'L'],
                    other => [other; 3],
                };
                let look = looks[look];
                let look = if is_small {
                    look.to_ascii_lowercase()
                } else {
                    look
                };
                format!("{}{look}", between[gap])
            })
            .collect();
        (plain, typed)
    })
}

proptest! {
    #[test]
    fn every_forgiven_spelling_is_the_code((plain, typed) in spelling()) {
        let typed = Typed::new(&typed);
        prop_assert!(typed.is_code());
        prop_assert_eq!(typed.plain().expose_secret(), plain);
    }

    #[test]
    fn what_is_printed_is_read_back(seed in any::<u64>()) {
        let code = new_codes(1, &mut StdRng::seed_from_u64(seed)).remove(0);
        let typed = Typed::new(code.printed().expose_secret());
        prop_assert_eq!(typed.plain().expose_secret(), code.plain().expose_secret());
    }

    #[test]
    fn whatever_is_typed_is_read_without_a_panic(typed in ".{0,64}") {
        Typed::new(&typed);
    }
}
