//! A snapshot: the component with the memory that an instance of it had after `configure`. Fresh
//! instances of it are configured from the start, and cost what any fresh instance costs.
//!
//! Whatever a guest took from clocks and randomness while it was configured is frozen in its
//! snapshot: all its instances have the same seeds.

use std::{panic::AssertUnwindSafe, path::Path, sync::Arc};

use futures_util::FutureExt;
use wasmtime::{
    Store,
    component::{Instance, Lift, WasmList},
};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use super::{
    bindings::{PluginPre, exports::tollgate::plugin::filter::Phases},
    cache::Compiled,
    component::Components,
    meter::Metered,
    pool::{self, SETUP_TIMEOUT},
    settings::Settings,
    state::State,
};
use crate::{
    digest::Digest,
    disk::{self, InUse},
    registry::MAX_COMPONENT,
};

/// A configured component. One serves all uses of the same component and configuration.
pub(super) struct Snapshot {
    pub(super) pre: PluginPre<State>,
    /// What `configure` returned.
    pub(super) phases: Phases,
    /// Its compiled code on disk, which stays for as long as it is used.
    _kept: Option<InUse>,
}

/// Why a component has no snapshot: its instances are configured one by one.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NoSnapshot {
    #[error("its file has changed meanwhile")]
    Changed,
    /// It does something that a snapshot cannot hold.
    #[error("{0}")]
    Unfit(String),
    /// What stands in the host for the guest is not in the guest's memory.
    #[error("it holds keys, streams or other things of the host after `configure`")]
    HoldsResources,
    #[error("`configure` failed while it was taken")]
    Configure,
    #[error("it took too long")]
    TimedOut,
}

impl Snapshot {
    /// Configures an instance of the component in `path` and keeps what it became. Compiles twice:
    /// never call it on a worker.
    ///
    /// # Errors
    ///
    /// The component does not allow it; it works without.
    pub(super) async fn take(
        components: &Components,
        path: &Path,
        wanted: &Digest,
        settings: &Arc<Settings>,
    ) -> Result<Self, NoSnapshot> {
        let bytes = disk::read(path, MAX_COMPONENT).map_err(|_| NoSnapshot::Changed)?;
        if Digest::of(&bytes) != *wanted {
            return Err(NoSnapshot::Changed);
        }
        let taking = configured(components, &bytes, settings);
        // The crate comes from a tool that people watch: it panics at what it did not expect.
        let taken = AssertUnwindSafe(tokio::time::timeout(SETUP_TIMEOUT, taking)).catch_unwind();
        let taken = taken.await.map_err(|_| NoSnapshot::Unfit("it cannot be rewritten".into()))?;
        let (bytes, phases) = taken.map_err(|_| NoSnapshot::TimedOut)??;
        let (pre, kept) = link(components, &bytes)?;
        Ok(Self { pre, phases, _kept: kept })
    }
}

/// The bytes of the configured component, and what `configure` returned.
async fn configured(
    components: &Components,
    bytes: &[u8],
    settings: &Arc<Settings>,
) -> Result<(Vec<u8>, Phases), NoSnapshot> {
    let wizer = Wizer::new();
    let (context, instrumented) = wizer.instrument_component(bytes).map_err(|e| unfit(&e))?;
    let (pre, _kept) = link(components, &instrumented)?;
    let mut store = pool::store(components.engine(), Arc::clone(settings));
    let meter = Arc::clone(&store.data().meter);
    let setup = Box::pin(async {
        let instance = pre.instance_pre().instantiate_async(&mut store).await?;
        let plugin = super::bindings::Plugin::new(&mut store, &instance)?;
        let filter = plugin.tollgate_plugin_filter();
        let phases = filter.call_configure(&mut store, &settings.config).await?;
        wasmtime::Result::Ok((instance, phases))
    });
    let done = Metered { call: setup, meter }.await;
    let (instance, phases) = done.map_err(|_: wasmtime::Error| NoSnapshot::Configure)?;
    let phases = phases.map_err(|_| NoSnapshot::Configure)?;
    if store.data().holds_resources() {
        return Err(NoSnapshot::HoldsResources);
    }
    let mut reader = Reader { store: &mut store, instance, failed: None };
    let snapshot = wizer.snapshot_component(&context, &mut reader).await;
    if let Some(error) = reader.failed {
        return Err(unfit(&error));
    }
    Ok((snapshot.map_err(|error| unfit(&error))?, phases))
}

fn link(
    components: &Components,
    bytes: &[u8],
) -> Result<(PluginPre<State>, Option<InUse>), NoSnapshot> {
    let compiled = components.compiled(bytes).map_err(|error| unfit(&error))?;
    let Compiled { component, kept } = compiled;
    let linked = components.engine().linker.instantiate_pre(&component).and_then(PluginPre::new);
    Ok((linked.map_err(|error| unfit(&error))?, kept))
}

fn unfit(error: &wasmtime::Error) -> NoSnapshot {
    NoSnapshot::Unfit(error.root_cause().to_string())
}

/// Reads memories and globals by the functions that the rewriting has added.
struct Reader<'s> {
    store: &'s mut Store<State>,
    instance: Instance,
    /// The first error. The trait has no place for one; what was read is not used then.
    failed: Option<wasmtime::Error>,
}

impl Reader<'_> {
    async fn call<R: Lift + Send + Sync + 'static>(
        &mut self,
        group: &str,
        name: &str,
    ) -> wasmtime::Result<R> {
        let missing = || wasmtime::Error::msg(format!("`{name}` is missing"));
        let store = &mut *self.store;
        let (_, group) = self.instance.get_export(&mut *store, None, group).ok_or_else(missing)?;
        let export = self.instance.get_export(&mut *store, Some(&group), name);
        let (_, export) = export.ok_or_else(missing)?;
        let function = self.instance.get_typed_func::<(), (R,)>(&mut *store, export)?;
        Ok(function.call_async(&mut *store, ()).await?.0)
    }

    async fn value<R: Lift + Default + Send + Sync + 'static>(
        &mut self,
        group: &str,
        name: &str,
    ) -> R {
        let value = self.call(group, name).await;
        value.unwrap_or_else(|error| {
            self.failed.get_or_insert(error);
            R::default()
        })
    }
}

impl ComponentInstanceState for Reader<'_> {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        match self.call::<WasmList<u8>>(instance, func).await {
            Ok(list) => contents(list.as_le_slice(&*self.store)),
            Err(error) => {
                self.failed.get_or_insert(error);
                contents(&[]);
            }
        }
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.value(instance, func).await
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.value(instance, func).await
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.value::<f32>(instance, func).await.to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.value::<f64>(instance, func).await.to_bits()
    }
}
