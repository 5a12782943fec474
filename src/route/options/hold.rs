//! For how long a request waits for an app that restarts.
//!
//! Five seconds by itself: most apps are back within two or three, and a visitor who waits longer than that has begun to doubt
//! the page. Only an app that took a connection before is waited for, and the seconds are counted from the first request
//! that did not reach it, not anew for each; so an app that stays away costs each visitor at most that once.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OptionFault;

/// Seconds, at most.
const SECONDS_MAX: u16 = 60;

/// Seconds for which a request waits for an app that restarts. 0 to 60; 0: not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(as = RouteHoldSeconds, default = 5, maximum = 60, examples(5))]
pub struct HoldSeconds(pub u16);

impl Default for HoldSeconds {
    fn default() -> Self {
        Self(5)
    }
}

impl HoldSeconds {
    /// The same as a time.
    pub fn time(self) -> Duration {
        Duration::from_secs(self.0.into())
    }

    pub(super) fn check(self, faults: &mut Vec<OptionFault>) {
        if self.0 > SECONDS_MAX {
            let message = format!("a request cannot wait for {} s", self.0);
            faults.push(OptionFault::new("/hold_seconds", message, "write 0 to 60"));
        }
    }
}
