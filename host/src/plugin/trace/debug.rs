//! Lines of source for bytes of a component, where it carries debug information (DWARF, in the
//! custom sections of its core modules).

use std::{collections::HashMap, ops::Range};

use addr2line::{
    Context,
    gimli::{Dwarf, EndianSlice, LittleEndian, SectionId},
};
use wasmparser::{Parser, Payload};

/// Largest component whose debug information is kept, in bytes.
const MAX_COMPONENT: usize = 64 << 20;

/// Inlined functions of one place that are told.
const MAX_INLINED: usize = 4;

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// A component with debug information.
pub(super) struct Debug {
    bytes: Vec<u8>,
    modules: Vec<Module>,
}

/// A core module of it.
#[derive(Default)]
struct Module {
    code: Range<usize>,
    /// Debug sections by name, such as `.debug_line`.
    sections: HashMap<String, Range<usize>>,
}

impl Debug {
    /// `None`: there is none in it, or the component is beyond bounds.
    pub(super) fn of(component: &[u8]) -> Option<Self> {
        if component.len() > MAX_COMPONENT {
            return None;
        }
        let modules = modules(component);
        if modules.is_empty() { None } else { Some(Self { bytes: component.to_vec(), modules }) }
    }

    /// Reads it.
    pub(super) fn lines(&self) -> Lines<'_> {
        let read = |module: &Module| {
            let section = |id: SectionId| -> Result<Reader<'_>, addr2line::gimli::Error> {
                let range = module.sections.get(id.name()).cloned().unwrap_or_default();
                Ok(EndianSlice::new(&self.bytes[range], LittleEndian))
            };
            Some((module.code.clone(), Context::from_dwarf(Dwarf::load(section).ok()?).ok()?))
        };
        Lines(self.modules.iter().filter_map(read).collect())
    }
}

/// Debug information that has been read: for the code of each module.
pub(super) struct Lines<'a>(Vec<(Range<usize>, Context<Reader<'a>>)>);

impl Lines<'_> {
    /// `file:line` of the byte at `offset`, inlined functions first.
    pub(super) fn at(&self, offset: usize) -> Vec<String> {
        let Some((code, context)) = self.0.iter().find(|(code, _)| code.contains(&offset)) else {
            return Vec::new();
        };
        let Ok(mut frames) = context.find_frames((offset - code.start) as u64).skip_all_loads()
        else {
            return Vec::new();
        };
        let mut places = Vec::new();
        while let Ok(Some(frame)) = frames.next()
            && places.len() < MAX_INLINED
        {
            let Some(location) = frame.location else { continue };
            let Some(file) = location.file else { continue };
            let line = location.line.map(|line| format!(":{line}")).unwrap_or_default();
            places.push(format!("{}{line}", file.replace(char::is_control, "?")));
        }
        places
    }
}

/// The core modules that have debug information.
fn modules(component: &[u8]) -> Vec<Module> {
    let mut modules = Vec::new();
    let mut open: Vec<Module> = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        // The compiler has taken it; what it could not read has no lines.
        let Ok(payload) = payload else { break };
        match payload {
            Payload::Version { .. } => open.push(Module::default()),
            Payload::CodeSectionStart { range, .. } => {
                if let Some(module) = open.last_mut() {
                    module.code = within(component, range);
                }
            }
            Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                let end = section.data_offset() + section.data().len();
                if let Some(module) = open.last_mut() {
                    let data = within(component, section.data_offset()..end);
                    module.sections.insert(section.name().to_owned(), data);
                }
            }
            Payload::End(_) => modules.extend(open.pop()),
            _ => (),
        }
    }
    modules.retain(|module| module.sections.contains_key(".debug_line"));
    modules
}

/// The range, or nothing where it is not one of the component.
fn within(component: &[u8], range: Range<usize>) -> Range<usize> {
    if range.start <= range.end && range.end <= component.len() { range } else { 0..0 }
}
