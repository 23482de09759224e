//! Chunk hooks: a piece of a streaming body in, whatever the plugin makes of it out.

use bytes::Bytes;

use super::{Hook, HookError, Instance, Returned, Stage, State, Use};
use crate::exchange::Exchange;

/// Which body a chunk is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Request,
    Response,
}

impl Side {
    /// The hook's name, in logs and metrics.
    pub(crate) fn hook(self) -> &'static str {
        match self {
            Self::Request => "on-request-chunk",
            Self::Response => "on-response-chunk",
        }
    }
}

impl Use {
    /// Shows a piece of a body, and gives what stands in its place. `exchange`: the body's view.
    pub(crate) async fn on_chunk(
        &self,
        exchange: Exchange,
        side: Side,
        chunk: Bytes,
        last: bool,
    ) -> (Exchange, Result<Bytes, HookError>) {
        let (exchange, result) = match side {
            Side::Request => self.contained(exchange, OnRequestChunk { chunk, last }).await,
            Side::Response => self.contained(exchange, OnResponseChunk { chunk, last }).await,
        };
        let limit = self.settings.limits.max_body;
        match result {
            Ok(bytes) if bytes.len() as u64 > limit => {
                (exchange, Err(self.counted(HookError::TooMuch { limit })))
            }
            result => (exchange, result.map(Bytes::from)),
        }
    }
}

impl Use {
    /// The plugin cannot be shown a body: a failure of this use, counted as one.
    pub(crate) fn cannot_be_shown(&self) -> HookError {
        self.counted(HookError::UnknownCoding)
    }
}

struct OnRequestChunk {
    chunk: Bytes,
    last: bool,
}

impl Hook for OnRequestChunk {
    const STAGE: Stage = Stage::RequestChunk;
    type Raw = Vec<u8>;
    type Output = Vec<u8>;

    async fn call(self, instance: &mut Instance) -> Returned<Vec<u8>> {
        let Instance { store, plugin } = instance;
        let (request, filter) = (State::request_handle(), plugin.tollgate_plugin_filter());
        filter.call_on_request_chunk(store, request, &self.chunk, self.last).await
    }

    fn finish(raw: Vec<u8>, _: &mut State) -> Result<Vec<u8>, HookError> {
        Ok(raw)
    }
}

struct OnResponseChunk {
    chunk: Bytes,
    last: bool,
}

impl Hook for OnResponseChunk {
    const STAGE: Stage = Stage::ResponseChunk;
    type Raw = Vec<u8>;
    type Output = Vec<u8>;

    async fn call(self, instance: &mut Instance) -> Returned<Vec<u8>> {
        let Instance { store, plugin } = instance;
        let (request, filter) = (State::request_handle(), plugin.tollgate_plugin_filter());
        filter.call_on_response_chunk(store, request, &self.chunk, self.last).await
    }

    fn finish(raw: Vec<u8>, _: &mut State) -> Result<Vec<u8>, HookError> {
        Ok(raw)
    }
}
