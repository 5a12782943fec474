//! The shelves: which there are, what lies on them, and where a [`Snapshot`] has them.
//!
//! A new one is a line in the table below, an `impl Stored` for its value, and where the collection is the value's own, an
//! `impl Collection`. Codes stand on disk: none is ever used for something else.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;

use super::shelf::{Collection, ItemKey, Stored, decode, encode};
use super::zones::Zones;
use crate::access::{Scope, Token, Tokens};
use crate::cert::{self, Account, Authority, ById, Certificate, Certificates, Story};
use crate::route::{Route, Routes};
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
            pub fn name(&self) -> Cow<'_, str> {
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

            /// Everything on the shelves, shelf by shelf.
            pub fn items(&self) -> impl Iterator<Item = Item> {
                std::iter::empty()$( .chain(Collection::each(&self.$field).cloned().map(Item::$shelf)) )*
            }

            /// How many lie on a shelf.
            pub fn item_count(&self, shelf: Shelf) -> usize {
                match shelf { $( Shelf::$shelf => Collection::<$value>::each(&self.$field).count(), )* }
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
    /// Tokens of the admin API.
    1 Token(Token) as tokens: Tokens,
    /// The built-in certificate authority.
    2 Authority(Authority) as authority: Option<Arc<Authority>>,
    /// Certificates, with their keys.
    3 Certificate(Certificate) as certificates: Certificates,
    /// Which host and path lead to which app.
    4 Route(Route) as routes: Routes,
    /// Accounts with CAs.
    5 Account(Account) as accounts: ById<Account>,
    /// What was tried to get certificates.
    6 Story(Story) as stories: ById<Story>,
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

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (zones, items) = (self.zones.len(), self.items().count());
        write!(f, "Snapshot(revision {}, {zones} zones, {items} items)", self.revision)
    }
}

// ----- What lies on them ------------------------------------------------------------------------------------

impl Stored for Token {
    const WORD: &'static str = "token";
    const INSTEAD_OF_UNDO: Option<&'static str> = Some("create a token or revoke it");

    fn key(&self) -> Cow<'_, str> {
        (&self.id).into()
    }

    fn name(&self) -> Cow<'_, str> {
        (&self.name).into()
    }

    fn line(&self) -> String {
        let Scope { rights, zones, names, types, networks } = &self.scope;
        let mut line = rights.name().to_owned();
        limit(&mut line, "in", zones.as_deref());
        limit(&mut line, "at", names.as_deref());
        limit(&mut line, "type", types.as_deref());
        limit(&mut line, "from", networks.as_deref());
        if let Some(end) = self.expires {
            line += &format!(", until {}", cert::date(end));
        }
        line
    }
}

/// A limit of a scope, if there is one.
fn limit<T: fmt::Display>(line: &mut String, word: &str, entries: Option<&[T]>) {
    if let Some(entries) = entries {
        let entries: Vec<_> = entries.iter().map(|entry| entry.to_string().trim_end_matches('.').to_owned()).collect();
        *line += &format!(" {word} {}", entries.join(" "));
    }
}

impl Collection<Token> for Tokens {
    fn find(&self, key: &str) -> Option<&Arc<Token>> {
        self.get(key)
    }

    fn put(&mut self, value: Arc<Token>) {
        self.insert(value);
    }

    fn take(&mut self, key: &str) {
        self.remove(key);
    }

    fn each<'a>(&'a self) -> impl Iterator<Item = &'a Arc<Token>>
    where
        Token: 'a,
    {
        self.iter()
    }
}

impl Stored for Authority {
    const WORD: &'static str = "authority";
    const INSTEAD_OF_UNDO: Option<&'static str> = Some("what trusts it would trust it again");

    fn key(&self) -> Cow<'_, str> {
        "local".into()
    }

    fn line(&self) -> String {
        format!("until {}", cert::date(self.not_after()))
    }
}

impl Stored for Certificate {
    const WORD: &'static str = "certificate";
    const INSTEAD_OF_UNDO: Option<&'static str> = Some("get a new one with `freehold cert renew`");

    fn key(&self) -> Cow<'_, str> {
        self.id().into()
    }

    fn line(&self) -> String {
        format!("{}, until {}", self.issuer(), cert::date(self.not_after()))
    }
}

impl Collection<Certificate> for Certificates {
    fn find(&self, key: &str) -> Option<&Arc<Certificate>> {
        self.get(key)
    }

    fn put(&mut self, value: Arc<Certificate>) {
        self.insert(value);
    }

    fn take(&mut self, key: &str) {
        self.remove(key);
    }

    fn each<'a>(&'a self) -> impl Iterator<Item = &'a Arc<Certificate>>
    where
        Certificate: 'a,
    {
        self.iter()
    }
}

impl Stored for Route {
    const WORD: &'static str = "route";

    fn key(&self) -> Cow<'_, str> {
        self.id().into()
    }

    fn line(&self) -> String {
        self.target().to_string()
    }
}

impl Collection<Route> for Routes {
    fn find(&self, key: &str) -> Option<&Arc<Route>> {
        self.get(key)
    }

    fn put(&mut self, value: Arc<Route>) {
        self.insert(value);
    }

    fn take(&mut self, key: &str) {
        self.remove(key);
    }

    fn each<'a>(&'a self) -> impl Iterator<Item = &'a Arc<Route>>
    where
        Route: 'a,
    {
        self.iter()
    }
}

impl Stored for EdgeAddresses {
    const WORD: &'static str = "addresses";
    const INSTEAD_OF_UNDO: Option<&'static str> = Some("change the addresses in the settings file");

    fn key(&self) -> Cow<'_, str> {
        Self::KEY.into()
    }

    fn line(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Rights, Secret};
    use crate::limits::ITEM_SIZE_MAX;

    fn token(name: &str, zones: usize) -> Item {
        let zones = (0..zones).map(|number| format!("zone{number}.example.").parse().unwrap()).collect();
        let scope = Scope { rights: Rights::Write, zones: Some(zones), ..Scope::everything() };
        Item::Token(Arc::new(Token::new(&Secret::new(&[7; Secret::RANDOM_SIZE]), name.into(), scope, 1, Some(86_400))))
    }

    #[test]
    fn an_item_survives_and_its_secret_is_not_told() {
        let item = token("ci", 2);
        let kept = item.encode().unwrap();
        let back = item.key().item(&kept).unwrap();
        assert_eq!(back.encode().unwrap(), kept);
        assert_eq!(back.line(), "write in zone0.example zone1.example, until 1970-01-02 00:00:00 UTC");
        let hash = String::from_utf8(kept).unwrap().split("hash\":\"").nth(1).unwrap()[..43].to_owned();
        assert!(![back.line(), back.name().into(), format!("{back:?}")].iter().any(|text| text.contains(&hash)));
    }

    #[test]
    fn an_item_lies_under_its_own_key_only() {
        let item = token("ci", 0);
        let kept = item.encode().unwrap();
        let elsewhere = ItemKey::new(Shelf::Token, "other");
        assert_eq!(elsewhere.item(&kept).err(), Some(Undecodable::Malformed));
        let newer = [&[2], &kept[1..]].concat();
        assert_eq!(item.key().item(&newer).err(), Some(Undecodable::Newer(2)));
        for wrong in [&kept[..0], &kept[..kept.len() - 1], &[&[0], &kept[1..]].concat()] {
            assert_eq!(item.key().item(wrong).err(), Some(Undecodable::Malformed));
        }
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let fits = (0..20_000).rev().step_by(100).find(|zones| token("ci", *zones).encode().is_ok()).unwrap();
        let size = token("ci", fits).encode().unwrap().len();
        assert!(size <= ITEM_SIZE_MAX && size > ITEM_SIZE_MAX - 4_000, "{size}");
        let fault = token("ci", fits + 200).encode().unwrap_err().to_string();
        assert!(fault.contains("262144"), "{fault}");
    }

    #[test]
    fn codes_are_never_used_again() {
        let known = [
            (1, Shelf::Token),
            (2, Shelf::Authority),
            (3, Shelf::Certificate),
            (4, Shelf::Route),
            (5, Shelf::Account),
            (6, Shelf::Story),
            (8, Shelf::Addresses),
        ];
        assert_eq!(Shelf::ALL.iter().map(|shelf| (shelf.code(), *shelf)).collect::<Vec<_>>(), known);
    }
}
