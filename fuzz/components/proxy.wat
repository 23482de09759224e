;; A `wasi:http/proxy` that ends without a response.
(module
  (import "wasi:http/types@0.2.12" "[resource-drop]incoming-request"
    (func $drop-request (param i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]response-outparam"
    (func $drop-outparam (param i32)))
  (func (export "wasi:http/incoming-handler@0.2.12#handle") (param i32 i32)
    (call $drop-request (local.get 0))
    (call $drop-outparam (local.get 1))))
