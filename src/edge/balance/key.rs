//! What a request is recognized by, where the same client is to meet the same app: its address, a header, or a cookie.
//!
//! A cookie is either one of the app's, or the edge's own: then it holds a number drawn by lot that says nothing to anybody, and
//! which app it leads to follows from the number and the apps there are. So nothing is kept, and nothing inside is shown.
//! A client without the header or the cookie goes wherever it is its turn.

use std::net::IpAddr;

use hyper::header::{COOKIE, HeaderMap, HeaderValue};

use super::pick;
use crate::edge::random::Random;
use crate::route::{Balance, By};

/// The cookie of the edge.
const OWN_COOKIE: &str = "freehold_app";

/// What a request is recognized by, as a number; none if it is not to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::edge) struct Key(pub(super) Option<u64>);

/// What a request is recognized by, and the cookie that the client is to be given.
pub(in crate::edge) struct Stick {
    pub(in crate::edge) key: Key,
    /// The value of `Set-Cookie`.
    pub(in crate::edge) cookie: Option<HeaderValue>,
}

impl Key {
    /// For a route that goes by nothing.
    pub(in crate::edge) const NONE: Self = Self(None);

    /// By the address: of IPv6 its network, because clients change the rest from day to day (RFC 8981).
    pub(in crate::edge) fn of_address(address: IpAddr) -> Self {
        Self(Some(match address {
            IpAddr::V4(address) => pick::key(&address.octets()),
            IpAddr::V6(address) => pick::key(&address.octets()[..8]),
        }))
    }
}

/// By the value of a header.
pub(in crate::edge) fn header_key(value: &[u8]) -> Key {
    Key(Some(pick::key(value)))
}

/// By the value of a cookie, out of a field `Cookie`.
pub(in crate::edge) fn cookie_key(field: &[u8], name: &str) -> Key {
    let value = |pair: &[u8]| {
        let pair = pair.trim_ascii();
        let rest = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(pick::key(rest))
    };
    Key(field.split(|octet| *octet == b';').find_map(value))
}

/// Of a request from this address with these fields.
pub(in crate::edge) fn stick(
    balance: &Balance,
    headers: &HeaderMap,
    address: IpAddr,
    secure: bool,
    random: &Random,
) -> Stick {
    let key = match balance.by {
        By::RoundRobin | By::LeastConnections | By::TwoChoices => Key::NONE,
        By::Client => Key::of_address(address),
        By::Header => headers.get(&balance.name).map_or(Key::NONE, |value| header_key(value.as_bytes())),
        By::Cookie => {
            let name = if balance.name.is_empty() { OWN_COOKIE } else { &balance.name };
            let keys = headers.get_all(COOKIE).iter().map(|field| cookie_key(field.as_bytes(), name));
            keys.into_iter().find(|key| *key != Key::NONE).unwrap_or(Key::NONE)
        }
    };
    if key != Key::NONE || !balance.sets_cookie() {
        return Stick { key, cookie: None };
    }
    let number = format!("{:016x}", random.next());
    let secure = if secure { "; Secure" } else { "" };
    let cookie = HeaderValue::try_from(format!("{OWN_COOKIE}={number}; Path=/; HttpOnly; SameSite=Lax{secure}")).ok();
    Stick { key: header_key(number.as_bytes()), cookie }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_recognized_by_its_network_header_or_cookie() {
        let of = |text: &str| Key::of_address(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        let same = header_key(b"me");
        for field in ["sid=me", "a=b; sid=me", "a=b;sid=me;c=d", "xsid=no; sid=me"] {
            assert_eq!(cookie_key(field.as_bytes(), "sid"), same, "{field}");
        }
        assert_eq!(cookie_key(b"a=b; sidx=me", "sid"), Key::NONE);
    }

    #[test]
    fn the_cookie_of_the_edge_leads_back_to_the_same_app() {
        let balance = Balance { by: By::Cookie, ..Balance::default() };
        let (mut headers, random) = (HeaderMap::new(), Random::new().unwrap());
        let address = "192.0.2.1".parse().unwrap();
        let first = stick(&balance, &headers, address, true, &random);
        let cookie = first.cookie.unwrap();
        let (pair, rest) = cookie.to_str().unwrap().split_once(';').unwrap();
        assert_eq!(rest, " Path=/; HttpOnly; SameSite=Lax; Secure");
        headers.insert(COOKIE, HeaderValue::try_from(pair).unwrap());
        let second = stick(&balance, &headers, address, true, &random);
        assert!(second.key == first.key && second.cookie.is_none());
    }
}
