//! Reads a request that lies whole in memory, and writes it for the app, in one pass. Or finds that it is not one of those that
//! go the short way; then nothing has happened.
//!
//! What goes this way: HTTP/1.1, with one `Host` in lower case, a path and query of ordinary characters, fields that speak for
//! themselves, a body (if any) of a stated length that is there already; from a client that is no trusted proxy; along
//! a route to apps that speak HTTP/1.1 in the clear. What does not: upgrades, `Expect`, chunked bodies, trailers, requests
//! that came through another proxy, `Connection` with anything but `close` or `keep-alive`, heads that are not there yet.

use std::mem::MaybeUninit;
use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderValue, REFERER, USER_AGENT};
use hyper::{Method, Uri, Version};
use memchr::memmem;

use super::REQUEST_SIZE_MAX;
use crate::edge::admit::read_name;
use crate::edge::balance::{Key, cookie_key, header_key};
use crate::edge::client::Client;
use crate::edge::headers::is_unwanted;
use crate::edge::log::Record;
use crate::edge::pages::Form;
use crate::edge::proxy::CHALLENGES;
use crate::edge::strict::Gate;
use crate::route::{Balance, By, Protocol, Route, Target, is_plain};

/// Fields of a request that goes this way.
const FIELDS_MAX: usize = 64;
/// Octets of a field's name that are looked at; of those with meaning none is longer.
const NAME_SIZE_MAX: usize = 64;

/// A request, ready to be sent.
pub(super) struct Request {
    /// Octets of it as the client sent it, where it came as octets.
    pub(super) size: usize,
    /// Octets of its body.
    pub(super) body_size: u64,
    /// As the app gets it.
    pub(super) outgoing: Vec<u8>,
    /// Along which route it goes.
    pub(super) route: Arc<Route>,
    /// What it is recognized by, where the route goes by that.
    pub(super) key: Key,
    /// The host with its port, as the client wrote it.
    pub(super) host: HeaderValue,
    /// Whether it asks for the head of the answer only.
    pub(super) head_only: bool,
    /// Whether it changes nothing and has no body, so that it may be sent twice (RFC 9110, section 9.2.2).
    pub(super) harmless: bool,
    /// Whether the client asks for nothing more on its connection.
    pub(super) last: bool,
    /// The form of a page, should it come to one.
    pub(super) form: Form,
    pub(super) noted: Option<(Method, Uri, HeaderMap)>,
}

impl Request {
    /// Reads a request at the front of the octets.
    pub(super) fn read(octets: &[u8], client: &Client) -> Option<Self> {
        if client.is_trusted() {
            return None; // what it says of whom it speaks for has to be understood
        }
        let head_size = memmem::find(octets, b"\r\n\r\n")? + 4;
        let body_size = Gate::length_of(&octets[..head_size])?;
        let size = head_size.checked_add(usize::try_from(body_size).ok()?)?;
        let limits = &client.worker.shared.settings.clients;
        if size > octets.len().min(REQUEST_SIZE_MAX) || head_size > limits.head_size_max as usize {
            return None;
        }
        let mut fields = [MaybeUninit::uninit(); FIELDS_MAX];
        let mut parsed = httparse::Request::new(&mut []);
        parsed.parse_with_uninit_headers(&octets[..head_size], &mut fields).ok()?;
        let line = Line::of(&parsed).filter(|_| parsed.headers.len() <= limits.headers_max as usize)?;
        let fields = Fields::of(parsed.headers)?;
        let route = find(&line, fields.host, client)?;
        let mut outgoing = Vec::with_capacity(size + 512);
        write(&line, &fields, parsed.headers, client, &mut outgoing);
        outgoing.extend_from_slice(&octets[head_size..size]);
        let noted = client.worker.shared.log.is_on().then(|| note(&line, parsed.headers)).flatten();
        Some(Self {
            size,
            body_size,
            outgoing,
            key: key_of(&route.options().balance, parsed.headers, client),
            route,
            host: HeaderValue::from_str(fields.host).ok()?,
            head_only: line.is_head(),
            harmless: body_size == 0 && line.is_harmless(),
            last: fields.last,
            form: Form::of_text(fields.accept),
            noted,
        })
    }

    /// What is noted down about it.
    pub(super) fn record(&self, client: &Client) -> Record {
        self.noted.as_ref().map_or_else(Record::default, |(method, uri, headers)| {
            let head = (method, uri, Version::HTTP_11, headers);
            Record::of(&client.worker.shared.log, head, &self.host, client.address().ip())
        })
    }
}

/// What a request is recognized by. A cookie of the edge's own is not set on this way (see [`crate::route::Options::is_plain`]).
fn key_of(balance: &Balance, fields: &[httparse::Header<'_>], client: &Client) -> Key {
    let field = |name: &str| fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value);
    match balance.by {
        By::RoundRobin | By::LeastConnections | By::TwoChoices => Key::NONE,
        By::Client => Key::of_address(client.address().ip()),
        By::Header => field(&balance.name).map_or(Key::NONE, header_key),
        By::Cookie => field("cookie").map_or(Key::NONE, |field| cookie_key(field, &balance.name)),
    }
}

/// The request line.
pub(super) struct Line<'a> {
    method: &'a str,
    target: &'a str,
    path: &'a str,
}

impl<'a> Line<'a> {
    fn of(parsed: &httparse::Request<'_, 'a>) -> Option<Self> {
        Self::new(parsed.method?, parsed.path?).filter(|_| parsed.version == Some(1))
    }

    /// None unless the method is known and the target one that nobody doubts.
    pub(super) fn new(method: &'a str, target: &'a str) -> Option<Self> {
        let path = target.split('?').next().unwrap_or_default();
        let known = matches!(method, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS");
        let plain = target.starts_with('/') && target.bytes().all(is_ordinary) && is_plain(path);
        (known && plain).then_some(Self { method, target, path })
    }

    /// Whether a request without a body may be sent twice (RFC 9110, section 9.2.2).
    pub(super) fn is_harmless(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
    }

    /// Whether only the head of the answer is asked for.
    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Writes it, with the host.
    pub(super) fn write(&self, host: &str, out: &mut Vec<u8>) {
        for part in [self.method, " ", self.target, " HTTP/1.1\r\nHost: ", host, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// Whether a character stands in a path or a query without anybody doubting it.
fn is_ordinary(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// What the fields of a request say to us.
struct Fields<'a> {
    host: &'a str,
    accept: &'a str,
    last: bool,
}

impl<'a> Fields<'a> {
    /// None if there is anything among them that has to be thought about.
    fn of(fields: &[httparse::Header<'a>]) -> Option<Self> {
        let (mut host, mut accept, mut connection, mut cookies) = (None, "", None, 0);
        for field in fields {
            let mut name = [0; NAME_SIZE_MAX];
            match lower(field.name, &mut name)? {
                "host" if host.is_none() => host = Some(std::str::from_utf8(field.value).ok()?),
                "connection" if connection.is_none() => connection = Some(field.value),
                "cookie" if cookies == 0 => cookies += 1,
                "accept" => accept = std::str::from_utf8(field.value).unwrap_or_default(),
                "host" | "connection" | "cookie" | "upgrade" | "expect" | "te" | "trailer" | "transfer-encoding"
                | "via" | "http2-settings" => return None,
                _ => (),
            }
        }
        let last = match connection {
            None => false,
            Some(value) if value.eq_ignore_ascii_case(b"keep-alive") => false,
            Some(value) if value.eq_ignore_ascii_case(b"close") => true,
            Some(_) => return None,
        };
        Some(Self { host: host?, accept, last })
    }
}

/// A name in lower case; none if it is longer than any that means something.
fn lower<'b>(name: &str, buffer: &'b mut [u8; NAME_SIZE_MAX]) -> Option<&'b str> {
    let place = buffer.get_mut(..name.len())?;
    place.copy_from_slice(name.as_bytes());
    place.make_ascii_lowercase();
    std::str::from_utf8(place).ok()
}

/// The route, if it leads to apps that can be asked this way, and the client may ask here.
pub(super) fn find(line: &Line<'_>, host: &str, client: &Client) -> Option<Arc<Route>> {
    let (name_size, tidied) = read_name(host)?;
    let name = host.get(..name_size).filter(|_| tidied.is_none())?;
    match &client.secure {
        Some(secure) if *secure.server_name != *name => return None,
        None if line.path.starts_with(CHALLENGES) => return None,
        Some(_) | None => (),
    }
    if client.worker.queries.as_ref().is_some_and(|queries| queries.are_at(name, line.path)) {
        return None;
    }
    let snapshot = client.worker.shared.snapshots.load();
    let route = snapshot.routes.find(name, line.path)?.route;
    let open = client.secure.is_some() || route.plain_http();
    let near = match route.target() {
        Target::Apps(apps) => apps.iter().all(|app| app.protocol == Protocol::Http),
        Target::Redirect(_) | Target::Folder(_) => false,
    };
    (open && near && route.is_plain()).then(|| Arc::clone(route))
}

/// Writes the head as the app gets it: the fields of the client that it may see, and what we say ourselves.
fn write(line: &Line<'_>, fields: &Fields<'_>, all: &[httparse::Header<'_>], client: &Client, out: &mut Vec<u8>) {
    line.write(fields.host, out);
    for field in all {
        let mut name = [0; NAME_SIZE_MAX];
        let passed = lower(field.name, &mut name).is_some_and(|name| {
            !matches!(name, "host" | "connection" | "keep-alive" | "proxy-connection") && !is_unwanted(name, false)
        });
        if passed {
            write_field(field.name, field.value, out);
        }
    }
    client.stamp().write(fields.host.as_bytes(), out);
    out.extend_from_slice(b"\r\n");
}

/// Writes a field.
pub(super) fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// What the access log will say of it.
fn note(line: &Line<'_>, fields: &[httparse::Header<'_>]) -> Option<(Method, Uri, HeaderMap)> {
    let mut headers = HeaderMap::new();
    for name in [REFERER, USER_AGENT] {
        let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name.as_str()));
        if let Some(value) = field.and_then(|field| HeaderValue::from_bytes(field.value).ok()) {
            headers.insert(name, value);
        }
    }
    Some((Method::from_bytes(line.method.as_bytes()).ok()?, Uri::try_from(line.target).ok()?, headers))
}
