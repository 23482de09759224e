//! One HTTP/2 stream under watch. While its client opens no window the HTTP library does not ask
//! the response's body for more, so no time-out of the body's own can end the exchange: this does.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::{
    task::futures::TaskLocalFuture,
    time::{Sleep, sleep_until},
};

use crate::{
    body::{BodyError, Outlet},
    exchange::Bound,
};

tokio::task_local! {
    /// The stream whose task runs.
    static CURRENT: Arc<Stream>;
}

/// Runs the streams of one connection, each as a task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    /// For a client to take up response bytes.
    pub(super) idle: Duration,
}

/// What the response's body, its pieces on their way out and the stream's task share.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Until when the response may take; set once there is one.
    bound: OnceLock<Option<Bound>>,
    /// What the client takes up of it.
    outlet: Arc<Outlet>,
    /// Why the stream is cut off.
    cut: OnceLock<BodyError>,
}

pin_project! {
    /// A stream's task, and the timer that it needs once its client keeps it waiting.
    struct Watching<F> {
        #[pin]
        serving: Option<TaskLocalFuture<Arc<Stream>, F>>,
        stream: Arc<Stream>,
        idle: Duration,
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, serving: F) {
        let stream = Arc::<Stream>::default();
        let serving = Some(CURRENT.scope(Arc::clone(&stream), serving));
        tokio::spawn(Watching { serving, stream, idle: self.idle, timer: None });
    }
}

impl Stream {
    /// The stream whose task this is; `None` outside of HTTP/2.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// The response is there, and its body has until `bound`.
    pub(super) fn has_response(&self, bound: Option<Bound>) {
        self.outlet.moved();
        // A stream has one response.
        let _ = self.bound.set(bound);
    }

    pub(super) fn outlet(&self) -> Arc<Outlet> {
        Arc::clone(&self.outlet)
    }

    /// Why it is being cut off; `None`: it is not.
    pub(super) fn cut(&self) -> Option<&BodyError> {
        self.cut.get()
    }

    /// When the client has had its time, and what it did not do in it.
    fn end_of_patience(&self, idle: Duration) -> (Instant, BodyError) {
        let until = Instant::now() + idle.saturating_sub(self.outlet.waited());
        match self.bound.get() {
            Some(Some(bound)) if bound.at < until => {
                (bound.at, BodyError::Deadline { limit: bound.limit })
            }
            _ => (until, BodyError::ClientStalled { limit: idle }),
        }
    }
}

impl<F: Future<Output = ()>> Future for Watching<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        this.stream.outlet.wait_for_body(false);
        let Some(serving) = this.serving.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        if serving.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let stream = &**this.stream;
        if stream.bound.get().is_none() || stream.outlet.waits_for_body() {
            return Poll::Pending;
        }
        let error = ready!(out_of_patience(stream, *this.idle, this.timer, cx));
        // The HTTP library resets a stream that is dropped before its end.
        let _ = stream.cut.set(error);
        this.serving.set(None);
        Poll::Ready(())
    }
}

/// Waits until the client has had its time; each byte that it takes up gives it more.
fn out_of_patience(
    stream: &Stream,
    idle: Duration,
    timer: &mut Option<Pin<Box<Sleep>>>,
    cx: &mut Context<'_>,
) -> Poll<BodyError> {
    loop {
        let (until, error) = stream.end_of_patience(idle);
        if Instant::now() >= until {
            return Poll::Ready(error);
        }
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(until.into())));
        if timer.deadline() > until.into() || timer.is_elapsed() {
            timer.as_mut().reset(until.into());
        }
        // What came meanwhile counts only once the timer has fired: most clients go on.
        ready!(timer.as_mut().poll(cx));
    }
}
