//! Proving that a name is ours (RFC 8555, section 8).
//!
//! A name of a zone of ours is proven by a TXT record there, published by a normal change and taken away by another; so is a
//! name whose `_acme-challenge` is an alias into a zone of ours. Any other name is proven by the edge.

mod place;
mod publish;
mod spread;

pub(super) use place::{Place, place};
pub(super) use publish::{clear, publish};
pub(super) use spread::everywhere;
