//! Doing a coding again, piece by piece.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use compression_codecs::{
    BrotliEncoder, EncodeV2, GzipEncoder, ZlibEncoder, ZstdEncoder,
    brotli::params::EncoderParams,
    core::{
        Level,
        util::{PartialBuffer, WriteBuffer},
    },
};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};

use super::{Coding, PIECE};
use crate::body::{Body, BodyError};

/// Of brotli, as servers choose for what is made on the fly.
const BROTLI_QUALITY: i32 = 4;

/// Of brotli, in powers of two: 256 KiB for each body.
const BROTLI_WINDOW: i32 = 18;

/// The default of the zstd library.
const ZSTD_LEVEL: i32 = 3;

/// A body in a coding that is done as it streams. Where nothing comes for now, what has come goes
/// on: a stream of events stays one.
pub(crate) struct Encoded {
    source: Body,
    coding: Coding,
    codec: Box<dyn EncodeV2 + Send>,
    input: Bytes,
    step: Step,
    /// The codec may hold bytes that have not gone on.
    holds: bool,
    trailers: Option<HeaderMap>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Step {
    Encoding,
    Flushing,
    Finishing,
    Done,
}

impl Encoded {
    pub(crate) fn new(source: Body, coding: Coding) -> Self {
        let codec: Box<dyn EncodeV2 + Send> = match coding {
            Coding::Gzip => Box::new(GzipEncoder::new(Level::Default.into())),
            Coding::Brotli => {
                let quality = EncoderParams::default().quality(Level::Precise(BROTLI_QUALITY));
                Box::new(BrotliEncoder::new(quality.window_size(BROTLI_WINDOW)))
            }
            Coding::Zstd => Box::new(ZstdEncoder::new(ZSTD_LEVEL)),
            Coding::Deflate => Box::new(ZlibEncoder::new(Level::Default.into())),
        };
        let (input, step) = (Bytes::new(), Step::Encoding);
        Self { source, coding, codec, input, step, holds: false, trailers: None }
    }

    /// Takes what comes next of the source; `Pending` only where the codec holds nothing.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let Poll::Ready(frame) = Pin::new(&mut self.source).poll_frame(cx) else {
            if !self.holds {
                return Poll::Pending;
            }
            self.step = Step::Flushing;
            return Poll::Ready(Ok(()));
        };
        match frame.transpose()?.map(Frame::into_data) {
            Some(Ok(data)) => self.input = data,
            Some(Err(frame)) => self.trailers = frame.into_trailers().ok(),
            None => self.step = Step::Finishing,
        }
        Poll::Ready(Ok(()))
    }

    /// One step of the codec; gives how many bytes it made.
    fn advance(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let mut output = WriteBuffer::new_initialized(piece);
        match self.step {
            Step::Encoding => {
                let mut left = PartialBuffer::new(&self.input[..]);
                self.codec.encode(&mut left, &mut output)?;
                let used = left.written_len();
                self.input.advance(used);
                self.holds = true;
            }
            Step::Flushing => {
                if self.codec.flush(&mut output)? {
                    (self.step, self.holds) = (Step::Encoding, false);
                }
            }
            Step::Finishing => {
                if self.codec.finish(&mut output)? {
                    self.step = Step::Done;
                }
            }
            Step::Done => {}
        }
        Ok(output.written_len())
    }
}

impl HttpBody for Encoded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        while this.step != Step::Done {
            if this.step == Step::Encoding && this.input.is_empty() {
                if let Err(error) = ready!(this.poll_source(cx)) {
                    return Poll::Ready(Some(Err(error)));
                }
                if this.step == Step::Encoding && this.input.is_empty() {
                    continue;
                }
            }
            let mut piece = BytesMut::zeroed(PIECE);
            let Ok(made) = this.advance(&mut piece) else {
                let coding = this.coding.name();
                return Poll::Ready(Some(Err(BodyError::Coding { coding })));
            };
            if made > 0 {
                piece.truncate(made);
                return Poll::Ready(Some(Ok(Frame::data(piece.freeze()))));
            }
        }
        Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.step == Step::Done && self.trailers.is_none()
    }
}
