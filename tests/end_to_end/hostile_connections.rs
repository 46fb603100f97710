//! Connections that are slow, silent or hostile: memory stays bounded, others are served, and what
//! was held is let go.

mod siege;

use std::time::Duration;

use anyhow::{Result, ensure};
use countersign_testkit::BIN;
use futures::future::join_all;
use h2::{Reason, client::Builder};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use self::siege::{LIST, Siege, list, served};
use crate::{
    harness::Suite,
    raw::{HEADERS, Outcome, Raw, address},
};

/// Adds the tests of this file. They have nothing to do with the kind of database.
pub(crate) fn add(suite: &mut Suite) {
    let needs = &[BIN];
    suite.with(
        needs,
        "hostile_connections::a_thousand_idle_connections_cost_little",
        idle,
    );
    suite.with(
        needs,
        "hostile_connections::one_connection_too_many_is_closed_and_logged",
        too_many,
    );
    suite.with(
        needs,
        "hostile_connections::who_never_begins_or_dribbles_is_cut",
        dribble,
    );
    suite.with(
        needs,
        "hostile_connections::requests_that_never_arrive_are_given_up",
        half_open,
    );
    suite.with(
        needs,
        "hostile_connections::who_never_reads_holds_little",
        no_reads,
    );
    suite.with(
        needs,
        "hostile_connections::who_resets_what_it_opens_is_cut",
        resets,
    );
    suite.with(
        needs,
        "hostile_connections::deadlines_of_a_millisecond_hurt_nobody",
        deadlines,
    );
    suite.with(
        needs,
        "hostile_connections::huge_headers_are_refused",
        headers,
    );
    suite.with(
        needs,
        "hostile_connections::floods_of_pings_and_settings_hold_little",
        floods,
    );
}

/// The longest that the server is waited for: it gives nobody more than 10 seconds.
const PATIENCE: Duration = Duration::from_secs(60);

async fn idle() -> Result<()> {
    let siege = Siege::begin().await?;
    let mut connections = Vec::new();
    for _ in 0..1000 {
        connections.push(Raw::connect(siege.endpoint()).await?);
    }
    siege.wait_for_sockets(1000).await?;
    siege.require_others_served().await?;
    siege.require_bounded()?;
    // They are no enemies: each may make a call after all.
    let call = list(&siege.anna.subject);
    for connection in connections.iter_mut().step_by(100) {
        let outcome = connection.call(LIST, &HEADERS, call.clone()).await;
        ensure!(outcome == served(), "{outcome:?}");
    }
    drop(connections);
    siege.require_held().await
}

async fn too_many() -> Result<()> {
    let siege = Siege::begin().await?;
    let mut connections = Vec::new();
    let call = list(&siege.anna.subject);
    // However many there is room for here, there is an end of it. The last ones say whether they
    // are served.
    for _ in 0..1600 {
        connections.push(Raw::connect(siege.endpoint()).await?);
    }
    while let Ok(mut connection) = Raw::connect(siege.endpoint()).await {
        if connection.call(LIST, &HEADERS, call.clone()).await != served() {
            break;
        }
        connections.push(connection);
        ensure!(connections.len() < 2100, "there is no end of it");
    }
    siege.require_others_served().await?;
    siege
        .wait_for_log("there was no room for connections")
        .await?;
    // A place comes free with its connection.
    drop(connections);
    siege.require_released().await?;
    let mut connection = Raw::connect(siege.endpoint()).await?;
    let outcome = connection.call(LIST, &HEADERS, call).await;
    ensure!(outcome == served(), "{outcome:?}");
    drop(connection);
    siege.require_held().await
}

async fn dribble() -> Result<()> {
    let siege = Siege::begin().await?;
    let address = address(siege.endpoint())?;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let slow = (0..100_usize).map(|number| async move {
        let mut stream = TcpStream::connect(address).await?;
        // Some say nothing, others a byte now and then.
        let say = number % 2 == 1;
        let mut said = preface[..23].iter();
        let mut buffer = [0; 1024];
        loop {
            if say && let Some(byte) = said.next() {
                let _ = stream.write_all(&[*byte]).await;
            }
            let read = timeout(Duration::from_millis(600), stream.read(&mut buffer));
            if let Ok(Ok(0) | Err(_)) = read.await {
                return Ok(());
            }
        }
    });
    let slow = timeout(PATIENCE, join_all(slow));
    let (cut, calls) = futures::join!(slow, siege.require_others_served());
    calls?;
    cut?.into_iter().collect::<Result<Vec<()>>>()?;
    siege.require_held().await
}

async fn half_open() -> Result<()> {
    let siege = Siege::begin().await?;
    let mut connections = Vec::new();
    let mut calls = Vec::new();
    for _ in 0..4 {
        let mut connection = Raw::connect(siege.endpoint()).await?;
        for number in 0..120_u32 {
            let (response, mut body) = connection.begin(LIST, &HEADERS).await?;
            // Nothing, or the head of a frame and less than it says.
            if number % 2 == 1 {
                let part = [&[0, 0, 0, 0xFF, 0xFF][..], &[10; 100]].concat();
                body.send_data(part.into(), false)?;
            }
            calls.push((response, body));
        }
        connections.push(connection);
    }
    siege.require_others_served().await?;
    siege.require_bounded()?;
    // Each is answered, though its body never ends.
    let answers = calls.into_iter().map(|(response, body)| async move {
        let response = timeout(PATIENCE, response).await?;
        drop(body);
        let status = response.map(|response| response.headers().get("grpc-status").cloned());
        Ok::<_, anyhow::Error>(status)
    });
    for answer in join_all(answers).await {
        let status = answer??;
        ensure!(
            status.as_ref().is_some_and(|status| status != "0"),
            "{status:?}"
        );
    }
    drop(connections);
    siege.require_held().await
}

async fn no_reads() -> Result<()> {
    let siege = Siege::begin().await?;
    // A list of some length, so that there is something to read.
    for number in 0..3 {
        siege
            .anna
            .begin(siege.client(), &format!("app {number}"))
            .await?;
    }
    let call = list(&siege.anna.subject);
    let mut builder = Builder::new();
    builder.initial_window_size(0);
    let (mut connections, mut held) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let mut connection = Raw::connect_with(siege.endpoint(), &builder).await?;
        for _ in 0..100 {
            let (response, mut body) = connection.begin(LIST, &HEADERS).await?;
            body.send_data(call.clone().into(), true)?;
            // The headers come, the message cannot.
            held.push(timeout(PATIENCE, response).await??);
        }
        connections.push(connection);
    }
    siege.require_others_served().await?;
    siege.require_bounded()?;
    drop((held, connections));
    siege.require_held().await
}

async fn resets() -> Result<()> {
    let siege = Siege::begin().await?;
    let call = list(&siege.anna.subject);
    let mut cut = 0;
    for _ in 0..20 {
        let mut connection = Raw::connect(siege.endpoint()).await?;
        for _ in 0..2000 {
            let Ok((response, mut body)) = connection.begin(LIST, &HEADERS).await else {
                break;
            };
            if body.send_data(call.clone().into(), false).is_err() {
                break;
            }
            body.send_reset(Reason::CANCEL);
            drop(response);
        }
        cut += u32::from(connection.is_closed().await);
    }
    siege.require_others_served().await?;
    ensure!(cut > 0, "nobody was cut");
    siege.require_held().await
}

async fn deadlines() -> Result<()> {
    let siege = Siege::begin().await?;
    let hurried = [HEADERS[0], HEADERS[1], ("grpc-timeout", "1m")];
    let call = list(&siege.anna.subject);
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(Raw::connect(siege.endpoint()).await?);
    }
    let hurried = connections.iter_mut().map(|connection| async {
        let mut outcomes = Vec::new();
        for _ in 0..250 {
            outcomes.push(connection.call(LIST, &hurried, call.clone()).await);
        }
        outcomes
    });
    let (outcomes, calls) = futures::join!(join_all(hurried), siege.require_others_served());
    calls?;
    for outcome in outcomes.into_iter().flatten() {
        let code = match &outcome {
            Outcome::Grpc(code) => code.as_str(),
            Outcome::Http(_) | Outcome::Broken(_) | Outcome::Silent => "none",
        };
        // In time, or CANCELLED, or DEADLINE_EXCEEDED.
        ensure!(["0", "1", "4"].contains(&code), "{outcome:?}");
    }
    drop(connections);
    siege.require_held().await
}

async fn headers() -> Result<()> {
    let siege = Siege::begin().await?;
    let call = list(&siege.anna.subject);
    let long = "a".repeat(200);
    let names: Vec<String> = (0..500).map(|number| format!("x-{number}")).collect();
    let mut huge = HEADERS.to_vec();
    huge.extend(names.iter().map(|name| (name.as_str(), long.as_str())));
    for _ in 0..100 {
        let mut connection = Raw::connect(siege.endpoint()).await?;
        let outcome = connection.call(LIST, &huge, call.clone()).await;
        let is_refused = matches!(outcome, Outcome::Http(431) | Outcome::Broken(_));
        ensure!(is_refused, "{outcome:?}");
    }
    siege.require_held().await
}

async fn floods() -> Result<()> {
    let siege = Siege::begin().await?;
    let address = address(siege.endpoint())?;
    // Frames: length, type, flags, stream.
    let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[7; 8]].concat();
    let settings = [&[0, 0, 6, 4, 0, 0, 0, 0, 0][..], &[0, 4, 0, 0, 0xFF, 0xFF]].concat();
    for frame in [ping, settings] {
        let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        flood.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        flood.extend(frame.repeat(20_000));
        let floods = (0..20).map(|_| {
            let flood = &flood;
            async move {
                let mut stream = TcpStream::connect(address).await?;
                // The answers are not read, so either side may give up.
                let _ = timeout(Duration::from_secs(2), stream.write_all(flood)).await;
                Ok::<_, anyhow::Error>(stream)
            }
        });
        let (streams, calls) = futures::join!(join_all(floods), siege.require_others_served());
        calls?;
        siege.require_bounded()?;
        drop(streams);
    }
    siege.require_held().await
}
