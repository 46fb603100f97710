//! What is told of a message: nothing that is in it.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tracing_subscriber::fmt::MakeWriter;

use super::{
    NUMBER, Opened, SECRET, Submission, TEXT, message,
    server::{Manner, Server, answer},
};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_and_no_outcome_has_anything_of_a_message() {
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(written.clone())
        .finish();
    // Of this thread, which all of this runs on.
    let _logging = tracing::subscriber::set_default(subscriber);

    let echo = format!(
        "{{\"error\": \"{NUMBER} 123456 {SECRET}\", \"code\": \"79123456789\", \"id\": null}}"
    );
    let mut told = String::new();
    for manner in [
        Manner::Answers(answer("200 OK", &echo)),
        Manner::Answers(answer("400 Bad Request", &echo)),
        Manner::Answers(answer("429 Too Many Requests", &echo)),
        Manner::CutsAfterReading,
    ] {
        let server = Server::start(manner).await;
        let opened = Opened::with(&format!(
            r#"
            kind = "http"
            url = "{}/{{secret:token}}"
            query = {{ to = "{{number}}", text = "{{text}}", key = "{{secret:token}}" }}
            headers = {{ Authorization = "Bearer {{secret:token}}" }}
            secrets = {{ token = {{ file = "token" }} }}
            message_id = "/id"
            error_code = "/code"
            "#,
            server.url()
        ));
        for _ in 0..6 {
            let outcome = opened.submit().await;
            assert!(!matches!(outcome, Submission::Accepted { .. }));
            told += &format!("{outcome:?}");
        }
        told += &format!("{:?} {:?}", opened.providers, message());
        assert_eq!(server.asked().len(), 6);
    }
    let log = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("a provider has failed again and again"),
        "{log}"
    );
    for canary in [NUMBER, &NUMBER[1..], TEXT, "123456", SECRET, "tok-canary"] {
        assert!(!log.contains(canary), "{canary}: {log}");
        assert!(!told.contains(canary), "{canary}: {told}");
    }
}
