//! Where a name stands in a message, compressed or not.

use crate::wire::NameRef;
use crate::wire::query::HEADER_SIZE;

/// Where a name stands: `own` octets lie at `at`; its last `tail_size` octets lie together and end at `tail_end`.
/// The two overlap in a name that was written whole; between them there may be a gap that nothing points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    at: u16,
    own: u8,
    size: u8,
    tail_size: u8,
    tail_end: u16,
}

impl Spot {
    /// A name written whole.
    pub fn whole(at: usize, size: usize) -> Self {
        Self { at: at as u16, own: size as u8, size: size as u8, tail_size: size as u8, tail_end: (at + size) as u16 }
    }

    /// The name in the question, which always stands behind the header.
    pub fn question(name: NameRef<'_>) -> Self {
        Self::whole(HEADER_SIZE, name.as_bytes().len())
    }

    /// The largest end of the name that a pointer can name, of at most `shared` octets. The root alone is not worth one.
    pub(super) fn find(self, shared: usize) -> Option<End> {
        let (size, tail_size, tail_end) = (self.size as usize, self.tail_size as usize, self.tail_end as usize);
        let (size, pointer) = if shared <= tail_size {
            (shared, tail_end - shared)
        } else if shared <= size && size - shared < self.own as usize {
            (shared, self.at as usize + size - shared)
        } else {
            (tail_size, tail_end - tail_size)
        };
        (size > 1).then_some(End { spot: self, size, pointer })
    }

    /// Whether the end is spelled in the message as the name ends that these octets are.
    pub(super) fn reads(self, end: &End, message: &[u8], octets: &[u8]) -> bool {
        let wanted = &octets[octets.len() - end.size..];
        let (tail_size, tail_end) = (self.tail_size as usize, self.tail_end as usize);
        let tail = &message[tail_end - tail_size.min(end.size)..tail_end];
        if end.size <= tail_size {
            return tail == wanted;
        }
        let own = self.own as usize + end.size - self.size as usize;
        own + tail_size >= end.size && message[end.pointer..].starts_with(&wanted[..own]) && wanted.ends_with(tail)
    }

    /// A name of `own` octets at `at` that goes on with an end of this one.
    pub(super) fn behind(self, at: usize, own: usize, end: &End) -> Self {
        let tail_size = self.tail_size.min(end.size as u8);
        let (at, own, size) = match own {
            0 if end.size <= self.tail_size as usize => (end.pointer, end.size, end.size),
            0 => (end.pointer, self.own as usize + end.size - self.size as usize, end.size),
            _ => (at, own, own + end.size),
        };
        Self { at: at as u16, own: own as u8, size: size as u8, tail_size, tail_end: self.tail_end }
    }

    /// The end of this name that has `size` octets, if it stands somewhere a pointer can name.
    pub fn ancestor(self, size: usize) -> Option<Self> {
        let end = self.find(size)?;
        (end.size == size).then(|| self.behind(end.pointer, 0, &end))
    }
}

/// The end of a name that stands in the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// The whole name.
    pub(super) spot: Spot,
    /// Octets of the end.
    pub(super) size: usize,
    /// Where it stands.
    pub(super) pointer: usize,
}
