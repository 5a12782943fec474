//! What a request asks for, or why it is not looked at any further.
//!
//! hyper has parsed it and the strict gate has seen its octets; here is decided what its words may be. The rules, in short:
//!
//! * There is one host. HTTP/1.1 says it in one `Host` field, HTTP/2 and HTTP/3 in `:authority` (a `Host` beside it has to agree). A
//!   request line with a whole URL (absolute form) has to agree with `Host` as well. User and password in it are refused.
//! * CONNECT is refused (nobody is connected to anybody here), but for WebSocket over HTTP/2 (RFC 8441). So is TRACE.
//! * The path begins with a slash, and no segment of it is `.` or `..` in any disguise ([`crate::route::is_plain`]).
//!   `%2F` is passed on as it is and counts as a slash when the route is looked for.
//! * `Expect` may say `100-continue` and nothing else.

use hyper::ext::Protocol;
use hyper::header::{EXPECT, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, Uri, Version};

use super::failure::Failure;
use super::inflow::Inflow;
use crate::route::is_plain;

/// Characters of a host with its port.
const AUTHORITY_SIZE_MAX: usize = 253 + 6;

/// What a request asks for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The host as the client wrote it, with its port if it wrote one.
    pub(super) authority: HeaderValue,
    /// Octets of the name in it.
    name_size: usize,
    /// The name, where it had capital letters or a final dot.
    tidied: Option<Box<str>>,
}

impl Asked {
    /// The host in lower case, without port and final dot.
    pub(super) fn host(&self) -> &str {
        match &self.tidied {
            Some(name) => name,
            None => self.authority.to_str().ok().and_then(|text| text.get(..self.name_size)).unwrap_or_default(),
        }
    }
}

/// Reads what is asked for. `secure_name` is the one that TLS was agreed on for.
pub(super) fn admit(request: &Request<Inflow>, secure_name: Option<&str>) -> Result<Asked, Failure> {
    check_method(request)?;
    let asked = read_host(request.uri(), request.version(), request.headers())?;
    if secure_name.is_some_and(|name| name != asked.host()) {
        return Err(Failure::Misdirected);
    }
    if !is_plain(request.uri().path()) {
        return Err(Failure::Unsound("The path of the request leads somewhere else than it says."));
    }
    match request.headers().get(EXPECT) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => Err(Failure::ExpectationUnknown),
        _ => Ok(asked),
    }
}

fn check_method(request: &Request<Inflow>) -> Result<(), Failure> {
    if request.method() == Method::TRACE {
        return Err(Failure::MethodRefused);
    }
    if request.method() == Method::CONNECT {
        return match request.extensions().get::<Protocol>() {
            Some(protocol) if protocol.as_str().eq_ignore_ascii_case("websocket") => Ok(()),
            Some(_) => Err(Failure::ProtocolRefused),
            None => Err(Failure::MethodRefused),
        };
    }
    Ok(())
}

fn read_host(uri: &Uri, version: Version, headers: &HeaderMap) -> Result<Asked, Failure> {
    let mut fields = headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(Failure::Unsound("The request names its host twice."));
    }
    let same = |field: &HeaderValue, authority: &str| field.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
    let authority = match (uri.authority(), field) {
        (None, Some(field)) => field.clone(),
        (None, None) => return Err(Failure::Unsound("The request does not name its host.")),
        (Some(authority), Some(field)) if same(field, authority.as_str()) => field.clone(),
        (Some(_), Some(_)) => return Err(Failure::Unsound("The request names two hosts.")),
        // HTTP/1 needs the field (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1; RFC 9114, section 4.3.1).
        (Some(authority), None) if matches!(version, Version::HTTP_2 | Version::HTTP_3) => {
            HeaderValue::from_str(authority.as_str())
                .map_err(|_| Failure::Unsound("The host of the request is none."))?
        }
        (Some(_), None) => return Err(Failure::Unsound("The request does not name its host.")),
    };
    if uri.scheme_str().is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
        return Err(Failure::Unsound("The request asks for something that is neither http nor https."));
    }
    let (name_size, tidied) = read_name(authority.to_str().unwrap_or_default())
        .ok_or(Failure::Unsound("The host of the request is none."))?;
    Ok(Asked { authority, name_size, tidied })
}

/// The size of the name in front of the port, and the name itself if it has to be written otherwise.
pub(super) fn read_name(authority: &str) -> Option<(usize, Option<Box<str>>)> {
    let text = Some(authority).filter(|text| text.len() <= AUTHORITY_SIZE_MAX)?;
    let name_size = match text.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (name, port) = text.split_at(name_size);
    if !port.is_empty() && !is_port(&port[1..]) || !port.is_empty() && !port.starts_with(':') {
        return None;
    }
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b':' | b'[' | b']');
    if name.is_empty() || !name.bytes().all(plain) {
        return None;
    }
    let untidy = name.ends_with('.') || name.bytes().any(|octet| octet.is_ascii_uppercase());
    let tidied = untidy.then(|| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into());
    Some((name_size, tidied))
}

fn is_port(text: &str) -> bool {
    text.len() <= 5
        && text.bytes().all(|octet| octet.is_ascii_digit())
        && (text.is_empty() || text.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(uri: &str, version: Version, hosts: &[&str]) -> Result<String, Failure> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
        }
        read_host(&uri.parse().unwrap(), version, &headers).map(|asked| asked.host().to_owned())
    }

    #[test]
    fn the_host_is_read_without_port_capitals_and_final_dot() {
        for (field, name) in [
            ("app.example.com", "app.example.com"),
            ("App.Example.COM:8443", "app.example.com"),
            ("app.example.com.:443", "app.example.com"),
            ("app.example.com:", "app.example.com"),
            ("[2001:db8::1]:443", "[2001:db8::1]"),
            ("192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(host("/", Version::HTTP_11, &[field]).as_deref(), Ok(name));
        }
    }

    #[test]
    fn there_is_one_host() {
        let h1 = |uri, hosts| host(uri, Version::HTTP_11, hosts).is_ok();
        assert!(h1("http://a.example/x", &["A.example"]));
        assert!(!h1("http://a.example/x", &["b.example"]));
        assert!(!h1("http://a.example/x", &[]));
        assert!(!h1("ftp://a.example/x", &["a.example"]));
        assert!(!h1("http://user@a.example/x", &["user@a.example"]));
        assert!(!h1("/", &[]));
        assert!(!h1("/", &["a.example", "a.example"]));
        let h2 = |uri, hosts| host(uri, Version::HTTP_2, hosts).is_ok();
        assert!(h2("https://a.example/", &[]) && h2("https://a.example/", &["a.example"]));
        assert!(!h2("https://a.example/", &["b.example"]));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for field in [
            "",
            " ",
            "a b",
            "a,b",
            "user@a.example",
            "a.example/x",
            "a.example:80:80",
            "a.example:http",
            "a.example:99999",
            "a.example:-1",
            "[::1",
            "[::1]x",
            "a.example#x",
            "a\u{e9}.example",
            ":80",
        ] {
            assert!(host("/", Version::HTTP_11, &[field]).is_err(), "{field:?}");
        }
        assert!(host("/", Version::HTTP_11, &[&"a".repeat(300)]).is_err());
    }
}
