//! A carrier that is spoken to by HTTP: it does as it is told, and remembers what it was given.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::sms_process::{Texts, secret};

/// What is done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It is taken.
    Accepts,
    /// It is answered with this status and this body.
    Answers(&'static str, &'static str),
    /// It is never answered.
    NeverAnswers,
    /// It is taken, and the connection is cut before that is said.
    Cuts,
    /// It is cut so the first time, and refused when it comes again.
    CutsThenRefuses,
}

/// A message that it was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) number: String,
    pub(crate) text: String,
    /// Our own name for it.
    pub(crate) reference: String,
    /// The carrier's name for it.
    pub(crate) id: String,
    pub(crate) authorization: String,
}

/// The carrier. It ends when it is dropped.
pub(crate) struct HttpCarrier {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    manner: Mutex<Manner>,
    given: Mutex<Vec<Given>>,
}

const TOKEN: &str = "a-token-of-the-carrier";
pub(crate) const WEBHOOK_SECRET: &str = "a-secret-of-webhooks";

impl HttpCarrier {
    pub(crate) async fn start(manner: Manner) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State {
            manner: Mutex::new(manner),
            given: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { shared.serve(stream).await });
            }
        });
        Ok(Self {
            port,
            state,
            accepting,
        })
    }

    /// A provider that speaks to it, with its secrets in a folder.
    pub(crate) fn provider(&self, name: &str, folder: &Path, more: &str) -> Result<String> {
        let token = secret(folder, &format!("{name}.token"), TOKEN)?;
        let webhook = secret(folder, &format!("{name}.webhook"), WEBHOOK_SECRET)?;
        let port = self.port;
        Ok(format!(
            "[sms.providers.{name}]\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}/messages\"\n\
             headers = {{ Authorization = \"Bearer {{secret:token}}\" }}\n\
             secrets = {{ token = {token} }}\n\
             json = '{{\"to\": \"{{number}}\", \"text\": \"{{text}}\", \"ref\": \"{{id}}\"}}'\n\
             message_id = \"/id\"\nrefused = [{{ at = \"/state\", is = [\"FAILED\"] }}]\n{more}\
             [sms.providers.{name}.webhook]\nsecret = {webhook}\nmessage_id = \"/id\"\n\
             state = \"/state\"\ndelivered = [\"delivered\"]\nfailed = [\"failed\"]\n"
        ))
    }

    /// What is done with each message from now on.
    pub(crate) fn set_manner(&self, manner: Manner) {
        *held(&self.state.manner) = manner;
    }

    /// Refuses connections from now on.
    pub(crate) async fn go_down(&self) {
        self.accepting.abort();
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Every message so far, whatever was done with it.
    pub(crate) fn given(&self) -> Vec<Given> {
        held(&self.state.given).clone()
    }

    /// The messages to a number so far.
    pub(crate) fn given_to(&self, number: &str) -> Vec<Given> {
        let mut given = self.given();
        given.retain(|given| given.number == number);
        given
    }
}

impl Texts for HttpCarrier {
    fn texts_to(&self, number: &str) -> Vec<String> {
        let given = self.given_to(number).into_iter();
        given.map(|given| given.text).collect()
    }
}

impl Drop for HttpCarrier {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    /// Ends with the connection.
    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let (head, body) = request(&mut stream).await?;
        let body: Value = serde_json::from_slice(&body).ok()?;
        let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (id, is_new) = {
            let mut given = held(&self.given);
            let reference = field("ref");
            let is_new = !given.iter().any(|other| other.reference == reference);
            let id = format!("http-{}", given.len() + 1);
            given.push(Given {
                number: field("to"),
                text: field("text"),
                reference,
                id: id.clone(),
                authorization: header(&head, "authorization").unwrap_or_default(),
            });
            (id, is_new)
        };
        let manner = held(&self.manner).clone();
        let (status, body) = match manner {
            Manner::Accepts => ("202 Accepted", format!("{{\"id\": \"{id}\"}}")),
            Manner::Answers(status, body) => (status, body.to_owned()),
            Manner::NeverAnswers => std::future::pending().await,
            Manner::CutsThenRefuses if !is_new => ("400 Bad Request", "{}".to_owned()),
            Manner::Cuts | Manner::CutsThenRefuses => return None,
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\
                 Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).await.ok()
    }
}

/// Sends a report to a webhook, and returns the status that it is answered with.
pub(crate) async fn report(port: u16, path: &str, headers: &str, body: &str) -> Result<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).context("a status")?;
    Ok(status.parse()?)
}

/// A request's head and body.
async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let length = header(&head, "content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

fn header(head: &str, name: &str) -> Option<String> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let (_, value) = fields.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    Some(value.to_owned())
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
