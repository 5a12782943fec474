//! The address of an app, as one line: `http://127.0.0.1:3000`, `https://10.0.0.5:8443`, `h2c://[::1]:50051`,
//! `unix:/run/app.sock`, `tls://10.0.0.5:8443`.
//!
//! `https://` checks the app's certificate against the authorities that this machine trusts; `https+insecure://` (the word other
//! tools use as well) takes any, for apps with a certificate of their own making on a network one trusts. A path is refused:
//! what the browser asks for is what the app gets. `tls://` is for what is not to be opened (`passed.rs`).

use std::fmt;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use super::Fault;
use super::url::{Server, Url};

/// Octets of a socket's path: `sun_path` has 108, the last a NUL (unix(7)).
const SOCKET_PATH_SIZE_MAX: usize = 107;
/// The largest weight.
pub const WEIGHT_MAX: u16 = 1_000;

/// How an app is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP/1.1.
    Http,
    /// HTTP over TLS, HTTP/2 or HTTP/1.1 as the app prefers; its certificate is checked.
    Https,
    /// The same without a look at the certificate.
    HttpsUnchecked,
    /// HTTP/2 without TLS, from the first octet on (RFC 9113, section 3.3).
    H2c,
    /// Whatever the client speaks inside TLS: its connection is passed on unopened, and the app shows a certificate of its own.
    Tls,
}

/// Where an app listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// A port.
    Tcp {
        /// The machine.
        server: Server,
        /// The port.
        port: u16,
    },
    /// A Unix socket; HTTP/1.1 is spoken there.
    Unix(Box<Path>),
}

/// One app.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct App {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Where it listens.
    pub address: Address,
    /// Whether it gets no more requests: those under way are finished.
    pub drained: bool,
    /// Its share of the requests, compared with the other apps of the route: 1 to [`WEIGHT_MAX`].
    pub weight: u16,
    /// Whether it is asked only while all others are down.
    pub backup: bool,
}

impl Protocol {
    /// What stands in front of `://`.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::HttpsUnchecked => "https+insecure",
            Self::H2c => "h2c",
            Self::Tls => "tls",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http | Self::H2c => 80,
            Self::Https | Self::HttpsUnchecked | Self::Tls => 443,
        }
    }
}

impl App {
    /// Reads an address as people write it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::at(Protocol::Http, Address::Unix(socket_path(path)?)));
        }
        let url = Url::parse(text)?;
        let protocols = [Protocol::Http, Protocol::Https, Protocol::HttpsUnchecked, Protocol::H2c, Protocol::Tls];
        let Some(protocol) = protocols.into_iter().find(|known| known.scheme() == url.scheme) else {
            let message = format!("{text:?} has a scheme that is not known");
            return Err(Fault::new(
                message,
                "write http://, https://, https+insecure://, h2c://, tls:// or unix:/path",
            ));
        };
        if !matches!(url.path, "" | "/") {
            let message = format!("{text:?} has a path");
            return Err(Fault::new(message, "leave it out: the app is asked for the path that the browser asked for"));
        }
        let port = url.port.unwrap_or(protocol.port());
        Ok(Self::at(protocol, Address::Tcp { server: url.server, port }))
    }

    fn at(protocol: Protocol, address: Address) -> Self {
        Self { protocol, address, drained: false, weight: 1, backup: false }
    }

    /// Reads an address as it is typed, with what else is to be said of the app behind it: `http://10.0.0.5:3000,weight=3` or
    /// `unix:/run/app.sock,backup`.
    pub fn parse_line(text: &str) -> Result<Self, Fault> {
        if let Some(rest) = text.strip_suffix(",backup") {
            return Ok(Self { backup: true, ..Self::parse_line(rest)? });
        }
        if let Some((rest, weight)) = text.rsplit_once(",weight=") {
            let weight = weight.parse().unwrap_or(0);
            check_weight(weight)?;
            return Ok(Self { weight, ..Self::parse_line(rest)? });
        }
        Self::parse(text)
    }
}

/// Whether an app can weigh so much.
pub(super) fn check_weight(weight: u16) -> Result<(), Fault> {
    if (1..=WEIGHT_MAX).contains(&weight) {
        return Ok(());
    }
    let cure = "write one; an app that is to get nothing is drained";
    Err(Fault::new("the weight of an app is no number from 1 to 1000", cure))
}

fn socket_path(text: &str) -> Result<Box<Path>, Fault> {
    let path = Path::new(text.strip_prefix("//").unwrap_or(text));
    let fault = |message: &str, cure: String| Err(Fault::new(format!("the socket {text:?} {message}"), cure));
    if !path.is_absolute() {
        return fault("has no absolute path", "write it from the root on, as in \"unix:/run/app.sock\"".into());
    }
    if text.chars().any(char::is_control) || path.components().any(|part| part == Component::ParentDir) {
        return fault("has \"..\" or a hidden character in its path", "write the path that is meant".into());
    }
    if path.as_os_str().len() > SOCKET_PATH_SIZE_MAX {
        return fault("has too long a path", format!("the kernel takes at most {SOCKET_PATH_SIZE_MAX} octets"));
    }
    Ok(path.into())
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Tcp { server, port } if *port == self.protocol.port() => {
                write!(f, "{}://{server}", self.protocol.scheme())
            }
            Address::Tcp { server, port } => write!(f, "{}://{server}:{port}", self.protocol.scheme()),
        }
    }
}

/// The form in JSON: an object, so that there is room for more; a bare string is taken as well.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    url: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    drained: bool,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    weight: u16,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    backup: bool,
}

fn one() -> u16 {
    1
}

fn is_one(weight: &u16) -> bool {
    *weight == 1
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected the address of an app, or an object with \"url\", \"drained\", \"weight\", \"backup\""
)]
enum Given {
    Bare(String),
    Whole(Written),
}

impl Serialize for App {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { drained, weight, backup, .. } = *self;
        Written { url: self.to_string(), drained, weight, backup }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for App {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { url, drained, weight, backup } = match Given::deserialize(deserializer)? {
            Given::Bare(url) => Written { url, drained: false, weight: 1, backup: false },
            Given::Whole(written) => written,
        };
        let app = Self::parse(&url).map_err(serde::de::Error::custom)?;
        Ok(Self { drained, weight, backup, ..app })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_printed_in_one_form() {
        for (text, printed) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://127.0.0.1:80/", "http://127.0.0.1"),
            ("https://App.Internal", "https://app.internal"),
            ("https+insecure://10.0.0.5:8443", "https+insecure://10.0.0.5:8443"),
            ("h2c://[::1]:50051", "h2c://[::1]:50051"),
            ("http://[::ffff:192.0.2.1]:1", "http://192.0.2.1:1"),
            ("http://my_app:8080", "http://my_app:8080"),
            ("tls://10.0.0.5", "tls://10.0.0.5"),
            ("tls://mail.internal:8443", "tls://mail.internal:8443"),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
            ("unix:///run/app.sock", "unix:/run/app.sock"),
        ] {
            let app = App::parse(text).unwrap();
            assert_eq!(app.to_string(), printed);
            assert_eq!(App::parse(printed).unwrap(), app, "{text}");
        }
    }

    #[test]
    fn a_typed_address_may_say_more() {
        let read = |text| App::parse_line(text).map(|app| (app.to_string(), app.weight, app.backup));
        assert_eq!(read("http://a:1,weight=3"), Ok(("http://a:1".into(), 3, false)));
        assert_eq!(read("http://a:1,weight=3,backup"), Ok(("http://a:1".into(), 3, true)));
        assert_eq!(read("unix:/run/a,b,backup,weight=1000"), Ok(("unix:/run/a,b".into(), 1_000, true)));
        for wrong in ["http://a:1,weight=0", "http://a:1,weight=1001", "http://a:1,weight=x"] {
            assert!(read(wrong).unwrap_err().message.contains("1 to 1000"), "{wrong}");
        }
        assert!(App::parse("http://a:1,weight=3").is_err(), "in JSON it has a field of its own");
    }

    #[test]
    fn what_is_no_app_is_told_with_its_cure() {
        let long = format!("unix:/{}", "a".repeat(SOCKET_PATH_SIZE_MAX));
        let endless = format!("http://{}", "a".repeat(3_000));
        for (text, told) in [
            ("127.0.0.1:3000", "write \"http://127.0.0.1:3000\""),
            ("ftp://127.0.0.1", "write http://, https://"),
            ("http://user:secret@127.0.0.1", "a user or password"),
            ("http://127.0.0.1/#top", "a fragment"),
            ("http://127.0.0.1/base", "has a path"),
            ("http://127.0.0.1?x", "has a path"),
            ("http://127.0.0.1:0", "a port is a number from 1 to 65535"),
            ("http://127.0.0.1:65536", "a port is a number"),
            ("http://127.0.0.1:", "a port is a number"),
            ("http://127.0.0.1:3000x", "a port is a number"),
            ("http://", "is no server"),
            ("http://::1:3000", "in brackets"),
            ("http://[::1", "brackets"),
            ("http://[fe80::1%eth0]:1", "is no IPv6 address"),
            ("http://0.0.0.0:3000", "for this machine write 127.0.0.1"),
            ("http://[::]:3000", "for this machine"),
            ("http://224.0.0.1", "the address of one machine"),
            ("http://255.255.255.255", "the address of one machine"),
            ("http://a b", "a space"),
            ("http://-x", "a hyphen"),
            ("http://1.2.3", "ends in a number"),
            ("unix:app.sock", "from the root on"),
            ("unix:/run/../app.sock", "\"..\""),
            (&long, "at most 107 octets"),
            (&endless, "too long"),
        ] {
            let fault = App::parse(text).unwrap_err().to_string();
            assert!(fault.contains(told), "{text}: {fault}");
        }
    }
}
