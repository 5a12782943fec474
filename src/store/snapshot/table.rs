//! The shelves: which there are, what lies on them, and where a [`Snapshot`] has them.
//!
//! A new one is a line in the table below, an `impl Stored` for its value, and where the collection is the value's own, an
//! `impl Collection`. Codes stand on disk: none is ever used for something else.

use std::io;
use std::sync::Arc;

use super::shelf::{Collection, ItemKey, Stored, decode, encode};
use super::zones::Zones;
use crate::store::addresses::EdgeAddresses;
use crate::store::codec::Undecodable;

macro_rules! shelves {
    ($( $(#[$doc:meta])* $code:literal $shelf:ident($value:ty) as $field:ident: $collection:ty, )*) => {
        /// Everything at one revision: immutable, shared, swapped whole.
        #[derive(Clone, Default)]
        pub struct Snapshot {
            /// How many changes have been made since the store was new.
            pub revision: u64,
            /// The zones.
            pub zones: Zones,
            $( $(#[$doc])* pub $field: $collection, )*
        }

        /// Something that lies on a shelf.
        #[derive(Clone)]
        pub enum Item {
            $( $(#[$doc])* $shelf(Arc<$value>), )*
        }

        /// A kind of item.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Shelf {
            $( $(#[$doc])* $shelf = $code, )*
        }

        impl Shelf {
            /// All of them.
            pub const ALL: &[Self] = &[$( Self::$shelf, )*];

            /// What people call an item of it.
            pub fn word(self) -> &'static str {
                match self { $( Self::$shelf => <$value as Stored>::WORD, )* }
            }

            /// What to do instead where a change cannot be undone.
            pub(in crate::store) fn instead_of_undo(self) -> Option<&'static str> {
                match self { $( Self::$shelf => <$value as Stored>::INSTEAD_OF_UNDO, )* }
            }

            /// Whether the history leaves it out.
            pub(in crate::store) fn is_silent(self) -> bool {
                match self { $( Self::$shelf => <$value as Stored>::SILENT, )* }
            }

            /// An item of it out of what [`Item::encode`] made.
            pub(in crate::store) fn decode(self, octets: &[u8]) -> Result<Item, Undecodable> {
                match self { $( Self::$shelf => decode::<$value>(octets).map(Item::$shelf), )* }
            }
        }

        impl Item {
            /// Its shelf.
            pub fn shelf(&self) -> Shelf {
                match self { $( Self::$shelf(_) => Shelf::$shelf, )* }
            }

            /// Where it lies.
            pub fn key(&self) -> ItemKey {
                match self { $( Self::$shelf(value) => ItemKey::new(Shelf::$shelf, Stored::key(&**value)), )* }
            }

            /// What people call it.
            pub fn name(&self) -> &str {
                match self { $( Self::$shelf(value) => Stored::name(&**value), )* }
            }

            /// The rest of it in a line, without its secrets.
            pub fn line(&self) -> String {
                match self { $( Self::$shelf(value) => Stored::line(&**value), )* }
            }

            /// As it is kept on disk; an error if it is too large for that.
            pub(in crate::store) fn encode(&self) -> io::Result<Vec<u8>> {
                match self { $( Self::$shelf(value) => encode(&**value), )* }
            }
        }

        impl Snapshot {
            /// What lies there.
            pub fn item(&self, at: &ItemKey) -> Option<Item> {
                match at.shelf {
                    $( Shelf::$shelf => Collection::find(&self.$field, &at.key).cloned().map(Item::$shelf), )*
                }
            }

            /// Everything on the shelves, shelf by shelf, in the order of the keys.
            pub fn items(&self) -> impl Iterator<Item = Item> {
                std::iter::empty()$( .chain(Collection::each(&self.$field).cloned().map(Item::$shelf)) )*
            }

            /// Puts an item in its place.
            pub(in crate::store) fn put_item(&mut self, item: Item) {
                match item { $( Item::$shelf(value) => Collection::put(&mut self.$field, value), )* }
            }

            /// Takes away what lies there, if anything does.
            pub(in crate::store) fn take_item(&mut self, at: &ItemKey) {
                match at.shelf { $( Shelf::$shelf => Collection::<$value>::take(&mut self.$field, &at.key), )* }
            }
        }
    };
}

shelves! {
    /// The public addresses of this edge.
    8 Addresses(EdgeAddresses) as addresses: Option<Arc<EdgeAddresses>>,
}

impl Shelf {
    /// What stands for it on disk.
    pub(in crate::store) fn code(self) -> u8 {
        self as u8
    }

    /// The shelf that this stands for.
    pub(in crate::store) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|shelf| shelf.code() == code)
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (zones, items) = (self.zones.len(), self.items().count());
        write!(f, "Snapshot(revision {}, {zones} zones, {items} items)", self.revision)
    }
}

impl Stored for EdgeAddresses {
    const WORD: &'static str = "addresses";
    const INSTEAD_OF_UNDO: Option<&'static str> = Some("change the addresses in the settings file");

    fn key(&self) -> &str {
        Self::KEY
    }

    fn line(&self) -> String {
        self.to_string()
    }
}
