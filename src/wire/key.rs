//! A name made ready to be looked up: in lower case, with its labels found, and hashed label by label from the root.
//!
//! The hash of a name continues the hash of its parent, so one walk from the root down yields the hash of every
//! ancestor, and the search for the zone, the closest encloser and the wildcard is one pass (RFC 4592, section 3.3.1).
//! The hash is keyed afresh by every process: nobody outside can know which names collide.

use std::sync::LazyLock;

use super::NameRef;
use crate::limits::NAME_SIZE_MAX;

/// A name ready to be looked up.
#[derive(Clone)]
pub struct Key {
    octets: [u8; 256],
    size: u8,
    label_count: u8,
    /// Where each label starts, from left to right; the root's zero octet comes last.
    starts: [u8; 128],
}

/// The hash of a name. It means nothing in another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(pub u64);

static SEED: LazyLock<[u64; 2]> = LazyLock::new(|| {
    let mut octets = [0; 16];
    // Without randomness the hash still spreads names well; it is only no longer secret. Not a reason to stop.
    let _ = getrandom::fill(&mut octets);
    let half = |at: usize| octets[at..at + 8].iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet));
    [half(0), half(8) | 1]
});

impl Hash {
    /// The hash of the root.
    pub fn root() -> Self {
        Self(SEED[0])
    }

    /// The hash of the name that has `label` (in lower case) in front of this one.
    #[inline]
    pub fn child(self, label: &[u8]) -> Self {
        let (chunks, tail) = label.as_chunks::<8>();
        let mut state = self.0;
        for chunk in chunks {
            state = fold(state ^ u64::from_le_bytes(*chunk), SEED[1]);
        }
        // The size goes into the factor: among the octets it could cancel one of them out ("a1" and "a10").
        Self(fold(state ^ short(tail), GOLDEN.wrapping_mul(2 * label.len() as u64 + 1)))
    }

    /// The hash of a whole name in lower case.
    pub fn of(name: NameRef<'_>) -> Self {
        let octets = name.as_bytes();
        let (mut starts, mut count, mut at) = ([0_u8; 128], 0, 0);
        while octets[at] != 0 {
            starts[count] = at as u8;
            count += 1;
            at += 1 + octets[at] as usize;
        }
        starts[..count].iter().rev().fold(Self::root(), |hash, &start| {
            let start = start as usize;
            hash.child(&octets[start + 1..][..octets[start] as usize])
        })
    }
}

/// 2^64 divided by the golden ratio: its multiples are far from one another.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The high and the low half of the product, mixed: each bit of the input reaches each bit of the result.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// Up to seven octets as one number, without a loop.
#[inline]
fn short(tail: &[u8]) -> u64 {
    match tail {
        [] => 0,
        [a, b, c, d, ..] => {
            let (low, high) = ([*a, *b, *c, *d], tail.last_chunk::<4>().unwrap_or(&[0; 4]));
            u64::from(u32::from_le_bytes(low)) << 32 | u64::from(u32::from_le_bytes(*high))
        }
        [first, ..] => {
            let last = tail[tail.len() - 1];
            u64::from(*first) << 16 | u64::from(tail[tail.len() / 2]) << 8 | u64::from(last)
        }
    }
}

impl Key {
    /// Makes a name ready.
    pub fn new(name: NameRef<'_>) -> Self {
        let mut key = Self::root();
        key.set(name);
        key
    }

    /// The root, made ready.
    #[inline]
    pub fn root() -> Self {
        Self { octets: [0; 256], size: 1, label_count: 0, starts: [0; 128] }
    }

    /// Makes another name ready in place of this one.
    #[inline]
    pub fn set(&mut self, name: NameRef<'_>) {
        let octets = name.as_bytes();
        self.octets[..octets.len()].copy_from_slice(octets);
        self.settle(octets.len());
    }

    /// Reads the name at the start of `bytes`; `None` unless it is whole and uncompressed.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        NameRef::read(bytes).ok().map(|(name, _)| Self::new(name))
    }

    fn settle(&mut self, size: usize) {
        self.octets[..size].make_ascii_lowercase(); // a length octet is at most 63, no letter
        self.size = size as u8;
        let (mut at, mut count) = (0, 0);
        while self.octets[at] != 0 {
            self.starts[count] = at as u8;
            count += 1;
            at += 1 + self.octets[at] as usize;
        }
        self.starts[count] = at as u8;
        self.label_count = count as u8;
    }

    /// The name, in lower case.
    #[inline]
    pub fn name(&self) -> NameRef<'_> {
        NameRef::trusted(&self.octets[..self.size as usize])
    }

    /// How many labels, without the root.
    #[inline]
    pub fn label_count(&self) -> usize {
        self.label_count as usize
    }

    /// The ancestor with `depth` labels; the name itself at `label_count`.
    #[inline]
    pub fn ancestor(&self, depth: usize) -> NameRef<'_> {
        let start = self.starts[self.label_count as usize - depth] as usize;
        NameRef::trusted(&self.octets[start..self.size as usize])
    }

    /// The leftmost label of the ancestor with `depth` labels (1 or more).
    #[inline]
    pub fn label(&self, depth: usize) -> &[u8] {
        let start = self.starts[self.label_count as usize - depth] as usize;
        &self.octets[start + 1..][..self.octets[start] as usize]
    }

    /// Replaces the ancestor with `depth` labels by `target` (RFC 6672, section 2.2); `None` if that is too long.
    pub fn redirected(&self, depth: usize, target: NameRef<'_>) -> Option<Self> {
        let kept = self.size as usize - self.ancestor(depth).as_bytes().len();
        let size = kept + target.as_bytes().len();
        if size > NAME_SIZE_MAX {
            return None;
        }
        let mut key = self.clone();
        key.octets[kept..size].copy_from_slice(target.as_bytes());
        key.settle(size);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Name;

    #[test]
    fn ancestors_and_hashes_agree() {
        let name: Name = "WWW.longer-than-eight.Example.org".parse().unwrap();
        let key = Key::new(name.borrow());
        assert_eq!(key.label_count(), 4);
        let mut hash = Hash::root();
        for depth in 0..=4 {
            if depth > 0 {
                hash = hash.child(key.label(depth));
            }
            assert_eq!(hash, Hash::of(key.ancestor(depth)), "{depth}");
        }
        assert_eq!(key.ancestor(2).to_string(), "example.org.");
        assert_eq!(key.ancestor(0).to_string(), ".");
    }

    #[test]
    fn hashes_tell_like_names_apart() {
        let names = [
            "a.b",
            "b.a",
            "ab",
            "a",
            "aa",
            "aaa",
            "aba",
            "aaaa",
            "aaaaa",
            "aaaaaaa",
            "aaaaaaaa",
            "aaaaaaaaa",
            "abaaaaaaa",
        ];
        let mut hashes: Vec<_> = names.iter().map(|n| Hash::of(n.parse::<Name>().unwrap().borrow()).0).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), names.len());
    }

    /// Every label of up to three octets, and many longer ones, has a hash of its own.
    #[test]
    fn short_labels_do_not_collide() {
        let letters = *b"abc0129-";
        let mut labels: Vec<Vec<u8>> = vec![Vec::new()];
        let mut at = 0;
        while labels[at].len() < 5 {
            for letter in letters {
                labels.push([&labels[at][..], &[letter]].concat());
            }
            at += 1;
        }
        let mut hashes: Vec<_> = labels.iter().map(|label| Hash::root().child(label).0).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), labels.len());
    }

    #[test]
    fn redirection_keeps_the_labels_in_front() {
        let key = Key::new("a.b.old.example".parse::<Name>().unwrap().borrow());
        let target: Name = "new.test".parse().unwrap();
        assert_eq!(key.redirected(2, target.borrow()).unwrap().name().to_string(), "a.b.new.test.");
        let long: Name = format!("{0}.{0}.{0}.{1}", "x".repeat(63), "x".repeat(59)).parse().unwrap();
        assert!(key.redirected(2, long.borrow()).is_none());
    }
}
