//! What answers: everything Freehold knows at one revision, immutable, shared, swapped whole.
//!
//! It consists of the [`Zones`] and, beside them, of shelves with small things ([`shelf`]); [`table`] says which there are.

mod shelf;
mod stories;
mod table;
mod zones;

pub use shelf::ItemKey;
pub use table::{Item, Shelf, Snapshot};
pub use zones::Zones;
