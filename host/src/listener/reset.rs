//! Whether a client has reset its connection, for a stream that nobody reads.

use std::{
    io,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// A client's stream as it comes from its socket.
pub(super) trait ClientStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Wakes the reader's task when something comes, and gives what has broken the connection.
    /// Nothing is read. Where bytes wait to be read, what comes after them is not seen.
    fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<io::Error>;
}

impl ClientStream for TcpStream {
    fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let mut byte = [0];
        match self.poll_peek(cx, &mut ReadBuf::new(&mut byte)) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl ClientStream for TlsStream<TcpStream> {
    fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.get_ref().0.poll_broken(cx)
    }
}
