//! The settings of the name server: the `[dns]` table of the settings file.
//!
//! Each field is described once, here; the sample file and the manual are made from these lines.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

pub use super::encrypted::settings::{Encrypted, Https};
use super::gate::Network;
use crate::limits;

/// The port of DNS (RFC 1035, section 4.2).
pub const PORT: u16 = 53;
/// The port of DNS over TLS (RFC 7858, section 3.1) and over QUIC (RFC 9250, section 8.1).
pub const ENCRYPTED_PORT: u16 = 853;

/// Where to listen, how much to do, what to tell.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Addresses to answer on, over UDP and TCP: `"192.0.2.1"`, `"192.0.2.1:5300"`, `"2001:db8::1"`, `"[::1]:5300"`.
    /// Without a port: 53. Default: `["0.0.0.0", "::"]`, which is every address of the machine.
    pub listen: Vec<Listen>,
    /// Threads for UDP on each address, and threads for TCP; 0 (the default) is one for each processor. 0 to 256.
    pub workers: u16,
    /// Octets of the largest reply over UDP; more is truncated, and the client comes back over TCP. 512 to 4096.
    /// Default: 1232, which fits every path without fragments.
    pub udp_reply_size_max: u16,
    /// Octets of the kernel's buffer for each UDP socket, in each direction; the kernel may allow less
    /// (`net.core.rmem_max`, `net.core.wmem_max`). 65536 to 268435456. Default: 4194304.
    pub udp_buffer_size: u32,
    /// How often one network may be answered over UDP.
    pub rate_limit: RateLimit,
    /// Whether to answer cookies (RFC 7873): clients that return theirs are exempt from the rate limit. Default: true.
    pub cookies: bool,
    /// What to call this server in NSID (RFC 5001) and in `id.server CH TXT`. At most 255 octets.
    /// Default: none; then NSID is left out and `id.server` is refused.
    pub identity: Option<String>,
    /// What to say to `version.bind CH TXT`. At most 255 octets. Default: none; then it is refused.
    pub version: Option<String>,
    /// Connections over TCP; the same limits again hold for those over TLS, and again for those over QUIC.
    pub tcp: Tcp,
    /// DNS over TLS, HTTPS and QUIC. Default: none of them.
    pub encrypted: Option<Encrypted>,
}

/// Response rate limiting: what keeps this server from being used to flood somebody else.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimit {
    /// Replies a second to one network over UDP; 0 switches the limit off. 0 to 100000. Default: 200.
    pub responses_per_second: u32,
    /// Replies that a network may have at once after it was silent. 1 to 1000000. Default: 400.
    pub burst: u32,
    /// Beyond the limit every `slip`-th reply is sent truncated, the others not at all: 1 truncates all,
    /// 0 sends none. 0 to 10. Default: 2.
    pub slip: u8,
    /// Leading bits of an IPv4 address that make a network. 8 to 32. Default: 24.
    pub ipv4_prefix: u8,
    /// Leading bits of an IPv6 address that make a network. 16 to 64. Default: 56.
    pub ipv6_prefix: u8,
    /// Networks without a limit, such as `"192.0.2.0/24"`. Default: this machine, `["127.0.0.0/8", "::1/128"]`.
    pub exempt: Vec<Network>,
}

/// How many connections, and for how long. The networks of clients are those of the rate limit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tcp {
    /// Connections in all. One more closes the one that has been waiting longest. 1 to 1000000. Default: 4096.
    pub connections_max: u32,
    /// Connections from one network; one more is refused. 1 to 1000000. Default: 256.
    pub connections_per_client_max: u32,
    /// Seconds after which a connection without a query is closed, while under half of all connections are in use;
    /// a third of it from half on, a tenth from three quarters, a thirtieth from seven eighths. 0.01 to 3600. Default: 30.
    #[serde(rename = "idle_seconds", deserialize_with = "seconds")]
    pub idle: Duration,
    /// Seconds that a query may take to arrive, from its first octet or from the start of the connection.
    /// 0.01 to 3600. Default: 10.
    #[serde(rename = "message_seconds", deserialize_with = "seconds")]
    pub message: Duration,
    /// Seconds that a client may take to read its replies. 0.01 to 3600. Default: 10.
    #[serde(rename = "write_seconds", deserialize_with = "seconds")]
    pub write: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![Listen((Ipv4Addr::UNSPECIFIED, PORT).into()), Listen((Ipv6Addr::UNSPECIFIED, PORT).into())],
            workers: 0,
            udp_reply_size_max: limits::UDP_REPLY_SIZE_MAX as u16,
            udp_buffer_size: 4 << 20,
            rate_limit: RateLimit::default(),
            cookies: true,
            identity: None,
            version: None,
            tcp: Tcp::default(),
            encrypted: None,
        }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            responses_per_second: 200,
            burst: 400,
            slip: 2,
            ipv4_prefix: 24,
            ipv6_prefix: 56,
            exempt: Network::this_machine().into(),
        }
    }
}

impl Default for Tcp {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            connections_per_client_max: 256,
            idle: Duration::from_secs(30),
            message: Duration::from_secs(10),
            write: Duration::from_secs(10),
        }
    }
}

impl Tcp {
    /// How often to look for connections whose time is up: half of the shortest limit, within reason.
    pub(super) fn tick(&self) -> Duration {
        let shortest = (self.idle / 30).min(self.message).min(self.write);
        (shortest / 2).clamp(Duration::from_millis(5), Duration::from_millis(250))
    }
}

impl Settings {
    /// What is wrong with these settings: a line for each fault, naming the field and its range. Empty: nothing.
    pub fn check(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut within = |field: &str, value: u32, range: RangeInclusive<u32>| {
            if !range.contains(&value) {
                faults.push(format!("dns.{field} is {value}; it must be from {} to {}", range.start(), range.end()));
            }
        };
        within("workers", self.workers.into(), 0..=256);
        within("udp_reply_size_max", self.udp_reply_size_max.into(), 512..=4_096);
        within("udp_buffer_size", self.udp_buffer_size, 65_536..=268_435_456);
        let rate = &self.rate_limit;
        within("rate_limit.responses_per_second", rate.responses_per_second, 0..=100_000);
        within("rate_limit.burst", rate.burst, 1..=1_000_000);
        within("rate_limit.slip", rate.slip.into(), 0..=10);
        within("rate_limit.ipv4_prefix", rate.ipv4_prefix.into(), 8..=32);
        within("rate_limit.ipv6_prefix", rate.ipv6_prefix.into(), 16..=64);
        within("tcp.connections_max", self.tcp.connections_max, 1..=1_000_000);
        within("tcp.connections_per_client_max", self.tcp.connections_per_client_max, 1..=1_000_000);
        for (field, time) in
            [("idle_seconds", self.tcp.idle), ("message_seconds", self.tcp.message), ("write_seconds", self.tcp.write)]
        {
            if !(Duration::from_millis(10)..=Duration::from_secs(3_600)).contains(&time) {
                faults.push(format!("dns.tcp.{field} is {}; it must be from 0.01 to 3600", time.as_secs_f64()));
            }
        }
        for (field, text) in [("identity", &self.identity), ("version", &self.version)] {
            if text.as_ref().is_some_and(|text| text.is_empty() || text.len() > 255) {
                faults.push(format!("dns.{field} must have from 1 to 255 octets; leave it out to say nothing"));
            }
        }
        check_listen("listen", &self.listen, &mut faults);
        if self.listen.is_empty() {
            faults.push("dns.listen is empty; name at least one address, such as \"127.0.0.1:5300\"".into());
        }
        if let Some(encrypted) = &self.encrypted {
            encrypted.check(&mut faults);
        }
        faults
    }

    /// The number of threads that [`Settings::workers`] stands for.
    pub(super) fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, Into::into),
            count => count.into(),
        }
    }
}

pub(super) fn check_listen<const USUAL: u16>(field: &str, listen: &[Listen<USUAL>], faults: &mut Vec<String>) {
    for (i, Listen(address)) in listen.iter().enumerate() {
        if address.port() != 0 && listen[..i].contains(&Listen(*address)) {
            faults.push(format!("dns.{field} names {address} twice"));
        }
        if address.ip().is_multicast() {
            faults.push(format!("dns.{field} names {address}, which is a multicast address"));
        }
    }
}

/// An address to listen on, with its port; `USUAL` is the one that is meant where none is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen<const USUAL: u16 = PORT>(pub SocketAddr);

impl<const USUAL: u16> FromStr for Listen<USUAL> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let address = match bare.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, USUAL),
            Err(_) => text.parse().map_err(|_| {
                format!(
                    "\"{text}\" is not an address; write \"192.0.2.1\", \"192.0.2.1:5300\" or \"[2001:db8::1]:5300\""
                )
            })?,
        };
        match address.ip() {
            IpAddr::V6(mapped) if mapped.to_ipv4_mapped().is_some() => {
                Err(format!("\"{text}\" is an IPv4 address in IPv6 clothes; write the IPv4 address"))
            }
            IpAddr::V4(_) | IpAddr::V6(_) => Ok(Self(address)),
        }
    }
}

impl<const USUAL: u16> TryFrom<String> for Listen<USUAL> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl<const USUAL: u16> fmt::Display for Listen<USUAL> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of seconds, which may have a fraction.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| serde::de::Error::custom(format!("{seconds} is not a number of seconds from 0.01 to 3600")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        toml::from_str(text).map_err(|fault| fault.message().to_owned())
    }

    #[test]
    fn nothing_written_means_the_defaults_and_they_are_sound() {
        let settings = read("").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.check(), Vec::<String>::new());
        assert_eq!(
            (settings.udp_reply_size_max, settings.rate_limit.responses_per_second, settings.cookies),
            (1_232, 200, true)
        );
    }

    #[test]
    fn every_field_can_be_written() {
        let text = r#"
            listen = ["192.0.2.1", "192.0.2.1:5300", "2001:db8::1", "[::1]:5300", "[::1]"]
            workers = 3
            udp_reply_size_max = 1400
            udp_buffer_size = 65536
            cookies = false
            identity = "a"
            version = "b"
            [rate_limit]
            responses_per_second = 0
            burst = 1
            slip = 0
            ipv4_prefix = 32
            ipv6_prefix = 64
            exempt = ["192.0.2.0/24"]
            [tcp]
            connections_max = 10
            connections_per_client_max = 2
            idle_seconds = 5
            message_seconds = 0.25
            write_seconds = 1.5
        "#;
        let settings = read(text).unwrap();
        assert_eq!(settings.check(), Vec::<String>::new());
        let addresses: Vec<_> = settings.listen.iter().map(Listen::to_string).collect();
        assert_eq!(addresses, ["192.0.2.1:53", "192.0.2.1:5300", "[2001:db8::1]:53", "[::1]:5300", "[::1]:53"]);
        assert_eq!((settings.tcp.idle, settings.tcp.message), (Duration::from_secs(5), Duration::from_millis(250)));
        assert_eq!((settings.worker_count(), settings.rate_limit.exempt.len()), (3, 1));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_on_reading() {
        for (text, told) in [
            ("lissen = []", "unknown field `lissen`"),
            ("[tcp]\nidle = 3", "unknown field `idle`"),
            ("listen = [\"localhost\"]", "\"localhost\" is not an address"),
            ("listen = [\"::ffff:192.0.2.1\"]", "write the IPv4 address"),
            ("[rate_limit]\nexempt = [\"192.0.2.1/24\"]", "the network is 192.0.2.0/24"),
            ("[tcp]\nidle_seconds = -1", "-1 is not a number of seconds"),
            ("[tcp]\nidle_seconds = inf", "inf is not a number of seconds"),
        ] {
            let fault = read(text).unwrap_err();
            assert!(fault.contains(told), "{text}: {fault}");
        }
    }

    #[test]
    fn each_bound_is_kept_with_a_line_that_names_it() {
        for (text, told) in [
            ("workers = 257", "dns.workers is 257; it must be from 0 to 256"),
            ("udp_reply_size_max = 511", "dns.udp_reply_size_max is 511; it must be from 512 to 4096"),
            ("udp_reply_size_max = 4097", "dns.udp_reply_size_max is 4097"),
            ("udp_buffer_size = 1", "dns.udp_buffer_size is 1"),
            ("rate_limit.responses_per_second = 100001", "dns.rate_limit.responses_per_second is 100001"),
            ("rate_limit.burst = 0", "dns.rate_limit.burst is 0"),
            ("rate_limit.slip = 11", "dns.rate_limit.slip is 11"),
            ("rate_limit.ipv4_prefix = 7", "dns.rate_limit.ipv4_prefix is 7"),
            ("rate_limit.ipv6_prefix = 65", "dns.rate_limit.ipv6_prefix is 65"),
            ("tcp.connections_max = 0", "dns.tcp.connections_max is 0"),
            ("tcp.connections_per_client_max = 0", "dns.tcp.connections_per_client_max is 0"),
            ("tcp.idle_seconds = 0", "dns.tcp.idle_seconds is 0; it must be from 0.01 to 3600"),
            ("tcp.write_seconds = 3601", "dns.tcp.write_seconds is 3601"),
            ("listen = []", "dns.listen is empty"),
            ("listen = [\"127.0.0.1\", \"127.0.0.1:53\"]", "dns.listen names 127.0.0.1:53 twice"),
            ("listen = [\"224.0.0.1\"]", "multicast"),
            ("identity = \"\"", "dns.identity must have from 1 to 255 octets"),
        ] {
            let faults = read(text).unwrap().check();
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
            assert!(faults[0].contains(told) && !faults[0].contains('\n'), "{text}: {faults:?}");
        }
    }
}
