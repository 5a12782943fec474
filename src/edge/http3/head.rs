//! The head of a request, as its fields say it, and that of an answer, as fields.
//!
//! What HTTP/3 calls malformed (RFC 9114, section 4.1.2) ends the request and goes no further: fields that come twice, too late or not at
//! all, names with capitals, fields that speak of a connection. What the words of a sound head may be is decided for all versions
//! in one place ([`crate::edge::admit`]).

use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Method, StatusCode, Uri};

use super::code::{Code, Fault};
use super::qpack::{self, Unread};

/// The head of a request.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// Octets of the body, if that is said.
    pub(super) length: Option<u64>,
}

/// Reads the head of a request, of so many octets and fields at most.
pub(super) fn read(section: &[u8], size_max: u64, fields_max: usize) -> Result<Head, Fault> {
    let mut gathered = Gathered::default();
    let (mut sound, mut count) = (Ok(()), 0);
    unpack(section, size_max, |name, value| {
        count += 1;
        if sound.is_ok() {
            sound = gathered.take(name, value);
        }
    })?;
    if count > fields_max {
        return Err(Fault::HeadTooLarge);
    }
    sound.and_then(|()| gathered.into_head()).map_err(|Malformed| Fault::Request(Code::Message))
}

/// Reads the fields behind a body.
pub(super) fn read_trailers(section: &[u8], size_max: u64) -> Result<HeaderMap, Fault> {
    let (mut headers, mut sound) = (HeaderMap::new(), Ok(()));
    unpack(section, size_max, |name, value| {
        if sound.is_ok() {
            sound = field(name, value, &mut headers);
        }
    })?;
    sound.map(|()| headers).map_err(|Malformed| Fault::Request(Code::Message))
}

fn unpack(section: &[u8], size_max: u64, take: impl FnMut(&[u8], &[u8])) -> Result<(), Fault> {
    qpack::read(section, size_max, take).map_err(|unread| match unread {
        Unread::Broken => Fault::Connection(Code::Decompression),
        Unread::TooLarge => Fault::HeadTooLarge,
    })
}

/// The head is none that HTTP/3 knows.
struct Malformed;

/// What has been read of a head.
#[derive(Default)]
struct Gathered {
    method: Option<Method>,
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    path: Option<PathAndQuery>,
    headers: HeaderMap,
}

impl Gathered {
    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Malformed> {
        if !name.starts_with(b":") {
            return field(name, value, &mut self.headers);
        }
        if !self.headers.is_empty() {
            return Err(Malformed); // it comes too late (section 4.3)
        }
        match name {
            b":method" => once(&mut self.method, Method::from_bytes(value).ok()),
            b":scheme" => once(&mut self.scheme, Scheme::try_from(value).ok()),
            b":authority" => once(&mut self.authority, Authority::try_from(value).ok()),
            b":path" => {
                let begins = value.starts_with(b"/") || value == b"*";
                once(&mut self.path, PathAndQuery::try_from(value).ok().filter(|_| begins))
            }
            _ => Err(Malformed), // also :protocol, which we do not offer (RFC 9220)
        }
    }

    fn into_head(self) -> Result<Head, Malformed> {
        let Self { method, scheme, authority, path, headers } = self;
        let method = method.ok_or(Malformed)?;
        let uri = match (scheme, authority, path) {
            (None, Some(authority), None) if method == Method::CONNECT => Uri::from(authority),
            _ if method == Method::CONNECT => return Err(Malformed),
            (Some(scheme), Some(authority), Some(path)) => {
                let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
                uri.map_err(|_| Malformed)?
            }
            // `Host` may say it (section 4.3.1); a request that says it nowhere is answered like any that does not.
            (Some(_), None, Some(path)) => Uri::from(path),
            _ => return Err(Malformed),
        };
        let length = length(&headers)?;
        Ok(Head { method, uri, headers, length })
    }
}

/// Each of them is there once.
fn once<T>(place: &mut Option<T>, value: Option<T>) -> Result<(), Malformed> {
    let value = value.ok_or(Malformed)?;
    place.replace(value).map_or(Ok(()), |_| Err(Malformed))
}

/// An ordinary field.
fn field(name: &[u8], value: &[u8], headers: &mut HeaderMap) -> Result<(), Malformed> {
    let name = HeaderName::from_lowercase(name).map_err(|_| Malformed)?;
    let value = HeaderValue::from_bytes(value).map_err(|_| Malformed)?;
    let octets = value.as_bytes();
    let of_connection = match name.as_str() {
        "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade" => true,
        "te" => !octets.eq_ignore_ascii_case(b"trailers"),
        _ => false,
    };
    if of_connection || octets.trim_ascii() != octets {
        return Err(Malformed);
    }
    headers.append(name, value);
    Ok(())
}

/// What a head says of the body that follows.
fn length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if headers.contains_key(CONTENT_LENGTH) { Err(Malformed) } else { Ok(None) };
    };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|octet| octet.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).map(Some).ok_or(Malformed)
}

/// Writes the head of an answer.
pub(super) fn write(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let mut section = Vec::with_capacity(512);
    qpack::begin(&mut section);
    qpack::write(":status", status.as_str().as_bytes(), &mut section);
    write_fields(headers, &mut section);
    section
}

/// Writes the fields behind a body.
pub(super) fn write_trailers(headers: &HeaderMap) -> Vec<u8> {
    let mut section = Vec::new();
    qpack::begin(&mut section);
    write_fields(headers, &mut section);
    section
}

fn write_fields(headers: &HeaderMap, section: &mut Vec<u8>) {
    for (name, value) in headers {
        qpack::write(name.as_str(), value.as_bytes(), section);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[(&str, &str)] =
        &[(":method", "GET"), (":scheme", "https"), (":authority", "a.test"), (":path", "/x?y")];

    fn section(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut section = Vec::new();
        qpack::begin(&mut section);
        fields.iter().for_each(|(name, value)| qpack::write(name, value.as_bytes(), &mut section));
        section
    }

    fn head(fields: &[(&str, &str)]) -> Result<Head, Fault> {
        read(&section(fields), 4_096, 8)
    }

    #[test]
    fn a_sound_head_becomes_a_request() {
        let head =
            head(&[GET, &[("cookie", "a=b"), ("cookie", "c=d"), ("te", "trailers"), ("content-length", "5")]].concat());
        let head = head.unwrap();
        assert_eq!(
            (head.method, head.uri.to_string(), head.length),
            (Method::GET, "https://a.test/x?y".into(), Some(5))
        );
        assert_eq!(head.headers.get_all("cookie").iter().count(), 2);
        let without = super::read(&section(&[GET[0], GET[1], GET[3], ("host", "a.test")]), 4_096, 8).unwrap();
        assert_eq!((without.uri.to_string(), &without.headers["host"]), ("/x?y".into(), &"a.test".parse().unwrap()));
        let connect = super::read(&section(&[(":method", "CONNECT"), (":authority", "a.test:1")]), 4_096, 8).unwrap();
        assert_eq!(connect.uri.to_string(), "a.test:1");
    }

    #[test]
    fn what_is_malformed_ends_the_request() {
        let with = |more: &[(&'static str, &'static str)]| [GET, more].concat();
        for fields in [
            vec![],
            GET[1..].to_vec(),
            vec![GET[0], GET[2], GET[3]],
            GET[..3].to_vec(),
            with(&[(":path", "/z")]),
            with(&[(":method", "GET")]),
            with(&[(":authority", "b.test")]),
            with(&[(":scheme", "https")]),
            with(&[(":status", "200")]),
            with(&[(":protocol", "websocket")]),
            with(&[("x", "y"), (":path", "/z")]),
            vec![GET[0], GET[1], GET[2], ("x", "y"), GET[3]],
            vec![GET[0], GET[1], GET[2], (":path", "")],
            vec![GET[0], GET[1], GET[2], (":path", "x")],
            vec![GET[0], GET[1], (":authority", ""), GET[3]],
            vec![("GET", "x"), GET[1], GET[2], GET[3]],
            with(&[("X", "y")]),
            with(&[("", "y")]),
            with(&[("x y", "z")]),
            with(&[("x", "y\r\nz: 1")]),
            with(&[("x", " y")]),
            with(&[("x", "y\t")]),
            with(&[("connection", "close")]),
            with(&[("keep-alive", "5")]),
            with(&[("proxy-connection", "close")]),
            with(&[("transfer-encoding", "chunked")]),
            with(&[("upgrade", "websocket")]),
            with(&[("te", "gzip")]),
            with(&[("content-length", "5"), ("content-length", "5")]),
            with(&[("content-length", "+5")]),
            with(&[("content-length", "5, 5")]),
            with(&[("content-length", "")]),
            with(&[("content-length", "99999999999999999999")]),
            vec![(":method", "CONNECT"), GET[1], GET[2], GET[3]],
        ] {
            assert_eq!(head(&fields).map(|head| head.uri), Err(Fault::Request(Code::Message)), "{fields:?}");
        }
    }

    #[test]
    fn a_head_has_so_many_octets_and_fields() {
        let with = |count: usize| [GET, &vec![("x", "y"); count]].concat();
        assert!(head(&with(4)).is_ok());
        assert_eq!(head(&with(5)).map(|head| head.uri), Err(Fault::HeadTooLarge));
        let long = "y".repeat(4_096);
        assert_eq!(head(&[GET, &[("x", &long)]].concat()).map(|head| head.uri), Err(Fault::HeadTooLarge));
        assert_eq!(read(b"\0\0\x80", 4_096, 8).map(|head| head.uri), Err(Fault::Connection(Code::Decompression)));
    }

    #[test]
    fn trailers_have_no_words_of_a_head() {
        assert_eq!(read_trailers(&section(&[("grpc-status", "0")]), 4_096).unwrap().len(), 1);
        for fields in [&[(":path", "/")][..], &[("connection", "close")], &[("X", "y")]] {
            assert_eq!(read_trailers(&section(fields), 4_096), Err(Fault::Request(Code::Message)), "{fields:?}");
        }
    }

    #[test]
    fn an_answer_is_written_with_its_status_first() {
        let headers = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static("0"))]);
        assert_eq!(write(StatusCode::OK, &headers), b"\0\0\xd9\xc4");
    }
}
