//! The section `[admin]` of the settings file.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cert::Subject;
use crate::limits::ADMIN_NAMES_MAX;

/// The port of the admin API, unless another is said.
pub const PORT: u16 = 8053;
/// Octets of a zone file, by default: some ten million records.
const ZONE_FILE_SIZE_MAX: u64 = 1 << 30;

/// Settings of the admin API: the section `[admin]` of the settings file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The Unix socket that the command line talks to. Default: `admin.socket` in the data directory.
    pub socket: Option<PathBuf>,
    /// Addresses to listen at over TCP: `"127.0.0.1"`, `"192.0.2.1:8053"`, `"[2001:db8::1]:8053"`; without a port: 8053.
    /// Loopback addresses speak HTTP, all others HTTPS. Default: `["127.0.0.1", "::1"]`; none of the default ones is
    /// insisted on, so that a taken port keeps nobody from serving DNS. `[]`: no TCP.
    pub listen: Option<Vec<Listen>>,
    /// Names and addresses under which this server is reached, beside those it listens at: they are in its certificate,
    /// and requests for any other host are refused. Default: none.
    pub names: Vec<HostName>,
    /// The largest zone file that is taken, in octets. Default: 1 GiB.
    pub zone_file_size_max: u64,
}

impl Settings {
    /// Where the socket is when the data directory is this.
    pub fn socket_in(&self, directory: &Path) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| directory.join("admin.socket"))
    }

    /// What is wrong with these settings: a line for each fault, naming the field. Empty: nothing.
    pub fn check(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let listen = self.listen.as_deref().unwrap_or_default();
        for (i, Listen(address)) in listen.iter().enumerate() {
            if address.port() != 0 && listen[..i].contains(&Listen(*address)) {
                faults.push(format!("admin.listen names {address} twice; keep one of the two"));
            }
            if address.ip().is_multicast() {
                faults.push(format!(
                    "admin.listen names {address}, which is a multicast address; name one of this machine"
                ));
            }
        }
        for (key, count) in [("listen", listen.len()), ("names", self.names.len())] {
            if count > ADMIN_NAMES_MAX / 2 {
                faults.push(format!("admin.{key} has {count} entries; at most {} are possible", ADMIN_NAMES_MAX / 2));
            }
        }
        faults
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { socket: None, listen: None, names: Vec::new(), zone_file_size_max: ZONE_FILE_SIZE_MAX }
    }
}

/// An address to listen at over TCP, with its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen(pub SocketAddr);

impl Listen {
    /// Where it is listened when nothing is said.
    pub const DEFAULT: [Self; 2] = [
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT)),
        Self(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), PORT)),
    ];
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(&text);
        let address = match bare.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, PORT),
            Err(_) => text.parse().map_err(|_| {
                format!(
                    "\"{text}\" is not an address; write \"127.0.0.1\", \"192.0.2.1:8053\" or \"[2001:db8::1]:8053\""
                )
            })?,
        };
        if address.ip().to_canonical() == address.ip() {
            Ok(Self(address))
        } else {
            Err(format!("\"{text}\" is an IPv4 address in IPv6 clothes; write the IPv4 address"))
        }
    }
}

/// The name or address of a host as it stands in settings, URLs and requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct HostName(Subject);

impl HostName {
    /// Reads what stands in a `Host` header or a URL, without the port. `None`: that is no host.
    pub fn read(text: &str) -> Option<Self> {
        let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let subject = match bracketed {
            Some(inside) => Subject::Address(inside.parse::<Ipv6Addr>().ok()?.into()),
            None => text.parse().ok()?,
        };
        (!subject.is_wildcard()).then_some(Self(subject))
    }

    /// What a certificate for it names.
    pub fn subject(&self) -> &Subject {
        &self.0
    }

    /// The address, if it is none but an address.
    pub fn address(&self) -> Option<IpAddr> {
        match &self.0 {
            Subject::Address(address) => Some(address.to_canonical()),
            Subject::Name(_) => None,
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<IpAddr> for HostName {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().into())
    }
}

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let ascii = if text.is_ascii() { Some(text.clone()) } else { idna::domain_to_ascii(&text).ok() };
        ascii
            .and_then(|ascii| Self::read(&ascii))
            .ok_or_else(|| format!("\"{text}\" is not the name of a host; write \"dns.example.com\" or \"192.0.2.1\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_the_port_or_are_refused() {
        let listen = |text: &str| Listen::try_from(text.to_owned()).map(|listen| listen.0.to_string());
        assert_eq!(listen("127.0.0.1").unwrap(), "127.0.0.1:8053");
        assert_eq!(listen("[::1]").unwrap(), "[::1]:8053");
        assert_eq!(listen("2001:db8::1").unwrap(), "[2001:db8::1]:8053");
        assert_eq!(listen("192.0.2.1:443").unwrap(), "192.0.2.1:443");
        assert!(listen("localhost:8053").unwrap_err().starts_with("\"localhost:8053\" is not an address; write "));
        assert!(listen("::ffff:192.0.2.1").unwrap_err().contains("in IPv6 clothes"));
    }

    #[test]
    fn hosts_have_one_form() {
        let host = |text: &str| HostName::read(text).map(|host| host.to_string());
        assert_eq!(host("DNS.Example.com."), Some("dns.example.com".into()));
        assert_eq!(host("[2001:DB8::0:1]"), Some("2001:db8::1".into()));
        assert_eq!(host("127.0.0.1"), Some("127.0.0.1".into()));
        for no_host in ["", ".", "a..b", "a b", "a/b", "[::1", "[127.0.0.1]", "user@host", "höst", "*.example.com"] {
            assert_eq!(host(no_host), None, "{no_host}");
        }
        let host = HostName::try_from("dns.bücher.example".to_owned()).unwrap();
        assert_eq!(host.to_string(), "dns.xn--bcher-kva.example");
    }

    #[test]
    fn what_is_there_twice_or_too_often_is_a_fault() {
        let listen = |texts: &[&str]| Settings {
            listen: Some(texts.iter().map(|text| Listen::try_from((*text).to_owned()).unwrap()).collect()),
            ..Settings::default()
        };
        assert_eq!(listen(&["127.0.0.1", "::1", "127.0.0.1:0", "127.0.0.1:0"]).check(), [""; 0]);
        assert_eq!(listen(&[]).check(), [""; 0]);
        assert!(listen(&["::1", "::1"]).check()[0].starts_with("admin.listen names [::1]:8053 twice; "));
        assert!(listen(&["224.0.0.1"]).check()[0].contains("multicast"));
        assert!(listen(&["127.0.0.1:0"; 33]).check()[0].starts_with("admin.listen has 33 entries; "));
    }
}
