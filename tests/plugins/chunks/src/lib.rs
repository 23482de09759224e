//! Does with the chunks of bodies what its configuration says, and logs what it saw.

use std::hint::black_box;

use tollgate_plugin::{
    Config, Error, Need, Outcome, Phases, Plugin, Reason, Refused, Request, log, plugin,
};

/// What to do with the chunks of each body; `null`: nothing, and no chunks are wanted.
#[derive(Config)]
struct Chunks {
    request: Option<Act>,
    response: Option<Act>,
    /// Only for exchanges whose request has this header; others pass untouched.
    only_with: Option<String>,
    /// Log the attributes at the end.
    #[serde(default)]
    finish: bool,
}

#[derive(Config)]
#[serde(rename_all = "snake_case")]
enum Act {
    /// Goes on as it is.
    Keep,
    /// In capitals.
    Upper,
    /// Between these words.
    Wrap(String, String),
    /// Nothing goes on before the last chunk.
    Hold,
    /// Twice.
    Double,
    /// Nothing goes on.
    Drop,
    /// So many bytes for each chunk.
    Grow(usize),
    /// A word by another one, wherever chunks cut it.
    Replace(String, String),
    /// Fails with the chunk of this number, from 1.
    Fail(u32),
    /// Panics with the chunk of this number.
    Panic(u32),
    /// Never returns from the chunk of this number.
    Loop(u32),
    /// Tries what a chunk hook may not.
    Forbidden,
    /// Its own name stands before each chunk.
    Stamp(String),
}

#[plugin]
impl Plugin for Chunks {
    const NEEDS: &'static [Need] = &[Need::RequestBody, Need::ResponseBody];

    fn phases(&self) -> Phases {
        Phases::NONE
            .and_if(self.request.is_some(), Phases::REQUEST_CHUNKS)
            .and_if(self.response.is_some(), Phases::RESPONSE_CHUNKS)
            .and_if(self.finish, Phases::FINISH)
    }

    fn on_request_chunk(
        &self,
        request: &mut Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        self.act(self.request.as_ref(), "request", request, chunk, last)
    }

    fn on_response_chunk(
        &self,
        request: &mut Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        self.act(self.response.as_ref(), "response", request, chunk, last)
    }

    fn on_finish(&self, request: &mut Request, outcome: &Outcome) {
        let seen = |side| request.attribute(side).unwrap_or_default();
        log!(
            Info,
            "finished";
            "request" => &seen("request"),
            "response" => &seen("response"),
            "tried" => &seen("tried"),
            "error" => outcome.error.as_deref().unwrap_or("-"),
        );
    }
}

impl Chunks {
    fn act(
        &self,
        act: Option<&Act>,
        side: &str,
        request: &mut Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        let meant = self.only_with.as_ref().is_none_or(|name| request.header(name).is_some());
        match act {
            Some(act) if meant => {
                let number = count(side, request, &chunk, last);
                act.on(number, request, chunk, last)
            }
            _ => Ok(chunk),
        }
    }
}

/// Notes the chunk as an attribute, `chunks/largest/last ones`, and gives its number.
fn count(side: &str, request: &mut Request, chunk: &[u8], last: bool) -> u32 {
    let noted = request.attribute(side).unwrap_or_default();
    let mut numbers = noted.split('/').map(|number| number.parse::<usize>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let (number, largest, lasts) =
        (next() + 1, next().max(chunk.len()), next() + usize::from(last));
    request.set_attribute(side, &format!("{number}/{largest}/{lasts}"));
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Act {
    fn on(
        &self,
        number: u32,
        request: &mut Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        match self {
            Self::Keep => Ok(chunk),
            Self::Upper => Ok(chunk.to_ascii_uppercase()),
            Self::Wrap(before, after) => Ok(wrapped(number, chunk, last, before, after)),
            Self::Hold if last => Ok(chunk),
            Self::Hold => {
                request.hold_back(&chunk)?;
                Ok(Vec::new())
            }
            Self::Double => Ok(chunk.repeat(2)),
            Self::Drop => Ok(Vec::new()),
            Self::Grow(bytes) => Ok(vec![b'g'; *bytes]),
            Self::Replace(word, by) => replaced(request, &chunk, last, word, by),
            Self::Fail(at) if *at == number => Err(Error::new("a secret of the failure")),
            Self::Panic(at) if *at == number => panic!("a secret of the panic"),
            Self::Loop(at) if *at == number => loop {
                black_box(());
            },
            Self::Fail(_) | Self::Panic(_) | Self::Loop(_) => Ok(chunk),
            Self::Forbidden => {
                try_forbidden(request, last);
                Ok(chunk)
            }
            Self::Stamp(name) => Ok([name.as_bytes(), &chunk].concat()),
        }
    }
}

fn wrapped(number: u32, chunk: Vec<u8>, last: bool, before: &str, after: &str) -> Vec<u8> {
    let before = if number == 1 { before } else { "" };
    let after = if last { after } else { "" };
    [before.as_bytes(), &chunk, after.as_bytes()].concat()
}

/// Replaces a word. What could be its beginning is held back.
fn replaced(
    request: &mut Request,
    chunk: &[u8],
    last: bool,
    word: &str,
    by: &str,
) -> Result<Vec<u8>, Error> {
    let (mut made, mut rest) = (Vec::new(), chunk);
    while let Some(at) = rest.windows(word.len()).position(|part| part == word.as_bytes()) {
        made.extend_from_slice(&rest[..at]);
        made.extend_from_slice(by.as_bytes());
        rest = &rest[at + word.len()..];
    }
    let begun = |length: &usize| rest.ends_with(&word.as_bytes()[..*length]);
    let kept = if last { 0 } else { (1..word.len()).rev().find(begun).unwrap_or(0) };
    let (sure, begun) = rest.split_at(rest.len() - kept);
    made.extend_from_slice(sure);
    if kept > 0 {
        request.hold_back(begun)?;
    }
    Ok(made)
}

/// What a head that has been sent does not take, noted word by word.
fn try_forbidden(request: &mut Request, last: bool) {
    let mut tried = vec![
        request.set_header("x-late", "1"),
        request.append_header("x-late", "1"),
        request.remove_header("x-late"),
        request.set_method("PUT"),
        request.set_target("/late"),
        request.set_body("late"),
    ];
    if last {
        tried.push(request.hold_back("x"));
    }
    let late = |result: &Result<(), Refused>| match result {
        Err(Refused { reason: Reason::Invalid(why), .. }) => why.contains("has been sent"),
        _ => false,
    };
    let (late, others): (Vec<_>, Vec<_>) = tried.iter().partition(|result| late(result));
    let after = others.iter().filter(|result| result.is_err()).count();
    request.set_attribute("tried", &format!("{} late, {after} after", late.len()));
}
