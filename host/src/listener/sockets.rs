//! Binding: one socket for each worker on each address, so that the kernel spreads connections.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel may hold for one socket before they are accepted.
const BACKLOG: i32 = 4096;

/// The sockets of one listener.
pub(crate) struct Sockets {
    /// With the real port where the configuration says 0.
    pub(crate) address: SocketAddr,
    /// One for each worker.
    pub(crate) sockets: Vec<TcpListener>,
}

impl Sockets {
    pub(crate) fn bind(address: SocketAddr, workers: usize) -> io::Result<Self> {
        // Sharing a port would let two gateways split one address unnoticed: the first socket
        // must have it alone, and only then do the others join.
        drop(bind(address, false)?);
        let first = bind(address, true)?;
        let address = first.local_addr()?;
        let mut sockets = vec![first];
        for _ in 1..workers {
            sockets.push(bind(address, true)?);
        }
        Ok(Self { address, sockets })
    }
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != std::net::Ipv6Addr::UNSPECIFIED)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if shared {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}
