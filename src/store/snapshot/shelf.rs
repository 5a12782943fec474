//! Small things beside zones: tokens, certificates, routes and their like, each kind on a shelf of its own.
//!
//! An item takes the same way as a zone: journal, snapshot, sled, checkpoint, backup, history. All of that knows only
//! shelf, key and octets; what lies on a shelf is said once, in [`super::table`]. In memory each shelf is a typed persistent map, most
//! often the collection that the value's own folder defines, so that readers find `snapshot.tokens` and not octets.
//!
//! On disk a value is a version octet and JSON: small, seldom written, and readable with nothing but a pager when that
//! matters. Rejected: a hand-made layout for each kind (a new field would be a new format), and one map of octets that every
//! reader decodes (a look-up by host name or in a handshake wants the value ready).

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::table::{Item, Shelf};
use crate::limits::{ITEM_KEY_SIZE_MAX, ITEM_SIZE_MAX};
use crate::store::codec::{Undecodable, read_array, read_octets};

/// What a kind of item has to say of itself.
pub(super) trait Stored: Serialize + DeserializeOwned {
    /// What people call it, as in `no such token`.
    const WORD: &'static str;
    /// The version of its JSON. A field that may be missing needs no new one.
    const VERSION: u8 = 1;
    /// What to do instead where an undo would be wrong: a token that comes back, a key that was replaced for a reason.
    const INSTEAD_OF_UNDO: Option<&'static str> = None;
    /// Whether its changes are nobody's news, so that the history leaves them out.
    const SILENT: bool = false;

    /// Its key, the only one of that name on its shelf: not empty, at most [`ITEM_KEY_SIZE_MAX`] octets.
    fn key(&self) -> Cow<'_, str>;

    /// What people call this one. It stands in the history, so it is no secret.
    fn name(&self) -> Cow<'_, str> {
        self.key()
    }

    /// The rest of it in a line for the history, without a secret: no key, no hash.
    fn line(&self) -> String {
        String::new()
    }
}

/// The values of a shelf; versions share what did not change.
pub(super) trait Collection<V> {
    fn find(&self, key: &str) -> Option<&Arc<V>>;
    fn put(&mut self, value: Arc<V>);
    fn take(&mut self, key: &str);
    /// Always in the same order.
    fn each<'a>(&'a self) -> impl Iterator<Item = &'a Arc<V>>
    where
        V: 'a;
}

/// A shelf that holds one thing at most.
impl<V> Collection<V> for Option<Arc<V>>
where
    V: Stored,
{
    fn find(&self, key: &str) -> Option<&Arc<V>> {
        self.as_ref().filter(|value| value.key() == key)
    }

    fn put(&mut self, value: Arc<V>) {
        *self = Some(value);
    }

    fn take(&mut self, _: &str) {
        *self = None;
    }

    fn each<'a>(&'a self) -> impl Iterator<Item = &'a Arc<V>>
    where
        V: 'a,
    {
        self.iter()
    }
}

/// Where an item lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemKey {
    /// The shelf.
    pub shelf: Shelf,
    /// The key there.
    pub key: String,
}

impl ItemKey {
    /// This key on this shelf.
    pub fn new(shelf: Shelf, key: impl Into<String>) -> Self {
        Self { shelf, key: key.into() }
    }

    /// Writes it: shelf u8, key u16 and octets.
    pub(in crate::store) fn write(&self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        out.write_all(&[self.shelf.code()])?;
        out.write_all(&(self.key.len() as u16).to_le_bytes())?;
        out.write_all(self.key.as_bytes())
    }

    /// Reads it. A shelf that is not known was put up by a newer Freehold.
    pub(in crate::store) fn read(input: &mut impl Read) -> io::Result<Self> {
        let [code] = read_array(input)?;
        let shelf = Shelf::from_code(code).ok_or(Undecodable::Newer(code))?;
        let key = String::from_utf8(read_octets(input)?.into_vec()).map_err(|_| Undecodable::Malformed)?;
        match key.len() {
            1..=ITEM_KEY_SIZE_MAX => Ok(Self { shelf, key }),
            _ => Err(Undecodable::Malformed.into()),
        }
    }

    /// What these octets say lies there.
    pub(in crate::store) fn item(&self, octets: &[u8]) -> Result<Item, Undecodable> {
        let item = self.shelf.decode(octets)?;
        if item.key() == *self { Ok(item) } else { Err(Undecodable::Malformed) }
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.shelf.word(), self.key)
    }
}

/// Kind and name, never the content.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.shelf().word(), self.name())
    }
}

pub(super) fn encode<V: Stored>(value: &V) -> io::Result<Vec<u8>> {
    let mut octets = vec![V::VERSION];
    serde_json::to_writer(&mut octets, value)?;
    let (size, key_size) = (octets.len(), value.key().len());
    if size <= ITEM_SIZE_MAX && (1..=ITEM_KEY_SIZE_MAX).contains(&key_size) {
        return Ok(octets);
    }
    let reason = format!("it has {size} octets and a key of {key_size}; {ITEM_SIZE_MAX} and {ITEM_KEY_SIZE_MAX} fit");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, reason))
}

pub(super) fn decode<V: Stored>(octets: &[u8]) -> Result<Arc<V>, Undecodable> {
    let (version, json) = octets.split_first().ok_or(Undecodable::Malformed)?;
    match *version {
        0 => return Err(Undecodable::Malformed),
        newer if newer > V::VERSION => return Err(Undecodable::Newer(newer)),
        _ => (),
    }
    let value: V = serde_json::from_slice(json).map_err(|_| Undecodable::Malformed)?;
    Ok(Arc::new(value))
}
