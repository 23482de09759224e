//! `wasi:http` components at the ends of routes.

use super::{
    pointer::Pointer,
    registries::Source,
    uses::{Use, UseLimits},
};
use crate::registry::Reference;

/// A `wasi:http` component at the end of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The component's name, in logs, metrics and messages.
    pub name: String,
    pub component: Source,
    /// Where the component is named in the file.
    pub component_at: Pointer,
    /// Upstreams that it may send requests to.
    pub upstreams: Vec<String>,
    pub limits: UseLimits,
    /// Where it first stands in the file.
    pub at: Pointer,
}

impl Service {
    /// What a use of a middleware says; it answers to no other key.
    pub(crate) fn of_use(use_: &Use) -> Self {
        Self {
            name: use_.name.clone(),
            component: use_.component.clone(),
            component_at: use_.component_at.clone(),
            upstreams: use_.grants.upstreams.clone(),
            limits: use_.limits.clone(),
            at: use_.at.clone(),
        }
    }

    /// The artifact in a registry that it names, with the place of the name.
    pub fn reference(&self) -> Option<(&Reference, Pointer)> {
        Some((self.component.reference()?, self.component_at.clone()))
    }

    /// Whether both are one, whatever the place in the file.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let (at, component_at) = (self.at.clone(), self.component_at.clone());
        *self == Self { at, component_at, ..other.clone() }
    }
}
