//! What the journal says of a change: who, when, which zone, and each set before and after.
//!
//! ```text
//! entry    version u8 · unix seconds u64 · actor (u16 and UTF-8) · apex (u8 and wire format) · shape u8 · sets · 0
//! set      1 before, 2 after, 3 both: u8 · owner without the apex (u8 and octets) · type u16 · set before · set after
//! ```
//!
//! One form for creation (from nothing), replacement, edit and deletion (to nothing): from it follow replay, history,
//! undo and incremental transfer. Sets come in canonical order. An entry is written and read as a stream, because the
//! import of a million names is one.

use std::io::{self, Read, Write};

use crate::limits::NAME_SIZE_MAX;
use crate::wire::{Kind, Name, NameRef};
use crate::zone::{Node, Set, SetData, Zone, difference, node_difference};

use super::apply::{Applied, Touched};
use super::change::Actor;
use super::codec::{self, Undecodable, read_array};

const VERSION: u8 = 1;
/// Octets of an actor that are kept.
const ACTOR_SIZE_MAX: usize = 1_024;

/// What a change does to its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// There was none before.
    Create = 1,
    /// It is there before and afterwards.
    Alter = 2,
    /// There is none afterwards.
    Delete = 3,
}

/// The head of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) unix_seconds: u64,
    pub(super) actor: Actor,
    pub(super) apex: Name,
    pub(super) shape: Shape,
}

/// One set of a change; at least one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetChange {
    /// The owner, in lower case.
    pub name: Name,
    /// The type.
    pub kind: Kind,
    /// The set before.
    pub before: Option<SetData>,
    /// The set afterwards.
    pub after: Option<SetData>,
}

// ----- Writing ----------------------------------------------------------------------------------------------

/// Writes what a change did.
pub(super) fn write(out: &mut dyn Write, unix_seconds: u64, actor: &Actor, applied: &Applied) -> io::Result<()> {
    let shape = match (&applied.before, &applied.after) {
        (None, _) => Shape::Create,
        (Some(_), Some(_)) => Shape::Alter,
        (Some(_), None) => Shape::Delete,
    };
    let actor = shortened(&actor.0).as_bytes();
    let apex = applied.apex.as_bytes();
    out.write_all(&[VERSION])?;
    out.write_all(&unix_seconds.to_le_bytes())?;
    out.write_all(&(actor.len() as u16).to_le_bytes())?;
    out.write_all(actor)?;
    out.write_all(&[apex.len() as u8])?;
    out.write_all(apex)?;
    out.write_all(&[shape as u8])?;
    write_sets(out, applied)?;
    out.write_all(&[0])
}

fn shortened(actor: &str) -> &str {
    let mut size = actor.len().min(ACTOR_SIZE_MAX);
    while !actor.is_char_boundary(size) {
        size -= 1;
    }
    &actor[..size]
}

fn write_sets(out: &mut dyn Write, applied: &Applied) -> io::Result<()> {
    let (before, after) = (applied.before.as_deref(), applied.after.as_deref());
    let mut written = Ok(());
    let mut tell = |name: NameRef<'_>, before: Option<Set<'_>>, after: Option<Set<'_>>| {
        if written.is_ok() {
            written = write_set_change(out, applied.apex.borrow(), name, before, after);
        }
    };
    match &applied.touched {
        Touched::Whole => difference(before, after, &mut tell),
        Touched::Names(names) => {
            for name in names {
                let (before, after) = (node_at(before, name), node_at(after, name));
                node_difference(before, after, &mut |before, after| tell(name.borrow(), before, after));
            }
        }
    }
    written
}

fn node_at<'z>(zone: Option<&'z Zone>, name: &Name) -> Option<&'z Node> {
    zone?.node(name.borrow())
}

fn write_set_change(
    out: &mut dyn Write,
    apex: NameRef<'_>,
    name: NameRef<'_>,
    before: Option<Set<'_>>,
    after: Option<Set<'_>>,
) -> io::Result<()> {
    let Some(kind) = before.or(after).map(Set::kind) else { return Ok(()) };
    let owner = codec::inner(name, apex);
    out.write_all(&[u8::from(before.is_some()) | u8::from(after.is_some()) << 1, owner.len() as u8])?;
    out.write_all(owner)?;
    out.write_all(&kind.0.to_le_bytes())?;
    for set in before.into_iter().chain(after) {
        codec::write_set(out, set)?;
    }
    Ok(())
}

// ----- Reading ----------------------------------------------------------------------------------------------

/// Reads the head of an entry.
pub(super) fn read(input: &mut impl Read) -> io::Result<Entry> {
    match read_array(input)? {
        [VERSION] => (),
        [0] => return Err(Undecodable::Malformed.into()),
        [newer] => return Err(Undecodable::Newer(newer).into()),
    }
    let unix_seconds = u64::from_le_bytes(read_array(input)?);
    let actor = codec::read_octets(input)?;
    let actor = Actor(String::from_utf8(actor.into_vec()).map_err(|_| Undecodable::Malformed)?);
    let apex = read_apex(input)?;
    let shape = match read_array(input)? {
        [1] => Shape::Create,
        [2] => Shape::Alter,
        [3] => Shape::Delete,
        [_] => return Err(Undecodable::Malformed.into()),
    };
    Ok(Entry { unix_seconds, actor, apex, shape })
}

/// Reads the name of a zone, with a size octet before.
pub(super) fn read_apex(input: &mut impl Read) -> io::Result<Name> {
    let [size] = read_array(input)?;
    let mut octets = [0; NAME_SIZE_MAX];
    let octets = &mut octets[..size as usize];
    input.read_exact(octets)?;
    match NameRef::read(octets) {
        Ok((name, [])) if !octets.iter().any(u8::is_ascii_uppercase) => Ok(name.to_name()),
        _ => Err(Undecodable::Malformed.into()),
    }
}

/// Reads the next set of an entry; `None` behind the last.
pub(super) fn read_set_change(input: &mut impl Read, apex: NameRef<'_>) -> io::Result<Option<SetChange>> {
    let [flags] = read_array(input)?;
    if flags == 0 {
        return Ok(None);
    }
    if flags > 3 {
        return Err(Undecodable::Malformed.into());
    }
    let name = codec::read_inner(input, apex)?;
    let kind = Kind(u16::from_le_bytes(read_array(input)?));
    let mut set = |flag| if flags & flag == 0 { Ok(None) } else { codec::read_set(input, kind).map(Some) };
    let (before, after) = (set(1)?, set(2)?);
    Ok(Some(SetChange { name, kind, before, after }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::apply::apply;
    use crate::store::change::Change;
    use crate::store::codec::tests::zone;
    use crate::store::snapshot::Zones;
    use proptest::prelude::*;

    fn written(zones: &Zones, change: &Change) -> Vec<u8> {
        let mut octets = Vec::new();
        write(&mut octets, 1_700_000_000, &Actor("cli:root".to_owned()), &apply(zones, change).unwrap()).unwrap();
        octets
    }

    fn read_all(mut octets: &[u8]) -> io::Result<(Entry, Vec<SetChange>)> {
        let entry = read(&mut octets)?;
        let mut sets = Vec::new();
        while let Some(set) = read_set_change(&mut octets, entry.apex.borrow())? {
            sets.push(set);
        }
        Ok((entry, sets))
    }

    #[test]
    fn every_shape_survives() {
        let old = Arc::new(zone("example.org", 1, &[("a", "one"), ("b", "two")]));
        let new = Arc::new(zone("example.org", 1, &[("b", "two"), ("c", "three")]));
        let mut zones = Zones::default();
        let (entry, sets) = read_all(&written(&zones, &Change::PutZone { zone: old.clone() })).unwrap();
        assert_eq!(
            (entry.shape, entry.unix_seconds, entry.actor),
            (Shape::Create, 1_700_000_000, Actor("cli:root".into()))
        );
        assert_eq!((sets.len(), sets.iter().all(|set| set.before.is_none())), (4, true));
        zones.insert(old.clone());
        let (entry, sets) = read_all(&written(&zones, &Change::PutZone { zone: new })).unwrap();
        let said: Vec<_> =
            sets.iter().map(|s| (s.name.to_string(), s.kind, s.before.is_some(), s.after.is_some())).collect();
        let want = [
            ("example.org.", Kind::SOA, true, true),
            ("a.example.org.", Kind::TXT, true, false),
            ("c.example.org.", Kind::TXT, false, true),
        ];
        assert_eq!((entry.shape, said), (Shape::Alter, want.map(|(n, k, b, a)| (n.to_owned(), k, b, a)).to_vec()));
        let (entry, sets) = read_all(&written(&zones, &Change::DeleteZone { apex: old.apex().to_name() })).unwrap();
        assert_eq!((entry.shape, sets.len(), sets.iter().all(|set| set.after.is_none())), (Shape::Delete, 4, true));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_all(&octets);
            let _ = read_all(&[&[VERSION, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 2, b'a', b'b', 0, 2][..], &octets].concat());
        }

        #[test]
        fn a_changed_entry_is_read_or_refused(at in any::<prop::sample::Index>(), octet in any::<u8>()) {
            let mut octets = written(&Zones::default(), &Change::PutZone { zone: Arc::new(zone("example.org", 1, &[("a", "x")])) });
            let at = at.index(octets.len());
            octets[at] = octet;
            let _ = read_all(&octets);
        }
    }
}
