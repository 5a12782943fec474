//! How the requests of a route are treated, beyond where they go. Everything is off unless it is asked for, and what a route does
//! not ask for costs its requests nothing: [`Options::is_plain`] is known beforehand.
//!
//! Each kind of treatment has a file of its own, a value with defaults, and a `check` that names the field at fault. In JSON an
//! option that is as it would be anyway is left out.

mod balance;
mod health;
mod hold;
mod maintenance;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Fault;
pub use balance::{Balance, By};
pub use health::{Health, Look};
pub use hold::HoldSeconds;
pub use maintenance::Maintenance;

/// How the requests of a route are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RouteOptions)]
pub struct Options {
    /// Which of several apps gets a request.
    #[serde(skip_serializing_if = "is_default")]
    pub balance: Balance,
    /// How it is found out whether an app is well.
    #[serde(skip_serializing_if = "is_default")]
    pub health: Health,
    /// Seconds for which a request waits for an app that restarts. 0 to 60; 0: not at all.
    #[serde(skip_serializing_if = "is_default")]
    pub hold_seconds: HoldSeconds,
    /// Whether visitors are told that the site takes a break; a text is shown to them.
    #[serde(skip_serializing_if = "is_default")]
    pub maintenance: Maintenance,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A value that cannot be, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionFault {
    /// The field, as a JSON pointer from the options on: `/health/path`.
    pub field: String,
    /// What is wrong, and what to do.
    pub fault: Fault,
}

impl OptionFault {
    fn new(field: &str, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { field: field.to_owned(), fault: Fault::new(message, cure) }
    }
}

impl Options {
    /// Every value that cannot be.
    pub fn check(&self) -> Vec<OptionFault> {
        let Self { balance, health, hold_seconds, maintenance } = self;
        let mut faults = Vec::new();
        balance.check(&mut faults);
        health.check(&mut faults);
        hold_seconds.check(&mut faults);
        maintenance.check(&mut faults);
        faults
    }

    /// Whether a request may go straight to the app and its answer straight back.
    pub fn is_plain(&self) -> bool {
        let Self { balance, health: _, hold_seconds: _, maintenance } = self;
        !balance.sets_cookie() && !maintenance.is_on()
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
