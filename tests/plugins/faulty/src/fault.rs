//! What can happen. Where a limit refuses something, the fault is that it was not refused.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::Duration;

use tollgate_plugin::crypto::{Algorithm, Key};
use tollgate_plugin::store::{Store, StoreError};
use tollgate_plugin::{
    BodyError, Config, Error, Reason, Request, Response, cache, clock, crypto, http, log, telemetry,
};

/// More than any limit of the tests that is in bytes, but that of memory.
const LONG: usize = 2000;

/// Made before the hook, whose own time that would take.
static DIGESTED: OnceLock<Vec<u8>> = OnceLock::new();

pub(crate) fn prepare_digest() {
    DIGESTED.get_or_init(|| vec![1; 16 << 20]);
}

#[derive(Clone, Copy, Config, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// Runs for ever.
    Loop,
    /// Waits for an hour, and says so before.
    Wait,
    /// Takes memory without end.
    Allocate,
    /// Calls itself without end.
    Overflow,
    /// The same with much in each call that stands on the stack in its own memory.
    OverflowInMemory,
    /// Panics.
    Panic,
    /// Says that it has failed.
    Fail,
    /// Returns a long chunk.
    LongChunk,
    /// Reads a long body, or holds back a long chunk.
    Body,
    /// Calls the upstream `u` twice.
    Calls,
    /// Sets two attributes.
    Attributes,
    /// Logs a thousand lines.
    LogFlood,
    /// Counts in two series.
    Series,
    /// Keeps a long value.
    Store,
    /// Keeps a long response.
    Cache,
    /// Has the gateway digest much in one call.
    Digest,
    /// Has the gateway verify a signature over much in one call.
    Verify,
    /// Keeps responses, each with a body that it has in its own memory only once.
    Hoard,
    /// Hands over a long text many times in one call.
    Lists,
}

/// What is at hand where it happens.
pub(crate) enum Place<'a> {
    Configure,
    Request(&'a mut Request),
    Response(&'a mut Request, &'a mut Response),
    Chunk(&'a mut Request),
    Finish(&'a mut Request),
}

impl Fault {
    /// Gives what takes the place of a chunk; nothing: it stays.
    pub(crate) fn happen(self, place: Place<'_>) -> Result<Vec<u8>, Error> {
        match self {
            Self::Loop => loop {
                black_box(());
            },
            Self::Wait => {
                log!(Info, "it waits");
                clock::sleep(Duration::from_secs(3600));
            }
            Self::Allocate => allocate(),
            Self::Overflow => {
                black_box(overflow(black_box(1)));
            }
            Self::OverflowInMemory => {
                black_box(overflow_in_memory(black_box(1)));
            }
            Self::Panic => panic!("a secret of the panic"),
            Self::Fail => return Err(Error::new("a secret of the failure")),
            Self::LongChunk => return Ok(vec![b'x'; LONG]),
            Self::Body => refused(is_too_long(place))?,
            Self::Calls => call_twice()?,
            Self::Attributes => set_two(place)?,
            Self::LogFlood => (0..1000).for_each(|line| log!(Info, "flood {line}")),
            Self::Series => ["one", "two"].iter().for_each(|it| telemetry::count(it, &[], 1)),
            Self::Store => {
                let set = Store::granted().set("long", &[0; LONG], None);
                refused(matches!(set, Err(StoreError::TooLarge(_))))?;
            }
            Self::Cache => keep()?,
            Self::Digest => {
                black_box(crypto::sha256(DIGESTED.get_or_init(Vec::new)));
            }
            Self::Verify => {
                let key = Key::from_secret(&[7; 32])?;
                let message = DIGESTED.get_or_init(Vec::new);
                black_box(key.verify(Algorithm::Hs256, message, &[0; 32]));
            }
            Self::Hoard => hoard()?,
            Self::Lists => {
                let text = "x".repeat(50 << 10);
                telemetry::log(telemetry::Level::Info, "many", &[("a", text.as_str()); 300]);
            }
        }
        Ok(Vec::new())
    }
}

fn refused(refused: bool) -> Result<(), Error> {
    if refused { Ok(()) } else { Err(Error::new("it was not refused")) }
}

fn allocate() {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; 1 << 20]));
    }
}

fn hoard() -> Result<(), Error> {
    let body = vec![b'x'; 4 << 20];
    let mut kept = Vec::new();
    for _ in 0..64 {
        let mut response = Response::new(200);
        response.set_body(&body)?;
        kept.push(response);
    }
    Ok(())
}

/// Not a loop to the compiler: something is left to do after each call.
#[expect(unconditional_recursion, reason = "this is the fault")]
fn overflow(depth: u64) -> u64 {
    black_box(overflow(black_box(depth + 1))) + depth
}

#[expect(unconditional_recursion, reason = "this is the fault")]
fn overflow_in_memory(depth: u64) -> u64 {
    let there = black_box([depth; 64]);
    black_box(overflow_in_memory(black_box(depth + 1))) + there[63]
}

fn is_too_long(place: Place<'_>) -> bool {
    match place {
        Place::Request(request) => matches!(request.body(), Err(BodyError::TooLarge(_))),
        Place::Response(_, response) => matches!(response.body(), Err(BodyError::TooLarge(_))),
        Place::Chunk(request) => {
            let held = request.hold_back([0; LONG]);
            matches!(held.map_err(|refused| refused.reason), Err(Reason::Invalid(_)))
        }
        Place::Configure | Place::Finish(_) => false,
    }
}

fn call_twice() -> Result<(), Error> {
    http::Call::get("u", "/").send()?;
    let second = http::Call::get("u", "/").send();
    refused(matches!(second, Err(http::CallError::Invalid(_))))
}

fn set_two(place: Place<'_>) -> Result<(), Error> {
    let request = match place {
        Place::Configure => return Ok(()),
        Place::Request(request)
        | Place::Response(request, _)
        | Place::Chunk(request)
        | Place::Finish(request) => request,
    };
    request.set_attribute("one", "1");
    request.set_attribute("two", "2");
    refused(request.attribute("one").is_some() && request.attribute("two").is_none())
}

fn keep() -> Result<(), Error> {
    let mut response = Response::new(200);
    response.set_body([0; LONG])?;
    cache::put("long", "", &[], Duration::from_secs(60), &response);
    refused(cache::get("long").is_none())
}
