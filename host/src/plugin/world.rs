//! Which world a component is written for, told by what it exports before anything is compiled.

use std::fmt;

use wasmparser::{BinaryReaderError, Parser, Payload};

/// What a component can be to the gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `tollgate:plugin`: in a route's chain.
    Plugin,
    /// `wasi:http/proxy`, version 0.2: at the end of a route.
    Proxy,
    /// `wasi:http/service`, version 0.3: at the end of a route.
    Service,
    /// `wasi:http/middleware`, version 0.3: it hands requests on to another handler.
    Middleware,
}

/// A world with the version that the component wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct World {
    pub kind: Kind,
    pub version: String,
}

impl World {
    /// `None`: one that the gateway does not know. Bytes that are no component have none.
    pub fn of(component: &[u8]) -> Option<Self> {
        let Names { exports, imports } = Names::of(component).ok()?;
        let exported = |interface: &str| {
            let mut names = exports.iter().filter_map(|name| name.strip_prefix(interface));
            names.find_map(|rest| rest.strip_prefix('@')).map(str::to_owned)
        };
        let world = |kind| move |version| Self { kind, version };
        let plugin = exported("tollgate:plugin/filter").map(world(Kind::Plugin));
        plugin.or_else(|| exported("wasi:http/incoming-handler").map(world(Kind::Proxy))).or_else(
            || {
                let hands_on = imports.iter().any(|name| name.starts_with("wasi:http/handler@"));
                let kind = if hands_on { Kind::Middleware } else { Kind::Service };
                exported("wasi:http/handler").map(world(kind))
            },
        )
    }

    /// The world's name without its version.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Plugin => "tollgate:plugin",
            Kind::Proxy => "wasi:http/proxy",
            Kind::Service => "wasi:http/service",
            Kind::Middleware => "wasi:http/middleware",
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name(), self.version)
    }
}

/// A version of `tollgate:plugin` that this gateway loads. Each one stays: a component that was
/// written for any of them runs in every later gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Release {
    V0_1_0,
}

impl Release {
    /// Oldest first.
    pub const ALL: [Self; 1] = [Self::V0_1_0];

    /// `None`: one that this gateway does not know.
    pub fn of(version: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|release| release.version() == version)
    }

    pub fn version(self) -> &'static str {
        match self {
            Self::V0_1_0 => "0.1.0",
        }
    }

    /// All of them, for messages.
    pub fn known() -> String {
        Self::ALL.map(|release| format!("`tollgate:plugin@{}`", release.version())).join(", ")
    }
}

/// The names of what a component exports and imports, not those of components inside of it.
#[derive(Default)]
struct Names {
    exports: Vec<String>,
    imports: Vec<String>,
}

impl Names {
    fn of(component: &[u8]) -> Result<Self, BinaryReaderError> {
        let mut names = Self::default();
        // Parts have ends of their own.
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        names.exports.push(export?.name.name.to_owned());
                    }
                }
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        names.imports.push(import?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(names)
    }
}
