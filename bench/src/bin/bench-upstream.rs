//! The upstream of all rows: as little work as HTTP/1.1 with keep-alive can be.
//!
//! `/s` 95 bytes, `/k` 1 KiB of JSON, `/l` 64 KiB, `/e` the head of the request itself. It reads
//! requests without a body only, which is all that the bench sends.

#![expect(clippy::print_stderr, reason = "a program for the command line")]

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
/// Longer heads than this end the connection.
const MAX_HEAD: usize = 16 * 1024;

fn main() -> ExitCode {
    let Some(Ok(address)) = std::env::args().nth(1).map(|text| text.parse::<SocketAddr>()) else {
        eprintln!("usage: bench-upstream ADDRESS:PORT");
        return ExitCode::from(2);
    };
    match serve(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("bench-upstream: {address}: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn serve(address: SocketAddr) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(256);
    let mut listener = TcpListener::bind(address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let answers = Answers::new();
    let mut connections: Vec<Option<Connection>> = Vec::new();
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut connections)?;
                continue;
            }
            let place = &mut connections[event.token().0];
            // An event can be for a connection that an earlier one has ended.
            if place.as_mut().is_some_and(|connection| connection.drive(&answers).is_err()) {
                *place = None;
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &Poll,
    connections: &mut Vec<Option<Connection>>,
) -> io::Result<()> {
    while let Ok((mut stream, _)) = listener.accept() {
        let free = connections.iter().position(Option::is_none).unwrap_or(connections.len());
        stream.set_nodelay(true)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(free), both)?;
        let connection = Connection { stream, received: Vec::new(), drained: false, unsent: None };
        match connections.get_mut(free) {
            Some(place) => *place = Some(connection),
            None => connections.push(Some(connection)),
        }
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// Whether the last read took all there was: more will come with an event of its own.
    drained: bool,
    /// What is left of an answer: the bytes, and how many of them are sent.
    unsent: Option<(Rc<[u8]>, usize)>,
}

impl Connection {
    /// Goes on until the socket has nothing more to give or take; an error ends the connection.
    fn drive(&mut self, answers: &Answers) -> io::Result<()> {
        self.drained = false;
        loop {
            if !self.send()? {
                return Ok(());
            }
            if let Some(answer) = self.next_answer(answers) {
                self.unsent = Some((answer, 0));
            } else if !self.receive()? {
                return Ok(());
            }
        }
    }

    /// Whether all is sent.
    fn send(&mut self) -> io::Result<bool> {
        while let Some((answer, sent)) = &mut self.unsent {
            match self.stream.write(&answer[*sent..]) {
                Ok(count) => *sent += count,
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(fault) => return Err(fault),
            }
            if *sent == answer.len() {
                self.unsent = None;
            }
        }
        Ok(true)
    }

    /// Whether something came.
    fn receive(&mut self) -> io::Result<bool> {
        if self.drained {
            return Ok(false);
        }
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) if self.received.len() > MAX_HEAD => Err(ErrorKind::InvalidData.into()),
            Ok(count) => {
                self.received.extend_from_slice(&piece[..count]);
                self.drained = count < piece.len();
                Ok(true)
            }
            Err(fault) if fault.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Takes one whole request head off what was received.
    fn next_answer(&mut self, answers: &Answers) -> Option<Rc<[u8]>> {
        let end = self.received.windows(4).position(|window| window == END_OF_HEAD)? + 4;
        let answer = answers.to(&self.received[..end]);
        self.received.drain(..end);
        Some(answer)
    }
}

/// The answers, made once.
struct Answers {
    small: Rc<[u8]>,
    order: Rc<[u8]>,
    large: Rc<[u8]>,
}

impl Answers {
    fn new() -> Self {
        let small = format!(r#"{{"ok":true,"name":"small","pad":"{}"}}"#, "y".repeat(60));
        Self {
            small: answer("application/json", small.as_bytes()),
            order: answer("application/json", order().as_bytes()),
            large: answer("application/octet-stream", &[b'z'; 64 * 1024]),
        }
    }

    fn to(&self, head: &[u8]) -> Rc<[u8]> {
        let path = head.iter().position(|byte| *byte == b' ').map(|space| space + 1);
        match path.and_then(|path| head.get(path + 1)) {
            Some(b'k') => Rc::clone(&self.order),
            Some(b'l') => Rc::clone(&self.large),
            Some(b'e') => answer("text/plain", head),
            _ => Rc::clone(&self.small),
        }
    }
}

/// The head has a field that chains must remove, and one that nobody touches.
fn answer(content_type: &str, body: &[u8]) -> Rc<[u8]> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nserver: upstream\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\nx-internal: secret-backend-7\r\nx-request-cost: 12\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat().into()
}

/// A JSON document of 1,024 bytes, with two members that an aggregate leaves out.
fn order() -> String {
    let item = |n: usize| {
        format!(
            r#"{{"sku":"SKU-{}","name":"Product number {n}","qty":{},"unit_price":{}.5,"tags":["a","b"]}}"#,
            1000 + n,
            n + 1,
            19 + n
        )
    };
    let items: Vec<_> = (0..8).map(item).collect();
    let start = format!(
        r#"{{"id":"order-000042","status":"shipped","internal_note":"not for the client","customer":{{"id":991,"name":"Jane Example","email":"jane@example.com","tier":"gold"}},"items":[{}],"total":412.75,"currency":"EUR","created_at":"2026-11-21T22:00:00Z","pad":""#,
        items.join(",")
    );
    let pad = 1024usize.saturating_sub(start.len() + 2);
    format!(r#"{start}{}"}}"#, "x".repeat(pad))
}
