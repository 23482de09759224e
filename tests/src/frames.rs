//! A client and a server that send any HTTP/2 frames, and open no window by themselves.

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::{Gateway, wait};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const INITIAL_WINDOW_SIZE: u16 = 4;

/// A frame as it came.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// An HTTP/2 connection on which nothing is made right for the sender.
pub struct FrameClient {
    stream: TcpStream,
}

impl Gateway {
    /// An HTTP/2 connection to the first listener whose streams have this window at first.
    pub async fn frames(&self, window: u32) -> FrameClient {
        let mut stream = TcpStream::connect(self.address()).await.expect("it accepts");
        stream.set_nodelay(true).unwrap();
        let settings = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &window.to_be_bytes()].concat();
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &settings)].concat()).await.unwrap();
        FrameClient { stream }
    }
}

impl FrameClient {
    /// Sends bytes. That the other side has closed meanwhile is not this function's business.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = wait::within("room to send", self.stream.write_all(bytes.as_ref())).await;
    }

    /// `GET path` on a stream.
    pub async fn get(&mut self, stream: u32, path: &str) {
        self.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, &head(path))).await;
    }

    /// Lets the other side send so many bytes more.
    pub async fn open(&mut self, stream: u32, by: u32) {
        self.send(frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes())).await;
    }

    /// The next frame; `None` where the other side has closed.
    pub async fn next(&mut self) -> Option<Frame> {
        next_of(&mut self.stream).await
    }

    /// The next frame of this kind.
    ///
    /// # Panics
    ///
    /// The other side closed before.
    pub async fn until(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await;
            let frame = frame.unwrap_or_else(|| panic!("closed before a frame of kind {kind}"));
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Both ways apart.
    #[must_use]
    pub fn split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        self.stream.into_split()
    }
}

/// The server's end of an HTTP/2 connection on which nothing is made right for the client.
pub struct FrameServer<S> {
    stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> FrameServer<S> {
    /// Takes the client's preface, and sends settings that set nothing.
    pub async fn begin(mut stream: S) -> Self {
        let mut preface = [0; PREFACE.len()];
        wait::within("a preface", stream.read_exact(&mut preface)).await.unwrap();
        assert_eq!(preface, PREFACE);
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await.unwrap();
        Self { stream }
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The stream of the next request; `None` where the client has closed.
    pub async fn request(&mut self) -> Option<u32> {
        loop {
            let frame = next_of(&mut self.stream).await?;
            if frame.kind == HEADERS {
                return Some(frame.stream);
            }
        }
    }
}

async fn next_of<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Frame> {
    let mut head = [0; 9];
    wait::within("a frame", stream.read_exact(&mut head)).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some(Frame { kind: head[3], flags: head[4], stream: id, payload })
}

/// A whole response without a body: its status alone, 200 (RFC 7541 appendix A).
#[must_use]
pub fn ok(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &[0x88])
}

/// A frame on a stream.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A field as HPACK has it without tables and Huffman coding (RFC 7541 §6.2.2).
#[must_use]
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).ok().filter(|length| *length < 127).unwrap();
    [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

/// The fields of `GET path`.
#[must_use]
pub fn head(path: &str) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "a.test")];
    let fields = fields.into_iter().chain([(":path", path)]);
    fields.flat_map(|(name, value)| field(name, value)).collect()
}
