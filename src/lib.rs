//! Freehold: the authoritative DNS server for a person's domains and the HTTPS edge in front of their apps.

pub mod limits;
pub mod store;
pub mod wire;
pub mod zone;
