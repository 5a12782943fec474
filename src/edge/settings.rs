//! The settings of the edge: the `[edge]` table of the settings file.
//!
//! Each field is described once, here; the manual's rows are these lines.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

pub use super::addresses::AddressHealth;
use crate::route::Host;

/// The port of HTTP.
pub const HTTP_PORT: u16 = 80;
/// The port of HTTPS.
pub const HTTPS_PORT: u16 = 443;

/// Where to listen, whom to trust, what to note down.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Addresses for plain HTTP: `"192.0.2.1"`, `"192.0.2.1:8080"`, `"[::1]:8080"`. Without a port: 80. Default:
    /// `["0.0.0.0", "::"]`, which is every address of the machine; `[]` is none.
    pub listen_http: Vec<Listen>,
    /// Addresses for HTTPS. Without a port: 443. Default: `["0.0.0.0", "::"]`; `[]` is none.
    pub listen_https: Vec<Listen>,
    /// Whether HTTP/3 is served as well, over UDP at the addresses and ports of `listen_https`. Default: `false`.
    pub http3: bool,
    /// The addresses by which the world reaches this edge: they go into DNS for each route. Default: `[]`, which is none.
    pub addresses: Vec<IpAddr>,
    /// Which of them are well, so that DNS tells clients of those only.
    pub address_health: AddressHealth,
    /// Threads; 0 (the default) is one for each processor. 0 to 256.
    pub workers: u16,
    /// Networks of proxies whose word about the client (`X-Forwarded-For` and its like) is believed, such as
    /// `"192.0.2.0/24"`. Default: `[]`.
    pub trusted_proxies: Vec<IpNet>,
    /// Networks of proxies that only pass octets on, and begin each connection with the PROXY protocol (version 1 or 2). From there
    /// every connection has to begin so, and from anywhere else none may. Default: `[]`.
    pub proxy_protocol_from: Vec<IpNet>,
    /// The host whose certificate is shown to clients that name none in their handshake (RFC 6066, section 3), such as
    /// checks by address. Default: none, and they are turned away.
    pub default_server_name: Option<String>,
    /// How many clients, and how patiently they are waited for.
    pub clients: Clients,
    /// How patiently apps are waited for.
    pub apps: Apps,
    /// A line for each request.
    pub access_log: AccessLog,
    /// Answers that are kept, for routes that want it.
    pub cache: CacheSettings,
}

/// Answers that are kept, for routes that want it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// MiB of memory for answers, of all routes together. 1 to 1048576. Default: 64.
    pub memory_max: u32,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { memory_max: 64 }
    }
}

/// How many clients, and how patiently they are waited for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clients {
    /// Connections in all. One more closes the one that has been idle longest. 1 to 1000000. Default: 16384.
    pub connections_max: u32,
    /// Connections from one address (of IPv6: one /64) that is no trusted proxy; one more is refused. 1 to 1000000.
    /// Default: 1024.
    pub connections_per_client_max: u32,
    /// Seconds for a TLS handshake. 0.01 to 3600. Default: 10.
    #[serde(rename = "handshake_seconds", deserialize_with = "seconds")]
    pub handshake: Duration,
    /// Seconds for the head of a request, from its first octet. 0.01 to 3600. Default: 10.
    #[serde(rename = "head_seconds", deserialize_with = "seconds")]
    pub head: Duration,
    /// Seconds in which at least 1,024 octets of a request's body have to arrive. 0.01 to 3600. Default: 30.
    #[serde(rename = "body_seconds", deserialize_with = "seconds")]
    pub body: Duration,
    /// Seconds for which a client may take nothing of its answer. 0.01 to 3600. Default: 60.
    #[serde(rename = "take_seconds", deserialize_with = "seconds")]
    pub take: Duration,
    /// Seconds for which a connection is kept without a request, while under half of all are in use; a third of it from half
    /// on, a tenth from three quarters. 0.01 to 3600. Default: 60.
    #[serde(rename = "idle_seconds", deserialize_with = "seconds")]
    pub idle: Duration,
    /// Octets of a request's head. 8192 to 1048576. Default: 32768.
    pub head_size_max: u32,
    /// Headers of a request. 10 to 1000. Default: 100.
    pub headers_max: u32,
    /// Requests at once on one HTTP/2 or HTTP/3 connection. 1 to 10000. Default: 128.
    pub streams_max: u32,
}

/// How patiently apps are waited for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Apps {
    /// Seconds for a connection to an app, its TLS handshake included. 0.01 to 3600. Default: 5.
    #[serde(rename = "connect_seconds", deserialize_with = "seconds")]
    pub connect: Duration,
    /// Seconds until an app begins to answer, from the last octet of the request. 0.01 to 86400. Default: 120.
    #[serde(rename = "answer_seconds", deserialize_with = "seconds")]
    pub answer: Duration,
    /// Seconds for which an answer that has begun, a WebSocket or a gRPC call may be silent. 0.01 to 86400. Default: 3600.
    #[serde(rename = "silence_seconds", deserialize_with = "seconds")]
    pub silence: Duration,
    /// Seconds for which an idle connection to an app is kept for the next request. 0.01 to 3600. Default: 60.
    #[serde(rename = "keep_seconds", deserialize_with = "seconds")]
    pub keep: Duration,
    /// Idle connections to one app that a thread keeps. 0 to 10000. Default: 64.
    pub kept_max: u32,
}

/// A line for each request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLog {
    /// `"off"`, `"json"` (an object a line) or `"combined"` (as Apache and nginx write it). Default: `"off"`.
    pub format: LogFormat,
    /// The file the lines are put behind; it is opened again when it was moved away. Default: standard output.
    pub file: Option<PathBuf>,
    /// One of so many requests is noted down; those that fail on our side or the app's always are. 1 to 1000000. Default: 1.
    pub one_of: u32,
}

/// How the access log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Not at all.
    #[default]
    Off,
    /// An object a line.
    Json,
    /// As Apache and nginx write it.
    Combined,
}

impl Default for Settings {
    fn default() -> Self {
        let every = || vec![Listen(Ipv4Addr::UNSPECIFIED.into(), None), Listen(Ipv6Addr::UNSPECIFIED.into(), None)];
        Self {
            listen_http: every(),
            listen_https: every(),
            http3: false,
            addresses: Vec::new(),
            address_health: AddressHealth::default(),
            workers: 0,
            trusted_proxies: Vec::new(),
            proxy_protocol_from: Vec::new(),
            default_server_name: None,
            clients: Clients::default(),
            apps: Apps::default(),
            access_log: AccessLog::default(),
            cache: CacheSettings::default(),
        }
    }
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            connections_max: 16_384,
            connections_per_client_max: 1_024,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            take: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            head_size_max: 32_768,
            headers_max: 100,
            streams_max: 128,
        }
    }
}

impl Default for Apps {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(120),
            silence: Duration::from_secs(3_600),
            keep: Duration::from_secs(60),
            kept_max: 256,
        }
    }
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { format: LogFormat::Off, file: None, one_of: 1 }
    }
}

impl Settings {
    /// What is wrong with these settings: a line for each fault, naming the field and its range. Empty: nothing.
    pub fn check(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut within = |field: &str, value: u32, range: RangeInclusive<u32>| {
            if !range.contains(&value) {
                faults.push(format!("edge.{field} is {value}; it must be from {} to {}", range.start(), range.end()));
            }
        };
        within("workers", self.workers.into(), 0..=256);
        within("clients.connections_max", self.clients.connections_max, 1..=1_000_000);
        within("clients.connections_per_client_max", self.clients.connections_per_client_max, 1..=1_000_000);
        within("clients.head_size_max", self.clients.head_size_max, 8_192..=1_048_576);
        within("clients.headers_max", self.clients.headers_max, 10..=1_000);
        within("clients.streams_max", self.clients.streams_max, 1..=10_000);
        within("apps.kept_max", self.apps.kept_max, 0..=10_000);
        within("cache.memory_max", self.cache.memory_max, 1..=1_048_576);
        let AddressHealth { check: _, interval_seconds, timeout_seconds, rise, fall } = self.address_health;
        within("address_health.interval_seconds", interval_seconds.into(), 1..=3_600);
        within("address_health.timeout_seconds", timeout_seconds.into(), 1..=60);
        within("address_health.rise", rise.into(), 1..=100);
        within("address_health.fall", fall.into(), 1..=100);
        within("access_log.one_of", self.access_log.one_of, 1..=1_000_000);
        if let Some(name) = &self.default_server_name {
            match Host::parse(name) {
                Ok(host) if host.as_str() == name && !host.is_wildcard() => (),
                _ => faults.push(format!(
                    "edge.default_server_name is {name:?}; write one host name in lower case, such as \"app.example.com\""
                )),
            }
        }
        self.check_times(&mut faults);
        check_listen("listen_http", &self.listen_http, HTTP_PORT, &mut faults);
        check_listen("listen_https", &self.listen_https, HTTPS_PORT, &mut faults);
        if self.http3 && self.listen_https.is_empty() {
            faults.push(
                "edge.http3 is on, and edge.listen_https is empty; browsers find HTTP/3 by way of HTTPS: name its addresses"
                    .to_owned(),
            );
        }
        for address in &self.addresses {
            if address.is_unspecified() || address.is_multicast() {
                faults.push(format!("edge.addresses names {address}; write addresses that clients can connect to"));
            }
        }
        faults
    }

    fn check_times(&self, faults: &mut Vec<String>) {
        let (clients, apps) = (&self.clients, &self.apps);
        for (field, time, seconds_max) in [
            ("clients.handshake_seconds", clients.handshake, 3_600),
            ("clients.head_seconds", clients.head, 3_600),
            ("clients.body_seconds", clients.body, 3_600),
            ("clients.take_seconds", clients.take, 3_600),
            ("clients.idle_seconds", clients.idle, 3_600),
            ("apps.connect_seconds", apps.connect, 3_600),
            ("apps.answer_seconds", apps.answer, 86_400),
            ("apps.silence_seconds", apps.silence, 86_400),
            ("apps.keep_seconds", apps.keep, 3_600),
        ] {
            if !(Duration::from_millis(10)..=Duration::from_secs(seconds_max)).contains(&time) {
                faults.push(format!("edge.{field} is {}; it must be from 0.01 to {seconds_max}", time.as_secs_f64()));
            }
        }
    }

    /// The addresses for plain HTTP, with their ports.
    pub fn http_addresses(&self) -> Vec<SocketAddr> {
        self.listen_http.iter().map(|listen| listen.address(HTTP_PORT)).collect()
    }

    /// The addresses for HTTPS, with their ports.
    pub fn https_addresses(&self) -> Vec<SocketAddr> {
        self.listen_https.iter().map(|listen| listen.address(HTTPS_PORT)).collect()
    }

    /// The number of threads that [`Settings::workers`] stands for.
    pub(super) fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, Into::into),
            count => count.into(),
        }
    }

    /// Whether the word of a peer about its client is believed.
    /// Whether a connection from there begins with the PROXY protocol.
    pub(super) fn is_announced(&self, peer: IpAddr) -> bool {
        self.proxy_protocol_from.iter().any(|network| network.contains(&peer))
    }

    pub(super) fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }
}

fn check_listen(field: &str, listen: &[Listen], port: u16, faults: &mut Vec<String>) {
    for (at, one) in listen.iter().enumerate() {
        let address = one.address(port);
        if address.port() != 0 && listen[..at].iter().any(|other| other.address(port) == address) {
            faults.push(format!("edge.{field} names {address} twice"));
        }
        if address.ip().is_multicast() {
            faults.push(format!("edge.{field} names {address}, which is a multicast address"));
        }
    }
}

/// An address to listen on, with its port unless it is the usual one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen(pub IpAddr, pub Option<u16>);

impl Listen {
    fn address(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.0, self.1.unwrap_or(port))
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(&text);
        let listen = match bare.parse::<IpAddr>() {
            Ok(address) => Self(address, None),
            Err(_) => {
                let address: SocketAddr = text.parse().map_err(|_| {
                    format!("\"{text}\" is not an address; write \"192.0.2.1\", \"192.0.2.1:8080\" or \"[2001:db8::1]:8080\"")
                })?;
                Self(address.ip(), Some(address.port()))
            }
        };
        match listen.0 {
            IpAddr::V6(mapped) if mapped.to_ipv4_mapped().is_some() => {
                Err(format!("\"{text}\" is an IPv4 address in IPv6 clothes; write the IPv4 address"))
            }
            IpAddr::V4(_) | IpAddr::V6(_) => Ok(listen),
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self(address.ip(), Some(address.port()))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(port) => SocketAddr::new(self.0, port).fmt(f),
            None => self.0.fmt(f),
        }
    }
}

/// A number of seconds, which may have a fraction.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| serde::de::Error::custom(format!("{seconds} is not a number of seconds; write one such as 10")))
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
        assert_eq!(settings.https_addresses(), ["0.0.0.0:443".parse().unwrap(), "[::]:443".parse().unwrap()]);
        assert_eq!(settings.http_addresses()[0].port(), 80);
    }

    #[test]
    fn every_field_can_be_written() {
        let text = r#"
            listen_http = ["127.0.0.1:8080", "::1"]
            listen_https = []
            http3 = false
            addresses = ["192.0.2.1", "2001:db8::1"]
            workers = 2
            trusted_proxies = ["192.0.2.0/24", "2001:db8::/32"]
            proxy_protocol_from = ["192.0.2.0/24"]
            [clients]
            connections_max = 10
            connections_per_client_max = 5
            handshake_seconds = 1
            head_seconds = 0.5
            body_seconds = 1
            take_seconds = 1
            idle_seconds = 1
            head_size_max = 8192
            headers_max = 50
            streams_max = 10
            [apps]
            connect_seconds = 1
            answer_seconds = 1
            silence_seconds = 1
            keep_seconds = 1
            kept_max = 0
            [access_log]
            format = "json"
            file = "/var/log/freehold/access.log"
            one_of = 10
            [cache]
            memory_max = 16
            [address_health]
            check = true
            interval_seconds = 5
            timeout_seconds = 1
            rise = 1
            fall = 1
        "#;
        let settings = read(text).unwrap();
        assert_eq!(settings.check(), Vec::<String>::new());
        assert_eq!(settings.http_addresses(), ["127.0.0.1:8080".parse().unwrap(), "[::1]:80".parse().unwrap()]);
        assert!(settings.trusts("192.0.2.77".parse().unwrap()) && !settings.trusts("192.0.3.1".parse().unwrap()));
        assert_eq!((settings.worker_count(), settings.clients.head), (2, Duration::from_millis(500)));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_line_that_names_it() {
        for (text, told) in [
            ("lissen_http = []", "unknown field `lissen_http`"),
            ("listen_http = [\"localhost\"]", "\"localhost\" is not an address"),
            ("listen_https = [\"::ffff:192.0.2.1\"]", "write the IPv4 address"),
            ("[clients]\nidle_seconds = -1", "-1 is not a number of seconds"),
            ("[access_log]\nformat = \"xml\"", "unknown variant `xml`"),
        ] {
            let fault = read(text).unwrap_err();
            assert!(fault.contains(told), "{text}: {fault}");
        }
        for (text, told) in [
            ("workers = 257", "edge.workers is 257; it must be from 0 to 256"),
            ("clients.connections_max = 0", "edge.clients.connections_max is 0"),
            ("clients.head_size_max = 100", "edge.clients.head_size_max is 100; it must be from 8192 to 1048576"),
            ("apps.answer_seconds = 0", "edge.apps.answer_seconds is 0; it must be from 0.01 to 86400"),
            ("address_health.fall = 0", "edge.address_health.fall is 0; it must be from 1 to 100"),
            ("access_log.one_of = 0", "edge.access_log.one_of is 0"),
            ("cache.memory_max = 0", "edge.cache.memory_max is 0; it must be from 1 to 1048576"),
            ("listen_http = [\"127.0.0.1\", \"127.0.0.1:80\"]", "edge.listen_http names 127.0.0.1:80 twice"),
            ("listen_https = [\"224.0.0.1\"]", "multicast"),
            ("listen_https = []\nhttp3 = true", "edge.http3 is on, and edge.listen_https is empty"),
            ("addresses = [\"0.0.0.0\"]", "edge.addresses names 0.0.0.0"),
        ] {
            let faults = read(text).unwrap().check();
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
            assert!(faults[0].contains(told) && !faults[0].contains('\n'), "{text}: {faults:?}");
        }
    }
}
