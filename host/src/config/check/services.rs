//! Components at the ends of routes.

use std::path::{Path, PathBuf};

use super::{Spot, plugins};
use crate::config::{
    Pointer, Service, Source, UseLimits,
    file::{File, ServiceFile, ServiceLimitsFile, ServiceTableFile},
};

/// The services so far; equal ones are one.
pub(super) struct Services<'f> {
    plugin_directory: PathBuf,
    file: &'f File,
    services: Vec<Service>,
}

impl<'f> Services<'f> {
    pub(super) fn new(file: &'f File, plugin_directory: &Path) -> Self {
        Self { plugin_directory: plugin_directory.to_owned(), file, services: Vec::new() }
    }

    /// The service that a route's `component` asks for.
    pub(super) fn check(&mut self, spot: &Spot<'_>, file: &ServiceFile) -> Option<usize> {
        let service = match file {
            ServiceFile::Name(name) => {
                let component = plugins::check_component(spot, &self.plugin_directory, name)?;
                service(spot, name, component, spot.at.clone())
            }
            ServiceFile::Table(table) => self.check_table(spot, table)?,
        };
        let known = self.services.iter().position(|other| service.is_same_as(other));
        Some(known.unwrap_or_else(|| {
            self.services.push(service);
            self.services.len() - 1
        }))
    }

    pub(super) fn into_vec(self) -> Vec<Service> {
        self.services
    }

    fn check_table(&self, spot: &Spot<'_>, table: &ServiceTableFile) -> Option<Service> {
        let granted = table.grants.as_ref().and_then(|grants| grants.upstreams.as_ref());
        let upstreams = spot.key("grants").key("upstreams");
        for (spot, name) in upstreams.elements(granted) {
            super::check_upstream(&spot, name, self.file.upstreams.as_ref());
        }
        let limits = check_limits(&spot.key("limits"), table.limits.as_ref());
        let name = table.component.as_deref()?;
        let named = spot.key("component");
        let component = plugins::check_component(&named, &self.plugin_directory, name)?;
        let upstreams = granted.into_iter().flatten().flatten().cloned().collect();
        Some(Service { upstreams, limits, ..service(spot, name, component, named.at) })
    }
}

/// A service with every default; `named_at`: of its component's name.
fn service(spot: &Spot<'_>, name: &str, component: Source, named_at: Pointer) -> Service {
    Service {
        name: plugins::name_of(name),
        component,
        component_at: named_at,
        upstreams: Vec::new(),
        limits: UseLimits::of_services(),
        at: spot.at.clone(),
    }
}

fn check_limits(spot: &Spot<'_>, limits: Option<&ServiceLimitsFile>) -> UseLimits {
    let default = UseLimits::of_services();
    let Some(limits) = limits else { return default };
    UseLimits {
        cpu: spot.duration("cpu", limits.cpu.as_ref(), default.cpu),
        timeout: spot.duration("timeout", limits.timeout.as_ref(), default.timeout),
        memory: plugins::check_memory(spot, limits.memory.as_ref(), default.memory),
        table: limits.table.unwrap_or(default.table),
        max_instances: limits.max_instances.unwrap_or(default.max_instances),
        calls: limits.calls.unwrap_or(default.calls),
        log_lines: limits.log_lines.unwrap_or(default.log_lines),
        ..default
    }
}
