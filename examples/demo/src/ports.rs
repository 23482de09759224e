//! The fixed ports of the demo, which `tollgate.yaml` names as well.

use std::io::ErrorKind;

use anyhow::{Result, anyhow};
use tokio::net::TcpListener;

pub(crate) const HTTP: u16 = 8080;
pub(crate) const HTTPS: u16 = 8443;
pub(crate) const USERS: u16 = 9001;
pub(crate) const ORDERS: u16 = 9002;
pub(crate) const RECOMMENDATIONS: u16 = 9003;
pub(crate) const IDENTITY: u16 = 9004;
pub(crate) const ADMIN: u16 = 9901;

/// Finds out before anything starts whether the gateway will get its ports.
pub(crate) async fn check_gateway_ports() -> Result<()> {
    for (port, what) in [(HTTP, "HTTP"), (HTTPS, "HTTPS"), (ADMIN, "admin")] {
        bind(port, &format!("the gateway's {what} listener")).await?;
    }
    Ok(())
}

pub(crate) async fn bind(port: u16, what: &str) -> Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|fault| match fault.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "port {port} is in use, and the demo needs it for {what}; \
             `ss -ltnp 'sport = :{port}'` shows who has it"
        ),
        _ => anyhow!(fault).context(format!("cannot listen on 127.0.0.1:{port} for {what}")),
    })
}
