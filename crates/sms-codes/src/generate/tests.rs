//! What a code looks like, and what it changes with.

use countersign_primitives::{Digest, ExposeSecret, SubjectId};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const LIFE: Duration = Duration::from_secs(300);

fn challenge(rng: &mut StdRng) -> Challenge {
    let identifier = IdentifierId::random(rng);
    let message = MessageId::random(rng);
    Challenge::generate(identifier, message, LIFE, NOW.plus(LIFE * 2), NOW, rng)
}

fn digest(text: &str) -> Option<Digest> {
    Some(Digester::new("test").text(text).finish())
}

#[test]
fn a_code_is_six_digits_and_keeps_its_leading_zeros() {
    let subject = SubjectId::parse("anna").unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let mut first = [0_u32; 10];
    for _ in 0..2_000 {
        let binding = Binding {
            subject: &subject,
            target: rng.random(),
            number: "+79123456789",
            purpose: "LOGIN",
            operation: digest("one"),
        };
        let code = challenge(&mut rng).code(&binding);
        let code = code.expose_secret();
        assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()));
        first[usize::from(code.as_bytes()[0] - b'0')] += 1;
    }
    // Each of ten first digits has its two hundred, give or take six times its deviation.
    assert!(
        first.iter().all(|count| (120..280).contains(count)),
        "{first:?}"
    );
}

#[test]
fn a_code_is_the_same_each_time_and_changes_with_whatever_it_is_bound_to() {
    let mut rng = StdRng::seed_from_u64(2);
    let (anna, boris) = (
        SubjectId::parse("anna").unwrap(),
        SubjectId::parse("boris").unwrap(),
    );
    let one = challenge(&mut rng);
    let binding = Binding {
        subject: &anna,
        target: [1; 16],
        number: "+79123456789",
        purpose: "LOGIN",
        operation: digest("one"),
    };
    let code = |challenge: &Challenge, binding: &Binding<'_>| {
        challenge.code(binding).expose_secret().to_owned()
    };
    let right = code(&one, &binding);
    assert_eq!(code(&one, &binding), right);
    let other_identifier = Challenge {
        identifier: IdentifierId::random(&mut rng),
        ..one.clone()
    };
    let other_nonce = challenge(&mut rng);
    let others = [
        code(
            &one,
            &Binding {
                subject: &boris,
                ..binding
            },
        ),
        code(
            &one,
            &Binding {
                target: [2; 16],
                ..binding
            },
        ),
        code(
            &one,
            &Binding {
                number: "+79123456780",
                ..binding
            },
        ),
        code(
            &one,
            &Binding {
                purpose: "WITHDRAWAL",
                ..binding
            },
        ),
        code(
            &one,
            &Binding {
                operation: digest("two"),
                ..binding
            },
        ),
        code(
            &one,
            &Binding {
                operation: None,
                ..binding
            },
        ),
        code(&other_identifier, &binding),
        code(&other_nonce, &binding),
    ];
    for other in others {
        assert_ne!(other, right);
    }
}

#[test]
fn a_challenge_dies_with_its_target_where_that_ends_first() {
    let mut rng = StdRng::seed_from_u64(3);
    let (identifier, message) = (IdentifierId::random(&mut rng), MessageId::random(&mut rng));
    let mut ending = |ends| Challenge::generate(identifier, message, LIFE, ends, NOW, &mut rng);
    let soon = NOW.plus(Duration::from_secs(60));
    assert_eq!(ending(soon).expires_at, soon);
    assert_eq!(ending(NOW.plus(LIFE * 2)).expires_at, NOW.plus(LIFE));
}

#[test]
fn nothing_of_a_challenge_that_makes_its_code_is_in_its_debug() {
    let challenge = challenge(&mut StdRng::seed_from_u64(4));
    assert!(format!("{challenge:?}").contains("nonce: [secret]"));
}
