//! Every function that the world imports, by its core signature.

use crate::script::Script;

/// What an argument is on the machine.
macro_rules! machine {
    (wide) => {
        i64
    };
    (float) => {
        f64
    };
    ($kind:ident) => {
        i32
    };
}

/// Declares the functions, and how a script calls each.
macro_rules! calls {
    ($($module:literal {
        $($function:ident = $name:literal ($($kind:ident)*) $(-> $result:ty)?;)*
    })*) => {
        $(
            #[link(wasm_import_module = $module)]
            #[expect(unsafe_code, reason = "below the bindings")]
            unsafe extern "C" {
                $(
                    #[link_name = $name]
                    fn $function($(_: machine!($kind)),*) $(-> $result)?;
                )*
            }
        )*

        /// What a script can call.
        pub(crate) const ALL: &[fn(&mut Script)] = &[$($(
            // SAFETY: none of it is sound, on purpose: it is the gateway that has to hold.
            #[expect(unsafe_code, reason = "below the bindings")]
            |script| unsafe {
                let _ = $function($(script.$kind()),*);
                let _ = script;
            },
        )*)*];
    };
}

calls! {
    "tollgate:plugin/types@0.1.0" {
        request_id = "[method]request.id" (handle result);
        request_route = "[method]request.route" (handle result);
        request_peer = "[method]request.peer" (handle result);
        request_method = "[method]request.method" (handle result);
        request_set_method = "[method]request.set-method" (handle pointer length result);
        request_scheme = "[method]request.scheme" (handle result);
        request_authority = "[method]request.authority" (handle result);
        request_path = "[method]request.path" (handle result);
        request_query = "[method]request.query" (handle result);
        request_set_target = "[method]request.set-target" (handle pointer length result);
        request_param = "[method]request.param" (handle pointer length result);
        request_header = "[method]request.header" (handle pointer length result);
        request_headers = "[method]request.headers" (handle case pointer length result);
        request_set_header = "[method]request.set-header" (handle pointer length pointer length result);
        request_append_header = "[method]request.append-header" (handle pointer length pointer length result);
        request_remove_header = "[method]request.remove-header" (handle pointer length result);
        request_body = "[method]request.body" (handle result);
        request_set_body = "[method]request.set-body" (handle pointer length result);
        request_attribute = "[method]request.attribute" (handle pointer length result);
        request_set_attribute = "[method]request.set-attribute" (handle pointer length pointer length);
        request_hold_back = "[method]request.hold-back" (handle pointer length result);
        request_set_upstream = "[method]request.set-upstream" (handle pointer length result);
        request_drop = "[resource-drop]request" (handle);
        response_new = "[constructor]response" (number) -> i32;
        response_status = "[method]response.status" (handle) -> i32;
        response_set_status = "[method]response.set-status" (handle number result);
        response_header = "[method]response.header" (handle pointer length result);
        response_headers = "[method]response.headers" (handle case pointer length result);
        response_set_header = "[method]response.set-header" (handle pointer length pointer length result);
        response_append_header = "[method]response.append-header" (handle pointer length pointer length result);
        response_remove_header = "[method]response.remove-header" (handle pointer length result);
        response_body = "[method]response.body" (handle result);
        response_set_body = "[method]response.set-body" (handle pointer length result);
        response_drop = "[resource-drop]response" (handle);
    }
    "tollgate:plugin/http-client@0.1.0" {
        send = "send" (
            pointer length pointer length pointer length pointer length case pointer length case number result
        );
        send_all = "send-all" (pointer length result);
    }
    "tollgate:plugin/limits@0.1.0" {
        take = "take" (pointer length pointer length number number case number number result);
    }
    "tollgate:plugin/store@0.1.0" {
        store_get = "get" (pointer length pointer length result);
        store_set = "set" (pointer length pointer length pointer length case number result);
        store_add = "add" (pointer length pointer length pointer length case number result);
        store_delete = "delete" (pointer length pointer length result);
        store_increment = "increment" (pointer length pointer length wide case number result);
    }
    "tollgate:plugin/crypto@0.1.0" {
        key_from_jwk = "[static]key.from-jwk" (pointer length result);
        key_from_pem = "[static]key.from-pem" (pointer length result);
        key_from_secret = "[static]key.from-secret" (pointer length result);
        key_verify = "[method]key.verify" (handle case pointer length pointer length) -> i32;
        key_sign = "[method]key.sign" (handle case pointer length result);
        key_drop = "[resource-drop]key" (handle);
        sha256 = "sha256" (pointer length result);
        equal = "equal" (pointer length pointer length) -> i32;
    }
    "tollgate:plugin/cache@0.1.0" {
        cache_get = "get" (pointer length result);
        cache_put = "put" (pointer length pointer length pointer length wide handle);
        cache_delete = "delete" (pointer length) -> i32;
        cache_purge = "purge" (pointer length) -> i32;
        entry_metadata = "[method]entry.metadata" (handle result);
        entry_age = "[method]entry.age-ms" (handle) -> i64;
        entry_response = "[method]entry.response" (handle) -> i32;
        entry_drop = "[resource-drop]entry" (handle);
    }
    "tollgate:plugin/telemetry@0.1.0" {
        log = "log" (case pointer length pointer length);
        count = "count" (pointer length pointer length wide);
        observe = "observe" (pointer length pointer length float);
    }
    "wasi:cli/environment@0.2.6" {
        environment = "get-environment" (result);
        arguments = "get-arguments" (result);
    }
    "wasi:cli/stdin@0.2.6" { stdin = "get-stdin" () -> i32; }
    "wasi:cli/stdout@0.2.6" { stdout = "get-stdout" () -> i32; }
    "wasi:clocks/monotonic-clock@0.2.6" {
        now = "now" () -> i64;
        subscribe_instant = "subscribe-instant" (wide) -> i32;
        subscribe_duration = "subscribe-duration" (wide) -> i32;
    }
    "wasi:clocks/wall-clock@0.2.6" { wall_now = "now" (result); }
    "wasi:filesystem/preopens@0.2.6" { directories = "get-directories" (result); }
    "wasi:io/poll@0.2.6" {
        pollable_ready = "[method]pollable.ready" (handle) -> i32;
        pollable_drop = "[resource-drop]pollable" (handle);
    }
    "wasi:io/streams@0.2.6" {
        input_read = "[method]input-stream.read" (handle wide result);
        input_skip = "[method]input-stream.skip" (handle wide result);
        input_subscribe = "[method]input-stream.subscribe" (handle) -> i32;
        input_drop = "[resource-drop]input-stream" (handle);
        output_check_write = "[method]output-stream.check-write" (handle result);
        output_write = "[method]output-stream.write" (handle pointer length result);
        output_flush = "[method]output-stream.flush" (handle result);
        output_subscribe = "[method]output-stream.subscribe" (handle) -> i32;
        output_splice = "[method]output-stream.splice" (handle handle wide result);
        output_write_zeroes = "[method]output-stream.write-zeroes" (handle wide result);
        output_drop = "[resource-drop]output-stream" (handle);
    }
    "wasi:random/random@0.2.6" {
        random_bytes = "get-random-bytes" (wide result);
        random = "get-random-u64" () -> i64;
    }
    "wasi:sockets/instance-network@0.2.6" { network = "instance-network" () -> i32; }
    "wasi:sockets/tcp-create-socket@0.2.6" { tcp = "create-tcp-socket" (case result); }
    "wasi:sockets/udp-create-socket@0.2.6" { udp = "create-udp-socket" (case result); }
    "wasi:sockets/ip-name-lookup@0.2.6" {
        resolve = "resolve-addresses" (handle pointer length result);
    }
}
