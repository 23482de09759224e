//! `wasi:http/proxy@0.2`.

use futures_util::future::BoxFuture;
use http::{Request, uri::Scheme};
use wasmtime::{Result, Store};
use wasmtime_wasi_http::{
    WasiBody, WasiHttpView,
    p2::bindings::{ProxyPre, http::types},
};

use super::{
    state::State,
    version::{Head, Version},
};

pub(super) struct Preview2(pub(super) ProxyPre<State>);

impl Version for Preview2 {
    fn start<'s>(&'s self, store: &'s mut Store<State>) -> BoxFuture<'s, Result<()>> {
        Box::pin(async { self.0.instantiate_async(store).await.map(drop) })
    }

    fn serve<'s>(
        &'s self,
        store: &'s mut Store<State>,
        request: Request<WasiBody>,
        head: Head,
    ) -> BoxFuture<'s, Result<()>> {
        Box::pin(async move {
            let proxy = self.0.instantiate_async(&mut *store).await?;
            let mut http = store.data_mut().http();
            let request = http.new_incoming_request(scheme(&request), request)?;
            let out = http.new_response_outparam_from_callback(move |response| {
                // Nobody may be waiting any more.
                let _ = head.send(response.map_err(|code| format!("{code:?}")));
            })?;
            proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
        })
    }
}

fn scheme(request: &Request<WasiBody>) -> types::Scheme {
    match request.uri().scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => types::Scheme::Https,
        _ => types::Scheme::Http,
    }
}
