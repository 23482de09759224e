//! What a component wants from its host and offers to it.

use wasmtime::component::{Component, types::ComponentItem};

/// The names of what a component imports and exports.
#[derive(Clone, Debug)]
pub struct Surface {
    /// The interfaces that it imports, with their versions.
    pub imports: Vec<String>,
    /// The interfaces that it exports, with their versions.
    pub interfaces: Vec<String>,
    /// What it exports: `interface@version.function`.
    pub exports: Vec<String>,
}

impl Surface {
    pub(super) fn of(component: &Component, engine: &wasmtime::Engine) -> Self {
        let kind = component.component_type();
        let name = |(name, _): (&str, _)| name.to_owned();
        let exports = kind.exports(engine);
        Self {
            imports: kind.imports(engine).map(name).collect(),
            interfaces: kind.exports(engine).map(name).collect(),
            exports: exports.flat_map(|(name, item)| functions(name, &item.ty, engine)).collect(),
        }
    }
}

/// The functions of an interface, each after its name.
fn functions(name: &str, item: &ComponentItem, engine: &wasmtime::Engine) -> Vec<String> {
    let ComponentItem::ComponentInstance(interface) = item else { return vec![name.to_owned()] };
    let functions = interface.exports(engine);
    functions
        .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
        .map(|(function, _)| format!("{name}.{function}"))
        .collect()
}
