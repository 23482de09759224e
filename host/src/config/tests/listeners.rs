//! Listeners.

use super::*;

#[test]
fn listeners_and_the_administration_server_are_safe() {
    check_faults(
        "listeners:
  - { address: 127.0.0.1:80 }
  - { address: 127.0.0.1:80, tls: { certificates: [{ certificate: a }], client_auth: optional } }
  - { address: 127.0.0.1:0 }
  - { address: 127.0.0.1:0, tls: {} }
admin: { address: 0.0.0.0:9901 }
",
        &[
            "tollgate.yaml:3:16: listeners[1].address: is already the address of listeners[0] (tollgate.yaml:2:5)",
            "tollgate.yaml:3:52: listeners[1].tls.certificates[0]: `key` is missing",
            "tollgate.yaml:3:86: listeners[1].tls.client_auth: needs `client_ca`",
            "tollgate.yaml:5:34: listeners[3].tls: `certificates` is missing",
            "tollgate.yaml:6:19: admin.address: is not a loopback address, so that `token` must be set",
        ],
    );
}

#[test]
fn a_socket_of_all_addresses_has_each_of_them() {
    check_faults(
        "listeners:
  - { address: 0.0.0.0:80 }
  - { address: 127.0.0.1:80 }
  - { address: \"[::]:80\" }
",
        &[
            "tollgate.yaml:3:16: listeners[1].address: is also an address of listeners[0] (tollgate.yaml:2:5), `0.0.0.0:80`",
        ],
    );
}

#[test]
fn a_listener_is_not_at_the_administration_servers_address() {
    let default =
        "admin.address: is `127.0.0.1:9901` where it is not set, the address of a listener";
    for (admin, fault) in [
        (
            "admin: { address: 127.0.0.1:9901 }\n",
            "2:19: admin.address: is already the address of a listener",
        ),
        ("admin: { token: t }\n", &format!("2:8: {default}")),
        ("", &format!("1:1: {default}")),
    ] {
        let text = format!("listeners: [{{ address: 0.0.0.0:9901 }}]\n{admin}");
        check_faults(&text, &[&format!("tollgate.yaml:{fault}")]);
    }
}

#[test]
fn a_listener_that_redirects_is_a_cleartext_one() {
    check_faults(
        "listeners:
  - address: 127.0.0.1:0
    redirect_to_https: true
    tls: { certificates: [{ certificate: a, key: b }] }
  - { address: 127.0.0.1:0, redirect_to_https: { port: 0, status: 200 } }
  - { address: 127.0.0.1:0, redirect_to_https: 443 }
",
        &[
            "tollgate.yaml:3:5: listeners[0].redirect_to_https: cannot stand beside `tls`",
            "tollgate.yaml:5:56: listeners[1].redirect_to_https.port: must be at least 1",
            "tollgate.yaml:5:67: listeners[1].redirect_to_https.status: must be 301, 302, 303, 307 or 308",
            "tollgate.yaml:6:48: listeners[2].redirect_to_https: must be `true`, `false` or `{ port: 443, status: 308 }`",
        ],
    );
    let config = check_ok(
        "listeners:
  - { address: 127.0.0.1:0, redirect_to_https: true }
  - { address: 127.0.0.1:0, redirect_to_https: { status: 301 } }
  - { address: 127.0.0.1:0, redirect_to_https: false }
",
    );
    let redirects: Vec<_> = config.listeners.iter().map(|l| l.redirect_to_https).collect();
    let to = |status| Some(RedirectToHttps { port: 443, status });
    let expected = [to(StatusCode::PERMANENT_REDIRECT), to(StatusCode::MOVED_PERMANENTLY), None];
    assert_eq!(redirects, expected);
}

#[test]
fn a_network_with_bits_beyond_its_prefix_is_none() {
    check_faults(
        "listeners: [{ address: 127.0.0.1:0 }]
trusted_proxies: [10.0.0.0/8, 10.1.2.3/8, 10.1.2.3/32, 10.1.2.3]
",
        &[
            "tollgate.yaml:2:31: trusted_proxies[1]: has bits beyond its prefix; write `10.0.0.0/8` for the network or `10.1.2.3` for the one address",
        ],
    );
}
