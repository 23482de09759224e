//! Bodies of any size stream both ways, and no faster than their reader.

mod pieces;
pub(crate) mod pressure;
mod sizes;
mod uploads;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::sync::mpsc;
use tollgate_tests::{Gateway, client::Body, wait};

/// One worker, so that every exchange meets every other one.
async fn before(upstream: &impl std::fmt::Display, limits: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
        workers: 1
        limits: {{ {limits} }}
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - {{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}
          - {{ name: ping, match: {{ path: /ping }}, respond: {{ body: pong }} }}
        "#
    ))
    .await
}

/// So many pieces of 64 KiB; `taken` counts the bytes that have been asked for.
pub(crate) fn pieces(count: usize, taken: Arc<AtomicUsize>) -> Body {
    static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];
    let pieces = stream::iter((0..count).map(move |_| {
        taken.fetch_add(PIECE.len(), SeqCst);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&PIECE)))
    }));
    StreamBody::new(pieces).map_err(|never| match never {}).boxed()
}

/// A body whose pieces come when they are sent.
pub(crate) fn channel() -> (mpsc::UnboundedSender<&'static str>, Body) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let pieces = stream::unfold(receiver, async |mut receiver| {
        let piece: &'static str = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece.as_bytes()))), receiver))
    });
    (sender, StreamBody::new(Box::pin(pieces)).map_err(|never| match never {}).boxed())
}

/// Sends pieces, each once the one before has come out at the other end.
pub(crate) async fn go_through(
    sender: mpsc::UnboundedSender<&'static str>,
    response: &mut Response<Incoming>,
) {
    for piece in ["one", "two", "three"] {
        sender.send(piece).unwrap();
        let frame = wait::within("the piece", response.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
    }
}

/// Reads a body to its end and gives its length.
pub(crate) async fn length(mut body: Incoming) -> Result<usize, hyper::Error> {
    let mut length = 0;
    while let Some(frame) = wait::within("a piece of a body", body.frame()).await {
        length += frame?.into_data().map_or(0, |data| data.len());
    }
    Ok(length)
}
