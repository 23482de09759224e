//! What goes on, to the upstream and to the client: the head, and the body as it comes out of all
//! that it passes.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;

use super::pieces;
use crate::{
    body::{Body, BodyError},
    coding::{self, Coded, Decoded},
};

/// Largest body that is compared, in bytes.
const MAX_BODY: usize = 64 << 20;

/// A request or a response, whichever.
#[derive(Default)]
pub(super) struct Message {
    pub(super) status: u16,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) upstream: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Came,
}

/// A body that has come, without its content coding.
#[derive(Default)]
pub(super) struct Came {
    pub(super) pieces: Vec<Bytes>,
    /// Why it did not come to its end.
    pub(super) broken: Option<String>,
}

impl Came {
    pub(super) fn whole(&self) -> Result<Bytes, &str> {
        match &self.broken {
            None => Ok(joined(&self.pieces)),
            Some(reason) => Err(reason),
        }
    }

    /// How much of it has come, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }
}

impl Message {
    /// Waits for the whole request; with why its body broke off, if it did.
    pub(super) async fn of_request(request: Request<Body>) -> (Self, Option<BodyError>) {
        let (head, body) = request.into_parts();
        let (body, error) = come(&head.headers, body).await;
        let (method, target) = (head.method.to_string(), head.uri.to_string());
        (Self { method, target, headers: head.headers, body, ..Self::default() }, error)
    }

    /// As [`Self::of_request`], of a response.
    pub(super) async fn of_response(response: Response<Body>) -> (Self, Option<BodyError>) {
        let (head, body) = response.into_parts();
        let (body, error) = come(&head.headers, body).await;
        let status = head.status.as_u16();
        (Self { status, headers: head.headers, body, ..Self::default() }, error)
    }
}

/// The body as it goes on, then without its coding; one that does not follow it stays as it is.
async fn come(headers: &HeaderMap, body: Body) -> (Came, Option<BodyError>) {
    let (mut came, error) = collect(body).await;
    if let Coded::In(coding) = coding::of(headers)
        && !came.pieces.is_empty()
    {
        let decoded = Decoded::new(pieces::body(came.pieces.clone()), coding);
        let (decoded, misfit) = collect(Body::Changed(Box::pin(decoded))).await;
        // What was cut short cannot be decoded to its end either.
        if misfit.is_none() || error.is_some() {
            came.pieces = decoded.pieces;
        }
    }
    (came, error)
}

async fn collect(mut body: Body) -> (Came, Option<BodyError>) {
    let (mut came, mut length) = (Came::default(), 0);
    while let Some(frame) = body.frame().await {
        match frame.map(|frame| frame.into_data().unwrap_or_default()) {
            Ok(data) if length + data.len() > MAX_BODY => {
                came.broken = Some(format!("it has more than {MAX_BODY} bytes"));
                return (came, None);
            }
            Ok(data) if data.is_empty() => {}
            Ok(data) => {
                length += data.len();
                came.pieces.push(data);
            }
            Err(error) => {
                came.broken = Some(error.to_string());
                return (came, Some(error));
            }
        }
    }
    (came, None)
}

fn joined(pieces: &[Bytes]) -> Bytes {
    match pieces {
        [] => Bytes::new(),
        [one] => one.clone(),
        many => many
            .iter()
            .fold(BytesMut::new(), |mut whole, piece| {
                whole.extend_from_slice(piece);
                whole
            })
            .freeze(),
    }
}
