//! Frames (RFC 9114, section 7), out of whatever octets have come.
//!
//! The body of a request is handed on as it comes. Everything else is gathered, and so has a size that it may have, which is looked at
//! before the first octet of it is kept. Frames of kinds that nobody knows are skipped (section 9).

use bytes::{Buf, Bytes, BytesMut};

use super::code::{Code, Fault};

/// Octets of a frame that is neither a body nor a head: settings, of which there are a handful.
const SMALL_SIZE_MAX: u64 = 4 << 10;
/// Octets of a variable-length integer (RFC 9000, section 16).
const INTEGER_SIZE_MAX: usize = 8;

/// Kinds of frames.
mod kind {
    pub(super) const DATA: u64 = 0x0;
    pub(super) const HEADERS: u64 = 0x1;
    pub(super) const CANCEL_PUSH: u64 = 0x3;
    pub(super) const SETTINGS: u64 = 0x4;
    pub(super) const PUSH_PROMISE: u64 = 0x5;
    pub(super) const GOAWAY: u64 = 0x7;
    pub(super) const MAX_PUSH_ID: u64 = 0xd;
    /// What HTTP/2 has and HTTP/3 must not have (RFC 9114, section 7.2.8).
    pub(super) const OF_HTTP2: [u64; 4] = [0x2, 0x6, 0x8, 0x9];
}

/// A frame, or a part of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A part of a body.
    Data(Bytes),
    /// A field section.
    Headers(Bytes),
    /// What the other side is like.
    Settings(Bytes),
    /// An answer that nobody asked for is not wanted.
    CancelPush(u64),
    /// So many such answers may be sent.
    MaxPushId(u64),
    /// No more such answers are taken.
    GoAway(u64),
}

/// Reads the frames of one stream.
pub(super) struct Frames {
    place: Place,
    /// Octets of a field section.
    section_size_max: u64,
}

enum Place {
    /// At the kind and the length of a frame, of which so much has come.
    Front([u8; 2 * INTEGER_SIZE_MAX], usize),
    /// In a body, so many octets before the end of the frame.
    Data(u64),
    /// In something that is gathered.
    Gathered { kind: u64, left: usize, octets: BytesMut },
    /// In something unknown.
    Skipped(u64),
}

const FRONT: Place = Place::Front([0; 2 * INTEGER_SIZE_MAX], 0);

impl Frames {
    /// Reads from the beginning of a stream.
    pub(super) fn new(section_size_max: u64) -> Self {
        Self { place: FRONT, section_size_max }
    }

    /// Whether the stream may end here.
    pub(super) fn is_between(&self) -> bool {
        matches!(self.place, Place::Front(_, 0))
    }

    /// The next frame, or part of a body, that the octets hold; none if there is none in what is left of them.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Frame>, Fault> {
        loop {
            match &mut self.place {
                Place::Front(front, size) => {
                    let Some((kind, length)) = read_front(front, size, input) else { return Ok(None) };
                    self.place = self.enter(kind, length)?;
                }
                Place::Data(0) | Place::Skipped(0) => self.place = FRONT,
                Place::Data(left) => {
                    let part = input.split_to(input.len().min(usize::try_from(*left).unwrap_or(usize::MAX)));
                    *left -= part.len() as u64;
                    return Ok((!part.is_empty()).then_some(Frame::Data(part)));
                }
                Place::Skipped(_) if input.is_empty() => return Ok(None),
                Place::Skipped(left) => {
                    let size = input.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    input.advance(size);
                    *left -= size as u64;
                }
                Place::Gathered { kind, left, octets } => {
                    // What lies in one piece is not copied.
                    let part = input.split_to(input.len().min(*left));
                    *left -= part.len();
                    let whole = match (*left, octets.is_empty()) {
                        (0, true) => part,
                        (0, false) => {
                            octets.extend_from_slice(&part);
                            std::mem::take(octets).freeze()
                        }
                        _ => {
                            octets.extend_from_slice(&part);
                            return Ok(None);
                        }
                    };
                    let kind = *kind;
                    self.place = FRONT;
                    return frame(kind, whole).map(Some);
                }
            }
        }
    }

    fn enter(&self, kind: u64, length: u64) -> Result<Place, Fault> {
        let size_max = match kind {
            kind::DATA => return Ok(Place::Data(length)),
            kind::HEADERS if length > self.section_size_max => return Err(Fault::HeadTooLarge),
            kind::HEADERS => self.section_size_max,
            kind::SETTINGS | kind::CANCEL_PUSH | kind::GOAWAY | kind::MAX_PUSH_ID => SMALL_SIZE_MAX,
            // A client has nothing to promise (section 7.2.5).
            kind::PUSH_PROMISE => return Err(Fault::Connection(Code::FrameUnexpected)),
            kind if kind::OF_HTTP2.contains(&kind) => return Err(Fault::Connection(Code::FrameUnexpected)),
            _ => return Ok(Place::Skipped(length)),
        };
        let left = usize::try_from(length).ok().filter(|_| length <= size_max);
        let left = left.ok_or(Fault::Connection(Code::ExcessiveLoad))?;
        Ok(Place::Gathered { kind, left, octets: BytesMut::new() })
    }
}

/// Kind and length of a frame, once all of them has come.
fn read_front(front: &mut [u8; 2 * INTEGER_SIZE_MAX], size: &mut usize, input: &mut Bytes) -> Option<(u64, u64)> {
    loop {
        let mut rest = &front[..*size];
        if let Some(kind) = integer(&mut rest)
            && let Some(length) = integer(&mut rest)
        {
            return Some((kind, length));
        }
        front[*size] = input.try_get_u8().ok()?;
        *size += 1;
    }
}

/// A variable-length integer (RFC 9000, section 16), if it is there whole.
pub(super) fn integer(rest: &mut &[u8]) -> Option<u64> {
    let size = 1 << (rest.first()? >> 6);
    let (octets, behind) = rest.split_at_checked(size)?;
    *rest = behind;
    let value = octets.iter().fold(0, |value, octet| (value << 8) | u64::from(*octet));
    Some(value & (u64::MAX >> (66 - 8 * size)))
}

fn frame(kind: u64, octets: Bytes) -> Result<Frame, Fault> {
    let only = || {
        let mut rest = &octets[..];
        integer(&mut rest).filter(|_| rest.is_empty()).ok_or(Fault::Connection(Code::Frame))
    };
    Ok(match kind {
        kind::HEADERS => Frame::Headers(octets),
        kind::CANCEL_PUSH => Frame::CancelPush(only()?),
        kind::MAX_PUSH_ID => Frame::MaxPushId(only()?),
        kind::GOAWAY => Frame::GoAway(only()?),
        _ => Frame::Settings(octets),
    })
}

// ----- Writing ----------------------------------------------------------------------------------------------

/// The front of a part of a body.
pub(super) fn data(length: usize) -> Bytes {
    front(kind::DATA, length)
}

/// A field section in its frame.
pub(super) fn headers(section: &[u8]) -> Bytes {
    [&front(kind::HEADERS, section.len()), section].concat().into()
}

/// What we are like, in its frame.
pub(super) fn settings(pairs: &[(u64, u64)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (identifier, value) in pairs {
        write_integer(*identifier, &mut payload);
        write_integer(*value, &mut payload);
    }
    [&front(kind::SETTINGS, payload.len()), &payload[..]].concat()
}

/// No stream from this one on is looked at.
pub(super) fn go_away(stream: u64) -> Vec<u8> {
    let mut payload = Vec::new();
    write_integer(stream, &mut payload);
    [&front(kind::GOAWAY, payload.len()), &payload[..]].concat()
}

fn front(kind: u64, length: usize) -> Bytes {
    let mut octets = Vec::with_capacity(2 * INTEGER_SIZE_MAX);
    write_integer(kind, &mut octets);
    write_integer(length as u64, &mut octets);
    octets.into()
}

fn write_integer(value: u64, out: &mut Vec<u8>) {
    match value {
        0..0x40 => out.push(value as u8),
        0x40..0x4000 => out.extend_from_slice(&(value as u16 | 0x4000).to_be_bytes()),
        0x4000..0x4000_0000 => out.extend_from_slice(&(value as u32 | 0x8000_0000).to_be_bytes()),
        _ => out.extend_from_slice(&(value | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The frames of octets that come in parts of this size.
    fn frames(octets: &[u8], part: usize) -> Result<(Vec<Frame>, bool), Fault> {
        let (mut frames, mut found) = (Frames::new(100), Vec::new());
        for part in octets.chunks(part.max(1)) {
            let mut input = Bytes::copy_from_slice(part);
            while let Some(frame) = frames.next(&mut input)? {
                match (found.last_mut(), frame) {
                    (Some(Frame::Data(before)), Frame::Data(part)) => {
                        *before = [&before[..], &part[..]].concat().into()
                    }
                    (_, frame) => found.push(frame),
                }
            }
            assert!(input.is_empty());
        }
        Ok((found, frames.is_between()))
    }

    #[test]
    fn frames_are_the_same_in_whatever_parts_they_come() {
        let stream = [
            &headers(b"section")[..],
            b"\x21\x03abc", // nobody knows it
            &data(3),
            b"abc\x00\x00\x00\x02de",                // one of them is empty
            b"\x40\x04\x80\x00\x00\x03\x06\x40\x64", // longer than need be
            &go_away(1 << 40),
            b"\x0d\x01\x05\x03\x01\x06",
        ]
        .concat();
        for part in 1..=stream.len() {
            let (found, between) = frames(&stream, part).unwrap();
            assert!(between);
            let expected = [
                Frame::Headers(Bytes::from_static(b"section")),
                Frame::Data(Bytes::from_static(b"abcde")),
                Frame::Settings(Bytes::from_static(b"\x06\x40\x64")),
                Frame::GoAway(1 << 40),
                Frame::MaxPushId(5),
                Frame::CancelPush(6),
            ];
            assert_eq!(found, expected, "in parts of {part}");
        }
        for cut in 1..stream.len() {
            let (_, between) = frames(&stream[..cut], 7).unwrap();
            let ends = [9, 14, 16, 19, 21, 25, 34];
            assert!(!between || frames(&stream[..cut], 1).unwrap().1, "{cut} {ends:?}");
        }
        assert!(!frames(b"\x00\x05abc", 2).unwrap().1, "it ends in the middle of a body");
    }

    #[test]
    fn a_frame_that_is_too_large_is_refused_before_it_comes() {
        assert_eq!(frames(b"\x01\x40\x65", 1), Err(Fault::HeadTooLarge));
        assert!(frames(b"\x01\x40\x64", 1).is_ok());
        assert_eq!(frames(b"\x04\x80\x01\x00\x00", 1), Err(Fault::Connection(Code::ExcessiveLoad)));
        assert!(frames(b"\x00\xff\xff\xff\xff\xff\xff\xff\xffabc", 1).is_ok(), "a body may be of any size");
        assert!(frames(b"\x21\xff\xff\xff\xff\xff\xff\xff\xffabc", 1).is_ok(), "what is skipped is not kept");
    }

    #[test]
    fn frames_that_must_not_be_end_the_connection() {
        for kind in [0x2, 0x5, 0x6, 0x8, 0x9] {
            assert_eq!(frames(&[kind, 0], 1), Err(Fault::Connection(Code::FrameUnexpected)), "{kind}");
        }
        for octets in [&b"\x07\x00"[..], b"\x07\x02\x01\x01", b"\x0d\x01\x40", b"\x03\x00"] {
            assert_eq!(frames(octets, 1), Err(Fault::Connection(Code::Frame)), "{octets:?}");
        }
    }

    proptest! {
        #[test]
        fn integers_come_back(value in 0..1_u64 << 62) {
            let mut octets = Vec::new();
            write_integer(value, &mut octets);
            prop_assert_eq!(integer(&mut &octets[..]), Some(value));
            prop_assert_eq!(integer(&mut &octets[..octets.len() - 1]), None);
        }

        #[test]
        fn parts_do_not_matter(octets: Vec<u8>, part in 1_usize..20) {
            prop_assert_eq!(frames(&octets, part), frames(&octets, octets.len()));
        }
    }
}
