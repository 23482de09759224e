//! The world of `wit/plugin.wit` in Rust. Functions that can wait are async here and plain calls
//! for the guest, whose stack is suspended meanwhile.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    imports: {
        "tollgate:plugin/types.[method]request.body": async | trappable,
        "tollgate:plugin/types.[method]response.body": async | trappable,
        "tollgate:plugin/store.get": async | trappable,
        "tollgate:plugin/store.set": async | trappable,
        "tollgate:plugin/store.add": async | trappable,
        "tollgate:plugin/store.delete": async | trappable,
        "tollgate:plugin/store.increment": async | trappable,
        "tollgate:plugin/http-client.send": async | trappable,
        "tollgate:plugin/http-client.send-all": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "tollgate:plugin/types.request": super::state::RequestHandle,
        "tollgate:plugin/types.response": super::state::ResponseHandle,
        "tollgate:plugin/crypto.key": super::imports::crypto::Key,
        "tollgate:plugin/cache.entry": super::imports::cache::Entry,
    },
});
