//! Who may do what: tokens, what each may reach, and the decision to allow or deny, as plain values and pure functions.
//!
//! A [`Token`] is known by its identity; what proves that somebody holds it is a [`Secret`] of 256 random bits, of which
//! only a hash is kept. Its [`Scope`] says how much it may do (read, write, administer) and draws limits around where: zones,
//! names, record types, networks. Whatever an endpoint does is said as an [`Object`], and [`Scope::allows`] answers with the
//! very limit that stands in the way, so that a refusal can name it.
//!
//! Limits only ever take away. A token that is limited to names or types has no right to anything that is about a zone as a
//! whole, because a whole shows, or changes, what lies outside.
//!
//! Rejected: rights as a list of verbs and paths (nobody can see at a glance what such a token can do to a zone), limits
//! that exclude (`all but`: a new zone would fall to every such token), and passwords hashed slowly (a secret of 256
//! random bits is not guessed, so slowness would only serve those who want the server busy).

mod decide;
mod pattern;
mod scope;
mod token;
mod words;

pub use decide::{Denied, Limit, Object};
pub use pattern::{BadPattern, Pattern};
pub use scope::{Rights, Scope, ScopeFault};
pub use token::{MalformedSecret, NAME_SIZE_MAX, Secret, Token, Tokens, is_name};
