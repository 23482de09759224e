//! Components with more code than work.

use crate::artifacts;

/// The component `headers` with a module more in it, of `functions` functions that add up one number
/// `additions` times each.
#[must_use]
pub fn component(functions: usize, additions: usize) -> Vec<u8> {
    // `(func (param i32) (result i32))`: no locals, `local.get 0`, then `i32.const 7`, `i32.mul`,
    // `local.get 0`, `i32.xor` again and again.
    let body = [b"\0\x20\0".to_vec(), b"\x41\x07\x6c\x20\0\x73".repeat(additions), vec![0x0b]];
    let body = body.concat();
    let function = [leb(body.len()), body].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, b"\x01\x60\x01\x7f\x01\x7f"),
        section(3, &[leb(functions), vec![0; functions]].concat()),
        section(10, &[leb(functions), function.repeat(functions)].concat()),
    ];
    let component = std::fs::read(artifacts::component("headers")).expect("it is built");
    [component, section(1, &module.concat())].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

/// A number as WebAssembly has it (LEB128).
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).expect("seven bits"));
    bytes
}
