//! How much there is to compile. The bounds of the process that compiles leave room for no more: it
//! takes a kilobyte and more for each small function, and for a large one much more than its share.

use std::fmt;

use wasmparser::{Parser, Payload};

/// Functions of all modules. The interpreters of Python and JavaScript have some 13,000.
const MAX_FUNCTIONS: u64 = 100_000;

/// Bytes of all functions; those interpreters have 7 and 9 MB.
const MAX_CODE: u64 = 32 << 20;

/// Bytes of one function; the largest of Python has 420 KB. One of 1 MiB can take 11 s and 1.5 GB.
const MAX_FUNCTION: u64 = 512 << 10;

/// Bytes from which a function is a large one, and how many of those there may be: several are compiled
/// at a time.
const LARGE_FUNCTION: u64 = 256 << 10;
const MAX_LARGE_FUNCTIONS: u64 = 2;

/// What of a component is more than the gateway compiles.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct TooMuch {
    what: &'static str,
    most: u64,
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} {}", self.most, self.what)
    }
}

/// What there is of it, so far.
#[derive(Default)]
struct Size {
    functions: u64,
    code: u64,
    large: u64,
}

/// Looks before anything is compiled. What is broken is for the compiler to tell.
pub(super) fn check(component: &[u8]) -> Result<(), TooMuch> {
    let mut size = Size::default();
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::CodeSectionEntry(function)) => {
                size.add(function.range().len() as u64)?;
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    Ok(())
}

impl Size {
    fn add(&mut self, function: u64) -> Result<(), TooMuch> {
        self.functions += 1;
        self.code += function;
        self.large += u64::from(function >= LARGE_FUNCTION);
        for (is, most, what) in [
            (self.functions, MAX_FUNCTIONS, "functions"),
            (self.code, MAX_CODE, "bytes of code"),
            (function, MAX_FUNCTION, "bytes in one function"),
            (self.large, MAX_LARGE_FUNCTIONS, "functions of 256 KiB and more"),
        ] {
            if is > most {
                return Err(TooMuch { what, most });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_has_only_so_much_to_compile() {
        let refused = |functions: &[u64]| {
            let mut size = Size::default();
            functions.iter().try_for_each(|bytes| size.add(*bytes)).err().map(|it| it.to_string())
        };
        assert_eq!(refused(&[10; 100_000]), None);
        assert_eq!(refused(&[10; 100_001]).as_deref(), Some("more than 100000 functions"));
        assert_eq!(
            refused(&[LARGE_FUNCTION - 1; 200]).as_deref(),
            Some("more than 33554432 bytes of code")
        );
        assert_eq!(refused(&[MAX_FUNCTION; 2]), None);
        assert_eq!(
            refused(&[MAX_FUNCTION; 3]).as_deref(),
            Some("more than 2 functions of 256 KiB and more")
        );
        assert_eq!(
            refused(&[MAX_FUNCTION + 1]).as_deref(),
            Some("more than 524288 bytes in one function")
        );
    }
}
