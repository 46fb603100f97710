//! What a host has to act on reaches it: each event once, in each subject's order, however often the
//! stream is cut and whichever gateway it goes on at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use countersign_mfa::{
    Reason,
    ports::{FeedPage, FeedPlace, FeedSource, StoreError},
};
use countersign_primitives::SubjectId;
use countersign_testkit::{
    Backend, Client, Database, Options, Person, TestClock, TestPlatform, pin_proof, reason_of, v1,
    v1::{HostAction, Purpose, SecurityFactKind},
};
use futures::future::{join_all, try_join_all};
use tokio::time::timeout;
use tonic::{Code, Status, Streaming, async_trait};

use crate::{
    harness::{Suite, rounds},
    world::{World, login, refused, wrong_fields},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "watch_events::each_event_comes_once_and_in_order_however_often_the_stream_is_cut",
        cut,
    );
    suite.on_each_backend(
        "watch_events::what_happens_while_the_gateway_is_away_is_told_after",
        restart,
    );
    suite.on_each_backend(
        "watch_events::a_token_of_a_life_before_a_restore_is_refused",
        restored,
    );
    suite.on_each_backend(
        "watch_events::what_to_do_is_told_and_nothing_that_the_owner_may_not_know",
        actions,
    );
    suite.with(
        &[],
        "sqlite::watch_events::ten_who_watch_are_served_by_one_reader",
        one_reader,
    );
    suite.on_each_backend("watch_events::a_stop_ends_the_streams", stop);
}

/// Longer than any wait here.
const PATIENCE: Duration = Duration::from_secs(60);

type Stream = Streaming<v1::EventServiceWatchResponse>;

async fn watch(client: &Client, token: &str) -> Result<Stream, Status> {
    let request = v1::EventServiceWatchRequest {
        resume_token: token.to_owned(),
    };
    let stream = client.events().watch(request).await?;
    Ok(stream.into_inner())
}

async fn next(stream: &mut Stream) -> Result<v1::EventServiceWatchResponse> {
    let message = timeout(PATIENCE, stream.message()).await;
    message
        .context("nothing comes")??
        .context("the stream has ended")
}

/// The next message with an event.
async fn next_event(stream: &mut Stream) -> Result<(String, v1::SecurityEvent)> {
    loop {
        let message = next(stream).await?;
        if let Some(event) = message.event {
            return Ok((message.subject_id, event));
        }
    }
}

/// Something that a host has to act on.
async fn unlock(platform: &TestPlatform, person: &Person) -> Result<()> {
    let reason = Reason::parse("called in").context("a reason")?;
    let subject = SubjectId::parse(person.subject.clone())?;
    Ok(platform.platform.admin_unlock(&subject, &reason).await?)
}

/// How many people things happen to at once.
const PEOPLE: usize = 12;
/// How often the stream is cut.
const CUTS: u32 = 20;

/// A transaction that draws its number, waits, and writes an event only then: what comes after it has
/// been written long since.
async fn late_event(database: &Database, number: u32) -> Result<()> {
    let sql = format!(
        "BEGIN; SELECT pg_current_xact_id(); SELECT pg_sleep({}); \
         INSERT INTO event (subject_id, version, at, caller, method, facts) \
         VALUES ('late-{number}', 1, 0, 'x', 'Slow.Write', '[{{\"fact\":\"UNLOCKED\"}}]'); COMMIT",
        f64::from(number % 5) * 0.1 + 0.1
    );
    database.query_slowly(&sql).await?;
    Ok(())
}

async fn cut(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let other = match backend {
        Backend::Sqlite => None,
        Backend::Postgres => {
            let options = Options {
                seed: 2,
                ..Options::default()
            };
            Some(TestPlatform::start(&world.database, &TestClock::default(), options).await?)
        }
    };
    let platforms: Vec<&TestPlatform> = [Some(&world.platform), other.as_ref()]
        .into_iter()
        .flatten()
        .collect();
    let mut clients = Vec::new();
    for platform in &platforms {
        clients.push(platform.client("notifier").await?);
    }
    let people: Vec<Person> = try_join_all((0..PEOPLE).map(|_| world.somebody())).await?;
    let mut first = watch(&clients[0], "").await?;
    let begun = next(&mut first).await?;
    ensure!(
        begun.event.is_none() && !begun.resume_token.is_empty(),
        "{begun:?}"
    );
    drop(first);

    let times = rounds(30, 300);
    let load = people.iter().enumerate().map(|(place, person)| {
        let platforms = &platforms;
        async move {
            for number in 0..times {
                let platform = platforms[(place + number as usize) % platforms.len()];
                unlock(platform, person).await?;
            }
            anyhow::Ok(())
        }
    });
    let late = async {
        if backend == Backend::Postgres {
            for wave in 0..4 {
                let wave = (0..6).map(|number| late_event(&world.database, wave * 6 + number));
                try_join_all(wave).await?;
            }
        }
        anyhow::Ok(())
    };
    let expected = PEOPLE * times as usize + if other.is_some() { 24 } else { 0 };
    // Tokens keep coming where events do not.
    let watched = timeout(2 * PATIENCE, follow(&clients, begun.resume_token, expected));
    let (loaded, late, watched) = tokio::join!(try_join_all(load), late, watched);
    loaded?;
    late?;
    let (told, cuts) = watched.context("events are missing")??;
    ensure!(cuts >= CUTS, "the stream was cut {cuts} times only");

    let stored = world.database.query(
        "SELECT subject_id, version FROM event WHERE facts LIKE '%\"UNLOCKED\"%' \
         ORDER BY subject_id, version",
    )?;
    ensure!(
        stored.lines().count() == expected,
        "{expected} events were to be made"
    );
    let mut last = BTreeMap::new();
    for (subject, number) in &told {
        let before = last.insert(subject, *number).unwrap_or(0);
        ensure!(before < *number, "{subject}: {number} comes after {before}");
    }
    let distinct: BTreeSet<_> = told.iter().collect();
    ensure!(distinct.len() == told.len() && told.len() == expected);
    println!(
        "{}: {expected} events told once each over {cuts} cuts",
        backend.name()
    );
    Ok(())
}

/// Watches at one gateway after the other until so many events were told, and a little longer.
async fn follow(
    clients: &[Client],
    mut token: String,
    expected: usize,
) -> Result<(Vec<(String, i64)>, u32)> {
    let mut told = Vec::new();
    let mut cuts = 0;
    while told.len() < expected || cuts < CUTS {
        let mut stream = watch(&clients[cuts as usize % clients.len()], &token).await?;
        // A cut after a few messages each time; the longest stretches come last.
        let stretch = 1 + (cuts as usize * 7) % 40;
        for _ in 0..stretch {
            let message = next(&mut stream).await?;
            token = message.resume_token;
            if let Some(event) = message.event {
                told.push((message.subject_id, event.number));
            }
            if told.len() == expected && cuts + 1 >= CUTS {
                break;
            }
        }
        cuts += 1;
        ensure!(
            cuts < 10_000,
            "{} of {expected} events were told",
            told.len()
        );
    }
    // What is told again would come now.
    let mut stream = watch(&clients[0], &token).await?;
    next(&mut stream).await?;
    let more = timeout(Duration::from_secs(1), next_event(&mut stream)).await;
    ensure!(more.is_err(), "an event more than there are: {more:?}");
    Ok((told, cuts))
}

async fn restart(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let clock = TestClock::default();
    let start = |seed| {
        let options = Options {
            seed,
            ..Options::default()
        };
        TestPlatform::start(&database, &clock, options)
    };
    let platform = start(1).await?;
    let client = platform.client("portal").await?;
    let anna = Person::new();
    anna.set_pin(&client).await?;
    let mut stream = watch(&client, "").await?;
    let token = next(&mut stream).await?.resume_token;
    unlock(&platform, &anna).await?;
    let (_, seen) = next_event(&mut stream).await?;
    drop(stream);
    platform.stop().await;

    // Nobody watches while this happens.
    let platform = start(2).await?;
    for _ in 0..3 {
        unlock(&platform, &anna).await?;
    }
    platform.stop().await;
    let platform = start(3).await?;
    let client = platform.client("portal").await?;
    let mut stream = watch(&client, &token).await?;
    for number in seen.number..seen.number + 4 {
        let (subject, event) = next_event(&mut stream).await?;
        ensure!(
            subject == anna.subject && event.number == number,
            "{event:?}"
        );
    }
    Ok(())
}

async fn restored(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let mut stream = watch(&world.client, "").await?;
    let token = next(&mut stream).await?.resume_token;
    unlock(&world.platform, &anna).await?;
    next_event(&mut stream).await?;
    drop(stream);

    let (head, place) = token.rsplit_once('.').context("a token")?;
    let (head, _) = head.rsplit_once('.').context("a token")?;
    for nonsense in [
        "x",
        "1",
        "1.2.3",
        &format!("{token}0x"),
        &token.to_uppercase()[1..],
    ] {
        let answer = watch(&world.client, nonsense).await;
        ensure!(
            wrong_fields(answer.map(drop))? == ["resume_token"],
            "{nonsense}"
        );
    }
    // A place that the database has not come to is of another life of it.
    let ahead = format!("{head}.{}.{place}", i64::MAX);
    let answer = watch(&world.client, &ahead).await.map(drop);
    refused(answer, Code::FailedPrecondition, "FEED_RESTARTED")?;

    world.platform.storage.begin_feed_anew().await?;
    let answer = watch(&world.client, &token).await.map(drop);
    refused(answer, Code::FailedPrecondition, "FEED_RESTARTED")?;
    // What was before is no news; what comes is.
    let mut stream = watch(&world.client, "").await?;
    let begun = next(&mut stream).await?;
    ensure!(begun.event.is_none(), "{begun:?}");
    let before = world.rows("event", &anna)?;
    unlock(&world.platform, &anna).await?;
    let (_, event) = next_event(&mut stream).await?;
    ensure!(event.number == i64::from(before) + 1, "{event:?}");
    Ok(())
}

async fn actions(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let mut stream = watch(&world.client, "").await?;
    next(&mut stream).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    // Everyday business is no news: confirmations, proofs right and wrong.
    world.guess(&anna, &app, &login("phone"), 5).await?;
    let told = |kinds: Vec<SecurityFactKind>, actions: Vec<HostAction>| (kinds, actions);
    let expected = [
        told(
            vec![SecurityFactKind::PinSet],
            vec![HostAction::NotifySubject],
        ),
        told(
            vec![SecurityFactKind::Enabled, SecurityFactKind::SwitchedOn],
            vec![HostAction::NotifySubject],
        ),
        told(
            vec![SecurityFactKind::Locked],
            vec![HostAction::NotifySubject, HostAction::NoteLock],
        ),
    ];
    let code = app.code(world.now());
    for (kinds, actions) in expected {
        let message = loop {
            let message = next(&mut stream).await?;
            if message.event.is_some() {
                break message;
            }
        };
        let given: Vec<HostAction> = message.actions().collect();
        let event = message.event.clone().context("an event")?;
        ensure!(message.subject_id == anna.subject);
        ensure!(given == actions, "{message:?}");
        let has = |kind: &SecurityFactKind| event.facts.iter().any(|fact| fact.kind() == *kind);
        ensure!(kinds.iter().all(has), "{event:?}");
        let shown = format!("{message:?}");
        for secret in [anna.pin.as_str(), code.as_str(), "WRONG", "wrong"] {
            ensure!(!shown.contains(secret), "{secret}: {shown}");
        }
    }
    world.pass(10 * 60);
    let changed = anna
        .change_pin(
            &world.client,
            "73920461",
            vec![pin_proof(&anna.pin), world.right(&app)],
        )
        .await?;
    ensure!(changed.is_some());
    let message = next(&mut stream).await?;
    let given: Vec<HostAction> = message.actions().collect();
    ensure!(
        given == [HostAction::NotifySubject, HostAction::EndSessions],
        "{message:?}"
    );
    Ok(())
}

/// How many events were read from the database.
static READ: AtomicU64 = AtomicU64::new(0);

struct Counted(Arc<dyn FeedSource>);

#[async_trait]
impl FeedSource for Counted {
    async fn read_feed(&self, from: Option<FeedPlace>, most: u64) -> Result<FeedPage, StoreError> {
        let page = self.0.read_feed(from, most).await?;
        READ.fetch_add(page.items.len() as u64, Ordering::Relaxed);
        Ok(page)
    }

    async fn begin_feed_anew(&self) -> Result<(), StoreError> {
        self.0.begin_feed_anew().await
    }
}

async fn one_reader() -> Result<()> {
    let options = Options {
        feed: |storage| Arc::new(Counted(storage)),
        ..Options::default()
    };
    let world = World::with(Backend::Sqlite, options).await?;
    let anna = world.somebody().await?;
    let mut streams = Vec::new();
    for _ in 0..10 {
        let client = world.platform.client("notifier").await?;
        let mut stream = watch(&client, "").await?;
        next(&mut stream).await?;
        streams.push(stream);
    }
    for _ in 0..20 {
        unlock(&world.platform, &anna).await?;
    }
    let each = streams.iter_mut().map(|stream| async move {
        for _ in 0..20 {
            next_event(stream).await?;
        }
        anyhow::Ok(())
    });
    for told in join_all(each).await {
        told?;
    }
    let read = READ.load(Ordering::Relaxed);
    ensure!(read == 20, "20 events were read {read} times for ten");
    Ok(())
}

async fn stop(backend: Backend) -> Result<()> {
    let World {
        platform,
        client,
        database: _database,
        ..
    } = World::new(backend).await?;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = watch(&client, "").await?;
        next(&mut stream).await?;
        streams.push(stream);
    }
    let ends = streams.iter_mut().map(|stream| async move {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => return Some(status),
            }
        }
    });
    let (ends, stopped) = tokio::join!(
        timeout(PATIENCE, join_all(ends)),
        timeout(PATIENCE, platform.stop())
    );
    stopped.context("the stop waits for those who watch")?;
    for end in ends? {
        let status = end.context("a stream ended as if there was no more")?;
        ensure!(status.code() == Code::Unavailable, "{status:?}");
        ensure!(reason_of(&status) == "SERVER_STOPPING", "{status:?}");
    }
    Ok(())
}
