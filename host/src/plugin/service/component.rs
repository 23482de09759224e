//! From a file to a linked service.

use wasmtime_wasi_http::p2::bindings::ProxyPre;

use super::{preview2::Preview2, preview3, version::Version};
use crate::{
    digest::Digest,
    disk::InUse,
    plugin::{
        cache::Compiled,
        compiler::Guests,
        component::{Compiling, LoadError},
        engine,
        surface::Surface,
        trace::Traces,
        world::{Kind, World},
    },
};

/// A compiled `wasi:http` component, shared by all that use the same bytes.
pub struct ServiceComponent {
    pub world: World,
    /// Of the file.
    pub digest: Digest,
    /// Bytes of the file.
    pub size: usize,
    pub surface: Surface,
    pub(super) version: Box<dyn Version>,
    pub(super) traces: Traces,
    /// Its compiled code on disk, which stays for as long as it is used.
    _kept: Option<InUse>,
}

/// Compiles and links the component that is given. Takes as long as compiling does.
///
/// # Errors
///
/// It is of another world.
pub(in crate::plugin) fn load(
    compiling: Compiling<'_>,
    engine: &engine::Engine,
) -> Result<ServiceComponent, LoadError> {
    let (name, bytes, digest) = (compiling.name, compiling.bytes, compiling.digest);
    let world = world_of(name, bytes)?;
    let services = engine.services().map_err(|error| LoadError::Engine(format!("{error:#}")))?;
    let Compiled { component: compiled, kept } = compiling.compile(Guests::Services)?;
    let linked = match world.kind {
        Kind::Proxy => services
            .linker
            .instantiate_pre(&compiled)
            .and_then(|pre| Ok(Box::new(Preview2(ProxyPre::new(pre)?)) as Box<dyn Version>)),
        Kind::Service | Kind::Middleware | Kind::Plugin => {
            preview3::link(&services.linker, &compiled)
        }
    };
    let version = linked.map_err(|error| LoadError::Unlinked {
        name: name.to_owned(),
        world: world.to_string(),
        reason: format!("{error:#}"),
    })?;
    let surface = Surface::of(&compiled, &services.engine);
    let traces = Traces::new(digest, bytes);
    let (digest, size) = (digest.clone(), bytes.len());
    Ok(ServiceComponent { world, digest, size, surface, version, traces, _kept: kept })
}

fn world_of(name: &str, bytes: &[u8]) -> Result<World, LoadError> {
    let name = || name.to_owned();
    match World::of(bytes) {
        Some(world) => match world.kind {
            Kind::Proxy | Kind::Service | Kind::Middleware => Ok(world),
            Kind::Plugin => Err(LoadError::NotAnEnd { name: name() }),
        },
        None => Err(LoadError::NoService { name: name() }),
    }
}
