//! How many connections there may be, and how long one may take to begin.

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};
use tokio_stream::Stream;
use tonic::transport::server::Connected;

use crate::accept::HANDSHAKES_AT_ONCE;

/// The most connections. One that does nothing costs some 20 KiB, so all of them take 40 MiB; a
/// host system has some tens of services, with a few connections each.
const MAX_CONNECTIONS: usize = 2048;

/// How many open files are left for everything else: handshakes, the database's connections, logs, files
/// that are read again.
const OTHER_FILES: usize = HANDSHAKES_AT_ONCE + 256;

/// How many bytes a client begins with: HTTP/2's preface, and more.
const PREFACE_BYTES: usize = 24;

/// The longest that these may take. From then on a connection is asked whether it lives.
const BEGINNING: Duration = Duration::from_secs(10);

/// How often it is said that connections are refused: a line for each would help whoever floods.
const SAY_EVERY: Duration = Duration::from_secs(2);

/// Connections that come in, up to as many as there is room for. The next ones are closed at once,
/// so that they fail soon and somewhere else: a connection that waits is a caller that waits.
pub(crate) struct Connections<S> {
    incoming: S,
    places: Arc<Semaphore>,
    most: usize,
    refused: u64,
    silence: Option<Pin<Box<Sleep>>>,
}

impl<S> Connections<S> {
    /// Those of `incoming`.
    pub(crate) fn new(incoming: S) -> Self {
        Self::at_most(incoming, most())
    }

    /// Those of `incoming`, at most so many.
    pub(crate) fn at_most(incoming: S, most: usize) -> Self {
        Self {
            incoming,
            places: Arc::new(Semaphore::new(most)),
            most,
            refused: 0,
            silence: None,
        }
    }

    /// Says that connections are refused, unless that was said a moment ago.
    fn say(&mut self, context: &mut Context<'_>) {
        if let Some(silence) = &mut self.silence
            && silence.as_mut().poll(context).is_pending()
        {
            return;
        }
        self.silence = None;
        if self.refused > 0 {
            tracing::warn!(
                connections.refused = self.refused,
                connections.most = self.most,
                "there was no room for connections"
            );
            self.refused = 0;
            let silence = self.silence.insert(Box::pin(sleep(SAY_EVERY)));
            // Asked once, so that it wakes us.
            let _ = silence.as_mut().poll(context);
        }
    }
}

/// How many of them one caller may have: some instances with a few each, and no flood of one keeps out
/// the others.
pub(crate) fn connections_of_one() -> usize {
    (most() / 4).max(1)
}

/// Lets this process have as many open files as the system lets it: each connection is one, and what a
/// shell starts with is often too few.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Where it may not be raised, there are fewer connections.
    let _ = setrlimit(Resource::Nofile, raised);
}

/// How many connections there may be here: never so many that the database cannot be reached.
fn most() -> usize {
    let files = getrlimit(Resource::Nofile).current;
    let files = files.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX)
    });
    files.saturating_sub(OTHER_FILES).clamp(1, MAX_CONNECTIONS)
}

impl<S, IO> Stream for Connections<S>
where
    S: Stream<Item = io::Result<IO>> + Unpin,
{
    type Item = io::Result<Connection<IO>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.say(context);
        loop {
            let io = match ready!(Pin::new(&mut this.incoming).poll_next(context)) {
                Some(Ok(io)) => io,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            if let Ok(place) = Arc::clone(&this.places).try_acquire_owned() {
                let connection = Connection {
                    io,
                    beginning: Some(Beginning {
                        read: 0,
                        end: Box::pin(sleep(BEGINNING)),
                    }),
                    _place: place,
                };
                return Poll::Ready(Some(Ok(connection)));
            }
            drop(io);
            this.refused += 1;
            this.say(context);
        }
    }
}

/// A connection that has a place.
pub(crate) struct Connection<IO> {
    io: IO,
    beginning: Option<Beginning>,
    _place: OwnedSemaphorePermit,
}

/// What a connection is before its client has said anything that makes sense.
struct Beginning {
    read: usize,
    end: Pin<Box<Sleep>>,
}

impl<IO: Connected> Connected for Connection<IO> {
    type ConnectInfo = IO::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.io.connect_info()
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Connection<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(context, buffer);
        let Some(beginning) = &mut self.beginning else {
            return polled;
        };
        beginning.read += buffer.filled().len() - before;
        if beginning.read >= PREFACE_BYTES {
            self.beginning = None;
        } else if beginning.end.as_mut().poll(context).is_ready() {
            let error = io::Error::new(ErrorKind::TimedOut, "the client did not begin");
            return Poll::Ready(Err(error));
        }
        polled
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Connection<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio_stream::StreamExt as _;

    use super::*;

    /// So many connections that wait to be accepted, and their other ends.
    fn arriving(
        count: usize,
    ) -> (
        impl Stream<Item = io::Result<DuplexStream>> + Unpin,
        Vec<DuplexStream>,
    ) {
        let (ours, theirs): (Vec<_>, Vec<_>) = (0..count).map(|_| duplex(64)).unzip();
        (tokio_stream::iter(ours.into_iter().map(Ok)), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn one_too_many_is_closed_and_a_place_comes_free_with_its_connection() {
        let (incoming, mut theirs) = arriving(4);
        let mut connections = Connections::at_most(incoming, 2);
        let first = connections.next().await.unwrap().unwrap();
        let _second = connections.next().await.unwrap().unwrap();
        drop(first);
        let _third = connections.next().await.unwrap().unwrap();
        assert!(connections.next().await.is_none());
        assert_eq!(connections.refused, 0, "it was logged");
        // The fourth was closed, the third was not.
        assert_eq!(theirs[3].read(&mut [0; 1]).await.unwrap(), 0);
        theirs[2].write_all(b"hello").await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_a_byte_now_and_then_is_cut() {
        for bytes in [0, 5, PREFACE_BYTES - 1] {
            let (incoming, mut theirs) = arriving(1);
            let mut connections = Connections::at_most(incoming, 1);
            let mut connection = connections.next().await.unwrap().unwrap();
            theirs[0].write_all(&vec![b'P'; bytes]).await.unwrap();
            let error = connection.read_exact(&mut [0; 64]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{bytes}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_begun_may_be_silent() {
        let (incoming, mut theirs) = arriving(1);
        let mut connections = Connections::at_most(incoming, 1);
        let mut connection = connections.next().await.unwrap().unwrap();
        theirs[0].write_all(&[b'P'; PREFACE_BYTES]).await.unwrap();
        let mut read = [0; PREFACE_BYTES];
        connection.read_exact(&mut read).await.unwrap();
        let silent = tokio::time::timeout(10 * BEGINNING, connection.read(&mut read)).await;
        assert!(silent.is_err());
    }

    #[test]
    fn there_is_room_for_a_connection_however_few_files_there_may_be() {
        assert!((1..=MAX_CONNECTIONS).contains(&most()));
    }
}
