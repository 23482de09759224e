//! An input as a script: what the client sends, what the upstream answers, and what the guest does
//! in each hook.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body_util::Full;

/// Bytes of a script for the last hook, which sees no body.
const MAX_FINISH: usize = 64;

/// The id of each exchange.
pub(super) const ID: &str = "00000000000000000000000000000001";

pub(super) struct Script<'a> {
    choices: u8,
    request: &'a [u8],
    response: &'a [u8],
}

impl<'a> Script<'a> {
    /// The first byte has choices, the second says where the rest is divided into request and
    /// response.
    pub(super) fn of(input: &'a [u8]) -> Self {
        let [choices, divide, scripts @ ..] = input else {
            return Self { choices: 0, request: input, response: &[] };
        };
        let (request, response) = scripts.split_at(scripts.len() * usize::from(*divide) / 255);
        Self { choices: *choices, request, response }
    }

    pub(super) fn request(&self) -> Request<Full<Bytes>> {
        let methods = [Method::POST, Method::GET, Method::HEAD, Method::OPTIONS];
        let method = methods[usize::from(self.choices & 3)].clone();
        let path = if self.choices & 4 == 0 { "/one/a%2Fb/c" } else { "/two/a/b" };
        let end = self.request.len().saturating_sub(MAX_FINISH);
        let request = Request::builder()
            .method(method)
            .uri(format!("{path}?x=1"))
            .header(header::HOST, super::ends::HOST)
            .header("x-request-id", ID)
            .header("x-a", "1")
            .header("x_a", "2")
            .header("x-finish", hex::encode(&self.request[end..]));
        let mut request = request.body(Full::default()).expect("a request");
        let coding = self.choices >> 3 & 3;
        *request.body_mut() = Full::new(coded(self.request, coding, request.headers_mut()));
        request
    }

    /// What the upstream answers with.
    pub(super) fn response(&self) -> (HeaderMap, Bytes) {
        let mut headers = HeaderMap::new();
        let body = coded(self.response, self.choices >> 5 & 3, &mut headers);
        headers.insert(header::ETAG, HeaderValue::from_static("\"1\""));
        (headers, body)
    }
}

/// The bytes plain, in gzip, in something that says it is gzip, or in a coding that nobody knows.
fn coded(bytes: &[u8], coding: u8, headers: &mut HeaderMap) -> Bytes {
    let name = match coding {
        0 => return Bytes::copy_from_slice(bytes),
        1 | 2 => "gzip",
        _ => "unknown",
    };
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    if coding != 1 {
        return Bytes::copy_from_slice(bytes);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let encoded = encoder.write_all(bytes).and_then(|()| encoder.finish());
    encoded.expect("memory takes all").into()
}
