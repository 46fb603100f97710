//! An answer that keeps its request's place until it was read.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Status, body::Body};

/// A request's part of what its caller may have at work: as long as it is handled, and as long as its
/// answer is not read. A stream is read for as long as somebody watches.
pub(crate) type Place = Arc<OwnedSemaphorePermit>;

/// The answer, with the place of its request.
pub(crate) fn until_read(response: Response<Body>, place: Option<Place>) -> Response<Body> {
    match place {
        None => response,
        Some(place) => response.map(|body| {
            Body::new(Kept {
                body,
                _place: place,
            })
        }),
    }
}

struct Kept {
    body: Body,
    _place: Place,
}

impl HttpBody for Kept {
    type Data = <Body as HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
