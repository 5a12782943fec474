//! The settings of DNS over TLS, HTTPS and QUIC: the table `[dns.encrypted]` of the settings file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

use crate::cert::Subject;
use crate::dns::settings::{ENCRYPTED_PORT, Listen, check_listen};

/// Octets of the path of DNS over HTTPS.
const PATH_SIZE_MAX: usize = 255;

/// Where to answer queries that nobody on the way can read, and by what names clients know this server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Encrypted {
    /// Names of this server, as in `"ns1.example.com"`, or addresses of it: clients compare the certificate with them. A
    /// certificate is kept for each, as for the host of a route. A client that names none of them, or nothing at all, is
    /// shown that of the first. Default: the host of `https`.
    #[serde(deserialize_with = "names")]
    pub names: Vec<Subject>,
    /// Addresses for DNS over TLS (RFC 7858): as for `dns.listen`, without a port: 853. `[]` is none.
    /// Default: `["0.0.0.0", "::"]`.
    pub tls: Vec<Listen<ENCRYPTED_PORT>>,
    /// Addresses for DNS over QUIC (RFC 9250): as for `dns.listen`, without a port: 853. `[]` is none.
    /// Default: `["0.0.0.0", "::"]`.
    pub quic: Vec<Listen<ENCRYPTED_PORT>>,
    /// DNS over HTTPS (RFC 8484), at the addresses of the edge. Default: none.
    pub https: Option<Https>,
}

/// Where DNS over HTTPS is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Https {
    /// The host, as in `"dns.example.com"`. It may have routes of its own, for other paths.
    #[serde(deserialize_with = "host")]
    pub host: Subject,
    /// The path. Default: `"/dns-query"`.
    #[serde(default = "usual_path")]
    pub path: String,
}

impl Default for Encrypted {
    fn default() -> Self {
        let everywhere = || {
            let all: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
            all.map(|address| Listen((address, ENCRYPTED_PORT).into())).to_vec()
        };
        Self { names: Vec::new(), tls: everywhere(), quic: everywhere(), https: None }
    }
}

impl Encrypted {
    /// The names for which certificates are wanted; the first is the one for clients that ask for none of them.
    pub fn wanted(&self) -> Vec<Subject> {
        let host = self.https.iter().map(|https| &https.host).filter(|host| !self.names.contains(host));
        self.names.iter().chain(host).cloned().collect()
    }

    pub(in crate::dns) fn check(&self, faults: &mut Vec<String>) {
        check_listen("encrypted.tls", &self.tls, faults);
        check_listen("encrypted.quic", &self.quic, faults);
        if self.wanted().is_empty() {
            faults.push(
                "dns.encrypted.names is empty; name this server as its clients do, such as \"ns1.example.com\"".into(),
            );
        }
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"/-._~".contains(&octet);
        let Some(path) = self.https.as_ref().map(|https| &https.path) else { return };
        if !path.starts_with('/') || path.len() > PATH_SIZE_MAX || !path.bytes().all(plain) {
            faults.push(format!(
                "dns.encrypted.https is at the path \"{path}\"; write one such as \"/dns-query\": a slash, then letters, digits \
                 and - . _ ~ /"
            ));
        }
    }
}

fn usual_path() -> String {
    "/dns-query".into()
}

fn names<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Subject>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| name(text).map_err(serde::de::Error::custom)).collect()
}

fn host<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Subject, D::Error> {
    name(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn name(text: &str) -> Result<Subject, String> {
    let subject: Subject = text.parse().map_err(|fault| {
        format!("\"{text}\" is not the name of a server: {fault}; write one such as \"ns1.example.com\"")
    })?;
    match subject.is_wildcard() {
        true => Err(format!("\"{text}\" stands for many names; write the one of this server")),
        false => Ok(subject),
    }
}

#[cfg(test)]
mod tests {
    use crate::dns::Settings;

    fn read(text: &str) -> Result<Settings, String> {
        toml::from_str(text).map_err(|fault| fault.message().to_owned())
    }

    #[test]
    fn naming_the_server_is_enough() {
        assert_eq!(read("").unwrap().encrypted, None, "off until it is named");
        let settings = read("[encrypted]\nnames = [\"NS1.example.com.\", \"192.0.2.1\"]").unwrap();
        assert_eq!(settings.check(), Vec::<String>::new());
        let encrypted = settings.encrypted.unwrap();
        assert_eq!(
            encrypted.wanted().iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["ns1.example.com", "192.0.2.1"]
        );
        assert_eq!(encrypted.tls, ["0.0.0.0:853".parse().unwrap(), "::".parse().unwrap()]);
        assert_eq!(encrypted.quic[1].0.port(), 853);
    }

    #[test]
    fn https_alone_names_the_server_too() {
        let settings = read("[encrypted]\ntls = []\nquic = []\nhttps = { host = \"dns.example.com\" }").unwrap();
        assert_eq!(settings.check(), Vec::<String>::new());
        let encrypted = settings.encrypted.unwrap();
        assert_eq!(encrypted.https.as_ref().unwrap().path, "/dns-query");
        assert_eq!(encrypted.wanted(), ["dns.example.com".parse().unwrap()]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_line_that_names_it() {
        for (text, told) in [
            ("names = [\"ns_1.example.com\"]", "\"ns_1.example.com\" is not the name of a server: '_' has no place"),
            ("names = [\"*.example.com\"]", "stands for many names"),
            ("tls = [\"localhost\"]", "\"localhost\" is not an address"),
            ("https = { host = \"a..b\" }", "\"a..b\" is not the name of a server: two dots in a row"),
            ("https = {}", "missing field `host`"),
            ("doh = true", "unknown field `doh`"),
        ] {
            let fault = read(&format!("[encrypted]\n{text}")).unwrap_err();
            assert!(fault.contains(told), "{text}: {fault}");
        }
        for (text, told) in [
            ("", "dns.encrypted.names is empty; name this server"),
            (
                "names = [\"a.example\"]\ntls = [\"127.0.0.1\", \"127.0.0.1:853\"]",
                "dns.encrypted.tls names 127.0.0.1:853 twice",
            ),
            (
                "names = [\"a.example\"]\nquic = [\"224.0.0.1\"]",
                "dns.encrypted.quic names 224.0.0.1:853, which is a multicast",
            ),
            ("https = { host = \"a.example\", path = \"dns\" }", "dns.encrypted.https is at the path \"dns\""),
            ("https = { host = \"a.example\", path = \"/d?s\" }", "dns.encrypted.https is at the path \"/d?s\""),
        ] {
            let faults = read(&format!("[encrypted]\n{text}")).unwrap().check();
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
            assert!(faults[0].contains(told) && !faults[0].contains('\n'), "{text}: {faults:?}");
        }
    }
}
