//! Chunk hooks, driven without a gateway.

use tollgate_plugin::testing::{Gateway, Request as Sent};
use tollgate_plugin::{Config, Error, Need, Phases, Plugin, Reason, Request, plugin};

/// Masks a word in responses, and counts the bytes of requests.
#[derive(Config)]
struct Mask {
    /// The word.
    word: String,
}

#[plugin]
impl Plugin for Mask {
    const NEEDS: &'static [Need] = &[Need::RequestBody, Need::ResponseBody];

    fn on_request_chunk(
        &self,
        request: &mut Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        let so_far = request.attribute("bytes").map_or(Ok(0), |bytes| bytes.parse::<usize>())?;
        request.set_attribute("bytes", &(so_far + chunk.len()).to_string());
        if last && chunk.is_empty() {
            return Err(Error::new("an empty end"));
        }
        Ok(chunk)
    }

    /// What could be the beginning of the word waits for the next chunk.
    fn on_response_chunk(
        &self,
        request: &mut Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        let masked = String::from_utf8(chunk)?.replace(&self.word, "***");
        let begun = |length: &usize| masked.ends_with(&self.word[..*length]);
        let begun = if last { 0 } else { (1..self.word.len()).rev().find(begun).unwrap_or(0) };
        let (sure, begun) = masked.split_at(masked.len() - begun);
        if !begun.is_empty() {
            request.hold_back(begun)?;
        }
        Ok(sure.into())
    }
}

fn mask() -> Gateway<Mask> {
    Gateway::new(r#"{ "word": "secret" }"#)
}

#[test]
fn chunk_methods_are_phases() {
    assert_eq!(mask().phases(), Phases::REQUEST_CHUNKS.and(Phases::RESPONSE_CHUNKS));
}

#[test]
fn what_is_held_back_comes_again_with_the_next_chunk() {
    let mut exchange = mask().request(Sent::get("/"));
    let masked = exchange.response_chunks(&["a sec", "ret", " and se", "e"]);
    assert_eq!(String::from_utf8_lossy(&masked), "a *** and see");
}

#[test]
fn attributes_go_from_chunk_to_chunk() {
    let mut exchange = mask().request(Sent::post("/", ""));
    assert_eq!(exchange.request_chunks(&["one", "three"]), b"onethree");
    assert_eq!(exchange.request.attribute("bytes").as_deref(), Some("8"));
}

#[test]
fn a_hook_that_fails_says_why() {
    let mut exchange = mask().request(Sent::post("/", ""));
    let error = exchange.try_request_chunks(&["one", ""]).expect_err("it fails");
    assert_eq!(error.to_string(), "an empty end");
}

#[test]
fn outside_of_chunk_hooks_nothing_is_held_back() {
    let mut request = Sent::get("/").build();
    let refused = request.hold_back("x").expect_err("it is refused");
    assert!(matches!(refused.reason, Reason::Invalid(_)));
}
