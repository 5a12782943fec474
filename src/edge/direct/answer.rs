//! Reads the head of an app's answer where it lies, and writes it for the client in one pass.

use std::mem::MaybeUninit;

use super::chunks::{Broken, Chunks};
use crate::limits::APP_BUFFER_SIZE;

/// Fields of an answer.
const FIELDS_MAX: usize = 100;
/// Fields that `Connection` may name.
const NAMED_MAX: usize = 16;

/// What there is of an answer.
pub(super) enum Read {
    /// Not all of its head.
    Part,
    /// A head that another one follows and that nobody waits for, of so many octets.
    Continue(usize),
    /// A head that another one follows (RFC 9110, section 15.2), of so many octets.
    Interim(usize),
    /// Its head.
    Head(Head),
    /// What is no answer.
    Garbled,
}

/// The head of an answer.
pub(super) struct Head {
    /// Octets of it as the app sent it.
    pub(super) size: usize,
    pub(super) status: u16,
    pub(super) body: Body,
    /// Whether the app's connection can take another request when the body is over.
    pub(super) keeps: bool,
}

/// How the body of an answer comes.
pub(super) enum Body {
    /// There is none.
    None,
    /// So many more octets.
    Sized(u64),
    /// In chunks.
    Chunked(Chunks),
    /// Until the app closes.
    UntilClose,
    /// The app has closed: there is no more of it.
    Closed,
}

/// A part of a body at the front of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Octets of it.
    pub(super) size: usize,
    /// Whether it is the last.
    pub(super) last: bool,
    /// Octets behind the last, where there should be none.
    pub(super) behind: usize,
}

/// How an answer is to be given.
pub(super) struct Terms<'t> {
    /// Whether only its head was asked for.
    pub(super) head_only: bool,
    /// Whether the connection ends with it.
    pub(super) last: bool,
    /// The date, for apps that say none.
    pub(super) date: [u8; 29],
    /// What the client is told if it may come over HTTP/3.
    pub(super) http3_offer: Option<&'t [u8]>,
}

/// Where the head of an answer is written for the client.
pub(super) trait Sheet: Default {
    /// Forgets what was written, and begins a head.
    fn begin(&mut self, status: u16, reason: &str);
    /// Writes a field.
    fn field(&mut self, name: &str, value: &[u8]);
    /// Ends the head of an answer that another one follows.
    fn end_interim(&mut self);
    /// Ends the head of an answer. `dated` tells whether its app said when it was.
    fn end(&mut self, body: &Body, dated: bool, terms: &Terms<'_>);
}

/// As HTTP/1.1 has it.
impl Sheet for Vec<u8> {
    fn begin(&mut self, status: u16, reason: &str) {
        let digit = |place: u16| b'0' + (status / place % 10) as u8;
        self.clear();
        self.extend_from_slice(b"HTTP/1.1 ");
        self.extend_from_slice(&[digit(100), digit(10), digit(1), b' ']);
        self.extend_from_slice(reason.as_bytes());
        self.extend_from_slice(b"\r\n");
    }

    fn field(&mut self, name: &str, value: &[u8]) {
        self.extend_from_slice(name.as_bytes());
        self.extend_from_slice(b": ");
        self.extend_from_slice(value);
        self.extend_from_slice(b"\r\n");
    }

    fn end_interim(&mut self) {
        self.extend_from_slice(b"\r\n");
    }

    fn end(&mut self, body: &Body, dated: bool, terms: &Terms<'_>) {
        if body.goes_in_chunks() {
            self.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        if !dated {
            self.extend_from_slice(b"Date: ");
            self.extend_from_slice(&terms.date);
            self.extend_from_slice(b"\r\n");
        }
        self.extend_from_slice(if terms.last { b"Connection: close\r\n\r\n" } else { b"\r\n" });
    }
}

impl Body {
    /// Whether the client gets it in chunks.
    pub(super) fn goes_in_chunks(&self) -> bool {
        matches!(self, Self::Chunked(_) | Self::UntilClose | Self::Closed)
    }

    /// The fields behind its last chunk, as lines.
    pub(super) fn trailers(&self) -> &[u8] {
        match self {
            Self::Chunked(chunks) => chunks.trailers(),
            Self::None | Self::Sized(_) | Self::UntilClose | Self::Closed => &[],
        }
    }

    /// What of the octets is the body, put in front.
    pub(super) fn take(&mut self, octets: &mut [u8]) -> Result<Part, Broken> {
        let count = octets.len();
        match self {
            Self::None | Self::Closed => Ok(Part { size: 0, last: true, behind: count }),
            Self::UntilClose => Ok(Part { size: count, last: false, behind: 0 }),
            Self::Sized(left) => {
                let size = usize::try_from(*left).unwrap_or(usize::MAX).min(count);
                *left -= size as u64;
                Ok(Part { size, last: *left == 0, behind: count - size })
            }
            Self::Chunked(chunks) => {
                let (size, behind) = chunks.decode(octets)?;
                Ok(Part { size, last: chunks.is_over(), behind })
            }
        }
    }
}

/// Reads what there is of an answer, and writes its head.
pub(super) fn read(octets: &[u8], terms: &Terms<'_>, out: &mut impl Sheet) -> Read {
    let mut fields = [MaybeUninit::uninit(); FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let size = match config.parse_response_with_uninit_headers(&mut parsed, octets, &mut fields) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) if octets.len() < APP_BUFFER_SIZE => return Read::Part,
        Ok(httparse::Status::Partial) | Err(_) => return Read::Garbled,
    };
    let (Some(status), Some(version)) = (parsed.code, parsed.version) else { return Read::Garbled };
    let Some(said) = Said::of(parsed.headers, version) else { return Read::Garbled };
    out.begin(status, parsed.reason.unwrap_or_default());
    match status {
        100 => return Read::Continue(size),
        102..200 => {
            write_fields(parsed.headers, &said, (&Body::None, terms), out);
            out.end_interim();
            return Read::Interim(size);
        }
        200.. => (),
        _ => return Read::Garbled, // 101: nobody asked to switch
    }
    let body = match (said.chunked, said.length) {
        _ if terms.head_only || matches!(status, 204 | 304) => Body::None,
        (true, _) => Body::Chunked(Chunks::default()),
        (false, Some(0)) => Body::None,
        (false, Some(length)) => Body::Sized(length),
        (false, None) => Body::UntilClose,
    };
    write_fields(parsed.headers, &said, (&body, terms), out);
    if let Some(offer) = terms.http3_offer {
        out.field("Alt-Svc", offer);
    }
    out.end(&body, said.dated, terms);
    let keeps = said.keeps && !matches!(body, Body::UntilClose);
    Read::Head(Head { size, status, body, keeps })
}

/// What the fields of an answer say to us.
struct Said<'a> {
    length: Option<u64>,
    chunked: bool,
    keeps: bool,
    dated: bool,
    named: Vec<&'a str>,
}

impl<'a> Said<'a> {
    /// None if they contradict each other.
    fn of(fields: &[httparse::Header<'a>], version: u8) -> Option<Self> {
        let mut said = Self { length: None, chunked: false, keeps: version == 1, dated: false, named: Vec::new() };
        for field in fields {
            match field.name.len() {
                4 if field.name.eq_ignore_ascii_case("date") => said.dated = true,
                10 if field.name.eq_ignore_ascii_case("connection") => said.connection(field.value)?,
                14 if field.name.eq_ignore_ascii_case("content-length") => said.length(field.value)?,
                17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                    let once = !said.chunked && version == 1 && field.value.eq_ignore_ascii_case(b"chunked");
                    once.then(|| said.chunked = true)?;
                }
                _ => (),
            }
        }
        Some(said)
    }

    fn length(&mut self, value: &[u8]) -> Option<()> {
        let plain = (1..=19).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(value).ok().filter(|_| plain)?.parse().ok()?;
        (self.length.is_none_or(|known| known == length)).then(|| self.length = Some(length))
    }

    fn connection(&mut self, value: &'a [u8]) -> Option<()> {
        for name in std::str::from_utf8(value).ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name.eq_ignore_ascii_case("close") {
                self.keeps = false;
            } else if name.eq_ignore_ascii_case("keep-alive") {
                self.keeps = true;
            } else {
                (self.named.len() < NAMED_MAX).then(|| self.named.push(name))?;
            }
        }
        Some(())
    }
}

/// Writes the fields that are for the client: none that belong to the app's connection.
fn write_fields(
    fields: &[httparse::Header<'_>],
    said: &Said<'_>,
    (body, terms): (&Body, &Terms<'_>),
    out: &mut impl Sheet,
) {
    let mut lengths = 0;
    for field in fields {
        if is_of_the_connection(field.name) || said.named.iter().any(|name| name.eq_ignore_ascii_case(field.name)) {
            continue;
        }
        if terms.http3_offer.is_some() && field.name.eq_ignore_ascii_case("alt-svc") {
            continue;
        }
        if field.name.len() == 14 && field.name.eq_ignore_ascii_case("content-length") {
            lengths += 1;
            if body.goes_in_chunks() || lengths > 1 {
                continue;
            }
        }
        out.field(field.name, field.value);
    }
}

/// Whether a field is about the connection that it came on (RFC 9110, section 7.6.1), and ends here.
pub(super) fn is_of_the_connection(name: &str) -> bool {
    let known = match name.len() {
        2 => "te",
        7 => "upgrade",
        10 if matches!(name.as_bytes()[0], b'c' | b'C') => "connection",
        10 => "keep-alive",
        16 => "proxy-connection",
        17 => "transfer-encoding",
        _ => return false,
    };
    name.eq_ignore_ascii_case(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(answer: &str, head_only: bool, last: bool) -> (Read, String) {
        let mut out = Vec::new();
        let terms = Terms { head_only, last, date: *b"Sun, 06 Nov 1994 08:49:37 GMT", http3_offer: None };
        let read = read(answer.as_bytes(), &terms, &mut out);
        (read, String::from_utf8(out).unwrap())
    }

    fn head(answer: &str) -> (Head, String) {
        match given(answer, false, false) {
            (Read::Head(head), out) => (head, out),
            _ => panic!("{answer:?} has no head"),
        }
    }

    #[test]
    fn a_plain_answer_keeps_its_fields_and_gets_a_date() {
        let (head, out) = head("HTTP/1.1 200 Fine\r\nServer: a\r\ncontent-length: 3\r\nKeep-Alive: x\r\n\r\nabc");
        assert!(matches!(head.body, Body::Sized(3)) && head.keeps && head.status == 200);
        assert_eq!(
            out,
            "HTTP/1.1 200 Fine\r\nServer: a\r\ncontent-length: 3\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
        );
    }

    #[test]
    fn what_belongs_to_the_apps_connection_ends_here() {
        let (head, out) = head(
            "HTTP/1.1 200 OK\r\nDate: x\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nUpgrade: h2c\r\nTE: x\r\n\
             Proxy-Connection: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\nX-Theirs: 2\r\n\r\n",
        );
        assert!(matches!(head.body, Body::Chunked(_)) && !head.keeps);
        assert_eq!(out, "HTTP/1.1 200 OK\r\nDate: x\r\nX-Theirs: 2\r\nTransfer-Encoding: chunked\r\n\r\n");
    }

    #[test]
    fn how_a_body_comes_follows_the_head() {
        let body = |answer| head(answer).0.body;
        assert!(matches!(body("HTTP/1.1 200 OK\r\n\r\n"), Body::UntilClose));
        assert!(matches!(body("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Body::None));
        assert!(matches!(body("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), Body::None));
        assert!(matches!(body("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"), Body::None));
        assert!(!head("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n").0.keeps);
        assert!(head("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n").0.keeps);
        let (read, out) = given("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\n", true, true);
        assert!(matches!(read, Read::Head(Head { body: Body::None, .. })));
        assert_eq!(out, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
    }

    #[test]
    fn what_contradicts_itself_is_no_answer() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 099 Low\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        ] {
            assert!(matches!(given(answer, false, false).0, Read::Garbled), "{answer:?}");
        }
        let (head, out) = head("HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n");
        assert!(matches!(head.body, Body::Sized(1)));
        assert_eq!(out, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 1\r\n\r\n");
    }

    #[test]
    fn interim_answers_are_told_apart() {
        assert!(matches!(given("HTTP/1.1 200 OK\r\nA: b\r\n", false, false).0, Read::Part));
        assert!(matches!(given("HTTP/1.1 100 Continue\r\n\r\n", false, false).0, Read::Continue(25)));
        let (read, out) = given("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\nConnection: x\r\n\r\nHTTP", false, false);
        assert!(matches!(read, Read::Interim(_)));
        assert_eq!(out, "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n");
    }

    #[test]
    fn a_body_is_taken_part_by_part() {
        let mut body = Body::Sized(3);
        assert_eq!(body.take(&mut [1, 2]), Ok(Part { size: 2, last: false, behind: 0 }));
        assert_eq!(body.take(&mut [3, 4]), Ok(Part { size: 1, last: true, behind: 1 }));
        assert_eq!(Body::UntilClose.take(&mut [1]), Ok(Part { size: 1, last: false, behind: 0 }));
        assert_eq!(Body::None.take(&mut [1]), Ok(Part { size: 0, last: true, behind: 1 }));
    }
}
