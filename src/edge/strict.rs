//! Looks at every octet of HTTP/1 before hyper does, and lets nothing pass that two readers could take in two ways.
//!
//! hyper is right about the message it makes of its input, but kinder than a front door should be: it takes a bare line
//! feed for the end of a line, drops `Content-Length` when there is `Transfer-Encoding` beside it, and any coding in front of
//! `chunked`. Whoever stands in front of us may read the same octets differently, which is what request smuggling is made
//! of. So this follows the framing on its own, strictly (RFC 9112), and ends a connection on the first doubt: it is
//! the second opinion, and both have to agree.
//!
//! It keeps nothing but a line that came in parts, and skips bodies without looking at them.

use memchr::memchr;

/// Octets of one line that came in parts; hyper's own limit on the head is met before.
const LINE_SIZE_MAX: usize = 1 << 20;
/// Octets of the line in front of a chunk: 16 digits and some extension.
const CHUNK_LINE_SIZE_MAX: usize = 1_024;
/// Empty lines in front of a request: one is to be forgiven (RFC 9112, section 2.2).
const EMPTY_LINES_MAX: u8 = 1;

/// Where in the stream of messages it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before a request line; so many empty lines were there.
    Start(u8),
    /// In the head, after the request line.
    Head,
    /// In a body, so many octets before its end.
    Body(u64),
    /// At the line in front of a chunk.
    ChunkLine,
    /// In a chunk, so many octets before its end.
    Chunk(u64),
    /// At the end of line behind a chunk.
    ChunkEnd,
    /// Behind the last chunk.
    Trailers,
    /// Whatever comes is no HTTP any more.
    Beyond,
}

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offence {
    /// Octets before the line that offends.
    pub(super) passed: usize,
    /// Whether it stands in a head: then there is somebody to answer.
    pub(super) in_head: bool,
}

/// Follows one connection.
#[derive(Debug)]
pub(super) struct Gate {
    place: Place,
    line: Vec<u8>,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Self { place: Place::Start(0), line: Vec::new(), length: None, chunked: false, upgrade: false }
    }
}

/// What a line is not.
struct Doubt;

impl Gate {
    /// Looks at what came.
    pub(super) fn look(&mut self, input: &[u8]) -> Result<(), Offence> {
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            at += match self.place {
                Place::Body(left) => self.skip(left, rest, Place::Body, Place::Start(0)),
                Place::Chunk(left) => self.skip(left, rest, Place::Chunk, Place::ChunkEnd),
                Place::Beyond => rest.len(),
                Place::Start(_) | Place::Head | Place::ChunkLine | Place::ChunkEnd | Place::Trailers => {
                    let in_head = matches!(self.place, Place::Start(_) | Place::Head);
                    self.line(rest).map_err(|Doubt| Offence { passed: at, in_head })?
                }
            };
        }
        Ok(())
    }

    /// Octets of the body behind a head that stands alone; none if it is in doubt, or says by anything but a length how
    /// much there is.
    pub(super) fn length_of(head: &[u8]) -> Option<u64> {
        let mut gate = Self::default();
        gate.look(head).ok()?;
        match gate.place {
            Place::Start(0) => Some(0),
            Place::Body(length) => Some(length),
            Place::Start(_)
            | Place::Head
            | Place::ChunkLine
            | Place::Chunk(_)
            | Place::ChunkEnd
            | Place::Trailers
            | Place::Beyond => None,
        }
    }

    fn skip(&mut self, left: u64, rest: &[u8], still: impl Fn(u64) -> Place, then: Place) -> usize {
        let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let left = left - skipped as u64;
        self.place = if left == 0 { then } else { still(left) };
        skipped
    }

    /// Takes one line, or keeps what there is of it; says how many octets that were.
    fn line(&mut self, rest: &[u8]) -> Result<usize, Doubt> {
        let Some(end) = memchr(b'\n', rest) else {
            if self.line.len() + rest.len() > LINE_SIZE_MAX {
                return Err(Doubt);
            }
            self.line.extend_from_slice(rest);
            return Ok(rest.len());
        };
        if self.line.is_empty() {
            self.whole_line(&rest[..end])?;
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(&rest[..end]);
            self.whole_line(&line)?;
        }
        Ok(end + 1)
    }

    fn whole_line(&mut self, line: &[u8]) -> Result<(), Doubt> {
        let line = line.strip_suffix(b"\r").ok_or(Doubt)?; // a bare line feed
        if memchr(b'\r', line).is_some() || memchr(0, line).is_some() {
            return Err(Doubt);
        }
        match self.place {
            Place::Start(empty) if line.is_empty() && empty < EMPTY_LINES_MAX => self.place = Place::Start(empty + 1),
            Place::Start(_) if line.is_empty() => return Err(Doubt),
            Place::Start(_) => {
                (self.length, self.chunked, self.upgrade) = (None, false, line.starts_with(b"CONNECT "));
                self.place = Place::Head;
            }
            Place::Head if line.is_empty() => self.place = self.after_head(),
            Place::Head => self.field(line)?,
            Place::ChunkLine => self.place = chunk(line)?,
            Place::ChunkEnd if line.is_empty() => self.place = Place::ChunkLine,
            Place::ChunkEnd => return Err(Doubt),
            Place::Trailers if line.is_empty() => self.place = Place::Start(0),
            Place::Trailers => trailer(line)?,
            Place::Body(_) | Place::Chunk(_) | Place::Beyond => (),
        }
        Ok(())
    }

    fn after_head(&self) -> Place {
        match self.length {
            _ if self.upgrade => Place::Beyond,
            _ if self.chunked => Place::ChunkLine,
            Some(length) if length > 0 => Place::Body(length),
            Some(_) | None => Place::Start(0),
        }
    }

    /// A field of the head. Only those that say where the message ends matter here.
    fn field(&mut self, line: &[u8]) -> Result<(), Doubt> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Doubt); // a line that goes on (obs-fold; RFC 9112, section 5.2)
        }
        let named = |name: &[u8]| field_value(line, name);
        if let Some(value) = named(b"content-length") {
            let length = decimal(value)?;
            if self.chunked || self.length.is_some() {
                return Err(Doubt);
            }
            self.length = Some(length);
        } else if let Some(value) = named(b"transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") || self.chunked || self.length.is_some() {
                return Err(Doubt);
            }
            self.chunked = true;
        } else if named(b"upgrade").is_some() {
            self.upgrade = true;
        }
        Ok(())
    }
}

/// The value of a field of this name (in lower case), without white space around it.
fn field_value<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    if !start.eq_ignore_ascii_case(name) {
        return None;
    }
    // A name with something between it and the colon is refused by hyper; here it must not be overlooked.
    let colon = memchr(b':', rest)?;
    rest[..colon].trim_ascii().is_empty().then(|| rest[colon + 1..].trim_ascii())
}

fn decimal(digits: &[u8]) -> Result<u64, Doubt> {
    let plain = (1..=19).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| plain).ok_or(Doubt)?;
    text.parse().map_err(|_| Doubt)
}

/// The line in front of a chunk: its size, and perhaps extensions (RFC 9112, section 7.1).
fn chunk(line: &[u8]) -> Result<Place, Doubt> {
    if line.len() > CHUNK_LINE_SIZE_MAX {
        return Err(Doubt);
    }
    let (digits, extension) = line.split_at(memchr(b';', line).unwrap_or(line.len()));
    let plain = (1..=15).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    if !plain || extension.iter().any(|octet| octet.is_ascii_control() && *octet != b'\t') {
        return Err(Doubt);
    }
    let size = std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or(Doubt)?;
    Ok(if size == 0 { Place::Trailers } else { Place::Chunk(size) })
}

/// A trailer must not say what only a head may say (RFC 9110, section 6.5.1).
fn trailer(line: &[u8]) -> Result<(), Doubt> {
    let forbidden: [&[u8]; 4] = [b"content-length", b"transfer-encoding", b"host", b"trailer"];
    let folded = matches!(line.first(), Some(b' ' | b'\t'));
    if folded || forbidden.iter().any(|name| field_value(line, name).is_some()) { Err(Doubt) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this passes, whole and cut in every place.
    fn passes(input: &str) -> bool {
        let whole = Gate::default().look(input.as_bytes()).is_ok();
        for cut in 0..=input.len() {
            let (first, second) = input.as_bytes().split_at(cut);
            let mut gate = Gate::default();
            let parts = gate.look(first).and_then(|()| gate.look(second)).is_ok();
            assert_eq!(parts, whole, "{input:?} cut at {cut}");
        }
        whole
    }

    #[test]
    fn sound_messages_pass_one_after_the_other() {
        assert!(passes("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(passes("POST / HTTP/1.1\r\nContent-Length: 7\r\n\r\na\nb\n\n\n\nGET / HTTP/1.1\r\n\r\n"));
        assert!(passes(
            "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\n\n\n\n\r\nA;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n"
        ));
        assert!(passes("\r\nGET / HTTP/1.1\r\n\r\n"));
        assert!(passes("POST / HTTP/1.1\r\ncontent-length:0\r\n\r\n"));
        assert!(passes("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\x01\n\n\x02"));
        assert!(passes("CONNECT a:1 HTTP/1.1\r\n\r\n\n\n"));
    }

    #[test]
    fn doubtful_heads_do_not_pass() {
        for head in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "GET / HTTP/1.1\r\nX: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\nX: a\r\n\tContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding:\x0bchunked\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "\nGET / HTTP/1.1\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert!(!passes(head), "{head:?}");
            let offence = Gate::default().look(head.as_bytes()).unwrap_err();
            assert!(offence.in_head, "{head:?}");
        }
    }

    #[test]
    fn doubtful_chunks_do_not_pass() {
        for chunks in [
            "1\n",
            "1 \r\n",
            " 1\r\n",
            "0x1\r\n",
            "+1\r\n",
            "-1\r\n",
            "\r\n",
            ";x\r\n",
            "1\ra\r\n",
            "1;a\nb\r\n",
            "1;\x01\r\n",
            "1\r\nab\r\n",
            "1\r\na\n",
            "1\r\na\r\r\n",
            "1000000000000000\r\n",
            "0\r\n\n",
            "0\r\nContent-Length: 1\r\n\r\n",
            "0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "0\r\nX: a\r\n b\r\n\r\n",
            "0\r\nHost: b\r\n\r\n",
        ] {
            let message = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
            assert!(!passes(&message), "{chunks:?}");
            assert!(!Gate::default().look(message.as_bytes()).unwrap_err().in_head, "{chunks:?}");
        }
    }

    #[test]
    fn the_second_of_two_messages_is_looked_at_as_well() {
        let offence = Gate::default().look(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\nX: y\r\n\r\n").unwrap_err();
        assert_eq!(offence, Offence { passed: 18, in_head: true });
    }
}
