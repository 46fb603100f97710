//! A server that behaves as it is told, and remembers what it was asked.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::Semaphore,
};

/// What a server does with a connection.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Answers each request so.
    Answers(String),
    /// Answers the requests one after the other so, and the last way from then on.
    AnswersInTurn(Vec<String>),
    /// As [`Manner::AnswersInTurn`], each once it is let.
    AnswersLate(Vec<String>),
    /// Reads, and never answers.
    NeverAnswers,
    /// Cuts the connection as soon as it is there.
    CutsBeforeReading,
    /// Reads the request, and cuts the connection.
    CutsAfterReading,
    /// Answers with the beginning of an answer, and cuts the connection.
    CutsTheAnswer(String),
    /// Reads what may be anything and answers with what is no HTTP.
    SpeaksAnotherProtocol,
}

/// A request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// The server; it ends with its runtime.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    let_go: Arc<Semaphore>,
}

impl Server {
    pub(crate) async fn start(manner: Manner) -> Self {
        Self::start_with(manner, None).await
    }

    pub(crate) async fn start_with(manner: Manner, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            asked: Arc::default(),
            connections: Arc::default(),
            let_go: Arc::new(Semaphore::new(0)),
        };
        let this = server.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                this.connections.fetch_add(1, Ordering::SeqCst);
                let (this, manner, tls) = (this.clone(), manner.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => this.serve(stream, manner).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => this.serve(stream, manner).await,
                            Err(_) => Some(()),
                        },
                    }
                });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Lets one late answer go.
    pub(crate) fn let_go(&self) {
        self.let_go.add_permits(1);
    }

    async fn serve(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        manner: Manner,
    ) -> Option<()> {
        if let Manner::CutsBeforeReading = manner {
            return None;
        }
        if let Manner::SpeaksAnotherProtocol = manner {
            stream.write_all(b"220 mail.example.com\r\n").await.ok()?;
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.ok()?;
            return None;
        }
        loop {
            let asked = read(&mut stream).await?;
            let count = {
                let mut all = self.asked.lock().unwrap();
                all.push(asked);
                all.len()
            };
            let answer = match &manner {
                Manner::Answers(answer) => answer,
                Manner::AnswersInTurn(answers) => &answers[count.min(answers.len()) - 1],
                Manner::AnswersLate(answers) => {
                    self.let_go.acquire().await.unwrap().forget();
                    &answers[count.min(answers.len()) - 1]
                }
                Manner::NeverAnswers => std::future::pending().await,
                Manner::CutsTheAnswer(beginning) => {
                    stream.write_all(beginning.as_bytes()).await.ok()?;
                    return None;
                }
                _ => return None,
            };
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }
}

/// An answer with this status and body.
pub(crate) fn answer(status: &str, body: &str) -> String {
    with_header(status, "Content-Type: application/json", body)
}

/// An answer with this status, one more header, and a body.
pub(crate) fn with_header(status: &str, header: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {length}\r\n\r\n{body}")
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let (line, rest) = head.split_once("\r\n").unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_ascii_lowercase(), value.to_owned()))
    };
    let headers: BTreeMap<_, _> = rest.lines().filter_map(header).collect();
    let length = headers.get("content-length");
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked {
        line: line.to_owned(),
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}
