//! Zones as plain values: no I/O, no clock, no tasks.

mod draft;
mod fault;
pub mod text;

pub use draft::{Draft, DraftFull};
pub use fault::{Fault, Place, Severity};
