//! Responses, piece by piece.

use wasip2::{
    http::types::{
        ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
    },
    io::streams::{OutputStream, StreamError},
};

pub(crate) struct Reply {
    out: ResponseOutparam,
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
}

/// A response whose head has gone.
pub(crate) struct Begun {
    body: OutgoingBody,
    stream: OutputStream,
}

impl Reply {
    pub(crate) fn new(out: ResponseOutparam) -> Self {
        Self { out, status: 200, fields: Vec::new() }
    }

    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    pub(crate) fn begin(self) -> Begun {
        let response = OutgoingResponse::new(Fields::from_list(&self.fields).unwrap());
        response.set_status_code(self.status).unwrap();
        let body = response.body().unwrap();
        let stream = body.write().unwrap();
        ResponseOutparam::set(self.out, Ok(response));
        Begun { body, stream }
    }

    /// Sends a head and never asks for its body.
    pub(crate) fn head_only(self) {
        let response = OutgoingResponse::new(Fields::from_list(&self.fields).unwrap());
        ResponseOutparam::set(self.out, Ok(response));
    }

    pub(crate) fn text(self, text: &str) {
        // Nobody takes the body of a response to `HEAD`.
        let _ = self.begin().try_end(text);
    }
}

impl Begun {
    pub(crate) fn write(self, text: &str) -> Self {
        self.try_write(text.as_bytes()).unwrap();
        self
    }

    pub(crate) fn try_write(&self, bytes: &[u8]) -> Result<(), StreamError> {
        self.stream.blocking_write_and_flush(bytes)
    }

    pub(crate) fn try_end(self, text: &str) -> Result<(), ErrorCode> {
        if !text.is_empty() {
            for piece in text.as_bytes().chunks(4096) {
                let _ = self.try_write(piece);
            }
        }
        drop(self.stream);
        OutgoingBody::finish(self.body, None)
    }

    pub(crate) fn end_with_trailer(self, text: &str, name: &str, value: &str) {
        self.try_write(text.as_bytes()).unwrap();
        drop(self.stream);
        let trailers = Fields::from_list(&[(name.to_owned(), value.as_bytes().to_vec())]).unwrap();
        OutgoingBody::finish(self.body, Some(trailers)).unwrap();
    }

    /// Goes without an end.
    pub(crate) fn abandon(self) {
        drop(self.stream);
        drop(self.body);
    }
}

/// Sends each piece of the request's body back as it comes.
pub(crate) fn echo(request: &IncomingRequest, reply: Reply) {
    let begun = reply.begin();
    let incoming = request.consume().unwrap();
    let from = incoming.stream().unwrap();
    loop {
        match begun.stream.blocking_splice(&from, 64 << 10) {
            Ok(_) => {}
            Err(StreamError::Closed) => break,
            // Without an end, the response is not taken for a whole one.
            Err(StreamError::LastOperationFailed(_)) => return,
        }
    }
    drop(from);
    let _ = begun.try_end("");
}
