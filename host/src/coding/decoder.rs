//! Undoing a coding, piece by piece and no further than the reader asks.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use compression_codecs::{
    BrotliDecoder, DecodeV2, GzipDecoder, ZlibDecoder, ZstdDecoder,
    core::util::{PartialBuffer, WriteBuffer},
    zstd::params::DParameter,
};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};

use super::{Coding, PIECE};
use crate::body::{Body, BodyError};

/// The largest window that zstd may ask for: 8 MiB (RFC 9659). Those of the others have bounds of
/// their own: 32 KiB for deflate and gzip, 16 MiB for brotli.
const ZSTD_WINDOW_LOG: u32 = 23;

/// A coding at work.
pub(super) struct Decoder {
    coding: Coding,
    codec: Box<dyn DecodeV2 + Send>,
    step: Step,
    /// There was no room for more output: the codec may hold some without further input.
    was_full: bool,
}

/// Where a decoder is in its input.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Step {
    /// Before the first byte: a body without bytes is none in this coding, and is let go.
    Before,
    Inside,
    /// All of the coding's end has been read, but not all output been taken.
    Ending,
    /// After the end, where gzip and zstd may begin anew (RFC 1952 §2.2, RFC 8878 §3.1).
    After,
}

impl Decoder {
    pub(super) fn new(coding: Coding) -> Self {
        let codec: Box<dyn DecodeV2 + Send> = match coding {
            Coding::Gzip => Box::new(GzipDecoder::new()),
            Coding::Brotli => Box::new(BrotliDecoder::new()),
            Coding::Zstd => {
                let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
                Box::new(ZstdDecoder::new_with_params(&[window]))
            }
            Coding::Deflate => Box::new(ZlibDecoder::new()),
        };
        Self { coding, codec, step: Step::Before, was_full: false }
    }

    /// Fills `output` as far as it can, and gives the number of bytes; 0: it needs more input, or
    /// `ended` says that there is none, and has come to its end.
    pub(super) fn decode(
        &mut self,
        input: &mut Bytes,
        ended: bool,
        output: &mut [u8],
    ) -> Result<usize, BodyError> {
        self.steps(input, ended, output)
            .map_err(|_| BodyError::Coding { coding: self.coding.name() })
    }

    fn steps(&mut self, input: &mut Bytes, ended: bool, output: &mut [u8]) -> io::Result<usize> {
        let mut output = WriteBuffer::new_initialized(output);
        while !output.has_no_spare_space() {
            match self.step {
                Step::Before | Step::After if input.is_empty() => break,
                Step::Before => self.step = Step::Inside,
                Step::After => self.again()?,
                Step::Ending => {
                    if self.codec.finish(&mut output)? {
                        self.step = Step::After;
                    }
                }
                Step::Inside if !input.is_empty() => self.feed(input, &mut output)?,
                Step::Inside if self.was_full => self.drain(&mut output)?,
                Step::Inside if ended => self.step = Step::Ending,
                Step::Inside => break,
            }
        }
        self.was_full = output.has_no_spare_space();
        Ok(output.written_len())
    }

    fn feed(&mut self, input: &mut Bytes, output: &mut WriteBuffer<'_>) -> io::Result<()> {
        let mut left = PartialBuffer::new(&input[..]);
        let done = self.codec.decode(&mut left, output)?;
        let used = left.written_len();
        input.advance(used);
        if done {
            self.step = Step::Ending;
        }
        Ok(())
    }

    /// Takes output that the codec holds without further input.
    fn drain(&mut self, output: &mut WriteBuffer<'_>) -> io::Result<()> {
        self.was_full = false;
        let done = match self.coding {
            // To these an empty input is an error where there is nothing to take.
            Coding::Gzip | Coding::Deflate => self.codec.flush(output).map(|_| false)?,
            Coding::Brotli | Coding::Zstd => {
                self.codec.decode(&mut PartialBuffer::new(&[][..]), output)?
            }
        };
        if done {
            self.step = Step::Ending;
        }
        Ok(())
    }

    /// Another member of the same body. To stop at the first would hide the others from plugins.
    fn again(&mut self) -> io::Result<()> {
        if !matches!(self.coding, Coding::Gzip | Coding::Zstd) {
            return Err(io::Error::other("bytes after the end"));
        }
        self.codec.reinit()?;
        self.step = Step::Inside;
        Ok(())
    }
}

/// A body whose coding is undone as it streams.
pub(crate) struct Decoded {
    source: Body,
    decoder: Decoder,
    input: Bytes,
    source_ended: bool,
    trailers: Option<HeaderMap>,
    broken: Option<BodyError>,
    done: bool,
}

impl Decoded {
    pub(crate) fn new(source: Body, coding: Coding) -> Self {
        Self {
            source,
            decoder: Decoder::new(coding),
            input: Bytes::new(),
            source_ended: false,
            trailers: None,
            broken: None,
            done: false,
        }
    }

    fn poll_steps(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, BodyError>> {
        while !self.done {
            let mut piece = BytesMut::zeroed(PIECE);
            let made = self.decoder.decode(&mut self.input, self.source_ended, &mut piece)?;
            if made > 0 {
                piece.truncate(made);
                return Poll::Ready(Ok(Some(Frame::data(piece.freeze()))));
            }
            if self.source_ended {
                self.done = true;
                break;
            }
            match ready!(Pin::new(&mut self.source).poll_frame(cx)).transpose()? {
                Some(frame) => match frame.into_data() {
                    Ok(data) => self.input = data,
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
                None => self.source_ended = true,
            }
        }
        Poll::Ready(Ok(self.trailers.take().map(Frame::trailers)))
    }
}

impl HttpBody for Decoded {
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
        if let Err(error) = &polled {
            self.broken = Some(error.clone());
        }
        Poll::Ready(polled.transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.done && self.trailers.is_none() && self.broken.is_none()
    }
}
