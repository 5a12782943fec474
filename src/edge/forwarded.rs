//! Whom a request is from, told to the app: `X-Forwarded-For`, `-Proto`, `-Host`, `X-Real-IP` and `Forwarded` (RFC 7239).
//!
//! They are set here and nowhere else. Only what a trusted proxy says is believed: then the client is the last address in its
//! list that is no trusted proxy itself, and the list goes on with the proxy's own address.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use super::client::Client;
use super::settings::Settings;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Addresses of a trusted proxy's list that are looked at.
const HOPS_MAX: usize = 64;

/// Whom a request is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The client's address, as far as it can be known.
    pub(super) address: IpAddr,
    /// Whether the client itself speaks TLS.
    pub(super) secure: bool,
}

impl Origin {
    /// Finds out whom a request is from.
    pub(super) fn of(client: &Client, headers: &HeaderMap) -> Self {
        let (peer, secure) = (client.address().ip(), client.secure.is_some());
        if !client.is_trusted() {
            return Self { address: peer, secure };
        }
        told(&client.worker.shared.settings, headers, peer, secure)
    }
}

/// What a trusted proxy tells.
fn told(settings: &Settings, headers: &HeaderMap, peer: IpAddr, secure: bool) -> Origin {
    let list = headers.get_all(X_FORWARDED_FOR);
    let hops = list.iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    let hops: Vec<&str> = hops.collect();
    let mut address = peer;
    for hop in hops.iter().rev().take(HOPS_MAX) {
        let Some(told) = hop_address(hop) else { break };
        address = told;
        if !settings.trusts(told) {
            break;
        }
    }
    let secure = match headers.get(X_FORWARDED_PROTO).map(HeaderValue::as_bytes) {
        Some(b"https") => true,
        Some(b"http") => false,
        _ => secure,
    };
    Origin { address, secure }
}

/// An address as it stands in such a list: bare, in brackets, with a port.
fn hop_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// Tells the app. What was there is gone, unless a trusted proxy said it: then it is gone on with.
pub(super) fn tell(headers: &mut HeaderMap, client: &Client, origin: Origin, host: &HeaderValue) {
    let peer = client.address().ip();
    let proto = if origin.secure { "https" } else { "http" };
    let entry = forwarded(peer, proto, host);
    if client.is_trusted() {
        go_on(headers, X_FORWARDED_FOR, &peer.to_string());
        go_on(headers, FORWARDED, &entry);
        headers.entry(X_FORWARDED_HOST).or_insert_with(|| host.clone());
    } else {
        put(headers, X_FORWARDED_FOR, &peer.to_string());
        put(headers, FORWARDED, &entry);
        headers.insert(X_FORWARDED_HOST, host.clone());
    }
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
    put(headers, X_REAL_IP, &origin.address.to_string());
}

fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// Puts an entry behind the list that is there.
fn go_on(headers: &mut HeaderMap, name: HeaderName, entry: &str) {
    let lists: Vec<&str> = headers.get_all(&name).iter().filter_map(|value| value.to_str().ok()).collect();
    let list: Vec<&str> = lists.into_iter().chain([entry]).filter(|text| !text.is_empty()).collect();
    let list = list.join(", ");
    put(headers, name, &list);
}

/// An entry of `Forwarded` (RFC 7239, section 4): addresses of IPv6 and whatever has a colon stand in quotes.
fn forwarded(peer: IpAddr, proto: &str, host: &HeaderValue) -> String {
    let host = host.to_str().unwrap_or_default();
    let quote =
        if host.contains(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '_')) { "\"" } else { "" };
    match peer {
        IpAddr::V4(peer) => format!("for={peer};host={quote}{host}{quote};proto={proto}"),
        IpAddr::V6(peer) => format!("for=\"[{peer}]\";host={quote}{host}{quote};proto={proto}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(list: &[&str], proto: Option<&str>) -> (String, bool) {
        let settings = Settings { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Settings::default() };
        let mut headers = HeaderMap::new();
        for text in list {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_str(text).unwrap());
        }
        if let Some(proto) = proto {
            headers.insert(X_FORWARDED_PROTO, HeaderValue::from_str(proto).unwrap());
        }
        let Origin { address, secure } = told(&settings, &headers, "10.0.0.1".parse().unwrap(), false);
        (address.to_string(), secure)
    }

    #[test]
    fn the_client_is_the_last_one_who_is_no_trusted_proxy() {
        for (list, address) in [
            (&[][..], "10.0.0.1"),
            (&["192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.66, 192.0.2.1, 10.0.0.9"], "192.0.2.1"),
            (&["192.0.2.66", "192.0.2.1,10.0.0.9"], "192.0.2.1"),
            (&["192.0.2.66, unknown, 10.0.0.9"], "10.0.0.9"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["::ffff:192.0.2.7"], "192.0.2.7"),
            (&["192.0.2.1:80"], "192.0.2.1"),
        ] {
            assert_eq!(origin(list, None), (address.to_owned(), false), "{list:?}");
        }
        assert!(origin(&[], Some("https")).1 && !origin(&[], Some("gopher")).1);
    }

    #[test]
    fn entries_are_quoted_where_they_have_to_be() {
        let host = HeaderValue::from_static;
        let (v4, v6) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        assert_eq!(forwarded(v4, "https", &host("a.example")), "for=192.0.2.1;host=a.example;proto=https");
        assert_eq!(
            forwarded(v6, "http", &host("a.example:8080")),
            "for=\"[2001:db8::1]\";host=\"a.example:8080\";proto=http"
        );
    }
}
