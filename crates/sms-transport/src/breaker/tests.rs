//! When a provider is put last, and for how long.

use super::*;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn unreachable() -> Submission {
    Submission::Unreachable("no connection".to_owned())
}

const fn accepted() -> Submission {
    Submission::Accepted { carrier_id: None }
}

#[test]
fn failures_in_a_row_put_a_provider_last_for_a_while() {
    let breaker = Breaker::default();
    for _ in 1..FAILURES {
        assert_eq!(breaker.note(&unreachable(), START), None);
        assert!(!breaker.rests(START));
    }
    assert_eq!(breaker.note(&unreachable(), START), Some(Turn::Down));
    assert!(breaker.rests(START));
    assert!(breaker.rests(START.plus(REST - Duration::from_millis(1))));
    assert!(!breaker.rests(START.plus(REST)));
}

#[test]
fn one_more_failure_puts_it_last_again_and_one_success_ends_it() {
    let breaker = Breaker::default();
    for _ in 0..FAILURES {
        breaker.note(&Submission::TimedOut, START);
    }
    let later = START.plus(REST);
    assert!(!breaker.rests(later));
    assert_eq!(breaker.note(&Submission::TimedOut, later), None);
    assert!(breaker.rests(later));
    assert_eq!(breaker.note(&accepted(), later), Some(Turn::Up));
    assert!(!breaker.rests(later));
    assert_eq!(breaker.note(&accepted(), later), None);
}

#[test]
fn what_is_the_messages_fault_is_no_failure_of_the_provider() {
    let fine = [
        accepted(),
        Submission::Refused("http 400".to_owned()),
        Submission::BadNumber("http 400".to_owned()),
    ];
    for outcome in fine {
        let breaker = Breaker::default();
        for _ in 1..FAILURES {
            breaker.note(&unreachable(), START);
        }
        assert_eq!(breaker.note(&outcome, START), None);
        for _ in 1..FAILURES {
            assert_eq!(breaker.note(&unreachable(), START), None);
        }
    }
}

#[test]
fn each_failure_of_the_provider_counts() {
    let failures = [
        unreachable(),
        Submission::Throttled("http 429".to_owned()),
        Submission::Cut("no answer".to_owned()),
        Submission::TimedOut,
    ];
    for failure in failures {
        let breaker = Breaker::default();
        let turns = [(); FAILURES as usize].map(|()| breaker.note(&failure, START));
        assert_eq!(
            turns[FAILURES as usize - 1],
            Some(Turn::Down),
            "{failure:?}"
        );
    }
}
