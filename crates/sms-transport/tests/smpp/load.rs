//! Many messages at once, given to the carrier as a dispatcher would.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign_mfa::ports::sms::Submission;
use countersign_sms_transport::smpp::Smpp;
use futures::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use crate::carrier::{Carrier, is_set_up, message};

fn text(id: u64) -> String {
    format!("Your code: {id:06}")
}

/// What submitting led to, over all messages.
#[derive(Debug, Default)]
struct Counts {
    submitted: u32,
    accepted: u32,
    throttled: u32,
    unreachable: u32,
    cut: u32,
}

/// Gives a message to the carrier until it has it: again after a while where it has nothing, and at
/// once where a connection was cut.
async fn dispatch(smpp: Arc<Smpp>, id: u64) -> Counts {
    let message = message(id, &text(id));
    let mut counts = Counts::default();
    loop {
        counts.submitted += 1;
        match smpp.submit(&message).await {
            Submission::Accepted { .. } => {
                counts.accepted += 1;
                return counts;
            }
            Submission::Throttled(_) => counts.throttled += 1,
            Submission::Unreachable(_) => counts.unreachable += 1,
            Submission::Cut(_) => counts.cut += 1,
            other => panic!("{other:?}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

fn sum(all: Vec<Counts>) -> Counts {
    all.into_iter().fold(Counts::default(), |sum, one| Counts {
        submitted: sum.submitted + one.submitted,
        accepted: sum.accepted + one.accepted,
        throttled: sum.throttled + one.throttled,
        unreachable: sum.unreachable + one.unreachable,
        cut: sum.cut + one.cut,
    })
}

/// How often each text came to the carrier whole.
fn arrived(carrier: &Carrier) -> BTreeMap<String, u32> {
    let mut arrived = BTreeMap::new();
    for message in carrier.all("message") {
        let text = message["text"].as_str().unwrap().to_owned();
        *arrived.entry(text).or_default() += 1;
    }
    arrived
}

#[tokio::test]
async fn a_crash_of_the_carrier_loses_nothing_and_duplicates_no_more_than_was_cut() {
    const MESSAGES: u64 = 300;
    const CRASHES: u32 = 3;
    const ANSWERED: usize = 24;
    const WINDOW: usize = 8;

    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    // It answers some and then none, so each crash finds a whole window unanswered.
    let silent = json!({ "answer": "never", "after": ANSWERED });
    carrier.tell(silent.clone()).await;
    let (smpp, _reports) = carrier.open(json!({ "window": WINDOW })).await;
    let smpp = Arc::new(smpp);
    let messages = (0..MESSAGES).map(|id| tokio::spawn(dispatch(Arc::clone(&smpp), id)));
    let sending = tokio::spawn(join_all(messages.collect::<Vec<_>>()));
    for crash in 1..=CRASHES {
        let unanswered = crash as usize * (ANSWERED + WINDOW);
        carrier.wait("submit", unanswered).await;
        let ready = json!({});
        let next = if crash < CRASHES { &silent } else { &ready };
        carrier.crash(Duration::from_millis(200), next).await;
        carrier.bound(&smpp, crash as usize + 1).await;
    }
    let each: Vec<Counts> = sending
        .await
        .unwrap()
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let arrived = arrived(&carrier);
    for (id, counts) in each.iter().enumerate() {
        let times = arrived.get(&text(id as u64)).copied().unwrap_or_default();
        let allowed = 1..=1 + counts.cut;
        assert!(
            allowed.contains(&times),
            "{id}: {counts:?}, arrived {times} times"
        );
    }
    let counts = sum(each);
    let duplicates: u32 = arrived.values().map(|times| times - 1).sum();
    println!(
        "{CRASHES} crashes: {counts:?}, {} arrived, {duplicates} duplicates",
        arrived.len()
    );
    assert_eq!(arrived.len() as u64, MESSAGES);
    assert_eq!(u64::from(counts.accepted), MESSAGES);
    assert_eq!(counts.cut as usize, CRASHES as usize * WINDOW);
    assert_eq!(duplicates, counts.cut, "the carrier had all that was cut");
}

#[tokio::test]
async fn no_more_are_unanswered_than_the_window_allows() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    carrier
        .tell(json!({ "answer": "late", "delay_ms": 50 }))
        .await;
    let (smpp, _reports) = carrier.open(json!({ "window": 4 })).await;
    let smpp = Arc::new(smpp);
    let counts = join_all((0..40).map(|id| dispatch(Arc::clone(&smpp), id))).await;
    let counts = sum(counts);
    let submits = carrier.wait("submit", 40).await;
    let unanswered = submits
        .iter()
        .filter_map(|told| told["unanswered"].as_u64());
    let most = unanswered.max();
    println!("{counts:?}, at most {most:?} unanswered");
    assert_eq!(most, Some(4));
    assert_eq!(counts.submitted, 40);
}

#[tokio::test]
async fn a_carrier_that_throttles_gets_everything_in_the_end() {
    const MESSAGES: u64 = 100;

    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    carrier.tell(json!({ "per_second": 20 })).await;
    let (smpp, _reports) = carrier.open(json!({})).await;
    let smpp = Arc::new(smpp);
    let counts = sum(join_all((0..MESSAGES).map(|id| dispatch(Arc::clone(&smpp), id))).await);
    carrier.wait("message", MESSAGES as usize).await;
    let arrived = arrived(&carrier);
    let refused = carrier.all("submit").len() as u64 - MESSAGES;
    println!(
        "{counts:?}, {refused} refused by the carrier, {} arrived",
        arrived.len()
    );
    assert_eq!(arrived.len() as u64, MESSAGES);
    assert!(arrived.values().all(|times| *times == 1));
    // Slowness is no reason to leave.
    assert_eq!((counts.unreachable, counts.cut), (0, 0));
    assert!(refused > 0, "the carrier was never given too much");
    // Without a slower pace each of those that wait would be refused each second.
    assert!(refused <= MESSAGES, "{refused} refused");
}
