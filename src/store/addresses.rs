//! The public addresses of this edge: where the names of routes point, and which of them are well.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    /// Whether it is looked at whether they are well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    watched: bool,
    /// Those of them that are not, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    down: Vec<IpAddr>,
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
        Self { ipv4, ipv6, https_port: None, http3: false, watched: false, down: Vec::new() }
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

    /// The same, looked at, with these of them not well; what is none of them is left out.
    pub fn with_down(self, down: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut down: Vec<IpAddr> = down.into_iter().filter(|address| self.all().any(|own| own == *address)).collect();
        down.sort_unstable();
        down.dedup();
        Self { watched: true, down, ..self }
    }

    /// Only these of them, as far as they are among them; all if none of these is.
    pub fn only(&self, these: &[IpAddr]) -> Self {
        let ipv4 = self.ipv4.iter().copied().filter(|address| these.contains(&(*address).into())).collect();
        let ipv6 = self.ipv6.iter().copied().filter(|address| these.contains(&(*address).into())).collect();
        let narrowed = Self { ipv4, ipv6, ..self.clone() };
        if narrowed.is_empty() { self.clone() } else { narrowed }
    }

    /// Those that were found not to be well, in order.
    pub fn down(&self) -> &[IpAddr] {
        &self.down
    }

    /// Whether it is looked at whether they are well, and there is a choice: then they may be others in a minute.
    pub fn may_change(&self) -> bool {
        self.watched && self.all().count() > 1
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = IpAddr> {
        let ipv4 = self.ipv4.iter().copied().map(IpAddr::from);
        ipv4.chain(self.ipv6.iter().copied().map(IpAddr::from))
    }

    /// The IPv4 addresses that clients are told: those that are well, or all if none is. Of each family for itself, because whoever
    /// looks may have no IPv6, and a client no IPv4.
    pub fn answered_ipv4(&self) -> Vec<Ipv4Addr> {
        well(&self.ipv4, &self.down)
    }

    /// The same of IPv6.
    pub fn answered_ipv6(&self) -> Vec<Ipv6Addr> {
        well(&self.ipv6, &self.down)
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

fn well<A: Copy + Into<IpAddr>>(all: &[A], down: &[IpAddr]) -> Vec<A> {
    let well: Vec<A> = all.iter().copied().filter(|address| !down.contains(&(*address).into())).collect();
    if well.is_empty() { all.to_vec() } else { well }
}

impl fmt::Display for EdgeAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |address: IpAddr| format!("{address}{}", if self.down.contains(&address) { " (down)" } else { "" });
        f.write_str(&self.all().map(word).collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_down_are_left_out_and_never_all_of_a_family() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let three = EdgeAddresses::new(
            ["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()],
            ["2001:db8::1".parse().unwrap()],
        );
        let told = |down: &[&str]| {
            let down = three.clone().with_down(down.iter().map(|text| ip(text)));
            (down.answered_ipv4().len(), down.answered_ipv6().len(), down.to_string())
        };
        assert_eq!(told(&[]), (2, 1, "192.0.2.1 192.0.2.2 2001:db8::1".into()));
        assert_eq!(told(&["192.0.2.2", "192.0.2.9"]), (1, 1, "192.0.2.1 192.0.2.2 (down) 2001:db8::1".into()));
        assert_eq!(told(&["192.0.2.2", "192.0.2.1", "2001:db8::1"]).0, 2);
        assert_eq!(told(&["2001:db8::1"]).1, 1);
        assert!(!three.may_change() && three.clone().with_down([]).may_change());
        assert!(!EdgeAddresses::new([[192, 0, 2, 1].into()], []).with_down([]).may_change(), "there is no choice");
    }
}
