//! What one connection, or all of them together, may take of a gateway.
//!
//! Nobody who is slow, silent or hostile may take the memory or the places of the others. Every
//! number here is a bound on memory or on waiting; what a *caller* may do stands elsewhere.

mod bodies;
mod connections;
mod few;

use std::time::Duration;

use tonic::transport::Server;

use crate::MAX_REQUEST_BYTES;
pub(crate) use crate::limits::{
    bodies::BodyLayer,
    connections::{Connections, connections_of_one},
};
pub use crate::limits::{connections::raise_file_limit, few::serve_few};

/// The most requests of a connection at once. A caller with more opens another connection; a whole
/// gateway works on 128 requests, so one connection can still fill it.
const MAX_STREAMS: u32 = 128;

/// How much of a request may be under way unread: twice the largest, since nothing is larger.
const STREAM_WINDOW: u32 = 2 * MAX_REQUEST_BYTES as u32;

/// How much of all requests of a connection may be under way unread: eight of the largest. Requests
/// are a few hundred bytes, so no honest caller waits for it.
const CONNECTION_WINDOW: u32 = 8 * MAX_REQUEST_BYTES as u32;

/// The most bytes of a request's headers, as HTTP/2 counts them: a caller's name of at most 2 KiB,
/// a trace context and what proxies add take less than half of it.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// The largest frame: the least that the protocol allows, so that no single one holds much.
const MAX_FRAME_BYTES: u32 = 16 * 1024;

/// How many streams may be reset before they were looked at. A caller that gives up does that once
/// in a while; one that does nothing else (CVE-2023-44487) has its connection closed.
const MAX_PENDING_RESETS: usize = 20;

/// How many streams of a connection may be answered with a reset of ours before it is closed.
const MAX_OWN_RESETS: usize = 1024;

/// How long a connection is silent before it is asked whether anybody is there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// How long the answer to that may take: far longer than any network, and short enough that what a
/// dead machine held is free within a minute.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The server, with the limits of a connection set.
pub(crate) fn builder() -> Server {
    Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .max_frame_size(MAX_FRAME_BYTES)
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
        .http2_max_local_error_reset_streams(Some(MAX_OWN_RESETS))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
}
