//! The file as a tree that knows where everything stands.

mod node;
mod yaml;

use std::{
    cell::RefCell,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

pub(super) use self::node::Content;
use self::node::{Entry, Node};
use super::{
    fault::Fault,
    pointer::{Place, Pointer, Step},
    secrets::MASK,
    substitute,
};
use crate::printable;

/// A configuration file, its variables replaced.
#[derive(Clone)]
pub struct Document {
    /// As the user named it.
    file: String,
    /// Where relative paths start.
    folder: PathBuf,
    root: Node,
    /// What variables stand for, the longest first; not what is too short to be a secret.
    looked_up: Vec<Arc<str>>,
}

/// Bytes of a fault's message that are shown.
const MAX_MESSAGE: usize = 4096;

/// Bytes of the shortest text that is taken for a secret wherever it is found.
const MIN_SECRET: usize = 5;

impl Document {
    /// The document, and the faults of keys that are there twice and of variables that are not
    /// set: what else is wrong can be found in spite of them.
    ///
    /// # Errors
    ///
    /// The text is no YAML.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<(Self, Vec<Fault>), Fault> {
        Self::parse_noting(text, path, &|_| {})
    }

    /// As [`Self::parse`]; `note` is told of each file that a value names, before it is read.
    pub(super) fn parse_noting(
        text: &str,
        path: &Path,
        note: &dyn Fn(&Path),
    ) -> Result<(Self, Vec<Fault>), Fault> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let lookup = |name: &str| {
            if let Some(file) = name.strip_prefix("file:") {
                note(&folder.join(file));
            }
            substitute::from_system(folder, name)
        };
        Self::parse_with(text, path, &lookup)
    }

    /// `lookup`: the text that `${name}` stands for.
    pub(super) fn parse_with(
        text: &str,
        path: &Path,
        lookup: &substitute::Lookup<'_>,
    ) -> Result<(Self, Vec<Fault>), Fault> {
        let mut document = Self {
            file: path.display().to_string(),
            folder: path.parent().map(Path::to_owned).unwrap_or_default(),
            root: Node { place: Place::START, content: Content::Mapping(vec![]) },
            looked_up: Vec::new(),
        };
        match yaml::parse(text) {
            Ok(root) => document.root = root,
            Err((place, message)) => {
                return Err(Fault { place, ..document.fault(&Pointer::default(), message) });
            }
        }
        if matches!(document.root.content, Content::Null) {
            document.root.content = Content::Mapping(vec![]);
        }
        let mut faults = document.duplicate_keys();
        faults.extend(document.substitute(text, lookup));
        Ok((document, faults))
    }

    /// The file as the user named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// `path` as seen from the file's folder.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// The file beside this one that has its name with another extension.
    pub fn beside(&self, extension: &str) -> PathBuf {
        let name = Path::new(&self.file).file_name().unwrap_or_default();
        self.folder.join(name).with_extension(extension)
    }

    /// Where the value stands; where it is missing, what it is missing from.
    pub fn place(&self, at: &Pointer) -> Place {
        self.nearest(at).0.place
    }

    /// Where the key of the value stands; for an element of a list, the element.
    pub fn key_place(&self, at: &Pointer) -> Place {
        let Some((Step::Key(key), parent)) = at.steps().split_last() else {
            return self.place(at);
        };
        let parent = parent.iter().cloned().collect::<Pointer>();
        let entry = self.node(&parent).and_then(|node| node.entry(key));
        entry.map_or_else(|| self.place(at), |entry| entry.key_place)
    }

    /// Whether the file has something at `at`, be it empty.
    pub fn has(&self, at: &Pointer) -> bool {
        self.node(at).is_some()
    }

    /// The value at `at`; null where there is none.
    pub fn value(&self, at: &Pointer) -> Value {
        self.node(at).map_or(Value::Null, Node::to_value)
    }

    /// Tells every text in it that has no variables.
    pub(super) fn each_written_text(&self, each: &mut impl FnMut(&Pointer, &str)) {
        self.root.for_each(&mut Pointer::default(), &mut |at, node| {
            if let Content::String(text) = &node.content {
                each(at, text);
            }
        });
    }

    /// Whether variables were replaced in the value: it may be a secret.
    pub(super) fn has_substituted(&self, at: &Pointer) -> bool {
        self.node(at).is_some_and(|node| {
            let mut found = false;
            node.for_each(&mut at.clone(), &mut |_, node| {
                found |= matches!(node.content, Content::Substituted { .. });
            });
            found
        })
    }

    /// The same of the member of a table, whatever the case of its name.
    pub(super) fn has_substituted_member(&self, at: &Pointer, name: &str) -> bool {
        let Some(Content::Mapping(entries)) = self.node(at).map(|node| &node.content) else {
            return false;
        };
        let mut named = entries.iter().filter(|entry| entry.key.eq_ignore_ascii_case(name));
        named.any(|entry| self.has_substituted(&at.key(&entry.key)))
    }

    /// Where relative paths start.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn fault(&self, at: &Pointer, message: impl fmt::Display) -> Fault {
        Fault {
            file: self.file.clone(),
            place: self.place(at),
            at: at.clone(),
            // One line, whoever says it and however much: a plugin's words are among them.
            message: printable::one_line(&printable::beginning(&message.to_string(), MAX_MESSAGE))
                .into_owned(),
        }
    }

    /// `text` of somebody else, without what variables stand for.
    pub(crate) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.looked_up {
            text = text.replace(&**value, MASK);
        }
        text
    }

    pub(super) fn node(&self, at: &Pointer) -> Option<&Node> {
        let (node, steps) = self.nearest(at);
        (steps == at.steps().len()).then_some(node)
    }

    /// The last node on the way to `at`, and how many steps it is away from the root.
    fn nearest(&self, at: &Pointer) -> (&Node, usize) {
        let mut node = &self.root;
        for (steps, step) in at.steps().iter().enumerate() {
            match node.child(step) {
                Some(child) => node = child,
                None => return (node, steps),
            }
        }
        (node, at.steps().len())
    }

    fn duplicate_keys(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.root.for_each(&mut Pointer::default(), &mut |at, node| {
            let Content::Mapping(entries) = &node.content else { return };
            let mut seen = std::collections::HashMap::new();
            for entry in entries {
                let Some(first) = seen.insert(entry.key.as_str(), entry.key_place) else {
                    continue;
                };
                let message = format!("the key is already on line {}", first.line);
                faults.push(Fault {
                    file: self.file.clone(),
                    place: entry.key_place,
                    at: at.key(&entry.key),
                    message,
                });
            }
        });
        faults
    }

    fn substitute(&mut self, text: &str, lookup: &substitute::Lookup<'_>) -> Vec<Fault> {
        let lines: Vec<&str> = text.lines().collect();
        let mut failed = Vec::new();
        let found = RefCell::new(Vec::new());
        let noting = |name: &str| {
            let value = lookup(name);
            if let Ok(text) = &value {
                found.borrow_mut().extend(forms(text).filter(|it| it.len() >= MIN_SECRET));
            }
            value
        };
        self.root.substitute(&lines, &noting, &mut Pointer::default(), &mut failed);
        self.looked_up = found.into_inner();
        self.looked_up.sort_by_key(|value: &Arc<str>| std::cmp::Reverse(value.len()));
        failed.into_iter().map(|(at, message)| self.fault(&at, message)).collect()
    }
}

/// A text as others may say it: whole, line by line, and as JSON has it.
fn forms(text: &str) -> impl Iterator<Item = Arc<str>> {
    let json = Value::from(text).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let lines = text.lines().map(|line| Arc::from(line.trim())).collect::<Vec<_>>();
    [Arc::from(text.trim()), Arc::from(json)].into_iter().chain(lines)
}

/// Without its values, of which some are secrets.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("file", &self.file).finish_non_exhaustive()
    }
}
