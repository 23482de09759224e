//! Content codings: undone before plugins see a body, done again after (RFC 9110 §8.4).

mod decoder;
mod encoded;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, VARY},
};

use self::decoder::Decoder;
use crate::body::ReadError;

pub(crate) use self::{decoder::Decoded, encoded::Encoded};

/// Bytes that one step of a codec makes at most.
const PIECE: usize = 32 * 1024;

/// How long a worker decodes before it lets others run.
const TURN: Duration = Duration::from_millis(2);

/// Fields that describe the bytes of a body: digests (RFC 9530, RFC 3230), the checksum of old.
const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

/// A coding that the gateway can undo and do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Coding {
    Gzip,
    Brotli,
    Zstd,
    /// The zlib format (RFC 9110 §8.4.1.2).
    Deflate,
}

/// What `content-encoding` says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Coded {
    Plainly,
    In(Coding),
    /// In one that the gateway does not know, or in several.
    Unknown,
}

/// The response's body has been replaced; before, it had this coding.
#[derive(Clone, Copy)]
pub(crate) struct Recode(pub(crate) Coding);

impl Coding {
    /// All of them, by the names that a refused client is told.
    pub(crate) const NAMES: &'static str = "gzip, br, zstd, deflate";

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            // RFC 9110 §8.4.1.3: `x-gzip` is the same.
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }

    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }
}

/// The coding of a body with this head.
pub(crate) fn of(headers: &HeaderMap) -> Coded {
    let mut lines = headers.get_all(CONTENT_ENCODING).iter();
    let Some(line) = lines.next() else { return Coded::Plainly };
    let name = line.to_str().map(str::trim).unwrap_or("?");
    if lines.next().is_some() {
        return Coded::Unknown;
    }
    match Coding::parse(name) {
        Some(coding) => Coded::In(coding),
        None if name.is_empty() || name.eq_ignore_ascii_case("identity") => Coded::Plainly,
        None => Coded::Unknown,
    }
}

/// Takes the coding off a head whose body has been replaced, and gives it.
pub(crate) fn remove(headers: &mut HeaderMap) -> Option<Coding> {
    let coded = of(headers);
    headers.remove(CONTENT_ENCODING);
    if let Coded::In(coding) = coded { Some(coding) } else { None }
}

/// Whether who sent `headers` takes a response in this coding (RFC 9110 §12.5.3).
pub(crate) fn is_accepted(headers: &HeaderMap, coding: Coding) -> bool {
    let mut any = false;
    for (name, refused) in accepted(headers) {
        if Coding::parse(name) == Some(coding) {
            return !refused;
        }
        any |= name == "*" && !refused;
    }
    any
}

/// Leaves of `accept-encoding` what the gateway can undo.
pub(crate) fn accept_known(headers: &mut HeaderMap) {
    if !headers.contains_key(ACCEPT_ENCODING) {
        return;
    }
    let mut known: Vec<_> = accepted(headers)
        .filter(|(_, refused)| !refused)
        .filter_map(|(name, _)| Coding::parse(name).map(Coding::name))
        .collect();
    known.dedup();
    let known = if known.is_empty() { "identity".to_owned() } else { known.join(", ") };
    let known = HeaderValue::from_str(&known).expect("names are tokens");
    headers.insert(ACCEPT_ENCODING, known);
}

/// The members of `accept-encoding`, and whether their weight is zero.
fn accepted(headers: &HeaderMap) -> impl Iterator<Item = (&str, bool)> {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|member| {
        let (name, parameters) = member.split_once(';').unwrap_or((member, ""));
        let weight = parameters.trim().strip_prefix("q=").map(str::trim);
        let refused = weight.is_some_and(|weight| weight.parse::<f32>().is_ok_and(|q| q <= 0.0));
        (name.trim(), refused)
    })
}

/// The bytes will be others: the gateway frames them anew, and nobody vouches for them.
pub(crate) fn bytes_change(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    for digest in DIGESTS {
        headers.remove(digest);
    }
}

/// A strong validator says that the bytes are the same (RFC 9110 §8.8.1); they are not.
pub(crate) fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\"")) else {
        return;
    };
    if let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
        headers.insert(ETAG, weak);
    }
}

/// Which coding a response has depends on what the client takes.
pub(crate) fn vary(headers: &mut HeaderMap) {
    let lines = headers.get_all(VARY).iter().filter_map(|line| line.to_str().ok());
    let mut names = lines.flat_map(|line| line.split(',')).map(str::trim);
    if !names.any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding")) {
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// Undoes a coding of a whole body.
///
/// # Errors
///
/// It decodes to more than `limit` bytes, or does not follow its coding.
pub(crate) async fn decode(
    coding: Coding,
    mut input: Bytes,
    limit: u64,
) -> Result<Bytes, ReadError> {
    let (mut decoder, mut whole) = (Decoder::new(coding), BytesMut::new());
    let (mut piece, mut turn) = (vec![0; PIECE], std::time::Instant::now());
    loop {
        let made = decoder.decode(&mut input, true, &mut piece)?;
        if made == 0 {
            return Ok(whole.freeze());
        }
        if (whole.len() + made) as u64 > limit {
            return Err(ReadError::TooLarge(limit));
        }
        whole.extend_from_slice(&piece[..made]);
        if turn.elapsed() > TURN {
            tokio::task::yield_now().await;
            turn = std::time::Instant::now();
        }
    }
}

#[cfg(test)]
mod tests;
