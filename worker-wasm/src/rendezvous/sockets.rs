//! TCP sockets that share their local port, as punching needs.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;

fn unspecified(like: SocketAddr, port: u16) -> SocketAddr {
    let address = match like {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(address, port)
}

/// On `port` of all addresses of `like`'s family; zero gives a port that no other socket has.
fn shared(like: SocketAddr, port: u16) -> io::Result<TcpSocket> {
    let socket = match like {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(unspecified(like, port))?;
    Ok(socket)
}

/// Connects from `port`, or from a fresh port that others may share.
pub(super) async fn dial_from(port: u16, remote: SocketAddr) -> io::Result<TcpStream> {
    let stream = shared(remote, port)?.connect(remote).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Connects from whatever port.
pub(super) async fn dial(remote: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(remote).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Listens on the port that other sockets share.
pub(super) fn listen_beside(local: SocketAddr) -> io::Result<TcpListener> {
    shared(local, local.port())?.listen(BACKLOG)
}

/// IPv4 as such, also where a socket of both families shows it as IPv6.
pub(super) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
