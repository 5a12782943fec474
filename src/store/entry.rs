//! What the journal says of a change: who, from where, when, and each set and each item before and after.
//!
//! ```text
//! entry    version u8 · unix seconds u64 · who · from · parts · 0
//! who      u16 and UTF-8; so is from
//! part     1 · apex (u8 and wire format) · shape u8 · sets · 0
//!          2 · shelf u8 · key (u16 and UTF-8) · 1 before, 2 after, 3 both: u8 · before · after
//! set      1 before, 2 after, 3 both: u8 · owner without the apex (u8 and octets) · type u16 · set before · set after
//! item     u32 and octets, as its shelf writes them (see [`super::snapshot`])
//! ```
//!
//! One form for creation (from nothing), replacement, edit and deletion (to nothing): from it follow replay, history,
//! undo and incremental transfer. Sets come in canonical order. An entry is written and read as a stream, because the
//! import of a million names is one.
//!
//! Version 1 knew one zone a change, and not from where: `1 · unix seconds · who · apex · shape · sets · 0`. It is read for ever.

use std::io::{self, Read, Write};

use crate::limits::{ITEM_SIZE_MAX, NAME_SIZE_MAX};
use crate::wire::{Kind, Name, NameRef};
use crate::zone::{Node, Set, SetData, Zone, difference, node_difference};

use super::apply::{Applied, ItemPart, Kept, Touched, ZonePart};
use super::change::Actor;
use super::codec::{self, Undecodable, read_array};
use super::snapshot::{Item, ItemKey};

const VERSION_ONE_ZONE: u8 = 1;
const VERSION: u8 = 2;
const ZONE: u8 = 1;
const ITEM: u8 = 2;
/// Octets of who and of from where that are kept.
const ACTOR_SIZE_MAX: usize = 1_024;

/// What becomes of a zone or an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// There was none before.
    Create = 1,
    /// It is there before and afterwards.
    Alter = 2,
    /// There is none afterwards.
    Delete = 3,
}

impl Shape {
    /// From whether it was there before to whether it is there afterwards.
    fn of(before: bool, after: bool) -> Self {
        match (before, after) {
            (false, _) => Self::Create,
            (true, true) => Self::Alter,
            (true, false) => Self::Delete,
        }
    }
}

/// The head of an entry; then its parts follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) unix_seconds: u64,
    pub(super) actor: Actor,
    version: u8,
    /// Parts that were read.
    parts: usize,
}

/// What a change did to one thing.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// To a zone; its sets follow, and all of them have to be read before the next part.
    Zone { apex: Name, shape: Shape },
    /// To an item.
    Item(ItemChange),
}

/// An item of a change; at least one of the two is there.
#[derive(Clone, Debug)]
pub(super) struct ItemChange {
    pub(super) key: ItemKey,
    pub(super) before: Option<Item>,
    pub(super) after: Option<Item>,
}

impl ItemChange {
    pub(super) fn shape(&self) -> Shape {
        Shape::of(self.before.is_some(), self.after.is_some())
    }
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
    out.write_all(&[VERSION])?;
    out.write_all(&unix_seconds.to_le_bytes())?;
    for text in [&actor.who, &actor.from] {
        let text = shortened(text).as_bytes();
        out.write_all(&(text.len() as u16).to_le_bytes())?;
        out.write_all(text)?;
    }
    for part in applied.items.iter().filter(|part| part.changed()) {
        write_item(out, part)?;
    }
    for part in applied.zones.iter().filter(|part| part.changed()) {
        let shape = Shape::of(part.before.is_some(), part.after.is_some());
        let apex = part.apex.as_bytes();
        out.write_all(&[ZONE, apex.len() as u8])?;
        out.write_all(apex)?;
        out.write_all(&[shape as u8])?;
        write_sets(out, part)?;
        out.write_all(&[0])?;
    }
    out.write_all(&[0])
}

fn shortened(text: &str) -> &str {
    let mut size = text.len().min(ACTOR_SIZE_MAX);
    while !text.is_char_boundary(size) {
        size -= 1;
    }
    &text[..size]
}

fn write_item(out: &mut dyn Write, part: &ItemPart) -> io::Result<()> {
    out.write_all(&[ITEM])?;
    part.key.write(out)?;
    out.write_all(&[u8::from(part.before.is_some()) | u8::from(part.after.is_some()) << 1])?;
    for Kept { octets, .. } in part.before.iter().chain(&part.after) {
        out.write_all(&(octets.len() as u32).to_le_bytes())?;
        out.write_all(octets)?;
    }
    Ok(())
}

fn write_sets(out: &mut dyn Write, part: &ZonePart) -> io::Result<()> {
    let (before, after) = (part.before.as_deref(), part.after.as_deref());
    let mut written = Ok(());
    let mut tell = |name: NameRef<'_>, before: Option<Set<'_>>, after: Option<Set<'_>>| {
        if written.is_ok() {
            written = write_set_change(out, part.apex.borrow(), name, before, after);
        }
    };
    match &part.touched {
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
    let version = match read_array(input)? {
        [0] => return Err(Undecodable::Malformed.into()),
        [version @ VERSION_ONE_ZONE..=VERSION] => version,
        [newer] => return Err(Undecodable::Newer(newer).into()),
    };
    let unix_seconds = u64::from_le_bytes(read_array(input)?);
    let who = read_text(input)?;
    let from = if version == VERSION_ONE_ZONE { String::new() } else { read_text(input)? };
    Ok(Entry { unix_seconds, actor: Actor { who, from }, version, parts: 0 })
}

fn read_text(input: &mut impl Read) -> io::Result<String> {
    Ok(String::from_utf8(codec::read_octets(input)?.into_vec()).map_err(|_| Undecodable::Malformed)?)
}

impl Entry {
    /// Reads the next part; `None` behind the last.
    pub(super) fn next_part(&mut self, input: &mut impl Read) -> io::Result<Option<Part>> {
        let kind = match (self.version, self.parts) {
            (VERSION_ONE_ZONE, 0) => ZONE,
            (VERSION_ONE_ZONE, _) => return Ok(None),
            _ => u8::from_le_bytes(read_array(input)?),
        };
        self.parts += 1;
        match kind {
            0 if self.parts > 1 => Ok(None),
            ZONE => Ok(Some(Part::Zone { apex: read_apex(input)?, shape: read_shape(input)? })),
            ITEM => read_item(input).map(|item| Some(Part::Item(item))),
            _ => Err(Undecodable::Malformed.into()),
        }
    }
}

fn read_shape(input: &mut impl Read) -> io::Result<Shape> {
    match read_array(input)? {
        [1] => Ok(Shape::Create),
        [2] => Ok(Shape::Alter),
        [3] => Ok(Shape::Delete),
        [_] => Err(Undecodable::Malformed.into()),
    }
}

fn read_item(input: &mut impl Read) -> io::Result<ItemChange> {
    let key = ItemKey::read(input)?;
    let flags = match read_array(input)? {
        [flags @ 1..=3] => flags,
        [_] => return Err(Undecodable::Malformed.into()),
    };
    let mut item = |flag| match flags & flag {
        0 => Ok(None),
        _ => read_kept(input, &key).map(Some),
    };
    let (before, after) = (item(1)?, item(2)?);
    Ok(ItemChange { key, before, after })
}

fn read_kept(input: &mut impl Read, key: &ItemKey) -> io::Result<Item> {
    let size = u32::from_le_bytes(read_array(input)?) as usize;
    if size > ITEM_SIZE_MAX {
        return Err(Undecodable::Malformed.into());
    }
    let mut octets = Vec::new();
    // Grows with what is there, not with what is claimed.
    if input.take(size as u64).read_to_end(&mut octets)? != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(key.item(&octets)?)
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
    use crate::store::EdgeAddresses;
    use crate::store::apply::apply;
    use crate::store::change::Change;
    use crate::store::codec::tests::zone;
    use crate::store::snapshot::Snapshot;
    use proptest::prelude::*;

    fn actor() -> Actor {
        Actor::new("root", "socket")
    }

    fn written(state: &Snapshot, change: &Change) -> Vec<u8> {
        let mut octets = Vec::new();
        write(&mut octets, 1_700_000_000, &actor(), &apply(state, change).unwrap()).unwrap();
        octets
    }

    type Read = (Vec<(Name, Shape)>, Vec<SetChange>, Vec<ItemChange>);

    fn read_all(mut octets: &[u8]) -> io::Result<(Entry, Read)> {
        let mut entry = read(&mut octets)?;
        let (mut zones, mut sets, mut items) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(part) = entry.next_part(&mut octets)? {
            match part {
                Part::Item(item) => items.push(item),
                Part::Zone { apex, shape } => {
                    while let Some(set) = read_set_change(&mut octets, apex.borrow())? {
                        sets.push(set);
                    }
                    zones.push((apex, shape));
                }
            }
        }
        Ok((entry, (zones, sets, items)))
    }

    fn addresses(last: u8) -> Item {
        Item::Addresses(Arc::new(EdgeAddresses::new([[192, 0, 2, last].into()], [])))
    }

    #[test]
    fn every_shape_survives() {
        let old = Arc::new(zone("example.org", 1, &[("a", "one"), ("b", "two")]));
        let new = Arc::new(zone("example.org", 1, &[("b", "two"), ("c", "three")]));
        let mut state = Snapshot::default();
        let (entry, (zones, sets, _)) = read_all(&written(&state, &Change::PutZone { zone: old.clone() })).unwrap();
        assert_eq!((zones[0].1, entry.unix_seconds, entry.actor), (Shape::Create, 1_700_000_000, actor()));
        assert_eq!((sets.len(), sets.iter().all(|set| set.before.is_none())), (4, true));
        state.zones.insert(old.clone());
        let (_, (zones, sets, _)) = read_all(&written(&state, &Change::PutZone { zone: new })).unwrap();
        let said: Vec<_> =
            sets.iter().map(|s| (s.name.to_string(), s.kind, s.before.is_some(), s.after.is_some())).collect();
        let want = [
            ("example.org.", Kind::SOA, true, true),
            ("a.example.org.", Kind::TXT, true, false),
            ("c.example.org.", Kind::TXT, false, true),
        ];
        assert_eq!((zones[0].1, said), (Shape::Alter, want.map(|(n, k, b, a)| (n.to_owned(), k, b, a)).to_vec()));
        let gone = Change::DeleteZone { apex: old.apex().to_name() };
        let (_, (zones, sets, _)) = read_all(&written(&state, &gone)).unwrap();
        assert_eq!((zones[0].1, sets.len(), sets.iter().all(|set| set.after.is_none())), (Shape::Delete, 4, true));
    }

    #[test]
    fn several_parts_survive() {
        let zones = ["one.example", "two.example"].map(|apex| Arc::new(zone(apex, 1, &[("a", "x")])));
        let mut changes: Vec<_> = zones.map(|zone| Change::PutZone { zone }).into();
        changes.push(Change::PutItem(addresses(1)));
        let state = Snapshot::default();
        let (_, (zones, sets, items)) = read_all(&written(&state, &Change::Many(changes.clone()))).unwrap();
        let names: Vec<_> = zones.iter().map(|(apex, shape)| (apex.to_string(), *shape)).collect();
        let created = |name: &str| (name.to_owned(), Shape::Create);
        assert_eq!((names, sets.len()), (vec![created("one.example."), created("two.example.")], 6));
        let [ItemChange { key, before: None, after: Some(after) }] = &items[..] else { panic!("{items:?}") };
        assert_eq!(
            (key.to_string().as_str(), after.encode().unwrap()),
            ("addresses edge", addresses(1).encode().unwrap())
        );
        let state = apply(&state, &Change::Many(changes)).unwrap().state;
        let second = Change::Many(vec![Change::PutItem(addresses(2)), Change::DeleteItem(addresses(1).key())]);
        let (_, (_, _, items)) = read_all(&written(&state, &second)).unwrap();
        assert_eq!(items.iter().map(ItemChange::shape).collect::<Vec<_>>(), [Shape::Delete]);
    }

    /// What the first version wrote: one zone, no place.
    #[test]
    fn version_1_is_read() {
        let mut octets = vec![VERSION_ONE_ZONE, 7, 0, 0, 0, 0, 0, 0, 0];
        octets.extend(b"\x03\0ann\x05\x03org\0\x01\x02\x02\x01a\x10\0\x3c\0\0\0\x01\0\x02\0\x01x\0");
        let (entry, (zones, sets, items)) = read_all(&octets).unwrap();
        assert_eq!((entry.unix_seconds, entry.actor), (7, Actor::new("ann", "")));
        assert_eq!((zones.len(), zones[0].0.to_string(), zones[0].1), (1, "org.".to_owned(), Shape::Create));
        assert_eq!((sets.len(), sets[0].kind, items.len()), (1, Kind::TXT, 0));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_all(&octets);
            let head = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let _ = read_all(&[&[VERSION_ONE_ZONE], &head[..], &[4, 2, b'a', b'b', 0, 2], &octets].concat());
            let _ = read_all(&[&[VERSION], &head[..], &[0, 0, ITEM, 8, 4, 0], b"edge", &octets].concat());
        }

        #[test]
        fn a_changed_entry_is_read_or_refused(at in any::<prop::sample::Index>(), octet in any::<u8>()) {
            let zone = Arc::new(zone("example.org", 1, &[("a", "x")]));
            let both = Change::Many(vec![Change::PutZone { zone }, Change::PutItem(addresses(1))]);
            let mut octets = written(&Snapshot::default(), &both);
            let at = at.index(octets.len());
            octets[at] = octet;
            let _ = read_all(&octets);
        }
    }
}
