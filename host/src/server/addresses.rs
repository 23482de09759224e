//! The addresses that the process listens on. All that cannot be had are told, each with its place.

use std::{io, net::SocketAddr};

use super::Failed;
use crate::{
    admin::Admin,
    config::{Config, Pointer},
    listener::Sockets,
};

/// Binds the listeners and the administration server.
pub(super) fn bind(config: &Config, workers: usize) -> Result<(Vec<Sockets>, Admin), Failed> {
    let mut faults = Vec::new();
    let mut keep = |at: &Pointer, address: SocketAddr, error: io::Error| {
        faults.push(config.document.fault(at, unbound(address, &error)).to_string());
    };
    let mut sockets = Vec::new();
    for listener in &config.listeners {
        match Sockets::bind(listener.address, workers) {
            Ok(bound) => sockets.push(bound),
            Err(error) => keep(&listener.at.key("address"), listener.address, error),
        }
    }
    let admin = Admin::bind(&config.admin);
    let at = Pointer::default().key("admin").key("address");
    let admin = admin.map_err(|error| keep(&at, config.admin.address, error)).ok();
    match admin {
        Some(admin) if faults.is_empty() => Ok((sockets, admin)),
        _ => Err(Failed::Bind(faults.join("\n"))),
    }
}

fn unbound(address: SocketAddr, error: &io::Error) -> String {
    let port = address.port();
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "it is in use; name another one, or stop the program that has it (`ss -ltnp 'sport = :{port}'`)"
        ),
        io::ErrorKind::PermissionDenied => {
            "it is not permitted; ports below 1024 need the capability CAP_NET_BIND_SERVICE".into()
        }
        io::ErrorKind::AddrNotAvailable => {
            "no network interface has it; `0.0.0.0` and `[::]` stand for all of them".into()
        }
        _ => error.to_string(),
    };
    format!("cannot listen on {address}: {reason}")
}
