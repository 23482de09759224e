//! What the hooks of one exchange share: attributes, and how many calls they have made.
//!
//! Where bodies pass chunk hooks, both bodies and the exchange itself are at work at a time; each
//! has a view of its own, and these values are behind one lock. Otherwise there is no lock.

use std::{borrow::Cow, sync::Arc};

use parking_lot::Mutex;

use crate::{body::BodyError, config::UseLimits};

/// More attributes, or longer ones, than an exchange may have.
#[derive(Debug)]
pub(crate) struct AttributesFull;

/// The values, held by the exchange alone or by all of its views.
pub(super) enum Common {
    Own(Values),
    Shared(Arc<Mutex<Values>>),
}

#[derive(Clone, Default)]
pub(super) struct Values {
    attributes: Vec<(String, String)>,
    attribute_bytes: usize,
    /// Outbound calls that plugins have made, by the use that made them.
    calls: Vec<(usize, u32)>,
    /// Why the request body did not reach the upstream.
    request_failure: Option<BodyError>,
}

impl Default for Common {
    fn default() -> Self {
        Self::Own(Values::default())
    }
}

impl Common {
    /// The same values for another view.
    pub(super) fn share(&mut self) -> Self {
        if let Self::Own(values) = self {
            *self = Self::Shared(Arc::new(Mutex::new(std::mem::take(values))));
        }
        match self {
            Self::Shared(values) => Self::Shared(Arc::clone(values)),
            Self::Own(_) => unreachable!("it has just been shared"),
        }
    }

    pub(super) fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Own(values) => values.attribute(name).map(Cow::Borrowed),
            Self::Shared(values) => {
                values.lock().attribute(name).map(|value| Cow::Owned(value.to_owned()))
            }
        }
    }

    pub(super) fn set_attribute(
        &mut self,
        name: String,
        value: String,
        limits: &UseLimits,
    ) -> Result<(), AttributesFull> {
        self.with(|values| values.set_attribute(name, value, limits))
    }

    /// The same values at present, for a copy that goes its own way.
    pub(super) fn copy(&self) -> Self {
        Self::Own(match self {
            Self::Own(values) => values.clone(),
            Self::Shared(values) => values.lock().clone(),
        })
    }

    /// All attributes, in the order in which they were first set.
    pub(super) fn attributes(&self) -> Vec<(String, String)> {
        match self {
            Self::Own(values) => values.attributes.clone(),
            Self::Shared(values) => values.lock().attributes.clone(),
        }
    }

    pub(super) fn count_call(&mut self, caller: usize) -> u32 {
        self.with(|values| values.count_call(caller))
    }

    pub(super) fn fail_request(&mut self, error: BodyError) {
        self.with(|values| values.request_failure = Some(error));
    }

    pub(super) fn request_failure(&mut self) -> Option<BodyError> {
        self.with(|values| values.request_failure.take())
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Values) -> T) -> T {
        match self {
            Self::Own(values) => act(values),
            Self::Shared(values) => act(&mut values.lock()),
        }
    }
}

impl Values {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn set_attribute(
        &mut self,
        name: String,
        value: String,
        limits: &UseLimits,
    ) -> Result<(), AttributesFull> {
        let old = self.attributes.iter().position(|(key, _)| *key == name);
        let freed = old.map_or(0, |at| size(&self.attributes[at]));
        let bytes = self.attribute_bytes - freed + name.len() + value.len();
        let no_room = old.is_none() && self.attributes.len() >= limits.attributes;
        if bytes > limits.attribute_bytes || no_room {
            return Err(AttributesFull);
        }
        self.attribute_bytes = bytes;
        match old {
            Some(at) => self.attributes[at].1 = value,
            None => self.attributes.push((name, value)),
        }
        debug_assert_eq!(self.attributes.iter().map(size).sum::<usize>(), bytes);
        Ok(())
    }

    fn count_call(&mut self, caller: usize) -> u32 {
        if let Some((_, calls)) = self.calls.iter_mut().find(|(other, _)| *other == caller) {
            *calls = calls.saturating_add(1);
            return *calls;
        }
        self.calls.push((caller, 1));
        1
    }
}

fn size((name, value): &(String, String)) -> usize {
    name.len() + value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTRIBUTES: usize = 64;
    const BYTES: usize = 8 * 1024;

    fn limits() -> UseLimits {
        UseLimits { attributes: ATTRIBUTES, attribute_bytes: BYTES, ..UseLimits::default() }
    }

    #[test]
    fn all_views_see_what_one_sets() {
        let mut exchange = Common::default();
        exchange.set_attribute("a".into(), "1".into(), &limits()).unwrap();
        let mut view = exchange.share();
        assert_eq!(view.attribute("a").as_deref(), Some("1"));
        view.set_attribute("b".into(), "2".into(), &limits()).unwrap();
        assert_eq!(exchange.attribute("b").as_deref(), Some("2"));
        assert_eq!((exchange.count_call(7), view.count_call(7)), (1, 2));
    }

    #[test]
    fn calls_of_one_use_are_not_those_of_another() {
        let mut exchange = Common::default();
        let mut view = exchange.share();
        assert_eq!((exchange.count_call(7), view.count_call(8)), (1, 1));
        assert_eq!((view.count_call(7), exchange.count_call(8)), (2, 2));
    }

    #[test]
    fn a_copy_goes_its_own_way() {
        let mut exchange = Common::default();
        exchange.set_attribute("a".into(), "1".into(), &limits()).unwrap();
        let mut copy = exchange.copy();
        copy.set_attribute("a".into(), "2".into(), &limits()).unwrap();
        assert_eq!(exchange.attribute("a").as_deref(), Some("1"));
    }

    #[test]
    fn attributes_have_a_bound_in_number_and_in_bytes() {
        let mut common = Common::default();
        let set = |common: &mut Common, name: String, value: &str| {
            common.set_attribute(name, value.to_owned(), &limits()).is_ok()
        };
        assert!((0..ATTRIBUTES).all(|n| set(&mut common, n.to_string(), "x")));
        assert!(!set(&mut common, "another".into(), "x"));
        assert!(set(&mut common, "0".into(), "y"), "one that stands can be replaced");
        assert!(!set(&mut common, "0".into(), &"y".repeat(BYTES)));
    }
}
