//! The URL of a server: a scheme and a host, nothing behind it.

use std::fmt;

use hyper::header::HeaderValue;

use super::super::stop::{Exit, Stop};
use crate::api::{HostName, PORT};

/// Where a server is.
#[derive(Clone, Debug)]
pub(super) struct Url {
    pub(super) secure: bool,
    pub(super) host: HostName,
    pub(super) port: u16,
    /// Whether the port was said.
    has_port: bool,
}

impl Url {
    pub(super) fn parse(text: &str) -> Result<Self, Stop> {
        let url = Self::read(text).ok_or_else(|| {
            let cure = format!("write it as in https://dns.example.com:{PORT}");
            Stop::new(Exit::Usage, format!("`{text}` is not the URL of a server"), cure)
        })?;
        if !url.secure && !url.is_loopback() {
            let message = format!("{url} would send the token in the clear");
            return Err(Stop::new(Exit::Usage, message, format!("write https://{}", url.authority())));
        }
        Ok(url)
    }

    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let end_of_host =
            if rest.starts_with('[') { rest.find(']')? + 1 } else { rest.find(':').unwrap_or(rest.len()) };
        let (host, port) = rest.split_at(end_of_host);
        let host = match HostName::read(host) {
            Some(host) => host,
            None => HostName::try_from(host.to_owned()).ok()?,
        };
        let port = if port.is_empty() { None } else { Some(port.strip_prefix(':')?.parse().ok()?) };
        let usual = if secure { 443 } else { 80 };
        Some(Self { secure, host, port: port.unwrap_or(usual), has_port: port.is_some() })
    }

    /// Whether what is sent there stays on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.host.to_string() == "localhost" || self.host.address().is_some_and(|address| address.is_loopback())
    }

    /// What to try when nobody listens.
    pub(super) fn port_cure(&self) -> String {
        if self.has_port {
            return "does it run, and is this among `listen` below [admin] there?".into();
        }
        format!("was {self}:{PORT} meant?")
    }

    fn authority(&self) -> String {
        let host = match self.host.address() {
            Some(address) if address.is_ipv6() => format!("[{address}]"),
            Some(_) | None => self.host.to_string(),
        };
        if self.has_port { format!("{host}:{}", self.port) } else { host }
    }

    pub(super) fn host_header(&self) -> HeaderValue {
        // A host has no octet that a header may not have.
        HeaderValue::from_str(&self.authority()).unwrap_or(HeaderValue::from_static("freehold"))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_scheme_and_a_host() {
        let read = |text: &str| Url::read(text).map(|url| (url.to_string(), url.port));
        let some = |url: &str, port| Some((url.to_owned(), port));
        assert_eq!(read("https://dns.example.com"), some("https://dns.example.com", 443));
        assert_eq!(read("HTTPS://DNS.example.com.:8053/"), some("https://dns.example.com:8053", 8053));
        assert_eq!(read("https://[2001:db8::1]:8053"), some("https://[2001:db8::1]:8053", 8053));
        assert_eq!(read("http://127.0.0.1"), some("http://127.0.0.1", 80));
        assert_eq!(read("https://bücher.example"), some("https://xn--bcher-kva.example", 443));
        for text in [
            "",
            "dns.example.com",
            "dns.example.com:8053",
            "ftp://dns.example.com",
            "https://",
            "https://a/v1",
            "https://a?b",
            "https://user@a",
            "https://a:",
            "https://a:99999",
            "https://2001:db8::1",
            "https://[::1",
            "https://[::1]x",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_leaves_the_machine_in_the_clear() {
        for text in ["http://localhost:1", "http://127.9.9.9", "http://[::1]:8053", "https://192.0.2.1"] {
            assert!(Url::parse(text).is_ok(), "{text}");
        }
        for text in ["http://192.0.2.1", "http://localhost.example.com", "http://[::2]"] {
            let stop = Url::parse(text).unwrap_err();
            assert!(stop.to_string().contains("in the clear\n = cure: write https://"), "{stop}");
        }
    }
}
