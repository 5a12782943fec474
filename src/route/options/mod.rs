//! How the requests of a route are treated, beyond where they go. Everything is off unless it is asked for, and what a route does
//! not ask for costs its requests nothing: [`Options::is_plain`] is known beforehand.
//!
//! Each kind of treatment has a file of its own, a value with defaults, and a `check` that names the field at fault. In JSON an
//! option that is as it would be anyway is left out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Fault;

/// How the requests of a route are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RouteOptions)]
pub struct Options {}

/// A value that cannot be, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionFault {
    /// The field, as a JSON pointer from the options on: `/health/path`.
    pub field: String,
    /// What is wrong, and what to do.
    pub fault: Fault,
}

impl Options {
    /// Every value that cannot be.
    pub fn check(&self) -> Vec<OptionFault> {
        let Self {} = self;
        Vec::new()
    }

    /// Whether a request may go straight to the app and its answer straight back.
    pub fn is_plain(&self) -> bool {
        let Self {} = self;
        true
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
