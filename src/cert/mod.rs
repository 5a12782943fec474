//! Certificates as plain values: no I/O, no clock, no tasks; the moment is an argument, in seconds since 1970.
//!
//! A [`Certificate`] is a chain and the [`Key`] that belongs to it, known to fit each other. [`Certificates`] finds the
//! one to show for a server name. The [`Authority`] is the built-in CA: it vouches for names until a public CA does, and
//! for those no public CA ever will. [`request`] asks another CA for a certificate.
//!
//! A private key cannot be printed, is wiped from memory when it goes, and leaves by three ways only: to rustls
//! ([`Certificate::certified`]), to the store (serde), and where somebody asks for it by name
//! ([`Certificate::key_pem`]).

mod account;
mod authority;
mod by_id;
mod certificate;
mod check;
mod date;
mod fault;
mod key;
mod pem;
mod source;
mod story;
mod subject;
mod table;

pub use account::Account;
pub use authority::{Authority, challenge_certificate, request};
pub use by_id::{ById, Identified};
pub use certificate::{Certificate, Origin};
pub use check::{Facts, facts};
pub use date::date;
pub use fault::Fault;
pub use key::{Key, KeyKind};
pub use pem::certificates as read_certificates;
/// A chain and its key as rustls shows them.
pub use rustls::sign::CertifiedKey as Certified;
pub use story::{ATTEMPTS_MAX, Attempt, Outcome, Proof, Step, Story, Wait, Window};
pub use subject::{Subject, SubjectFault};
pub use table::Certificates;

#[cfg(test)]
mod tests;
