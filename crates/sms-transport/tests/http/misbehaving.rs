//! Servers that do not do what they should.

use countersign_mfa::ports::sms::{MessageState, ReportedMessage};
use tokio::net::{TcpSocket, TcpStream};

use super::{
    Opened, Submission, accepted, alpha, message,
    server::{Manner, Server, answer, with_header},
};

/// A provider that waits for so many seconds.
fn patient_for(seconds: u32, url: &str) -> Opened {
    Opened::with(&format!(
        "
        kind = 'http'
        url = '{url}/send'
        json = '{{\"to\": \"{{number}}\", \"text\": \"{{text}}\"}}'
        message_id = '/id'
        timeout_seconds = {seconds}
        "
    ))
}

async fn outcome_of(manner: Manner) -> (Submission, Server) {
    let server = Server::start(manner).await;
    let outcome = patient_for(30, &server.url()).submit().await;
    (outcome, server)
}

#[tokio::test]
async fn a_late_answer_is_reported() {
    for (body, state, name) in [
        (
            answer("200 OK", "{\"id\":\"m-1\"}"),
            MessageState::Sent,
            Some("m-1"),
        ),
        (answer("400 Bad Request", "{}"), MessageState::Failed, None),
        (
            answer("429 Too Many Requests", "{}"),
            MessageState::Failed,
            None,
        ),
    ] {
        let server = Server::start(Manner::AnswersLate(vec![body])).await;
        let opened = patient_for(1, &server.url());
        assert_eq!(opened.submit().await, Submission::TimedOut);
        server.let_go();
        let report = opened.report().await;
        let name = name.map(str::to_owned);
        assert_eq!(report.provider, alpha());
        assert_eq!(report.about, ReportedMessage::Ours(message().id, name));
        assert_eq!(report.state, state);
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_late_answer_that_tells_nothing_is_not_reported() {
    let server = Server::start(Manner::AnswersLate(vec![
        answer("500 Oops", "{}"),
        answer("200 OK", "{\"id\":\"m-2\"}"),
    ]))
    .await;
    let opened = patient_for(1, &server.url());
    for _ in 0..2 {
        assert_eq!(opened.submit().await, Submission::TimedOut);
        server.let_go();
    }
    // The first report is of the second answer.
    let name = Some("m-2".to_owned());
    let about = ReportedMessage::Ours(message().id, name);
    assert_eq!(opened.report().await.about, about);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_not_waited_for() {
    let server = Server::start(Manner::NeverAnswers).await;
    let opened = patient_for(1, &server.url());
    assert_eq!(opened.submit().await, Submission::TimedOut);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_cut_connection_tells_nothing_and_nothing_is_sent_again() {
    let no_answer = Submission::Cut("no answer".to_owned());
    let (outcome, server) = outcome_of(Manner::CutsBeforeReading).await;
    assert_eq!(outcome, no_answer);
    assert_eq!(server.connections(), 1);
    let (outcome, server) = outcome_of(Manner::CutsAfterReading).await;
    assert_eq!(outcome, no_answer);
    assert_eq!((server.asked().len(), server.connections()), (1, 1));
    let (outcome, _) = outcome_of(Manner::CutsTheAnswer("HTTP/1.1 200".to_owned())).await;
    assert_eq!(outcome, no_answer);

    // Of the answer only the body is missing.
    let whole = answer("200 OK", "{\"id\":\"m-1\"}");
    let cut = whole[..whole.len() - 1].to_owned();
    let (outcome, _) = outcome_of(Manner::CutsTheAnswer(cut)).await;
    let unclear = Submission::Cut("http 200 without the message's id".to_owned());
    assert_eq!(outcome, unclear);
    // What a status proves it proves without a body.
    let whole = answer("400 Bad Request", "{\"code\":1}");
    let cut = whole[..whole.len() - 1].to_owned();
    let (outcome, _) = outcome_of(Manner::CutsTheAnswer(cut)).await;
    assert_eq!(outcome, Submission::Refused("http 400".to_owned()));
}

#[tokio::test]
async fn another_protocol_tells_nothing() {
    let (outcome, _) = outcome_of(Manner::SpeaksAnotherProtocol).await;
    assert_eq!(outcome, Submission::Cut("no answer".to_owned()));
}

#[tokio::test]
async fn who_is_not_reached_has_nothing() {
    // Bound, so that nobody else has the port, and not listened on.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let outcome = patient_for(30, &url).submit().await;
    assert_eq!(outcome, Submission::Unreachable("no connection".to_owned()));

    let outcome = patient_for(30, "https://sms.invalid").submit().await;
    assert!(matches!(outcome, Submission::Unreachable(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_none() {
    // The line of connections that wait to be accepted is full, so another one hangs.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting: Vec<_> = (0..8)
        .map(|_| tokio::spawn(TcpStream::connect(address)))
        .collect();
    let settled = || waiting.iter().filter(|line| line.is_finished()).count();
    while settled() < 2 {
        tokio::task::yield_now().await;
    }
    let outcome = patient_for(2, &format!("http://{address}")).submit().await;
    let expected = Submission::Unreachable("no connection in time".to_owned());
    assert_eq!(outcome, expected);
    for line in waiting {
        line.abort();
    }
}

#[tokio::test]
async fn answers_mean_what_their_status_says() {
    let refused = |status: u16| Submission::Refused(format!("http {status}"));
    let cut = |status: u16| Submission::Cut(format!("http {status}"));
    let throttled = |status: u16| Submission::Throttled(format!("http {status}"));
    for (answer, expected) in [
        (answer("200 OK", "{\"id\":\"m-1\"}"), accepted("m-1")),
        (answer("429 Too Many Requests", ""), throttled(429)),
        (answer("400 Bad Request", "{}"), refused(400)),
        (answer("401 Unauthorized", "<html>"), refused(401)),
        (answer("500 Internal Server Error", "{}"), cut(500)),
        (answer("502 Bad Gateway", "<html>"), cut(502)),
        (answer("503 Service Unavailable", ""), cut(503)),
        (
            with_header("503 Service Unavailable", "Retry-After: 5", ""),
            throttled(503),
        ),
    ] {
        let (outcome, server) = outcome_of(Manner::Answers(answer.clone())).await;
        assert_eq!(outcome, expected, "{answer}");
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_success_that_cannot_be_read_tells_nothing() {
    let unclear = Submission::Cut("http 200 without the message's id".to_owned());
    let huge = format!("{{\"id\":\"m-1\",\"more\":\"{}\"}}", "x".repeat(64 * 1024));
    // What is read of it would do.
    let endless = format!("{{\"id\":\"m-1\"}}{}", " ".repeat(64 * 1024));
    for body in [
        "",
        "OK",
        "{\"id\":",
        "{\"ID\":\"m-1\"}",
        "[]",
        huge.as_str(),
        endless.as_str(),
    ] {
        let (outcome, _) = outcome_of(Manner::Answers(answer("200 OK", body))).await;
        assert_eq!(outcome, unclear, "{}", body.len());
    }
}

#[tokio::test]
async fn a_message_is_never_taken_elsewhere() {
    let elsewhere = Server::start(Manner::Answers(answer("200 OK", "{\"id\":\"m-1\"}"))).await;
    for status in [
        "301 Moved",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let header = format!("Location: {}/send", elsewhere.url());
        let (outcome, _) = outcome_of(Manner::Answers(with_header(status, &header, ""))).await;
        let expected = Submission::Refused(format!("http {}", &status[..3]));
        assert_eq!(outcome, expected);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::start(Manner::Answers(answer("200 OK", "{\"id\":\"m-1\"}"))).await;
    let opened = patient_for(30, &server.url());
    for _ in 0..10 {
        assert_eq!(opened.submit().await, accepted("m-1"));
    }
    assert_eq!((server.asked().len(), server.connections()), (10, 1));
}

#[tokio::test]
async fn a_repetition_carries_the_same_key() {
    let server = Server::start(Manner::AnswersInTurn(vec![
        answer("502 Bad Gateway", ""),
        answer("409 Conflict", ""),
        answer("200 OK", "{\"id\":\"m-1\"}"),
    ]))
    .await;
    let opened = Opened::with(&format!(
        "
        kind = 'http'
        url = '{}/send'
        json = '{{\"to\": \"{{number}}\", \"text\": \"{{text}}\"}}'
        message_id = '/id'
        idempotency_header = 'Idempotency-Key'
        ",
        server.url()
    ));
    assert_eq!(
        opened.submit().await,
        Submission::Cut("http 502".to_owned())
    );
    assert_eq!(
        opened.submit().await,
        Submission::Cut("http 409".to_owned())
    );
    assert_eq!(opened.submit().await, accepted("m-1"));
    let id = message().id.to_string();
    let keys: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| asked.headers["idempotency-key"].clone())
        .collect();
    assert_eq!(keys, [id.clone(), id.clone(), id]);
}
