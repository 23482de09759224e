//! Where guests failed: a log line with the names of the functions on the guest's stack, once for
//! each place of a component. Every failure is counted, and told to its exchange, all the same.
//!
//! The engine keeps nothing for this but the functions' names: with its own details switched on it
//! would read the debug information anew at every failure, on the worker. Here it is read once
//! for a place, on a thread of its own.

mod debug;

use std::{collections::HashSet, fmt, fmt::Write as _, sync::Arc, thread};

use parking_lot::Mutex;
use wasmtime::{FrameInfo, Trap, WasmBacktrace};

use self::debug::Debug;
use super::meter::CpuExceeded;
use crate::digest::Digest;

/// Places of one component that are told.
const MAX_PLACES: usize = 64;

/// Functions of one stack that are told, from the innermost.
const MAX_FRAMES: usize = 24;

/// Longest name of a function that is told, in bytes; those of generic functions have no end.
const MAX_NAME: usize = 160;

/// As much of a name as is looked at, in bytes.
const MAX_MANGLED: usize = 4096;

/// The places in which a component has failed so far.
pub(super) struct Traces {
    /// First digits of the component's digest.
    digest: String,
    told: Mutex<HashSet<Vec<u64>>>,
    /// `None`: the component carries none.
    debug: Option<Arc<Debug>>,
}

/// A function on the guest's stack.
struct Frame {
    /// Byte of the component that it had come to.
    offset: Option<usize>,
    function: String,
}

impl Traces {
    pub(super) fn new(digest: &Digest, component: &[u8]) -> Self {
        Self {
            digest: digest.hex()[..12].to_owned(),
            told: Mutex::default(),
            debug: Debug::of(component).map(Arc::new),
        }
    }

    /// Logs where the guest was when it failed, unless that is known.
    pub(super) fn note(&self, plugin: &str, error: &wasmtime::Error) {
        let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return };
        let is_cut = error.is::<CpuExceeded>();
        if backtrace.frames().is_empty() || !self.is_new(backtrace.frames(), is_cut) {
            return;
        }
        let frames: Vec<_> = backtrace.frames().iter().take(MAX_FRAMES).map(Frame::of).collect();
        let reason = reason(error);
        let (plugin, digest) = (plugin.to_owned(), self.digest.clone());
        match &self.debug {
            None => tell(&plugin, &digest, &reason, &frames, None),
            Some(debug) => {
                let debug = Arc::clone(debug);
                let telling = move || tell(&plugin, &digest, &reason, &frames, Some(&debug));
                // Without a thread there is no line; the failure itself has one of its own.
                let _ = thread::Builder::new().name("trace".into()).spawn(telling);
            }
        }
    }

    /// `is_cut`: at no place of its own, so that the functions are the place.
    fn is_new(&self, frames: &[FrameInfo], is_cut: bool) -> bool {
        let place = |frame: &FrameInfo| match frame.module_offset() {
            Some(offset) if !is_cut => offset as u64,
            _ => u64::from(frame.func_index()),
        };
        let place = frames.iter().take(MAX_FRAMES).map(place).collect();
        let mut told = self.told.lock();
        told.len() < MAX_PLACES && told.insert(place)
    }
}

impl Frame {
    fn of(frame: &FrameInfo) -> Self {
        let function = match frame.func_name() {
            Some(name) => demangled(name),
            None => format!("function {}", frame.func_index()),
        };
        Self { offset: frame.module_offset(), function }
    }
}

fn tell(plugin: &str, digest: &str, reason: &str, frames: &[Frame], debug: Option<&Debug>) {
    let mut stack = String::new();
    let lines = debug.map(Debug::lines);
    for frame in frames {
        let arrow = if stack.is_empty() { "" } else { " < " };
        let places = frame.offset.zip(lines.as_ref()).map(|(at, lines)| lines.at(at));
        let place = places.unwrap_or_default();
        // Writing to a string does not fail.
        let _ = write!(stack, "{arrow}{}{}", frame.function, Places(&place));
    }
    tracing::warn!(plugin, digest, reason, stack, "where a plugin failed, told once");
}

/// The source lines of a frame: that of the function itself, and those that were inlined into it.
struct Places<'a>(&'a [String]);

impl fmt::Display for Places<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", self.0.join(" in "))
    }
}

/// Why a guest failed, without where.
pub(super) fn reason(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(trap) => {
            let text = trap.to_string();
            text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned()
        }
        None => error.root_cause().to_string(),
    }
}

/// How far below zero an access may be that is one of the stack, in bytes; the stack of Rust's and C's
/// compilers has 1 MiB or less.
const BELOW_ZERO: u64 = 1 << 20;

/// Whether the guest has gone beyond the stack that it has in its own memory. Compilers put that at the
/// memory's beginning, and in 32 bits what is below zero is the end.
pub(super) fn fell_below_memory(error: &wasmtime::Error) -> bool {
    let address = |cause: &(dyn std::error::Error + 'static)| {
        let cause = cause.to_string();
        let (address, _) =
            cause.strip_prefix("memory fault at wasm address 0x")?.split_once(' ')?;
        u64::from_str_radix(address, 16).ok()
    };
    let end = 1 << 32;
    // An offset that the instruction has itself goes beyond the end.
    let below = |address| (end - BELOW_ZERO..end + BELOW_ZERO).contains(&address);
    error.chain().filter_map(address).any(below)
}

/// As the source has it, without the hash that Rust adds.
fn demangled(name: &str) -> String {
    let name = &name[..name.floor_char_boundary(MAX_MANGLED)];
    let mut short = Short::default();
    // What does not fit ends the writing, which would go on for ever with some names.
    let _ = match rustc_demangle::try_demangle(name) {
        Ok(rust) => write!(short, "{rust:#}"),
        Err(_) => short.write_str(&nested(name).unwrap_or_else(|| name.to_owned())),
    };
    // What a component calls its functions is its own choice.
    short.0.replace(char::is_control, "?")
}

/// A plain name of C++ (Itanium ABI §5.1): what its names hold beside words can take a reader for ever.
fn nested(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix("_ZN")?;
    let mut words = Vec::new();
    while !rest.starts_with('E') {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (length, after) = (rest[..digits].parse().ok()?, &rest[digits..]);
        words.push(after.get(..length)?);
        rest = &after[length..];
    }
    Some(words.join("::"))
}

/// The beginning of what is written.
#[derive(Default)]
struct Short(String);

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_NAME - self.0.len();
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Itanium's substitutions, each eight times the one before.
    const BOMB: &str = "_Z1f1aIiiES_IS0_S0_S0_S0_S0_S0_S0_S0_ES_IS1_S1_S1_S1_S1_S1_S1_S1_ES_IS2_S2_S2_S2_S2_S2_S2_S2_ES_IS3_S3_S3_S3_S3_S3_S3_S3_ES_IS4_S4_S4_S4_S4_S4_S4_S4_ES_IS5_S5_S5_S5_S5_S5_S5_S5_ES_IS6_S6_S6_S6_S6_S6_S6_S6_ES_IS7_S7_S7_S7_S7_S7_S7_S7_ES_IS8_S8_S8_S8_S8_S8_S8_S8_ES_IS9_S9_S9_S9_S9_S9_S9_S9_E";

    #[test]
    fn names_are_told_as_the_source_has_them() {
        for (name, expected) in [
            ("_RNvCs4fqI2P2rA04_6faulty8overflow", "faulty::overflow"),
            ("_ZN6faulty5Fault6happen17h0123456789abcdefE", "faulty::Fault::happen"),
            ("_ZN3foo3barEv", "foo::bar"),
            ("_ZN3fooIiE3barEv", "_ZN3fooIiE3barEv"),
            ("on_request", "on_request"),
            ("two\nlines", "two?lines"),
        ] {
            assert_eq!(demangled(name), expected);
        }
        assert_eq!(demangled(&"x".repeat(1000)).len(), MAX_NAME);
    }

    #[test]
    fn a_name_that_doubles_with_each_letter_has_an_end() {
        for bomb in [BOMB, &format!("_Z1fIX{}v", "nw".repeat(44))] {
            assert!(demangled(bomb).len() <= MAX_NAME);
        }
    }
}
