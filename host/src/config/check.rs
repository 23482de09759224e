//! From the file to the configuration: what shape alone cannot tell.
//!
//! Each function returns something to go on with and leaves faults behind, so that one run finds
//! them all.

mod actions;
mod containment;
mod listeners;
mod matching;
mod plugins;
mod registries;
mod routes;
mod services;
mod settings;
mod stores;
mod upstreams;

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

pub(super) use self::settings::level_fault;
use super::{
    Config, Fault, Faults,
    document::Document,
    file::{self, DurationOrNone, DurationText, List, SizeText, Table},
    pointer::Pointer,
    structure, units,
};

/// What the document says, with defaults where it has faults. `found`: the faults that reading it
/// has found; these and every other fault are returned, in its order.
pub(super) fn check(document: Document, found: Vec<Fault>) -> (Config, Vec<Fault>) {
    let document = Arc::new(document);
    let faults = Faults::after(&document, found);
    let file = structure::read(&faults);
    let root = Spot { faults: &faults, at: Pointer::default() };

    let plugin_directory = document.resolve(file.plugin_directory.as_deref().unwrap_or("plugins"));
    let upstreams = upstreams::check(&root.key("upstreams"), &file);
    let mut uses = plugins::Uses::check(&root.key("plugins"), &file, plugin_directory.clone());
    let mut services = services::Services::new(&file, &plugin_directory);
    let routes = routes::check(&root.key("routes"), &file, &mut uses, &mut services);
    let uses = uses.into_vec();
    let config = Config {
        listeners: listeners::check(&root.key("listeners"), &file),
        admin: listeners::check_admin(&root.key("admin"), &file),
        workers: file.workers.and_then(std::num::NonZeroUsize::new),
        trusted_proxies: listeners::check_proxies(&root.key("trusted_proxies"), &file),
        plugin_directory,
        registries: registries::check(&root.key("registries"), &file),
        stores: stores::check(&root.key("stores"), &file, &uses),
        cache: stores::check_cache(&root.key("cache"), file.cache.as_ref()),
        uses,
        services: services.into_vec(),
        upstreams,
        routes,
        limits: settings::check_limits(&root.key("limits"), file.limits.as_ref()),
        drain_delay: root.duration_or_none("drain_delay", file.drain_delay.as_ref(), None),
        drain: root.duration("drain", file.drain.as_ref(), Duration::from_secs(30)),
        telemetry: settings::check_telemetry(&root.key("telemetry"), file.telemetry.as_ref()),
        document: Arc::clone(&document),
    };
    let found = faults.into_vec();
    (config, found)
}

/// A place in the document, and where its faults go.
#[derive(Clone)]
struct Spot<'a> {
    faults: &'a Faults<'a>,
    at: Pointer,
}

impl<'a> Spot<'a> {
    fn key(&self, key: &str) -> Self {
        Self { faults: self.faults, at: self.at.key(key) }
    }

    fn index(&self, index: usize) -> Self {
        Self { faults: self.faults, at: self.at.index(index) }
    }

    fn document(&self) -> &'a Document {
        self.faults.document()
    }

    fn fault(&self, message: impl fmt::Display) {
        self.faults.push(&self.at, message);
    }

    /// At the key instead of its value, for a key that should not be there.
    fn fault_at_key(&self, message: impl fmt::Display) {
        self.faults.push_key(&self.at, &self.at, message);
    }

    /// Whether the file has the key, even if its value was of no use.
    fn has(&self, key: &str) -> bool {
        self.document().has(&self.at.key(key))
    }

    fn keep<T, E: fmt::Display>(&self, result: Result<T, E>) -> Option<T> {
        self.faults.keep(&self.at, result)
    }

    fn parse<T: FromStr<Err: fmt::Display>>(&self, text: &str) -> Option<T> {
        self.keep(text.parse())
    }

    fn elements<'f, T>(&self, list: Option<&'f List<T>>) -> impl Iterator<Item = (Self, &'f T)> {
        let elements = list.into_iter().flatten().enumerate();
        elements.filter_map(|(index, element)| Some((self.index(index), element.as_ref()?)))
    }

    fn entries<'f, T>(
        &self,
        table: Option<&'f Table<T>>,
    ) -> impl Iterator<Item = (Self, &'f String, &'f T)> {
        let entries = table.into_iter().flatten();
        entries.filter_map(|(name, entry)| Some((self.key(name), name, entry.as_ref()?)))
    }

    fn duration(&self, key: &str, text: Option<&DurationText>, default: Duration) -> Duration {
        let given = text.and_then(|text| self.key(key).keep(units::duration(&text.0)));
        given.unwrap_or(default)
    }

    /// `None`: the file says `none`.
    fn duration_or_none(
        &self,
        key: &str,
        text: Option<&DurationOrNone>,
        default: Option<Duration>,
    ) -> Option<Duration> {
        match text {
            None => default,
            Some(DurationOrNone(text)) if text.0 == "none" => None,
            Some(DurationOrNone(text)) => self.key(key).keep(units::duration(&text.0)).or(default),
        }
    }

    /// Bytes, in whatever type of number the caller wants.
    fn size<T: TryFrom<u64>>(&self, key: &str, size: Option<&SizeText>, default: T) -> T {
        let spot = self.key(key);
        let bytes = size.and_then(|size| match size {
            SizeText::Bytes(bytes) => spot.keep(bytes.as_u64().ok_or(units::BadUnit::TooLarge)),
            SizeText::Text(text) => spot.keep(units::size(text)),
        });
        let given = bytes
            .and_then(|bytes| spot.keep(T::try_from(bytes).map_err(|_| units::BadUnit::TooLarge)));
        given.unwrap_or(default)
    }

    fn path(&self, text: &str) -> Option<std::path::PathBuf> {
        if text.is_empty() {
            self.fault("must not be empty");
            return None;
        }
        Some(self.document().resolve(text))
    }
}

/// `; did you mean "bills"?` where one of `known` resembles `name`, else nothing.
pub(crate) fn did_you_mean<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> String {
    nearest(name, known).map_or_else(String::new, |known| format!("; did you mean \"{known}\"?"))
}

/// The one of `known` that `name` was probably meant to be.
pub(super) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // Below this, names have little more in common than a few letters.
    const LIKE: f64 = 0.8;
    let name = name.to_lowercase();
    let likeness = |known: &str| {
        let known = known.to_lowercase();
        let is_slip = known.len() > 2 && strsim::damerau_levenshtein(&name, &known) == 1;
        let likeness = strsim::jaro_winkler(&name, &known);
        // Two letters swapped in a short name leave little in common by this measure.
        if is_slip { likeness.max(LIKE) } else { likeness }
    };
    let rated = known.map(|known| (likeness(known), known)).filter(|(rate, _)| *rate >= LIKE);
    rated.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, known)| known)
}

/// Names stand in logs, metrics and URLs of the administration server.
fn check_name(spot: &Spot<'_>, name: &str) {
    if !is_name(name) {
        spot.fault_at_key("a name must be of letters, digits, `_`, `-` and `.`");
    }
}

fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && name.bytes().all(is_allowed)
}

fn check_upstream(spot: &Spot<'_>, name: &str, upstreams: Option<&Table<file::UpstreamFile>>) {
    if !upstreams.is_some_and(|upstreams| upstreams.contains_key(name)) {
        let known = upstreams.into_iter().flat_map(|upstreams| upstreams.keys());
        let hint = did_you_mean(name, known.map(String::as_str));
        let hint = if hint.is_empty() { "; add it to `upstreams`" } else { &hint };
        spot.fault(format!("no upstream is called \"{name}\"{hint}"));
    }
}
