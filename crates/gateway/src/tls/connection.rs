//! A connection, and the ticket by which it can be ended from outside.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Weak, atomic::Ordering},
    task::{Context, Poll},
};

use countersign_mfa::Caller;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{
    rustls::pki_types::{CertificateDer, UnixTime},
    server::TlsStream,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use super::{
    HandshakeError, Tls, refusals,
    spiffe_id::SpiffeId,
    svid::{self, Svid, SvidError},
    trust::{DistrustError, Trust},
};
use crate::limits::connections_of_one;

/// A connection that was accepted: plaintext on loopback, or mutual TLS.
pub(crate) enum Connection {
    Plain(TcpStream),
    Mutual(Box<Mutual>),
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// Somebody on this machine, who is taken at his word.
    Local,
    /// The holder of a certificate.
    Proved(Caller),
}

/// A connection by mutual TLS, until it is cut.
pub(crate) struct Mutual {
    stream: TlsStream<TcpStream>,
    caller: Caller,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    ticket: Arc<Ticket>,
    tls: Weak<Tls>,
    number: u64,
}

/// What proved the other end's id, and the way to end the connection.
pub(super) struct Ticket {
    id: SpiffeId,
    /// When the first certificate of the chain ends, in seconds since the epoch.
    pub(super) first_end: u64,
    chain: Vec<CertificateDer<'static>>,
    token: CancellationToken,
}

impl Ticket {
    /// Whom the chain proves, by these authorities.
    pub(super) fn identify(&self, trust: &Trust, now: UnixTime) -> Result<Svid, DistrustError> {
        let (leaf, others) = self.chain.split_first().ok_or(SvidError::Unreadable)?;
        trust.identify(leaf, others, now)
    }

    pub(super) fn cut(&self) {
        self.token.cancel();
    }
}

impl Tls {
    /// Makes a connection of a stream, or says why none comes about.
    pub(crate) async fn accept(
        self: &Arc<Self>,
        stream: TcpStream,
    ) -> Result<Connection, HandshakeError> {
        let stream = refusals::explained(self.acceptor().accept(stream)).await?;
        let certificates = stream.get_ref().1.peer_certificates();
        let chain: Vec<_> = certificates
            .unwrap_or_default()
            .iter()
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        // The verifier has seen it: there is no handshake without a certificate.
        let leaf = chain
            .first()
            .ok_or(DistrustError::Leaf(SvidError::Unreadable))?;
        let svid = Svid::of_leaf(leaf).map_err(DistrustError::Leaf)?;
        let caller = Caller::parse(svid.id.as_str()).map_err(|_| SvidError::Unreadable);
        let caller = caller.map_err(DistrustError::Leaf)?;
        let token = CancellationToken::new();
        let cut = Box::pin(token.clone().cancelled_owned());
        let ends = chain
            .iter()
            .filter_map(|certificate| svid::end_of(certificate).ok());
        let ticket = Arc::new(Ticket {
            first_end: ends.min().unwrap_or(0),
            id: svid.id,
            chain,
            token,
        });
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut open = self.open();
            let is_same = |other: &Arc<Ticket>| other.id == ticket.id;
            let of_caller = open
                .values()
                .filter_map(Weak::upgrade)
                .filter(is_same)
                .count();
            if of_caller >= connections_of_one() {
                return Err(HandshakeError::TooManyOfCaller(ticket.id.to_string()));
            }
            open.insert(number, Arc::downgrade(&ticket));
        }
        let mutual = Mutual {
            stream,
            caller,
            cut,
            ticket,
            tls: Arc::downgrade(self),
            number,
        };
        // After it can be cut: the bundles may have changed since the handshake began.
        mutual.ticket.identify(&self.trust(), UnixTime::now())?;
        Ok(Connection::Mutual(Box::new(mutual)))
    }
}

impl Drop for Mutual {
    fn drop(&mut self) {
        if let Some(tls) = self.tls.upgrade() {
            tls.open().remove(&self.number);
        }
    }
}

impl Mutual {
    /// Whether the connection was cut; wakes whoever waits for it when it is.
    fn poll_cut(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let is_cut = self.ticket.token.is_cancelled() || self.cut.as_mut().poll(context).is_ready();
        if is_cut {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        match self {
            Self::Plain(_) => Peer::Local,
            Self::Mutual(mutual) => Peer::Proved(mutual.caller.clone()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Mutual(mutual) => {
                mutual.poll_cut(context)?;
                Pin::new(&mut mutual.stream).poll_read(context, buffer)
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Mutual(mutual) => {
                mutual.poll_cut(context)?;
                Pin::new(&mut mutual.stream).poll_write(context, bytes)
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Mutual(mutual) => {
                mutual.poll_cut(context)?;
                Pin::new(&mut mutual.stream).poll_flush(context)
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Mutual(mutual) => Pin::new(&mut mutual.stream).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Self::Mutual(mutual) => {
                mutual.poll_cut(context)?;
                Pin::new(&mut mutual.stream).poll_write_vectored(context, parts)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Mutual(mutual) => mutual.stream.is_write_vectored(),
        }
    }
}
