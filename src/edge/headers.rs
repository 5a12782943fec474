//! The fields of a request on its way to the app, and of an answer on its way back.
//!
//! What belongs to one connection stays there (RFC 9110, section 7.6.1), on both sides, with whatever `Connection` names. What the
//! client claims about itself is taken off and set anew ([`super::forwarded`]), in every spelling: apps behind CGI-like
//! interfaces take `X_Forwarded_For` for `X-Forwarded-For`. Everything else passes as it came.

use hyper::body::{Bytes, Frame};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, VIA,
};

use super::failure::Failure;

/// Fields that `Connection` names at most; who names more wants something else than an answer.
const NAMED_MAX: usize = 32;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Takes off what belongs to the client's connection. `Via` tells whether the request has been here before.
pub(super) fn strip_request(headers: &mut HeaderMap, trusted: bool, mark: &str) -> Result<(), Failure> {
    if headers.get_all(VIA).iter().any(|value| value.to_str().is_ok_and(|text| text.contains(mark))) {
        return Err(Failure::Circle);
    }
    let trailers =
        headers.get_all(TE).iter().any(|value| names(value).any(|name| name.eq_ignore_ascii_case("trailers")));
    strip_named(headers)?;
    strip_connection(headers);
    let unwanted: Vec<HeaderName> =
        headers.keys().filter(|name| is_unwanted(name.as_str(), trusted)).cloned().collect();
    for name in unwanted {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers")); // gRPC asks whether we hand them on
    }
    Ok(())
}

/// Takes off what belongs to the app's connection.
pub(super) fn strip_answer(headers: &mut HeaderMap) {
    // An app that names in Connection what it must not is answered for all the same: it harms only itself.
    let _ = strip_named(headers);
    strip_connection(headers);
}

fn strip_connection(headers: &mut HeaderMap) {
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE, TE, KEEP_ALIVE, PROXY_CONNECTION] {
        headers.remove(name);
    }
}

/// Takes off the fields that `Connection` names.
fn strip_named(headers: &mut HeaderMap) -> Result<(), Failure> {
    if !headers.contains_key(CONNECTION) {
        return Ok(());
    }
    let mut named = Vec::new();
    for value in headers.get_all(CONNECTION) {
        for name in names(value) {
            let name = HeaderName::from_bytes(name.as_bytes());
            let name = name.map_err(|_| Failure::Unsound("Connection names what is no field."))?;
            // What says where the message ends or whom it is for is for everybody on the way.
            if [HOST, CONTENT_LENGTH].contains(&name) || named.len() >= NAMED_MAX {
                return Err(Failure::Unsound("Connection names a field that is for everybody."));
            }
            named.push(name);
        }
    }
    for name in named {
        headers.remove(name);
    }
    Ok(())
}

/// The words of a list such as that of `Connection`.
pub(super) fn names(value: &HeaderValue) -> impl Iterator<Item = &str> {
    let text = value.to_str().unwrap_or_default();
    text.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// Whether an app must not see this field from a client. The name is in lower case.
pub(super) fn is_unwanted(name: &str, trusted: bool) -> bool {
    if name.contains('_') {
        // In this spelling nobody but a trickster sends them.
        let plain = name.replace('_', "-");
        return is_forgeable(&plain) || ends_here(&plain) || FRAMING.iter().any(|known| *known == plain.as_str());
    }
    ends_here(name) || (is_forgeable(name) && !trusted)
}

/// Fields that say where a message ends or whom it is for.
const FRAMING: [HeaderName; 4] = [CONTENT_LENGTH, TRANSFER_ENCODING, HOST, CONNECTION];

/// Fields that are for us alone. `Proxy` nobody needs, and some apps take it for a setting (httpoxy).
fn ends_here(name: &str) -> bool {
    matches!(name, "expect" | "proxy-authorization" | "http2-settings" | "proxy")
}

/// Fields by which a proxy tells whom it speaks for, and others that apps believe like them.
fn is_forgeable(name: &str) -> bool {
    name.starts_with("x-forwarded")
        || name.starts_with("client-cert")
        || name.starts_with("x-client-certificate")
        || matches!(
            name,
            "forwarded"
                | "x-real-ip"
                | "x-client-ip"
                | "x-cluster-client-ip"
                | "true-client-ip"
                | "cf-connecting-ip"
                | "fastly-client-ip"
                | "x-original-url"
                | "x-original-host"
                | "x-rewrite-url"
                | "x-http-host-override"
                | "x-host"
                | "x-url-scheme"
                | "front-end-https"
        )
}

/// HTTP/2 may send cookies one by one; for HTTP/1.1 they are one field again (RFC 9113, section 8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// Trailers as they are handed on: none of those that only a head may have (RFC 9110, section 6.5.1).
pub(super) fn clean_trailers(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        strip_connection(trailers);
        for name in [HOST, CONTENT_LENGTH, TRAILER, EXPECT] {
            trailers.remove(name);
        }
        let unwanted: Vec<HeaderName> =
            trailers.keys().filter(|name| is_unwanted(name.as_str(), false)).cloned().collect();
        for name in unwanted {
            trailers.remove(name);
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(fields: &[(&str, &str)], trusted: bool) -> Result<String, Failure> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        strip_request(&mut headers, trusted, "freehold-1234")?;
        let left = headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap()));
        Ok(left.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_belongs_to_the_connection_stays_there() {
        let fields = [
            ("connection", "close, X-Mine"),
            ("connection", "keep-alive"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("proxy-authorization", "secret"),
            ("te", "gzip, Trailers"),
            ("trailer", "x-sum"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAA"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("proxy", "http://evil.example"),
            ("cookie", "a=b"),
        ];
        let left = stripped(&fields, false).unwrap();
        let mut left: Vec<_> = left.split(' ').collect();
        left.sort_unstable();
        assert_eq!(left, ["cookie=a=b", "te=trailers", "trailer=x-sum"]);
    }

    #[test]
    fn forged_fields_are_taken_off_in_every_spelling() {
        for name in [
            "x-forwarded-for",
            "x_forwarded_for",
            "X-Forwarded_Proto",
            "x-forwarded-anything",
            "forwarded",
            "x-real-ip",
            "x_real-ip",
            "true-client-ip",
            "x-original-url",
            "content_length",
            "transfer_encoding",
            "host_".trim_end_matches('_'),
        ] {
            let left = stripped(&[(name, "1")], false).unwrap();
            assert_eq!(left, if name == "host" { "host=1" } else { "" }, "{name}");
        }
        assert_eq!(stripped(&[("x-forwarded-for", "192.0.2.1")], true).unwrap(), "x-forwarded-for=192.0.2.1");
        assert_eq!(stripped(&[("x_forwarded_for", "192.0.2.1")], true).unwrap(), "");
        assert_eq!(stripped(&[("session_token", "1")], false).unwrap(), "session_token=1");
    }

    #[test]
    fn a_request_that_was_here_before_and_one_that_hides_its_end_are_refused() {
        assert_eq!(stripped(&[("via", "1.1 cdn, 1.1 freehold-1234")], false), Err(Failure::Circle));
        assert_eq!(stripped(&[("via", "1.1 freehold-5678")], false).unwrap(), "via=1.1 freehold-5678");
        for named in ["Host", "close, content-length", "a b", "\"x\""] {
            assert!(matches!(stripped(&[("connection", named)], false), Err(Failure::Unsound(_))), "{named}");
        }
    }

    #[test]
    fn trailers_cannot_say_what_only_a_head_may() {
        let trailers = HeaderMap::from_iter([
            (HOST, HeaderValue::from_static("b")),
            (CONTENT_LENGTH, HeaderValue::from_static("1")),
            (HeaderName::from_static("x-real-ip"), HeaderValue::from_static("1")),
            (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0")),
        ]);
        let frame = clean_trailers(Frame::trailers(trailers));
        let left: Vec<_> = frame.trailers_ref().unwrap().keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["grpc-status"]);
    }
}
