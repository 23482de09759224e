//! Calls whatever the gateway offers to plugins, in the order and with the arguments that a script
//! says, below the bindings: handles that are none, memory that is not there, lengths that lie. The
//! script is the body that a hook sees, and for the last hook, which sees none, a header.

#[cfg(target_family = "wasm")]
mod calls;
mod script;

use tollgate_plugin::{Config, Error, Outcome, Plugin, Request, Response, Verdict, plugin};

use crate::script::Script;

#[derive(Config)]
struct Chaos {}

#[plugin]
impl Plugin for Chaos {
    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        let mut script = Script::new(request.body().unwrap_or_default());
        run(&mut script);
        match script.byte() % 4 {
            0 => Ok(Verdict::Respond(Response::new(script.byte().into()))),
            1 => Err(Error::new("as the script says")),
            _ => Ok(Verdict::Next),
        }
    }

    fn on_request_chunk(
        &self,
        _: &mut Request,
        chunk: Vec<u8>,
        _last: bool,
    ) -> Result<Vec<u8>, Error> {
        run(&mut Script::new(chunk.clone()));
        Ok(chunk)
    }

    fn on_response(&self, _: &mut Request, response: &mut Response) -> Result<(), Error> {
        run(&mut Script::new(response.body().unwrap_or_default()));
        Ok(())
    }

    fn on_response_chunk(
        &self,
        _: &mut Request,
        chunk: Vec<u8>,
        _last: bool,
    ) -> Result<Vec<u8>, Error> {
        run(&mut Script::new(chunk));
        Ok(vec![b'x'; 100])
    }

    fn on_finish(&self, request: &mut Request, _: &Outcome) {
        run(&mut Script::new(unhex(&request.header("x-finish").unwrap_or_default())));
    }
}

#[cfg(target_family = "wasm")]
fn run(script: &mut Script) {
    while let Some(call) = script.next() {
        calls::ALL[call % calls::ALL.len()](script);
    }
}

/// There is nothing to call outside of a component.
#[cfg(not(target_family = "wasm"))]
fn run(script: &mut Script) {
    while script.next().is_some() {}
}

/// The bytes that pairs of hexadecimal digits stand for.
fn unhex(text: &str) -> Vec<u8> {
    let digits = text.chars().filter_map(|digit| digit.to_digit(16)?.try_into().ok());
    let digits: Vec<u8> = digits.collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
