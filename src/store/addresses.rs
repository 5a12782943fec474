//! The public addresses of this edge: where the names of routes point.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// The public addresses of this edge, as the settings file says them. They lie in the store so that a record that is
/// derived from them follows from what the store knows and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeAddresses {
    /// Each once, in order.
    ipv4: Vec<Ipv4Addr>,
    /// Each once, in order.
    ipv6: Vec<Ipv6Addr>,
    /// Where HTTPS is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    https_port: Option<u16>,
    /// Whether HTTP/3 is served at the same port.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    http3: bool,
}

impl EdgeAddresses {
    /// The one key on its shelf.
    pub const KEY: &str = "edge";

    /// These addresses, in any order.
    pub fn new(ipv4: impl IntoIterator<Item = Ipv4Addr>, ipv6: impl IntoIterator<Item = Ipv6Addr>) -> Self {
        let (mut ipv4, mut ipv6): (Vec<_>, Vec<_>) = (ipv4.into_iter().collect(), ipv6.into_iter().collect());
        ipv4.sort_unstable();
        ipv4.dedup();
        ipv6.sort_unstable();
        ipv6.dedup();
        Self { ipv4, ipv6, https_port: None, http3: false }
    }

    /// The same, with HTTPS at this port; `None`: it is not served.
    pub fn with_https(self, https_port: Option<u16>) -> Self {
        Self { https_port, ..self }
    }

    /// The same, with HTTP/3 at the port of HTTPS, or without it.
    pub fn with_http3(self, http3: bool) -> Self {
        Self { http3, ..self }
    }

    /// Whether HTTP/3 is served.
    pub fn http3(&self) -> bool {
        self.http3
    }

    /// Where HTTPS is served, if it is.
    pub fn https_port(&self) -> Option<u16> {
        self.https_port
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }

    /// The IPv4 addresses, each once, in order.
    pub fn ipv4(&self) -> &[Ipv4Addr] {
        &self.ipv4
    }

    /// The IPv6 addresses, each once, in order.
    pub fn ipv6(&self) -> &[Ipv6Addr] {
        &self.ipv6
    }
}

impl fmt::Display for EdgeAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.ipv4.iter().map(ToString::to_string).chain(self.ipv6.iter().map(ToString::to_string));
        f.write_str(&all.collect::<Vec<_>>().join(" "))
    }
}
