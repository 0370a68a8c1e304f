//! Which address a client has, with and without proxies in between.
//!
//! Headers are what anybody can write: they count only as far as they were written by a proxy that
//! the configuration trusts.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The far end of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Is `address` a proxy whose word is taken?
pub(crate) fn is_trusted(trusted: &[IpNet], address: IpAddr) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// The address of the client behind `peer`: the peer itself unless it is a trusted proxy; then the
/// last address in `X-Forwarded-For` that is no trusted proxy, or `X-Real-IP`.
pub(crate) fn client_address(trusted: &[IpNet], peer: Peer, headers: &HeaderMap) -> IpAddr {
    let peer = canonical(peer.0.ip());
    if !is_trusted(trusted, peer) {
        return peer;
    }
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let mut nearest = None;
    for hop in forwarded.into_iter().rev() {
        // What stands before a hop that is no address was not written by a proxy of ours.
        let Some(address) = parse(hop) else { break };
        nearest = Some(address);
        if !is_trusted(trusted, address) {
            break;
        }
    }
    let real = || headers.get("x-real-ip").and_then(|value| value.to_str().ok()).and_then(parse);
    nearest.or_else(real).unwrap_or(peer)
}

/// An IPv4 address in IPv6 clothes is the IPv4 address.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or(text);
    bare.parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
        .map(canonical)
}

#[cfg(test)]
mod tests;
