//! How the requests of a route are treated, beyond where they go. Everything is off unless it is asked for, and what a route does
//! not ask for costs its requests nothing: [`Options::is_plain`] is known beforehand.
//!
//! Each kind of treatment has a file of its own, a value with defaults, and a `check` that names the field at fault. In JSON an
//! option that is as it would be anyway is left out.

mod cache;
mod compress;
mod switch;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Fault;
pub use cache::Cache;
pub use compress::Compress;

/// How the requests of a route are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RouteOptions)]
pub struct Options {
    /// Whether answers are compressed for browsers that take it, and which. Default: off.
    #[serde(with = "switch", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<compress::Given>, required = false)]
    pub compress: Option<Compress>,
    /// Whether answers of the apps are kept and given again, and which. Default: off.
    #[serde(with = "switch", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<cache::Given>, required = false)]
    pub cache: Option<Cache>,
}

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
        let Self { compress, cache } = self;
        let mut faults = Vec::new();
        compress.iter().for_each(|compress| compress.check(&mut faults));
        cache.iter().for_each(|cache| cache.check(&mut faults));
        faults
    }

    /// Whether a request may go straight to the app and its answer straight back.
    pub fn is_plain(&self) -> bool {
        let Self { compress, cache } = self;
        compress.is_none() && cache.is_none()
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
