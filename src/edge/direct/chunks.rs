//! Takes chunked coding off an answer (RFC 9112, section 7.1): of what an app sent, the octets that are the answer, gathered at
//! the front of the buffer. They are given chunks of our own on their way to the client, so that nothing but whole, plain
//! framing leaves this house, whatever the app wrote.

use memchr::memchr;

/// Octets of the line in front of a chunk: 16 digits and some extension.
const LINE_SIZE_MAX: usize = 1_024;
/// Octets of all lines behind the last chunk.
const TRAILERS_SIZE_MAX: usize = 8 << 10;

/// What is no chunked coding.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// At the line in front of a chunk.
    #[default]
    Line,
    /// In a chunk, so many octets before its end.
    Chunk(u64),
    /// At the end of line behind a chunk.
    End,
    /// Behind the last chunk.
    Trailers,
    /// Behind everything.
    Over,
}

/// Follows the chunks of one answer.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    place: Place,
    /// A line of which only the beginning has come.
    line: Vec<u8>,
    /// Lines behind the last chunk, each with its end.
    trailers: Vec<u8>,
}

impl Chunks {
    /// Gathers the answer's octets at the front of the buffer; says how many, and how many octets behind the end of the
    /// message follow, which there should be none of.
    pub(super) fn decode(&mut self, octets: &mut [u8]) -> Result<(usize, usize), Broken> {
        let (mut kept, mut at) = (0, 0);
        while at < octets.len() {
            match self.place {
                Place::Over => return Ok((kept, octets.len() - at)),
                Place::Chunk(left) => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(octets.len() - at);
                    octets.copy_within(at..at + count, kept);
                    (kept, at) = (kept + count, at + count);
                    let left = left - count as u64;
                    self.place = if left == 0 { Place::End } else { Place::Chunk(left) };
                }
                Place::Line | Place::End | Place::Trailers => at += self.take_line(&octets[at..])?,
            }
        }
        Ok((kept, 0))
    }

    /// Whether all of it has come.
    pub(super) fn is_over(&self) -> bool {
        self.place == Place::Over
    }

    /// The fields behind the last chunk, as lines.
    pub(super) fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    fn take_line(&mut self, rest: &[u8]) -> Result<usize, Broken> {
        let end = memchr(b'\n', rest);
        let part = &rest[..end.unwrap_or(rest.len())];
        if self.line.len() + part.len() > LINE_SIZE_MAX.max(TRAILERS_SIZE_MAX) {
            return Err(Broken);
        }
        self.line.extend_from_slice(part);
        let Some(end) = end else { return Ok(rest.len()) };
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        self.whole_line(&line)?;
        line.clear();
        self.line = line; // its memory serves the next one
        Ok(end + 1)
    }

    fn whole_line(&mut self, line: &[u8]) -> Result<(), Broken> {
        match self.place {
            Place::Line => {
                let size = size(line)?;
                self.place = if size == 0 { Place::Trailers } else { Place::Chunk(size) };
            }
            Place::End if line.is_empty() => self.place = Place::Line,
            Place::End => return Err(Broken),
            Place::Trailers if line.is_empty() => self.place = Place::Over,
            Place::Trailers => {
                if self.trailers.len() + line.len() > TRAILERS_SIZE_MAX {
                    return Err(Broken);
                }
                self.trailers.extend_from_slice(line);
                self.trailers.extend_from_slice(b"\r\n");
            }
            Place::Chunk(_) | Place::Over => (),
        }
        Ok(())
    }
}

/// The size that a line in front of a chunk states; extensions mean nothing to us, white space is forgiven.
fn size(line: &[u8]) -> Result<u64, Broken> {
    let digits = line[..memchr(b';', line).unwrap_or(line.len())].trim_ascii();
    let plain = (1..=15).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| plain && line.len() <= LINE_SIZE_MAX).ok_or(Broken)?;
    u64::from_str_radix(text, 16).map_err(|_| Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in the chunks, and their trailers; the same wherever they are cut.
    fn decoded(input: &str) -> Result<(String, String, usize), Broken> {
        let whole = in_parts(&[input]);
        for cut in 0..=input.len() {
            let (first, second) = input.split_at(cut);
            assert_eq!(in_parts(&[first, second]), whole, "{input:?} cut at {cut}");
        }
        whole
    }

    fn in_parts(parts: &[&str]) -> Result<(String, String, usize), Broken> {
        let (mut chunks, mut out, mut behind) = (Chunks::default(), Vec::new(), 0);
        for part in parts {
            let mut octets = part.as_bytes().to_vec();
            let (kept, after) = chunks.decode(&mut octets)?;
            out.extend_from_slice(&octets[..kept]);
            behind += after;
        }
        if !chunks.is_over() {
            return Err(Broken);
        }
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        Ok((text(&out), text(chunks.trailers()), behind))
    }

    #[test]
    fn chunks_are_taken_off() {
        let whole = |text: &str, trailers: &str, behind| Ok((text.to_owned(), trailers.to_owned(), behind));
        assert_eq!(decoded("0\r\n\r\n"), whole("", "", 0));
        assert_eq!(decoded("3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"), whole("abc0123456789", "", 0));
        assert_eq!(decoded("3  \r\na\nb\r\n0\r\nX-Sum: 1\r\n\r\n"), whole("a\nb", "X-Sum: 1\r\n", 0));
        assert_eq!(decoded("1\na\n0\n\nHTTP"), whole("a", "", 4));
    }

    #[test]
    fn what_is_none_is_broken() {
        for input in ["x\r\n", "\r\n", "-1\r\n", "1\r\nab\r\n", "1000000000000000\r\n", "1\r\n", "2\r\na", "0\r\n"] {
            assert_eq!(decoded(input), Err(Broken), "{input:?}");
        }
        assert_eq!(in_parts(&[&format!("1;{}\r\n", "x".repeat(2_000))]), Err(Broken));
        assert_eq!(in_parts(&[&format!("0\r\n{}", "X: y\r\n".repeat(2_000))]), Err(Broken));
        assert_eq!(in_parts(&[&"0".repeat(20_000)]), Err(Broken));
    }
}
