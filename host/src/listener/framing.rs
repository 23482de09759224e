//! Where a client's bytes stand: which HTTP they are, and in HTTP/2 whether a block of fields is
//! open. Between its frames nothing else may come, so that a slow one holds up the connection.

/// What an HTTP/2 connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEAD: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// What a client's bytes were so far.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes of HTTP/2's preface, and nothing else.
    Preface(usize),
    Http1,
    Http2(Frames),
}

/// Where in its frames a connection is.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; HEAD],
    /// Bytes of the head that are there.
    known: usize,
    /// Bytes of the payload that are still to come.
    left: usize,
    block: bool,
}

/// What some bytes did to blocks of fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Block {
    /// None is open.
    Shut,
    /// One is that was open before.
    Open,
    /// One is that began in these bytes.
    Begun,
}

impl Framing {
    pub(super) fn is_http2(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    /// Follows what has come.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Block {
        match self {
            Self::Http1 => Block::Shut,
            Self::Http2(frames) => frames.read(bytes),
            Self::Preface(matched) => {
                let wanted = &PREFACE[*matched..];
                let length = wanted.len().min(bytes.len());
                if bytes[..length] != wanted[..length] {
                    *self = Self::Http1;
                } else if length < wanted.len() {
                    *matched += length;
                } else {
                    *self = Self::Http2(Frames::default());
                    return self.read(&bytes[length..]);
                }
                Block::Shut
            }
        }
    }
}

impl Frames {
    fn read(&mut self, mut bytes: &[u8]) -> Block {
        let mut same = self.block;
        while !bytes.is_empty() {
            let taken = if self.known < HEAD { self.read_head(bytes) } else { self.skip(bytes) };
            bytes = &bytes[taken..];
            if self.known == HEAD && self.left == 0 {
                self.known = 0;
                self.block &= self.head[4] & END_HEADERS == 0;
            }
            same &= self.block;
        }
        match (self.block, same) {
            (false, _) => Block::Shut,
            (true, true) => Block::Open,
            (true, false) => Block::Begun,
        }
    }

    fn read_head(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(HEAD - self.known);
        self.head[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
        self.known += taken;
        if self.known == HEAD {
            let [a, b, c, kind, ..] = self.head;
            self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
            // Any other frame inside of a block is an error that ends the connection.
            self.block = matches!(kind, HEADERS | CONTINUATION);
        }
        taken
    }

    fn skip(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.left);
        self.left -= taken;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: u8 = 0;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    fn opened() -> Framing {
        let mut framing = Framing::Preface(0);
        assert_eq!(framing.read(PREFACE), Block::Shut);
        assert!(framing.is_http2());
        framing
    }

    #[test]
    fn the_preface_may_come_in_pieces() {
        let mut framing = Framing::Preface(0);
        for byte in PREFACE {
            assert!(!framing.is_http2());
            framing.read(std::slice::from_ref(byte));
        }
        assert!(framing.is_http2());
    }

    #[test]
    fn what_only_begins_like_the_preface_is_http1() {
        for request in ["GET / HTTP/1.1\r\n", "PRI / HTTP/1.1\r\n", "PUT / HTTP/1.1\r\n"] {
            let mut framing = Framing::Preface(0);
            framing.read(&request.as_bytes()[..1]);
            framing.read(&request.as_bytes()[1..]);
            assert!(matches!(framing, Framing::Http1), "{request}");
        }
    }

    #[test]
    fn a_block_is_open_from_its_first_head_to_the_end_of_its_last_frame() {
        let mut framing = opened();
        assert_eq!(framing.read(&frame(HEADERS, 0, b"ab")), Block::Begun);
        let end = frame(CONTINUATION, END_HEADERS, b"cd");
        for byte in &end[..end.len() - 1] {
            assert_ne!(framing.read(&[*byte]), Block::Shut);
        }
        assert_eq!(framing.read(&end[end.len() - 1..]), Block::Shut);
        assert_eq!(framing.read(&frame(CONTINUATION, END_HEADERS, b"")), Block::Shut);
    }

    #[test]
    fn a_block_after_another_in_the_same_bytes_is_a_new_one() {
        let mut framing = opened();
        let open = frame(HEADERS, 0, b"ab");
        assert_eq!(framing.read(&open), Block::Begun);
        assert_eq!(framing.read(&frame(CONTINUATION, 0, b"cd")), Block::Open);
        let next = [frame(CONTINUATION, END_HEADERS, b"ef"), open].concat();
        assert_eq!(framing.read(&next), Block::Begun);
    }

    #[test]
    fn other_frames_open_none() {
        let mut framing = opened();
        let data = frame(DATA, 0, &frame(HEADERS, 0, b"ab"));
        for byte in data {
            assert_eq!(framing.read(&[byte]), Block::Shut);
        }
    }
}
