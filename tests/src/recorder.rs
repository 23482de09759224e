//! A server that shows what exactly arrives, byte by byte, and answers as a script says.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::wait;

/// What the recorder does on a connection when a whole head has arrived.
pub type Script = &'static [Act];

/// One step of a script. After the last one the connection stays open, and is read.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Waits for the end of a head.
    Head,
    /// Waits until these bytes have arrived since the last wait.
    Until(&'static str),
    /// Sends bytes.
    Send(&'static str),
    /// Closes the connection.
    Close,
}

/// A well-formed answer without a body.
pub const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Takes down all bytes of every connection.
pub struct Recorder {
    address: SocketAddr,
    records: Records,
    serving: JoinHandle<()>,
}

type Records = Arc<Mutex<Vec<Vec<u8>>>>;

impl Recorder {
    /// Answers one request on each connection with [`OK`] and reads on.
    pub async fn new() -> Self {
        Self::scripted(&[&[Act::Head, Act::Send(OK)]]).await
    }

    /// The first connection follows the first script, and so on; further ones the last.
    pub async fn scripted(scripts: &'static [Script]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().unwrap();
        let records = Records::default();
        let kept = Arc::clone(&records);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let mut records = kept.lock().unwrap();
                let index = records.len();
                records.push(Vec::new());
                let script = scripts[index.min(scripts.len() - 1)];
                tokio::spawn(record(stream, script, Arc::clone(&kept), index));
            }
        });
        Self { address, records, serving }
    }

    /// What has arrived on each connection so far.
    #[must_use]
    pub fn records(&self) -> Vec<String> {
        let records = self.records.lock().unwrap();
        records.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    /// All that has arrived on all connections.
    #[must_use]
    pub fn all(&self) -> String {
        self.records().concat()
    }

    /// Waits until `text` has arrived.
    pub async fn receives(&self, text: &str) {
        wait::until(&format!("{text:?} at the upstream"), async || {
            self.all().contains(text).then_some(())
        })
        .await;
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// `127.0.0.1:PORT`, for configurations.
impl fmt::Display for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

async fn record(mut stream: TcpStream, script: Script, records: Records, index: usize) {
    let mut waited_for = 0;
    for act in script {
        match act {
            Act::Head | Act::Until(_) => {
                let end = if let Act::Until(end) = act { end } else { "\r\n\r\n" };
                let found = |records: &Records| {
                    let records = records.lock().unwrap();
                    let new = &records[index][waited_for..];
                    let at = new.windows(end.len()).position(|part| part == end.as_bytes());
                    at.map(|at| waited_for + at + end.len())
                };
                waited_for = loop {
                    if let Some(at) = found(&records) {
                        break at;
                    }
                    if !read(&mut stream, &records, index).await {
                        return;
                    }
                };
            }
            Act::Send(bytes) => {
                let _ = stream.write_all(bytes.as_bytes()).await;
            }
            Act::Close => return,
        }
    }
    while read(&mut stream, &records, index).await {}
}

/// Whether there was something to read.
async fn read(stream: &mut TcpStream, records: &Records, index: usize) -> bool {
    let mut piece = Vec::new();
    match stream.read_buf(&mut piece).await {
        Ok(length) if length > 0 => {
            records.lock().unwrap()[index].append(&mut piece);
            true
        }
        _ => false,
    }
}
