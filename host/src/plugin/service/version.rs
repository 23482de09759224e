//! What the versions of `wasi:http` have in common for a host.

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio::sync::oneshot;
use wasmtime::{Result, Store};
use wasmtime_wasi_http::WasiBody;

use super::state::State;

/// Where the guest's response goes, or what it said instead.
pub(super) type Head = oneshot::Sender<std::result::Result<Response<WasiBody>, String>>;

/// A component linked against one version of `wasi:http`.
pub(super) trait Version: Send + Sync {
    /// Makes an instance.
    fn start<'s>(&'s self, store: &'s mut Store<State>) -> BoxFuture<'s, Result<()>>;

    /// Makes an instance and gives it `request`. Ends when the guest has nothing to do any more,
    /// which may be long after it has responded.
    ///
    /// # Errors
    ///
    /// The guest trapped.
    fn serve<'s>(
        &'s self,
        store: &'s mut Store<State>,
        request: Request<WasiBody>,
        head: Head,
    ) -> BoxFuture<'s, Result<()>>;
}
