//! A connection to an upstream whose request body is cut short, from either end.
//!
//! One that ends within a body is reset. An end in its place would come behind whatever the kernel
//! still has to send, megabytes of a body that nobody wants any more, and would look like that of a
//! client that is done (RFC 9112 §9.5).
//!
//! An upstream may answer before the end of a body and close at once: its answer is there to be read,
//! behind it an end or an error, while each byte that is written to it fails. So what it takes no more
//! is let go, and reading says how the exchange ends (RFC 9112 §9.6).

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
    /// The other end takes nothing more.
    is_deaf: bool,
}

impl CutStream {
    pub(super) fn new(stream: TcpStream, upload: LastUpload) -> Self {
        Self { stream, upload, is_deaf: false }
    }

    /// What came of writing `length` bytes: where the other end takes none, they count as written.
    fn written(
        &mut self,
        written: Poll<io::Result<usize>>,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(Err(_)) = written else { return written };
        self.is_deaf = true;
        Poll::Ready(Ok(length))
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
        if self.is_deaf {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Most requests are a head and nothing else, and the system sends one piece with less ado.
        if let [slice] = slices {
            return self.poll_write(cx, slice);
        }
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.is_deaf {
            return Poll::Ready(Ok(length));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(written, length)
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn an_answer_is_read_though_its_sender_takes_nothing_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stream = TcpStream::connect(address).await.expect("a connection");
        let mut stream = CutStream::new(stream, LastUpload::default());
        let (mut upstream, _) = listener.accept().await.expect("a connection");
        stream.write_all(b"a body").await.expect("it is taken");
        upstream.readable().await.expect("the body");
        upstream.write_all(b"an answer").await.expect("it is sent");
        // With a body that nobody has read this is a reset.
        drop(upstream);
        while !stream.is_deaf {
            stream.write_all(b"more of the body").await.expect("it is let go");
            tokio::task::yield_now().await;
        }
        stream.write_all(b"the rest of it").await.expect("it is let go");
        let mut answer = Vec::new();
        // Behind the answer may be an end or the reset.
        _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer, b"an answer");
    }
}
