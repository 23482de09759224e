//! Misbehaves in the way that its configuration names.

use std::{hint::black_box, sync::OnceLock};

use tollgate_plugin::{
    Config, Error, Outcome, Phases, Plugin, Request, Response, Verdict, crypto, log, plugin,
};

/// Made before the hook, whose own time that would take.
static DIGESTED: OnceLock<Vec<u8>> = OnceLock::new();

/// One fault, in one hook.
#[derive(Config)]
struct Faulty {
    /// Where it happens.
    hook: Hook,
    /// What happens.
    fault: Fault,
    /// Only for requests with this header.
    only_with: Option<String>,
}

#[derive(Clone, Copy, Config, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Hook {
    Configure,
    Request,
    Response,
    Finish,
}

#[derive(Clone, Copy, Config, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Fault {
    /// Runs for ever.
    Loop,
    /// Takes memory without end.
    Allocate,
    /// Calls itself without end.
    Overflow,
    /// Panics.
    Panic,
    /// Says that it has failed.
    Fail,
    /// Logs a thousand lines.
    LogFlood,
    /// Has the gateway digest much in one call.
    Digest,
    /// Keeps responses, each with a body that it has in its own memory only once.
    Hoard,
}

#[plugin]
impl Plugin for Faulty {
    type Config = Self;

    fn new(config: Self) -> Result<Self, Error> {
        if config.fault == Fault::Digest {
            DIGESTED.get_or_init(|| vec![1; 32 << 20]);
        }
        if config.hook == Hook::Configure {
            config.fault.happen()?;
        }
        Ok(config)
    }

    fn phases(&self) -> Phases {
        match self.hook {
            Hook::Configure => Phases::NONE,
            Hook::Request => Phases::REQUEST,
            Hook::Response => Phases::REQUEST.and(Phases::RESPONSE),
            Hook::Finish => Phases::REQUEST.and(Phases::FINISH),
        }
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        self.reach(Hook::Request, request)?;
        Ok(Verdict::Next)
    }

    fn on_response(&self, request: &mut Request, _: &mut Response) -> Result<(), Error> {
        self.reach(Hook::Response, request)
    }

    fn on_finish(&self, request: &mut Request, _: &Outcome) {
        // There is nobody left to tell.
        let _ = self.reach(Hook::Finish, request);
    }
}

impl Faulty {
    fn reach(&self, hook: Hook, request: &Request) -> Result<(), Error> {
        let meant = self.only_with.as_ref().is_none_or(|name| request.header(name).is_some());
        if self.hook == hook && meant { self.fault.happen() } else { Ok(()) }
    }
}

impl Fault {
    fn happen(self) -> Result<(), Error> {
        match self {
            Self::Loop => loop {
                black_box(());
            },
            Self::Allocate => allocate(),
            Self::Overflow => {
                black_box(overflow(black_box(1)));
            }
            Self::Panic => panic!("a secret of the panic"),
            Self::Fail => return Err(Error::new("a secret of the failure")),
            Self::LogFlood => {
                for line in 0..1000 {
                    log!(Info, "flood {line}");
                }
            }
            Self::Digest => {
                black_box(crypto::sha256(DIGESTED.get_or_init(Vec::new)));
            }
            Self::Hoard => hoard()?,
        }
        Ok(())
    }
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
