//! How long each message has to wait for the one before.

use proptest::{collection::vec, prelude::*};

use super::*;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// The waits, in seconds, between messages that are sent as soon as they may be.
fn waits(rules: &SendRules, run: &mut SendRun, messages: usize) -> Vec<u64> {
    let mut now = START;
    (0..messages)
        .map(|_| {
            run.note(rules, now);
            let next = run.next_at(rules, now);
            let wait = now.until(next).as_secs();
            now = next;
            wait
        })
        .collect()
}

#[test]
fn the_second_message_waits_half_a_minute_and_each_further_one_twice_as_long() {
    let rules = SendRules::default();
    let waits = waits(&rules, &mut SendRun::default(), 9);
    assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
}

#[test]
fn four_messages_fit_into_the_life_of_a_code() {
    let rules = SendRules::default();
    let sends = rules.sends as usize;
    let waits = waits(&rules, &mut SendRun::default(), sends - 1);
    assert!(waits.iter().sum::<u64>() < rules.code_life.as_secs());
}

#[test]
fn the_first_message_waits_for_nothing() {
    let rules = SendRules::default();
    assert_eq!(SendRun::default().next_at(&rules, START), START);
}

#[test]
fn an_accepted_code_ends_the_doubling_and_not_the_wait() {
    let rules = SendRules::default();
    let mut run = SendRun::default();
    waits(&rules, &mut run, 4);
    let last = run.last_at.unwrap();
    run.end();
    let next = last.plus(rules.first_wait);
    assert_eq!(run.next_at(&rules, last), next);
    run.note(&rules, next);
    assert_eq!(run.next_at(&rules, next), next.plus(rules.first_wait));
}

#[test]
fn two_hours_without_a_message_end_the_doubling() {
    let rules = SendRules::default();
    let mut run = SendRun::default();
    waits(&rules, &mut run, 4);
    let later = run.last_at.unwrap().plus(rules.run_ends_after);
    run.note(&rules, later);
    assert_eq!(run.next_at(&rules, later), later.plus(rules.first_wait));
}

proptest! {
    #[test]
    fn no_message_follows_another_sooner_than_the_first_wait(pauses in vec(0_u64..5_000, 1..60)) {
        let rules = SendRules::default();
        let mut run = SendRun::default();
        let mut now = START;
        let mut last: Option<Timestamp> = None;
        for (n, pause) in pauses.into_iter().enumerate() {
            now = now.plus(Duration::from_secs(pause));
            if n % 7 == 3 {
                run.end();
            }
            if run.next_at(&rules, now) <= now {
                if let Some(last) = last {
                    prop_assert!(last.until(now) >= rules.first_wait);
                }
                run.note(&rules, now);
                last = Some(now);
            }
        }
    }
}
