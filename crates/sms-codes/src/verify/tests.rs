//! Which typed codes are right, and until when.

use std::time::Duration;

use countersign_primitives::{Digester, IdentifierId, MessageId, SubjectId};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const LIFE: Duration = Duration::from_secs(300);
const PURPOSES: [&str; 4] = ["LOGIN", "WITHDRAWAL", "OTHER", "ENROLMENT"];

fn challenge(seed: u64) -> Challenge {
    let mut rng = StdRng::seed_from_u64(seed);
    let (identifier, message) = (IdentifierId::random(&mut rng), MessageId::random(&mut rng));
    Challenge::generate(identifier, message, LIFE, NOW.plus(LIFE), NOW, &mut rng)
}

fn binding<'a>(subject: &'a SubjectId, target: u8, purpose: usize) -> Binding<'a> {
    Binding {
        subject,
        target: [target; 16],
        number: "+79123456789",
        purpose: PURPOSES[purpose],
        operation: Some(Digester::new("test").bytes(&[target]).finish()),
    }
}

#[test]
fn a_code_is_accepted_until_its_life_ends_and_not_after() {
    let subject = SubjectId::parse("anna").unwrap();
    let (challenge, binding) = (challenge(1), binding(&subject, 1, 0));
    let code = challenge.code(&binding);
    let at = |now| verify(Some(&challenge), &binding, code.expose_secret(), now);
    let end = NOW.plus(LIFE);
    let accepted = Verdict::Accepted {
        message: challenge.message,
    };
    assert_eq!(at(NOW), accepted);
    assert_eq!(at(Timestamp::from_millis(end.as_millis() - 1)), accepted);
    assert_eq!(at(end), Verdict::Rejected(Rejection::Expired));
}

#[test]
fn spaces_and_dashes_are_forgiven_and_nothing_else_is() {
    let subject = SubjectId::parse("anna").unwrap();
    let (challenge, binding) = (challenge(1), binding(&subject, 1, 0));
    let code = challenge.code(&binding);
    let code = code.expose_secret();
    let (left, right) = code.split_at(3);
    let typed = |typed: &str| verify(Some(&challenge), &binding, typed, NOW);
    let spaced = typed(&format!(" {left}-{right} "));
    assert!(matches!(spaced, Verdict::Accepted { .. }), "{spaced:?}");
    for wrong in [
        &code[1..],
        &format!("{code}0"),
        &format!("{left}x{}", &right[1..]),
        "",
    ] {
        assert_eq!(typed(wrong), Verdict::Rejected(Rejection::Malformed));
    }
}

#[test]
fn where_no_code_was_sent_none_is_right() {
    let subject = SubjectId::parse("anna").unwrap();
    let verdict = verify(None, &binding(&subject, 1, 0), "000000", NOW);
    assert_eq!(verdict, Verdict::Rejected(Rejection::NotSent));
}

proptest! {
    /// SMS-03: of challenges x codes only the diagonal passes.
    #[test]
    fn only_a_challenges_own_code_passes(seeds in prop::collection::hash_set(any::<u64>(), 2..8)) {
        let subject = SubjectId::parse("anna").unwrap();
        let all: Vec<_> = seeds
            .into_iter()
            .enumerate()
            .map(|(n, seed)| (challenge(seed), binding(&subject, n as u8, n % PURPOSES.len())))
            .collect();
        for (n, (sent, bound)) in all.iter().enumerate() {
            let code = sent.code(bound);
            for (m, (challenge, binding)) in all.iter().enumerate() {
                let verdict = verify(Some(challenge), binding, code.expose_secret(), NOW);
                // Two of a million codes may be alike by chance.
                let alike = challenge.code(binding).expose_secret() == code.expose_secret();
                let is_accepted = matches!(verdict, Verdict::Accepted { .. });
                prop_assert_eq!(is_accepted, n == m || alike);
            }
        }
    }

    #[test]
    fn no_text_panics(typed in ".{0,40}") {
        let subject = SubjectId::parse("anna").unwrap();
        let challenge = challenge(1);
        let binding = binding(&subject, 1, 0);
        let verdict = verify(Some(&challenge), &binding, &typed, NOW);
        let digits: String = typed.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let is_right = digits == challenge.code(&binding).expose_secret();
        prop_assert_eq!(matches!(verdict, Verdict::Accepted { .. }), is_right);
    }
}
