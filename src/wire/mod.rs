//! DNS messages as bytes. This floor knows no zone and no socket.

pub mod key;
pub mod kind;
pub mod name;
pub mod rdata;

pub use key::{Hash, Key};
pub use kind::Kind;
pub use name::{Name, NameFault, NameRef};
