//! Certificates kept fresh.
//!
//! [`plan()`] compares wanted names with what is held.

pub mod plan;
mod settings;

pub use plan::{Job, Order, Outlook, Plan, Situation, plan};
pub use settings::{Ca, LETS_ENCRYPT, Limits, Settings};
