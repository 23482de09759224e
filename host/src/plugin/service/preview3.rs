//! `wasi:http/service@0.3` and `wasi:http/middleware@0.3`. The crate that speaks it says of itself that it is experimental, so
//! nothing but this file names it.

use std::future::poll_fn;

use futures_util::future::BoxFuture;
use http::Request;
use tokio::sync::oneshot;
use wasmtime::{
    Result, Store,
    component::{Accessor, Component, Linker, Resource},
};
use wasmtime_wasi_http::{
    WasiBody, WasiHttpView,
    p3::{
        self,
        bindings::{ServicePre, http::types::ErrorCode},
    },
};

use super::{
    middleware::Passed,
    state::State,
    version::{Head, Version},
};
use crate::forwarding;

struct Preview3(ServicePre<State>);

/// Adds what such a component may import beside what one of version 0.2 may.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    wasmtime_wasi::p3::add_to_linker(linker)?;
    p3::add_to_linker(linker)?;
    let mut handler = linker.instance("wasi:http/handler@0.3.0")?;
    handler.func_wrap_concurrent("handle", |accessor, (request,)| {
        Box::pin(async move { Ok((pass_on(accessor, request).await?,)) })
    })
}

/// The handler that a middleware imports: the rest of its chain.
async fn pass_on(
    accessor: &Accessor<State>,
    request: Resource<p3::Request>,
) -> Result<std::result::Result<Resource<p3::Response>, ErrorCode>> {
    let prepared = accessor.with(|mut store| {
        let request = store.get().http().table.delete(request)?;
        Ok::<_, wasmtime::Error>(request.into_http(&mut store, async { Ok(()) }))
    })?;
    let request = match prepared {
        Ok((request, _)) => request,
        Err(error) => return error.downcast().map(Err),
    };
    if !forwarding::is_forwarded(request.method()) {
        return Ok(Err(ErrorCode::HttpRequestMethodInvalid));
    }
    let (answer, response) = oneshot::channel();
    let next = accessor.with(|mut store| store.get().next.take());
    let passed = next.and_then(|next| next.send(Passed { request, answer }).ok());
    // There is one rest of the chain, and it can be asked once.
    if passed.is_none() {
        return Ok(Err(ErrorCode::LoopDetected));
    }
    match response.await {
        Ok(response) => accessor.with(|mut store| {
            let http = store.get().http();
            let (response, _received) = p3::Response::from_http(http.hooks, response);
            Ok(Ok(http.table.push(response)?))
        }),
        Err(_) => Ok(Err(ErrorCode::ConnectionTerminated)),
    }
}

/// # Errors
///
/// The component is of another world.
pub(super) fn link(linker: &Linker<State>, component: &Component) -> Result<Box<dyn Version>> {
    let pre = linker.instantiate_pre(component).and_then(ServicePre::new)?;
    Ok(Box::new(Preview3(pre)))
}

impl Version for Preview3 {
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
            let service = self.0.instantiate_async(&mut *store).await?;
            let hooks = store.data_mut().http().hooks;
            let (request, sent) = p3::Request::from_http(hooks, request);
            let serving = store.run_concurrent(async |accessor| {
                let response = match service.handle(accessor, request).await? {
                    Ok(response) => {
                        accessor.with(|mut store| response.into_http(&mut store, sent)).map(Ok)?
                    }
                    Err(code) => Err(format!("{code:?}")),
                };
                // Nobody may be waiting any more.
                let _ = head.send(response);
                // The guest writes its body now, and does whatever else it has begun.
                poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
                Ok(())
            });
            serving.await?
        })
    }
}
