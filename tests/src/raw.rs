//! A client that sends any bytes.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Gateway, wait};

/// A connection on which nothing is made right for the sender.
pub struct RawClient {
    stream: TcpStream,
    /// Received and not yet looked at.
    received: Vec<u8>,
}

impl Gateway {
    /// A raw connection to the first listener.
    pub async fn raw(&self) -> RawClient {
        RawClient::connect(self.address()).await
    }

    /// Sends bytes on a connection of their own and gives all that comes back until the gateway
    /// closes it.
    pub async fn raw_exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.raw().await;
        client.send(bytes).await;
        client.rest().await
    }
}

impl RawClient {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it accepts");
        stream.set_nodelay(true).unwrap();
        Self { stream, received: Vec::new() }
    }

    /// Sends bytes. That the other side has closed meanwhile is not this function's business.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = wait::within("room to send", self.stream.write_all(bytes.as_ref())).await;
    }

    /// One way of the connection ends here.
    pub async fn end(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// All until the other side closes.
    pub async fn rest(&mut self) -> String {
        while self.read().await > 0 {}
        String::from_utf8_lossy(&std::mem::take(&mut self.received)).into_owned()
    }

    /// All up to and with `end`.
    pub async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self.received.windows(end.len()).position(|part| part == end.as_bytes());
            if let Some(found) = found {
                let taken: Vec<_> = self.received.drain(..found + end.len()).collect();
                return String::from_utf8_lossy(&taken).into_owned();
            }
            let read = self.read().await;
            let so_far = String::from_utf8_lossy(&self.received);
            assert!(read > 0, "closed before {end:?}; so far: {so_far}");
        }
    }

    /// A response's head.
    pub async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// A whole response whose length is given; all that came where the other side just closes.
    pub async fn response(&mut self) -> String {
        while !self.received.windows(4).any(|part| part == b"\r\n\r\n") {
            if self.read().await == 0 {
                return self.rest().await;
            }
        }
        let head = self.head().await;
        let fields = head.to_lowercase();
        let length = fields.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        head + &String::from_utf8_lossy(&self.exactly(length).await)
    }

    /// Exactly so many bytes.
    pub async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.received.len() < length {
            assert!(self.read().await > 0, "closed too early");
        }
        self.received.drain(..length).collect()
    }

    /// Reads some; 0 at the end. A reset is an end too.
    async fn read(&mut self) -> usize {
        let reading = self.stream.read_buf(&mut self.received);
        wait::within("bytes from the other side", reading).await.unwrap_or(0)
    }

    /// The stream itself. Nothing may have been received that was not looked at.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        assert!(self.received.is_empty());
        self.stream
    }
}

/// The status of a response in raw text; 0 where there is none.
#[must_use]
pub fn status(response: &str) -> u16 {
    let status = response.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    status.and_then(|status| status.parse().ok()).unwrap_or(0)
}
