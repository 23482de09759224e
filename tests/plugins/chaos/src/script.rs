//! Arguments out of bytes. Where the bytes end, so does the script.

/// Texts that get past the first check.
const WORDS: [&str; 20] = [
    "x-a",
    "x_a",
    "host",
    "content-length",
    "connection",
    "GET",
    "/a/../b",
    "/%2e%2e/",
    "u",
    "s",
    "closed",
    "rest",
    "a\r\nb: c",
    "10",
    "gzip",
    "content-encoding",
    "x-request-id",
    r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAA"}"#,
    // The example of RFC 8410.
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
    "a text of more than sixteen bytes",
];

/// What the gateway answers where a hook has failed begins with this, and is no script: else the next
/// hook would fail too, and no exchange with a trap ever had a response.
const PROBLEM: &[u8] = b"{\"";

/// Bytes of memory that arguments and results point into.
const MEMORY: usize = 4096;

pub(crate) struct Script {
    bytes: Vec<u8>,
    at: usize,
    memory: Box<[u8; MEMORY]>,
    /// The word that the last pointer pointed at.
    word: usize,
}

#[allow(dead_code, reason = "outside of a component nothing is called")]
impl Script {
    pub(crate) fn new(mut bytes: Vec<u8>) -> Self {
        if bytes.starts_with(PROBLEM) {
            bytes.clear();
        }
        let mut memory = Box::new([0; MEMORY]);
        for (place, byte) in memory.iter_mut().zip(&bytes) {
            *place = *byte;
        }
        Self { bytes, at: 0, memory, word: 0 }
    }

    /// What to call next.
    pub(crate) fn next(&mut self) -> Option<usize> {
        (self.at < self.bytes.len()).then(|| usize::from(self.byte()))
    }

    /// 0 behind the end.
    pub(crate) fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        byte
    }

    /// A handle, as often as not one that there is: they count from 1.
    pub(crate) fn handle(&mut self) -> i32 {
        match self.byte() {
            small @ 0..=223 => 1 + i32::from(small % 6),
            _ => self.number(),
        }
    }

    /// Where an argument begins: a word, the script's own bytes, anywhere.
    pub(crate) fn pointer(&mut self) -> i32 {
        match self.byte() {
            word @ 0..=159 => {
                self.word = usize::from(word) % WORDS.len();
                address(WORDS[self.word].as_ptr())
            }
            own @ 160..=239 => address(self.memory[usize::from(own - 160)..].as_ptr()),
            _ => self.number(),
        }
    }

    /// How long it is: as long as the last word, short, anything.
    pub(crate) fn length(&mut self) -> i32 {
        match self.byte() {
            0..=159 => i32::try_from(WORDS[self.word].len()).unwrap_or_default(),
            short @ 160..=239 => i32::from(short - 160),
            _ => self.number(),
        }
    }

    /// Where a result goes.
    pub(crate) fn result(&mut self) -> i32 {
        match self.byte() {
            0..=239 => address(self.memory[MEMORY / 2..].as_ptr()) & !7,
            _ => self.number(),
        }
    }

    /// A case of a variant, mostly one that there is.
    pub(crate) fn case(&mut self) -> i32 {
        match self.byte() {
            few @ 0..=239 => i32::from(few % 3),
            _ => self.number(),
        }
    }

    pub(crate) fn number(&mut self) -> i32 {
        i32::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    pub(crate) fn wide(&mut self) -> i64 {
        i64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    pub(crate) fn float(&mut self) -> f64 {
        f64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }
}

#[allow(dead_code, reason = "outside of a component nothing is called")]
fn address(pointer: *const u8) -> i32 {
    pointer.addr() as i32
}
