//! Whether a client has left, for a stream that nobody reads: the HTTP library does not look while
//! bytes wait behind a request, while a body is not taken, and where a client may end its side.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, unix::AsyncFd},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// A client's stream as it comes from its socket.
pub(super) trait ClientStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    fn socket(&self) -> &TcpStream;
}

impl ClientStream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl ClientStream for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Looks at one connection's socket without reading from it.
///
/// By a descriptor of its own, since it has to forget what is ready to be woken by what comes next:
/// forgotten at the socket itself, bytes that wait would never be read.
pub(super) struct Lookout {
    /// The end of the client's sending side is no leave; only a reset is.
    half_close: bool,
    descriptor: Option<AsyncFd<OwnedFd>>,
}

impl Lookout {
    pub(super) fn new(half_close: bool) -> Self {
        Self { half_close, descriptor: None }
    }

    /// Waits until the client has left, whatever waits to be read before. The task that calls is
    /// woken by it.
    pub(super) fn poll_left(&mut self, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        // Without a descriptor to spare, writing will tell.
        let Ok(descriptor) = self.descriptor(socket) else { return Poll::Pending };
        loop {
            // Linux tells the end of the other side as one of reading, a reset as one of writing, too.
            let polled = match self.half_close {
                false => descriptor.poll_read_ready(cx),
                true => descriptor.poll_write_ready(cx),
            };
            let Ok(mut guard) = ready!(polled) else { return Poll::Pending };
            let ready = guard.ready();
            if ready.is_write_closed() || (ready.is_read_closed() && !self.half_close) {
                return Poll::Ready(());
            }
            guard.clear_ready();
        }
    }

    fn descriptor(&mut self, socket: &TcpStream) -> io::Result<&AsyncFd<OwnedFd>> {
        let descriptor = match self.descriptor.take() {
            Some(descriptor) => descriptor,
            None => {
                let interest =
                    if self.half_close { Interest::WRITABLE } else { Interest::READABLE };
                AsyncFd::with_interest(socket.as_fd().try_clone_to_owned()?, interest)?
            }
        };
        Ok(self.descriptor.insert(descriptor))
    }
}
