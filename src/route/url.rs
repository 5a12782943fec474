//! The few URLs a route is made of: the address of an app and the goal of a redirect, read strictly.
//!
//! Written here rather than with a URL package: what is wanted is a refusal that names the culprit, and of all that a URL can
//! be only scheme, server, port and path are of use.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::Fault;
use super::host::name_of_host;

/// Octets of a URL.
const URL_SIZE_MAX: usize = 2_048;

/// A server by address or by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Server {
    /// An address.
    Ip(IpAddr),
    /// A name in lower case, to be resolved.
    Name(Box<str>),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The parts of `scheme://server:port/path?query`.
pub(super) struct Url<'a> {
    pub(super) scheme: &'a str,
    pub(super) server: Server,
    pub(super) port: Option<u16>,
    /// From the slash on; empty if there is none.
    pub(super) path: &'a str,
}

impl<'a> Url<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Fault> {
        let fault = |message: &str, cure: &str| Err(Fault::new(format!("{text:?} {message}"), cure));
        if text.len() > URL_SIZE_MAX {
            return Err(Fault::new("the address is too long", format!("it has at most {URL_SIZE_MAX} octets")));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return fault("has a space or a hidden character in it", "leave it out, or write %20 in a path");
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return fault("has no scheme", &format!("write \"http://{text}\""));
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return fault(
                "has a user or password in it",
                "leave them out; they would be shown to whoever may read routes",
            );
        }
        if path.contains('#') {
            return fault("has a fragment (#…)", "leave it out: it never leaves the browser");
        }
        let (server, port) = split_port(authority);
        let port = match port.map(str::parse) {
            None => None,
            Some(Ok(port)) if port != 0 => Some(port),
            Some(_) => return fault("has no sound port", "a port is a number from 1 to 65535"),
        };
        let server = read_server(server)
            .map_err(|fault| Fault { message: format!("{server:?} in {text:?} {}", fault.message), ..fault })?;
        Ok(Self { scheme, server, port, path })
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    let server_end = authority.rfind(']').map_or(0, |at| at + 1);
    match authority[server_end..].rfind(':') {
        Some(at) => (&authority[..server_end + at], Some(&authority[server_end + at + 1..])),
        None => (authority, None),
    }
}

fn read_server(text: &str) -> Result<Server, Fault> {
    if text.is_empty() {
        return Err(Fault::new(
            "is no server",
            "write an address or a name behind the scheme, as in \"http://127.0.0.1:3000\"",
        ));
    }
    if let Some(inside) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let address = inside.parse::<Ipv6Addr>();
        let address = address.map_err(|_| Fault::new("is no IPv6 address", "write it as in \"http://[::1]:3000\""))?;
        return usable(IpAddr::V6(address));
    }
    if text.contains(':') {
        return Err(Fault::new("is no server", "write an IPv6 address in brackets, as in \"http://[::1]:3000\""));
    }
    match text.parse() {
        Ok(address) => usable(IpAddr::V4(address)),
        Err(_) if text.contains('_') => plain_name(text), // as container networks name their machines
        Err(_) => Ok(Server::Name(name_of_host(text.strip_suffix('.').unwrap_or(text))?.into())),
    }
}

fn usable(address: IpAddr) -> Result<Server, Fault> {
    let address = address.to_canonical();
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    if address.is_unspecified() {
        return Err(Fault::new("is the address of nobody", "for this machine write 127.0.0.1 or [::1]"));
    }
    if address.is_multicast() || broadcast {
        return Err(Fault::new("is an address of many at once", "write the address of one machine"));
    }
    Ok(Server::Ip(address))
}

fn plain_name(text: &str) -> Result<Server, Fault> {
    let sound = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    if text.len() > 253 || !text.split('.').all(sound) {
        return Err(Fault::new("is no server", "write an address or a name of letters, digits, hyphens and dots"));
    }
    Ok(Server::Name(text.to_ascii_lowercase().into()))
}
