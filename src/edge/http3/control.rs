//! The streams on which a client says what concerns all of its connection (RFC 9114, section 6.2).
//!
//! We never push an answer that nobody asked for and keep no dynamic table, so there is little to hear; but what must not be is
//! told apart from what may, as the standard wants it. A stream of a kind that nobody knows is sent back.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use quinn::RecvStream;

use super::code::{Code, Fault};
use super::connection::Link;
use super::frame::{Frame, Frames, integer};
use super::qpack;

/// Octets that are read at once.
const PART_SIZE_MAX: usize = 4 << 10;
/// Octets of an integer.
const INTEGER_SIZE_MAX: usize = 8;
/// Settings of HTTP/2 that must not be here (section 7.2.4.1).
const OF_HTTP2: [u64; 4] = [0x2, 0x3, 0x4, 0x5];

/// Which of the streams that are there once have come.
#[derive(Default)]
pub(super) struct Seen {
    control: Cell<bool>,
    encoder: Cell<bool>,
    decoder: Cell<bool>,
}

/// Listens to a stream to its end.
pub(super) async fn listen(link: Rc<Link>, mut stream: RecvStream, seen: Rc<Seen>) {
    if let Err(Fault::Connection(code)) = hear(&mut stream, &seen, link.head_size_max()).await {
        link.end(code);
    }
}

async fn hear(stream: &mut RecvStream, seen: &Seen, section_size_max: u64) -> Result<(), Fault> {
    let (kind, rest) = kind(stream).await?;
    let first = |place: &Cell<bool>| match place.replace(true) {
        true => Err(Fault::Connection(Code::StreamCreation)),
        false => Ok(()),
    };
    match kind {
        0 => {
            first(&seen.control)?;
            control(stream, rest, section_size_max).await
        }
        1 => Err(Fault::Connection(Code::StreamCreation)), // a client cannot push
        2 => {
            first(&seen.encoder)?;
            instructions(stream, rest, is_no_table, Code::EncoderStream).await
        }
        3 => {
            first(&seen.decoder)?;
            instructions(stream, rest, is_cancellation, Code::DecoderStream).await
        }
        _ => {
            let _ = stream.stop(Code::StreamCreation.into());
            Ok(())
        }
    }
}

/// The kind of a stream, and what came behind it. A stream may end before it says what it is.
async fn kind(stream: &mut RecvStream) -> Result<(u64, Bytes), Fault> {
    let mut octets = Vec::new();
    loop {
        let mut rest = &octets[..];
        if let Some(kind) = integer(&mut rest) {
            return Ok((kind, Bytes::copy_from_slice(rest)));
        }
        octets.extend_from_slice(&more(stream, INTEGER_SIZE_MAX).await?.ok_or(Fault::Gone)?);
    }
}

async fn more(stream: &mut RecvStream, size_max: usize) -> Result<Option<Bytes>, Fault> {
    match stream.read_chunk(size_max, true).await {
        Ok(chunk) => Ok(chunk.map(|chunk| chunk.bytes)),
        Err(quinn::ReadError::Reset(_)) => Ok(None),
        Err(_) => Err(Fault::Gone), // with all of the connection
    }
}

async fn control(stream: &mut RecvStream, mut input: Bytes, section_size_max: u64) -> Result<(), Fault> {
    let (mut frames, mut heard) = (Frames::new(section_size_max), Heard::default());
    loop {
        while let Some(frame) = frames.next(&mut input)? {
            heard.take(&frame)?;
        }
        input = more(stream, PART_SIZE_MAX).await?.ok_or(Fault::Connection(Code::ClosedCritical))?;
    }
}

/// What was said on the control stream.
#[derive(Default)]
struct Heard {
    settings: bool,
    push_max: Option<u64>,
    goodbye: Option<u64>,
}

impl Heard {
    fn take(&mut self, frame: &Frame) -> Result<(), Fault> {
        let code = match frame {
            Frame::Settings(_) if self.settings => Code::FrameUnexpected,
            Frame::Settings(payload) => {
                self.settings = true;
                return check_settings(payload);
            }
            _ if !self.settings => Code::MissingSettings,
            Frame::MaxPushId(id) if self.push_max.is_none_or(|before| before <= *id) => {
                self.push_max = Some(*id);
                return Ok(());
            }
            Frame::GoAway(id) if self.goodbye.is_none_or(|before| before >= *id) => {
                self.goodbye = Some(*id);
                return Ok(());
            }
            // Nothing was promised that could be cancelled.
            Frame::MaxPushId(_) | Frame::GoAway(_) | Frame::CancelPush(_) => Code::Id,
            Frame::Data(_) | Frame::Headers(_) => Code::FrameUnexpected,
        };
        Err(Fault::Connection(code))
    }
}

/// Each setting comes once, and none is of HTTP/2.
fn check_settings(payload: &[u8]) -> Result<(), Fault> {
    let (mut rest, mut seen) = (payload, Vec::new());
    while !rest.is_empty() {
        let pair = integer(&mut rest).zip(integer(&mut rest));
        let (identifier, _) = pair.ok_or(Fault::Connection(Code::Frame))?;
        if OF_HTTP2.contains(&identifier) || seen.contains(&identifier) {
            return Err(Fault::Connection(Code::Settings));
        }
        seen.push(identifier);
    }
    Ok(())
}

/// Whether what octets begin with is an instruction that may be. `None`: not all of it is there.
type Known = fn(&mut &[u8]) -> Option<bool>;

/// Hears the instructions of QPACK, which are integers, and all but one of which would be about a table that is not there.
async fn instructions(stream: &mut RecvStream, first: Bytes, is_known: Known, code: Code) -> Result<(), Fault> {
    let mut octets = first.to_vec();
    loop {
        let mut rest = &octets[..];
        while !rest.is_empty() {
            let mut behind = rest;
            match is_known(&mut behind) {
                Some(true) => rest = behind,
                None if rest.len() < INTEGER_SIZE_MAX => break, // the rest of it is to come
                Some(false) | None => return Err(Fault::Connection(code)),
            }
        }
        let passed = octets.len() - rest.len();
        octets.drain(..passed);
        let more = more(stream, PART_SIZE_MAX).await?.ok_or(Fault::Connection(Code::ClosedCritical))?;
        octets.extend_from_slice(&more);
    }
}

/// "The table has no octets" (RFC 9204, section 4.3.1) is all that a client may say of it.
fn is_no_table(rest: &mut &[u8]) -> Option<bool> {
    match rest.first()? {
        first if first & 0xe0 == 0x20 => qpack::integer(rest, 5).ok().map(|size| size == 0),
        _ => Some(false),
    }
}

/// "I have lost interest in that section" (section 4.4.2).
fn is_cancellation(rest: &mut &[u8]) -> Option<bool> {
    match rest.first()? {
        first if first & 0xc0 == 0x40 => qpack::integer(rest, 6).ok().map(|_| true),
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(frames: &[Frame]) -> Result<(), Fault> {
        let mut heard = Heard::default();
        frames.iter().try_for_each(|frame| heard.take(frame))
    }

    fn settings(payload: &'static [u8]) -> Frame {
        Frame::Settings(Bytes::from_static(payload))
    }

    #[test]
    fn settings_come_first_once_and_soundly() {
        let body = || Frame::Data(Bytes::from_static(b"x"));
        for (frames, outcome) in [
            (vec![settings(b""), Frame::MaxPushId(3), Frame::MaxPushId(3), Frame::GoAway(4), Frame::GoAway(0)], Ok(())),
            (vec![settings(b"\x06\x40\x64\x01\x00\x33\x01\x08\x01")], Ok(())),
            (vec![Frame::GoAway(0)], Err(Code::MissingSettings)),
            (vec![settings(b""), settings(b"")], Err(Code::FrameUnexpected)),
            (vec![settings(b""), body()], Err(Code::FrameUnexpected)),
            (vec![settings(b""), Frame::Headers(Bytes::new())], Err(Code::FrameUnexpected)),
            (vec![settings(b""), Frame::MaxPushId(3), Frame::MaxPushId(2)], Err(Code::Id)),
            (vec![settings(b""), Frame::GoAway(0), Frame::GoAway(4)], Err(Code::Id)),
            (vec![settings(b""), Frame::CancelPush(0)], Err(Code::Id)),
            (vec![settings(b"\x02\x00")], Err(Code::Settings)),
            (vec![settings(b"\x06\x00\x06\x00")], Err(Code::Settings)),
            (vec![settings(b"\x06")], Err(Code::Frame)),
        ] {
            assert_eq!(heard(&frames), outcome.map_err(Fault::Connection), "{frames:?}");
        }
    }

    #[test]
    fn of_a_table_nothing_is_said_but_that_there_is_none() {
        let table = |mut octets: &[u8]| is_no_table(&mut octets);
        assert_eq!(
            (table(b"\x20"), table(b"\x21"), table(b"\x3f"), table(b"\xc0\x01a")),
            (Some(true), Some(false), None, Some(false))
        );
        let cancelled = |mut octets: &[u8]| is_cancellation(&mut octets);
        assert_eq!(
            (cancelled(b"\x44"), cancelled(b"\x7f\x01"), cancelled(b"\x84"), cancelled(b"\x01")),
            (Some(true), Some(true), Some(false), Some(false))
        );
    }
}
