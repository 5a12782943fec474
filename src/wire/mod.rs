//! DNS messages as bytes. This floor knows no zone and no socket.

pub mod edns;
pub mod key;
pub mod kind;
pub mod lifetime;
pub mod name;
pub mod query;
pub mod rcode;
pub mod rdata;
pub mod reply;
pub mod tsig;

pub use key::{Hash, Key};
pub use kind::Kind;
pub use name::{Name, NameFault, NameRef};
pub use query::Query;
pub use rcode::Rcode;
pub use reply::Reply;
