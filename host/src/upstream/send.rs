//! One request to an upstream: a connection, the request, the response head, and what may be
//! tried again.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use http::{
    HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::Body as _;
use hyper::{body::Incoming, client::conn::TrySendError};
use tokio::time::{sleep_until, timeout_at};

use super::{
    Upstream, UpstreamError,
    again::{Again, Origin, failure},
    authority,
    connect::{MAX_RESPONSE_FIELDS, MAX_RESPONSE_HEAD},
    pool::{Connection, Exclusive, Http1, Lease, Target},
    refusals::Refusals,
    shared::Http2,
    upload::Upload,
};
use crate::{
    body::{Body, Progress},
    forwarding,
};

/// How long to wait for a response head.
pub(crate) struct Patience {
    /// The exchange's own end, where it has one.
    pub(crate) deadline: Option<Instant>,
    /// A body that is still on its way up; the upstream's time starts when it is through.
    pub(crate) progress: Option<Arc<Progress>>,
}

/// The response, with the connection that it comes on.
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    pub(crate) lease: Lease,
}

/// A request that came back unsent, or whose connection died under it.
enum Failed {
    Unsent(Box<Request<Body>>, UpstreamError),
    Sent(UpstreamError),
}

impl Upstream {
    /// A plugin's own request.
    pub(crate) async fn call(
        self: &Arc<Self>,
        request: Box<Request<Body>>,
        patience: Patience,
    ) -> Result<Response<Body>, UpstreamError> {
        let mut answer = self.send(request, Origin::Copied, patience).await?;
        if answer.response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(UpstreamError::UnaskedUpgrade);
        }
        // The plugin may make it the exchange's response, where they have no place.
        forwarding::strip_hop_by_hop(answer.response.headers_mut());
        Ok(answer.response.map(|body| self.body(body, answer.lease)))
    }

    /// A response body under this upstream's idle time-out.
    pub(crate) fn body(&self, incoming: Incoming, lease: Lease) -> Body {
        Body::upstream(incoming, self.config.idle_timeout, lease)
    }

    /// Sends `request` and waits for the response head.
    ///
    /// A request that was not sent is sent again: to the next endpoint where one refused to
    /// connect, on a new connection where a kept one turned out to be closed. One that has been sent
    /// goes again where its upstream says that it did nothing with it, or where its kept connection
    /// was closed before the head of an answer was complete and it is safe to repeat.
    ///
    /// `origin` gives it once more. The request is boxed, since it is large, and each step on its way
    /// here would copy it.
    pub(crate) async fn send(
        self: &Arc<Self>,
        request: Box<Request<Body>>,
        mut origin: Origin<'_>,
        patience: Patience,
    ) -> Result<Answer, UpstreamError> {
        let started = Instant::now();
        let mut request = request;
        let mut refused = Refusals::default();
        let mut after = None;
        loop {
            let Some(target) = self.pick(refused.addresses()) else {
                return Err(self.counted(UpstreamError::Unresolved));
            };
            let (connection, reused) = match target.take(after) {
                Some(connection) => (connection, true),
                // Boxed: it is large, and most requests need none.
                None => match Box::pin(self.obtain(&target, patience.deadline, after)).await {
                    Ok(obtained) => obtained,
                    Err(error @ UpstreamError::Full { .. }) => return Err(self.counted(error)),
                    Err(error) => {
                        refused.add(self, target.address, self.counted(error))?;
                        continue;
                    }
                },
            };
            // Once: an upstream that closes every connection would be asked for ever.
            let first = after.is_none();
            let again = first.then(|| Again::of(&request, &connection, reused, &origin)).flatten();
            let sent = self.send_on(connection, request, &target, &patience).await;
            if let Err(Failed::Unsent(_, error) | Failed::Sent(error)) = &sent {
                self.count_failure(error);
            }
            request = match (sent, again) {
                (Ok(answer), _) => return self.checked(answer, &target, started),
                (Err(Failed::Unsent(request, _)), _) if first && reused => request,
                (Err(Failed::Sent(error)), Some(again)) => {
                    Box::new(again.after(&error, &mut origin).ok_or(error)?)
                }
                (Err(Failed::Unsent(_, error) | Failed::Sent(error)), _) => return Err(error),
            };
            after = Some(Instant::now());
        }
    }

    fn counted(&self, error: UpstreamError) -> UpstreamError {
        self.count_failure(&error);
        error
    }

    /// An answer that can be passed on; counts it.
    fn checked(
        &self,
        mut answer: Answer,
        target: &Target,
        started: Instant,
    ) -> Result<Answer, UpstreamError> {
        if answer.response.version() == Version::HTTP_2 {
            forwarding::trim_values(answer.response.headers_mut());
        }
        if forwarding::check_framing(answer.response.headers()).is_err() {
            return Err(self.counted(UpstreamError::TransferCoding { address: target.address }));
        }
        if forwarding::settle_length(answer.response.headers_mut()).is_err() {
            return Err(self.counted(UpstreamError::Lengths { address: target.address }));
        }
        self.observe(answer.response.status(), started.elapsed());
        Ok(answer)
    }

    async fn send_on(
        &self,
        connection: Connection,
        request: Box<Request<Body>>,
        target: &Arc<Target>,
        patience: &Patience,
    ) -> Result<Answer, Failed> {
        match connection {
            Connection::Http1(connection) => {
                self.send_on_http1(connection, request, target, patience).await
            }
            // Boxed, or those that go over HTTP/1.1 would be as large.
            Connection::Http2(connection) => {
                Box::pin(self.send_on_http2(connection, request, target, patience)).await
            }
        }
    }

    async fn send_on_http1(
        &self,
        mut connection: Http1,
        mut request: Box<Request<Body>>,
        target: &Arc<Target>,
        patience: &Patience,
    ) -> Result<Answer, Failed> {
        *request.version_mut() = Version::HTTP_11;
        authority::for_http1(&mut request);
        forwarding::bind_te(request.headers_mut());
        frame(&mut request);
        connection.uploads(patience.progress.as_ref());
        let sending = connection.sender.try_send_request(*request);
        let response = self.head(sending, |body| body, target.address, patience).await?;
        let (target, config) = (Arc::clone(target), Arc::clone(&self.config));
        let lease = Exclusive::new(connection, target, config, patience.progress.clone());
        // Who frames a message twice (RFC 9112 §6.3) is not asked again on this connection.
        let doubtful = response.headers().contains_key(TRANSFER_ENCODING)
            && response.headers().contains_key(CONTENT_LENGTH);
        let lease = if doubtful { lease.not_again() } else { lease };
        Ok(Answer { response, lease: Lease::Exclusive(lease) })
    }

    async fn send_on_http2(
        &self,
        Http2 { mut sender, place }: Http2,
        mut request: Box<Request<Body>>,
        target: &Arc<Target>,
        patience: &Patience,
    ) -> Result<Answer, Failed> {
        *request.version_mut() = Version::HTTP_2;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        authority::for_http2(&mut request, scheme);
        forwarding::trim_values(request.headers_mut());
        let place = Arc::new(place);
        let request = request.map(|body| Upload::new(body, Arc::clone(&place)));
        let sending = sender.try_send_request(request);
        let sent = self.head(sending, Upload::into_body, target.address, patience).await;
        if let (Err(Failed::Sent(_)), Some(source)) = (&sent, place.broken()) {
            return Err(Failed::Sent(UpstreamError::BrokenUpload { source }));
        }
        if let Err(
            Failed::Unsent(..)
            | Failed::Sent(UpstreamError::TimedOut { .. } | UpstreamError::Closed { .. }),
        ) = &sent
        {
            target.distrust(place.streams());
        }
        Ok(Answer {
            response: sent?,
            lease: Lease::Shared { _place: place, upload: patience.progress.clone() },
        })
    }

    /// The response head, or why there is none.
    async fn head<B>(
        &self,
        sending: impl Future<Output = Result<Response<Incoming>, TrySendError<Request<B>>>>,
        into_body: impl FnOnce(B) -> Body,
        address: SocketAddr,
        patience: &Patience,
    ) -> Result<Response<Incoming>, Failed> {
        let limit = self.config.first_byte_timeout;
        let sent = match &patience.progress {
            None => {
                let own = Instant::now() + limit;
                let until = patience.deadline.map_or(own, |deadline| deadline.min(own));
                let timed_out = |_| Failed::Sent(UpstreamError::TimedOut { address, limit });
                timeout_at(until.into(), sending).await.map_err(timed_out)?
            }
            Some(progress) => tokio::select! {
                sent = sending => sent,
                error = self.out_of_patience(address, progress, patience.deadline) => {
                    return Err(Failed::Sent(error));
                }
            },
        };
        let sent = sent.map_err(|mut error| match error.take_message() {
            Some(request) => {
                let request = Box::new(request.map(into_body));
                Failed::Unsent(request, failure(address, error.into_error()))
            }
            None => Failed::Sent(failure(address, error.into_error())),
        });
        sent.and_then(|response| bounded(response, address))
    }

    /// Ends when the upstream has had its time since the end of the request body, at the exchange's
    /// end, or when the upstream has left the body alone for too long. While the client is waited
    /// for, the body's own idle time-out watches over it.
    async fn out_of_patience(
        &self,
        address: SocketAddr,
        progress: &Progress,
        deadline: Option<Instant>,
    ) -> UpstreamError {
        loop {
            let (waited, limit, error) = match progress.since_end() {
                Some(waited) => {
                    let limit = self.config.first_byte_timeout;
                    (waited, limit, UpstreamError::TimedOut { address, limit })
                }
                None => {
                    let limit = self.config.idle_timeout;
                    (progress.untouched(), limit, UpstreamError::Stalled { address, limit })
                }
            };
            if waited >= limit || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return error;
            }
            // The coarse clock lags by a tick; one more look after it has moved.
            let left = (limit - waited).max(std::time::Duration::from_millis(5));
            let next = Instant::now() + left;
            sleep_until(deadline.map_or(next, |deadline| deadline.min(next)).into()).await;
        }
    }
}

/// The HTTP library takes a `GET` of unknown length for one without a body, and does not say of others
/// that they have none, which some servers insist on (RFC 9110 §8.6).
fn frame(request: &mut Request<Body>) {
    let body = request.body();
    let has_meaning = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    if has_meaning && body.is_end_stream() && !request.headers().contains_key(CONTENT_LENGTH) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        return;
    }
    let is_unknown = !body.is_end_stream() && body.size_hint().exact().is_none();
    if is_unknown && !request.headers().contains_key(CONTENT_LENGTH) {
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// The HTTP library has such a bound for what it buffers, and reads more at a time.
fn bounded(
    response: Response<Incoming>,
    address: SocketAddr,
) -> Result<Response<Incoming>, Failed> {
    let headers = response.headers();
    // With a colon, a space and the line's end.
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if headers.len() > MAX_RESPONSE_FIELDS || lines.sum::<usize>() > MAX_RESPONSE_HEAD {
        return Err(Failed::Sent(UpstreamError::HeadTooLarge { address }));
    }
    Ok(response)
}
