//! The feed over a source in memory, by a clock that jumps.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use countersign_primitives::Timestamp;
use tokio::time::advance;

use super::*;
use crate::{
    FactKind, FactView,
    ports::{StoreError, StoredEvent},
};

/// Events that lie side by side, two at each number.
#[derive(Default)]
struct Memory {
    events: Mutex<Vec<FeedItem>>,
    reads: AtomicU64,
    is_away: AtomicBool,
}

impl Memory {
    fn add(&self, facts: &str) {
        let mut events = self.events.lock().unwrap();
        let number = i64::try_from(events.len()).unwrap();
        events.push(FeedItem {
            at: FeedPlace {
                place: number / 2 + 1,
                within: number % 2,
            },
            subject: SubjectId::parse("anna").unwrap(),
            event: StoredEvent {
                version: number + 1,
                at: Timestamp::from_millis(0),
                caller: "portal".to_owned(),
                method: "Test".to_owned(),
                facts: facts.to_owned(),
            },
        });
    }

    /// Some news. Each number is complete: its events come with one commit.
    fn add_news(&self, pairs: usize) {
        for _ in 0..pairs * 2 {
            self.add(r#"[{"fact":"UNLOCKED"}]"#);
        }
    }
}

#[async_trait]
impl FeedSource for Memory {
    async fn read_feed(&self, from: Option<FeedPlace>, most: u64) -> Result<FeedPage, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("away".into()));
        }
        let events = self.events.lock().unwrap();
        let head = events.last().map_or(1, |last| last.at.place + 1);
        let most = usize::try_from(most).unwrap();
        let first = FeedPlace {
            place: 1,
            within: 0,
        };
        let end = events.last().map_or(first, |last| last.at.next());
        let from = from.unwrap_or(end);
        let behind = events.iter().filter(|item| item.at >= from);
        let items: Vec<FeedItem> = behind.take(most).cloned().collect();
        let is_last = items.len() < most;
        let next = items.last().map_or(from, |last| last.at.next());
        Ok(FeedPage {
            incarnation: [7; 16],
            items,
            next,
            head,
            is_last,
        })
    }

    async fn begin_feed_anew(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn feed() -> (Arc<Memory>, Arc<Feed>) {
    let memory = Arc::new(Memory::default());
    let feed = Feed::new(Arc::clone(&memory) as Arc<dyn FeedSource>);
    (memory, Arc::new(feed))
}

/// The numbers of the next events, and the token after them.
async fn take(watcher: &mut Watcher, count: usize) -> (Vec<i64>, String) {
    let mut numbers = Vec::new();
    loop {
        let told = watcher.next().await.unwrap();
        numbers.extend(told.news.map(|(_, event, _)| event.number));
        if numbers.len() == count {
            return (numbers, told.token);
        }
    }
}

fn upto(last: i64) -> Vec<i64> {
    (1..=last).collect()
}

#[tokio::test(start_paused = true)]
async fn who_begins_now_is_told_where_now_is_and_what_comes() {
    let (memory, feed) = feed();
    memory.add_news(2);
    let mut watcher = feed.watch("").await.unwrap();
    let begun = watcher.next().await.unwrap();
    assert_eq!(begun.news, None);
    memory.add_news(2);
    assert_eq!(take(&mut watcher, 4).await.0, [5, 6, 7, 8]);
    // The token of the beginning leads to the same.
    let mut again = feed.watch(&begun.token).await.unwrap();
    assert_eq!(take(&mut again, 4).await.0, [5, 6, 7, 8]);
}

#[tokio::test(start_paused = true)]
async fn who_goes_on_from_any_token_misses_nothing_and_hears_nothing_twice() {
    let (memory, feed) = feed();
    let mut ahead = feed.watch("").await.unwrap();
    memory.add_news(600);
    let mut tokens = vec![ahead.next().await.unwrap().token];
    for number in 1..=1200 {
        let (told, token) = take(&mut ahead, 1).await;
        assert_eq!(told, [number]);
        tokens.push(token);
    }
    for (told, token) in tokens.iter().enumerate().step_by(97) {
        let mut behind = feed.watch(token).await.unwrap();
        let (numbers, _) = take(&mut behind, 1200 - told).await;
        assert_eq!(numbers, upto(1200)[told..]);
    }
    // Some that happen while it catches up, and after.
    let mut behind = feed.watch(&tokens[0]).await.unwrap();
    let (mut numbers, _) = take(&mut behind, 700).await;
    memory.add_news(5);
    numbers.extend(take(&mut behind, 510).await.0);
    memory.add_news(5);
    numbers.extend(take(&mut behind, 10).await.0);
    assert_eq!(numbers, upto(1220));
}

#[tokio::test(start_paused = true)]
async fn where_nothing_has_to_be_done_only_the_token_moves() {
    let (memory, feed) = feed();
    let mut watcher = feed.watch("").await.unwrap();
    let begun = watcher.next().await.unwrap();
    for _ in 0..6 {
        memory.add(r#"[{"fact":"BY_OPERATOR","reason":"x"}]"#);
    }
    let later = watcher.next().await.unwrap();
    assert_eq!(later.news, None);
    assert_ne!(later.token, begun.token);
    memory.add_news(1);
    let mut again = feed.watch(&later.token).await.unwrap();
    assert_eq!(take(&mut again, 2).await.0, [7, 8]);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_holds_nobody_up_and_is_told_all_the_same() {
    let (memory, feed) = feed();
    let mut slow = feed.watch("").await.unwrap();
    slow.next().await.unwrap();
    let mut quick = feed.watch("").await.unwrap();
    let rounds = i64::try_from(PARTS).unwrap() + 36;
    for round in 0..rounds {
        memory.add_news(1);
        let told = take(&mut quick, 2).await.0;
        assert_eq!(told, [round * 2 + 1, round * 2 + 2]);
    }
    assert_eq!(take(&mut slow, 150).await.0, upto(150));
    memory.add_news(1);
    let rest = usize::try_from(rounds * 2 - 148).unwrap();
    assert_eq!(take(&mut slow, rest).await.0, upto(rounds * 2 + 2)[150..]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_once_nobody_watches() {
    let (memory, feed) = feed();
    drop(feed.watch("").await.unwrap());
    tokio::time::sleep(4 * LOOK).await;
    let reads = memory.reads.load(Ordering::Relaxed);
    advance(1000 * LOOK).await;
    tokio::task::yield_now().await;
    assert_eq!(memory.reads.load(Ordering::Relaxed), reads);
    // And it is read again when somebody does.
    let mut watcher = feed.watch("").await.unwrap();
    memory.add_news(1);
    assert_eq!(take(&mut watcher, 2).await.0, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn while_the_database_is_away_who_watches_waits_and_then_misses_nothing() {
    let (memory, feed) = feed();
    let mut watcher = feed.watch("").await.unwrap();
    memory.is_away.store(true, Ordering::Relaxed);
    memory.add_news(3);
    for _ in 0..3 {
        assert_eq!(watcher.next().await.unwrap().news, None);
    }
    assert!(matches!(feed.watch("").await, Err(Error::Unavailable(_))));
    memory.is_away.store(false, Ordering::Relaxed);
    assert_eq!(take(&mut watcher, 6).await.0, upto(6));
}

#[tokio::test(start_paused = true)]
async fn there_are_so_many_who_watch_and_no_more() {
    let (_, feed) = feed();
    let mut watchers = Vec::new();
    for _ in 0..WATCHERS {
        watchers.push(feed.watch("").await.unwrap());
    }
    assert!(matches!(feed.watch("").await, Err(Error::TooManyWatchers)));
    watchers.pop();
    feed.watch("").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_all_and_lets_nobody_begin() {
    let (_, feed) = feed();
    let mut watcher = feed.watch("").await.unwrap();
    watcher.next().await.unwrap();
    feed.stop();
    assert!(matches!(watcher.next().await, Err(Error::Stopping)));
    assert!(matches!(feed.watch("").await, Err(Error::Stopping)));
}

#[test]
fn each_thing_to_do_is_said_once_and_everyday_business_asks_for_nothing() {
    let event = |kinds: &[FactKind]| EventView {
        number: 1,
        at: Timestamp::from_millis(0),
        caller: String::new(),
        method: String::new(),
        ip_address: String::new(),
        user_agent: String::new(),
        facts: kinds
            .iter()
            .map(|kind| FactView {
                kind: Some(*kind),
                text: String::new(),
                identifier: None,
                confirmation: None,
                purpose: None,
            })
            .collect(),
    };
    let actions = |kinds: &[FactKind]| Action::of_event(&event(kinds));
    use Action::{EndSessions, Investigate, NoteLock, NotifySubject};
    assert_eq!(
        actions(&[FactKind::ProofRejected, FactKind::Locked, FactKind::CapNear]),
        [NotifySubject, NoteLock]
    );
    assert_eq!(
        actions(&[FactKind::LostAccess, FactKind::Disabled, FactKind::Unlocked]),
        [NotifySubject, EndSessions, NoteLock]
    );
    assert_eq!(
        actions(&[FactKind::OperationMismatch]),
        [NotifySubject, Investigate]
    );
    assert_eq!(
        actions(&[
            FactKind::ConfirmationCreated,
            FactKind::ProofAccepted,
            FactKind::Redeemed
        ]),
        []
    );
}
