//! The response on its way to the client; when its body ends, so does the exchange.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Response, StatusCode, header::HOST};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::{
    body::{Body, BodyError},
    exchange::{Chain, Exchange},
    forwarding::X_REQUEST_ID,
    plugin::Outcome,
    telemetry::Entry,
    worker,
};

/// A response body that keeps the exchange until its end.
pub(crate) struct ResponseBody {
    body: Body,
    /// `Some` until the end.
    exchange: Option<Box<Exchange>>,
    status: StatusCode,
    bytes: u64,
}

/// Takes the response out of an exchange that has one.
pub(super) fn of(mut exchange: Box<Exchange>) -> Response<ResponseBody> {
    let response = exchange.response.take().unwrap_or_else(|| {
        // Every way ends in a response or a failure; should one not, the client hears of it.
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    });
    let (mut head, body) = response.into_parts();
    head.headers.insert(X_REQUEST_ID, exchange.id.clone());
    let status = head.status;
    let body = ResponseBody { body, exchange: Some(exchange), status, bytes: 0 };
    Response::from_parts(head, body)
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
            Poll::Ready(Some(Err(error))) => self.finish(Some(error)),
            Poll::Ready(None) => self.finish(None),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.finish(None);
    }
}

impl ResponseBody {
    /// Metrics, access log, `on-finish` hooks; once.
    fn finish(&mut self, error: Option<&BodyError>) {
        let Some(exchange) = self.exchange.take() else { return };
        if let Some(error) = error {
            tracing::info!(request_id = exchange.id(), route = exchange.route_name(), error = %Chain(error), "a response broke off");
        }
        let duration = exchange.started.elapsed();
        if let Some(route) = &exchange.route {
            let method = &exchange.request.method;
            route.metrics.observe(method, self.status, duration.as_secs_f64());
        }
        let outcome = || self.outcome(&exchange, duration, error);
        if let Some(log) = &exchange.generation.access_log
            && log.wants()
        {
            log.write(&entry(&exchange, &outcome()));
        }
        if exchange.reached > 0
            && let Some(route) = exchange.route.clone()
            && route.chain.wants_finish()
        {
            let outcome = outcome();
            worker::spawn(async move {
                let mut exchange = exchange;
                // The exchange's own time may be up; the hooks still get some.
                exchange.deadline = std::time::Instant::now() + FINISH_TIMEOUT;
                route.chain.on_finish(exchange, &outcome).await;
            });
        }
    }

    fn outcome(
        &self,
        exchange: &Exchange,
        duration: std::time::Duration,
        error: Option<&BodyError>,
    ) -> Outcome {
        Outcome {
            status: self.status.as_u16(),
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            request_bytes: exchange.progress.as_ref().map_or(0, |progress| progress.bytes()),
            response_bytes: self.bytes,
            upstream: exchange.answered_by.as_deref().map(str::to_owned),
            error: match (&exchange.error, error) {
                (Some(error), _) => Some(Chain(error).to_string()),
                (None, Some(error)) => Some(error.to_string()),
                (None, None) => None,
            },
        }
    }
}

/// For all `on-finish` hooks of one exchange.
const FINISH_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

fn entry<'a>(exchange: &'a Exchange, outcome: &'a Outcome) -> Entry<'a> {
    let request = &exchange.request;
    let host = request.headers.get(HOST).and_then(|host| host.to_str().ok());
    Entry {
        time: now(),
        request_id: exchange.id(),
        client: exchange.client_address().to_string(),
        method: request.method.as_str(),
        host: host.unwrap_or_default(),
        path: request.uri.path(),
        protocol: exchange.client.protocol(request.version),
        status: outcome.status,
        duration_us: outcome.duration_us,
        request_bytes: outcome.request_bytes,
        response_bytes: outcome.response_bytes,
        route: exchange.route_name(),
        upstream: outcome.upstream.as_deref(),
        subject: exchange.attribute("auth.subject"),
        error: outcome.error.clone(),
    }
}

/// RFC 3339 with microseconds, UTC.
fn now() -> String {
    use tracing_subscriber::fmt::{format::Writer, time::FormatTime, time::SystemTime};
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

