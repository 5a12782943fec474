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

    /// The largest end of the name that a pointer can name, of at most `shared` octets: its size and where it stands.
    /// The root alone is not worth a pointer.
    pub(super) fn find(self, shared: usize) -> Option<(usize, usize)> {
        let (size, tail_size, tail_end) = (self.size as usize, self.tail_size as usize, self.tail_end as usize);
        let found = if shared <= tail_size {
            (shared, tail_end - shared)
        } else if shared <= size && size - shared < self.own as usize {
            (shared, self.at as usize + size - shared)
        } else {
            (tail_size, tail_end - tail_size)
        };
        Some(found).filter(|(size, _)| *size > 1)
    }

    /// A name of `own` octets at `at` that goes on, by way of `pointer`, with the last `shared` octets of this one.
    pub(super) fn behind(self, at: usize, own: usize, shared: usize, pointer: usize) -> Self {
        let tail_size = self.tail_size.min(shared as u8);
        let (at, own) = match own {
            0 if shared <= self.tail_size as usize => (pointer, shared),
            0 => (pointer, (self.own as usize + shared) - self.size as usize),
            _ => (at, own),
        };
        let size = if at == pointer { shared } else { own + shared };
        Self { at: at as u16, own: own as u8, size: size as u8, tail_size, tail_end: self.tail_end }
    }

    /// The end of this name that has `size` octets, if it stands somewhere a pointer can name.
    pub fn ancestor(self, size: usize) -> Option<Self> {
        let (found, pointer) = self.find(size)?;
        (found == size).then(|| self.behind(pointer, 0, size, pointer))
    }
}
