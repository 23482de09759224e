//! A body on its way through the chunk hooks of a chain.
//!
//! One piece is in one hook at a time, and nothing is read while a result waits to be taken: a
//! body is no faster than its reader, and what is held is one piece and one result for each hook.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};

use super::{Placed, tell};
use crate::{
    body::{Body, BodyError},
    config::OnError,
    exchange::{Exchange, View},
    plugin::{HookError, Side},
};

/// Most bytes that go into a guest at once.
const MAX_CHUNK: usize = 64 * 1024;

/// A body and the hooks that it passes.
pub(crate) struct Hooked {
    source: Body,
    side: Side,
    /// In the order in which a chunk passes them; not empty.
    stages: Vec<Stage>,
    /// The view that the hooks have; on loan during a call.
    exchange: Option<Exchange>,
    call: Option<Call>,
    /// What the last stage has made, for the reader.
    output: Bytes,
    trailers: Option<HeaderMap>,
    broken: Option<BodyError>,
}

/// One plugin's hook, and what it has still to see.
struct Stage {
    placed: Arc<Placed>,
    /// What the hook has held back; it stands before `input`.
    held: Bytes,
    input: Bytes,
    /// Nothing comes after `input`.
    input_ended: bool,
    /// It has seen its last chunk.
    done: bool,
    /// It failed under `skip`: chunks go by untouched.
    skipped: bool,
}

/// A hook at work.
struct Call {
    stage: usize,
    /// As it went in: what goes on where a hook fails under `skip`.
    chunk: Bytes,
    last: bool,
    returned: Pin<Box<dyn Future<Output = Returned> + Send>>,
}

/// The view comes back, whatever became of the hook.
type Returned = (Exchange, Result<Bytes, HookError>);

impl Hooked {
    /// `uses`: in the order of this way; `exchange`: a view for the hooks.
    pub(crate) fn new(source: Body, side: Side, uses: Vec<Placed>, exchange: Exchange) -> Self {
        Self {
            source,
            side,
            stages: uses.into_iter().map(Stage::new).collect(),
            exchange: Some(exchange),
            call: None,
            output: Bytes::new(),
            trailers: None,
            broken: None,
        }
    }

    /// Moves the next piece into its hook, or past one that has failed; false: nothing waits
    /// inside. The piece nearest to the reader goes first, so that none piles up.
    fn advance(&mut self) -> bool {
        let Some(index) = self.stages.iter().rposition(Stage::has_work) else { return false };
        let stage = &mut self.stages[index];
        let (chunk, last) = stage.next();
        if stage.skipped {
            self.hand_on(index, chunk, last);
        } else {
            let exchange = self.exchange.take().expect("one call at a time");
            self.call = Some(Call::new(index, &stage.placed, exchange, self.side, chunk, last));
        }
        true
    }

    /// What a stage has made goes to the next one, or to the reader.
    fn hand_on(&mut self, index: usize, made: Bytes, last: bool) {
        match self.stages.get_mut(index + 1) {
            Some(next) => (next.input, next.input_ended) = (made, last),
            None => self.output = made,
        }
    }

    /// A hook has returned: its result goes on, or its failure decides.
    fn returned(&mut self, call: Call, (exchange, result): Returned) -> Result<(), BodyError> {
        let exchange = self.exchange.insert(exchange);
        let stage = &mut self.stages[call.stage];
        let made = match result {
            Ok(made) => {
                stage.held = exchange.view.take().unwrap_or_default().held;
                made
            }
            Err(error) => {
                let plugin = stage.placed.version(exchange);
                tell(exchange, plugin, self.side.hook(), &error);
                if plugin.on_error == OnError::Reject {
                    let plugin = plugin.name().to_owned();
                    let (hook, source) = (self.side.hook(), Box::new(error));
                    return Err(BodyError::Plugin { plugin, hook, source });
                }
                stage.skipped = true;
                call.chunk
            }
        };
        self.hand_on(call.stage, made, call.last);
        Ok(())
    }

    /// What has come from the source goes to the first stage.
    fn arrived(&mut self, frame: Option<Frame<Bytes>>) {
        let first = &mut self.stages[0];
        match frame.map(Frame::into_data) {
            Some(Ok(data)) => {
                first.input = data;
                first.input_ended = self.source.is_end_stream();
            }
            Some(Err(frame)) => {
                self.trailers = frame.into_trailers().ok();
                first.input_ended = true;
            }
            None => first.input_ended = true,
        }
    }

    fn is_done(&self) -> bool {
        self.stages.iter().all(|stage| stage.done)
    }

    /// Breaks off, for good; a request's exchange is told why.
    fn fail(&mut self, error: BodyError) -> BodyError {
        if self.side == Side::Request
            && let Some(exchange) = &mut self.exchange
        {
            exchange.fail_request(error.clone());
        }
        self.broken = Some(error.clone());
        error
    }

    fn poll_steps(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, BodyError>> {
        loop {
            if let Some(call) = &mut self.call {
                let returned = ready!(call.returned.as_mut().poll(cx));
                let call = self.call.take().expect("it has just been polled");
                self.returned(call, returned)?;
            }
            if !self.output.is_empty() {
                return Poll::Ready(Ok(Some(Frame::data(std::mem::take(&mut self.output)))));
            }
            if self.advance() {
                continue;
            }
            if self.is_done() {
                return Poll::Ready(Ok(self.trailers.take().map(Frame::trailers)));
            }
            let frame = ready!(Pin::new(&mut self.source).poll_frame(cx)).transpose()?;
            self.arrived(frame);
        }
    }
}

impl HttpBody for Hooked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(error) = &self.broken {
            return Poll::Ready(Some(Err(error.clone())));
        }
        let polled = ready!(self.poll_steps(cx));
        Poll::Ready(polled.map_err(|error| self.fail(error)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        let empty = self.output.is_empty() && self.trailers.is_none();
        self.broken.is_none() && self.call.is_none() && empty && self.is_done()
    }
}

impl Stage {
    fn new(placed: Placed) -> Self {
        let (held, input) = (Bytes::new(), Bytes::new());
        Self {
            placed: Arc::new(placed),
            held,
            input,
            input_ended: false,
            done: false,
            skipped: false,
        }
    }

    fn has_work(&self) -> bool {
        !self.input.is_empty() || (self.input_ended && !self.done)
    }

    /// The next piece, and whether it is the last one.
    fn next(&mut self) -> (Bytes, bool) {
        let length = self.input.len().min(MAX_CHUNK);
        let piece = self.input.split_to(length);
        self.done = self.input_ended && self.input.is_empty();
        (joined(std::mem::take(&mut self.held), piece), self.done)
    }
}

fn joined(held: Bytes, piece: Bytes) -> Bytes {
    if held.is_empty() {
        return piece;
    }
    let mut both = BytesMut::with_capacity(held.len() + piece.len());
    both.extend_from_slice(&held);
    both.extend_from_slice(&piece);
    both.freeze()
}

impl Call {
    fn new(
        stage: usize,
        placed: &Arc<Placed>,
        mut exchange: Exchange,
        side: Side,
        chunk: Bytes,
        last: bool,
    ) -> Self {
        exchange.renew_time_of_plugins();
        exchange.view = Some(View { last, held: Bytes::new() });
        let (placed, copy) = (Arc::clone(placed), chunk.clone());
        let returned = Box::pin(async move {
            let version = placed.version(&exchange);
            let (exchange, result) = version.on_chunk(exchange, side, copy, last).await;
            placed.plugin.note(version, result.as_ref().err());
            (exchange, result)
        });
        Self { stage, chunk, last, returned }
    }
}
