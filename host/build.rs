//! Templates are embedded by a macro, which does not tell cargo what it read.

fn main() {
    println!("cargo::rerun-if-changed=../templates");
}
