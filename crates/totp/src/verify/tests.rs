//! RFC 4226 appendix D, RFC 6238 appendix B, and the rules of the window.

use std::time::Duration;

use countersign_primitives::SecretBytes;

use super::*;
use crate::{Algorithm, Digits};

const KEY: &[u8] = b"1234567890123456789012345678901234567890123456789012345678901234";

fn authenticator(algorithm: Algorithm, digits: Digits) -> Authenticator {
    let seed = KEY[..algorithm.seed_bytes()].to_vec();
    Authenticator::new(algorithm, digits, SecretBytes::new(seed))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn step(number: i64) -> Step {
    Step::at(at(number * 30))
}

#[test]
fn hotp_values_of_rfc_4226_appendix_d() {
    let authenticator = authenticator(Algorithm::Sha1, Digits::Six);
    let expected = [
        "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
        "520489",
    ];
    for (counter, code) in (0..).zip(expected) {
        assert_eq!(authenticator.code(step(counter)).expose_secret(), code);
    }
}

#[test]
fn totp_values_of_rfc_6238_appendix_b() {
    let table = [
        (59, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, ["65353130", "77737706", "47863826"]),
    ];
    let algorithms = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];
    for (seconds, codes) in table {
        for (algorithm, code) in algorithms.into_iter().zip(codes) {
            let authenticator = authenticator(algorithm, Digits::Eight);
            let now = at(seconds);
            assert_eq!(authenticator.code(Step::at(now)).expose_secret(), code);
            let verdict = verify(&authenticator, None, code, now);
            assert_eq!(
                verdict,
                Verdict::Accepted {
                    step: Step::at(now)
                }
            );
        }
    }
}

#[test]
fn a_code_of_the_neighbouring_steps_is_accepted_and_no_other() {
    let authenticator = authenticator(Algorithm::Sha1, Digits::Six);
    let now = at(30_000);
    for offset in -3..=3 {
        let code = authenticator.code(step(1000 + offset));
        let verdict = verify(&authenticator, None, code.expose_secret(), now);
        let expected = if offset.abs() <= 1 {
            let step = step(1000 + offset);
            Verdict::Accepted { step }
        } else {
            Verdict::Rejected(Rejection::Wrong)
        };
        assert_eq!(verdict, expected, "{offset}");
    }
}

#[test]
fn a_step_that_was_used_or_lies_before_one_is_refused() {
    let authenticator = authenticator(Algorithm::Sha1, Digits::Six);
    let now = at(30_000);
    for (used, offset, accepted) in [(0, -1, false), (0, 0, false), (0, 1, true), (1, 1, false)] {
        let code = authenticator.code(step(1000 + offset));
        let last = Some(step(1000 + used));
        let verdict = verify(&authenticator, last, code.expose_secret(), now);
        let is_accepted = matches!(verdict, Verdict::Accepted { .. });
        assert_eq!(is_accepted, accepted, "{used} {offset}");
    }
}

#[test]
fn groups_are_read_and_anything_else_is_malformed() {
    let authenticator = authenticator(Algorithm::Sha1, Digits::Six);
    let now = at(59);
    for typed in ["287082", "287 082", " 287-082 "] {
        let verdict = verify(&authenticator, None, typed, now);
        assert!(matches!(verdict, Verdict::Accepted { .. }), "{typed}");
    }
    for typed in ["", "28708", "2870821", "28708x", "２８７０８２", "+87082"] {
        let verdict = verify(&authenticator, None, typed, now);
        assert_eq!(verdict, Verdict::Rejected(Rejection::Malformed), "{typed}");
    }
}

#[test]
fn the_first_steps_of_1970_do_not_underflow() {
    let authenticator = authenticator(Algorithm::Sha1, Digits::Six);
    let code = authenticator.code(step(0));
    let verdict = verify(&authenticator, None, code.expose_secret(), at(0));
    assert_eq!(verdict, Verdict::Accepted { step: step(0) });
    let next = step(0).next().begins();
    assert_eq!(next, at(0).plus(Duration::from_secs(30)));
}
