//! What is served beside the gateway, over plain HTTP, and may take little from it.

use std::time::Duration;

use axum::{Router, serve::Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::StreamExt as _;
use tonic::transport::server::TcpIncoming;

use super::connections::{Connection, Connections};

/// The few connections that there may be.
struct Few(Connections<TcpIncoming>);

/// Serves something beside the gateway, over so many connections at most: they must not take the files
/// that callers' connections need. The next ones are closed at once, and so is one that does not begin.
///
/// # Errors
/// Those of the listener.
pub async fn serve_few(router: Router, listener: TcpListener, most: usize) -> std::io::Result<()> {
    let few = Few(Connections::at_most(TcpIncoming::from(listener), most));
    axum::serve(few, router).await
}

impl Listener for Few {
    type Io = Connection<TcpStream>;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, ()) {
        loop {
            match self.0.next().await {
                Some(Ok(connection)) => return (connection, ()),
                // A connection that was given up, or no socket left.
                Some(Err(_)) => tokio::time::sleep(PAUSE).await,
                None => std::future::pending().await,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The pause after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
