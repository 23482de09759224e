//! A connection to an upstream that is reset where it ends within a request body.
//!
//! An end in its place would come behind whatever the kernel still has to send, megabytes of a body
//! that nobody wants any more, and would look like that of a client that is done (RFC 9112 §9.5).

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::body::Progress;

/// The request body that was last sent on a connection, shared by the connection and who sends.
#[derive(Clone, Default)]
pub(super) struct LastUpload(Arc<Mutex<Option<Arc<Progress>>>>);

impl LastUpload {
    pub(super) fn is(&self, progress: &Arc<Progress>) {
        *self.0.lock() = Some(Arc::clone(progress));
    }

    fn is_unfinished(&self) -> bool {
        self.0.lock().as_ref().is_some_and(|progress| progress.since_end().is_none())
    }
}

pub(super) struct CutStream {
    stream: TcpStream,
    upload: LastUpload,
}

impl CutStream {
    pub(super) fn new(stream: TcpStream, upload: LastUpload) -> Self {
        Self { stream, upload }
    }
}

impl Drop for CutStream {
    fn drop(&mut self) {
        if self.upload.is_unfinished() {
            // One that the other end has reset already needs it no more.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for CutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for CutStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
