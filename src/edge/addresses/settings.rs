//! The settings of the looks at the edge's addresses: the `[edge.address_health]` table.

use serde::Deserialize;

/// Whether it is looked at which of several addresses are well, so that DNS tells clients of those only.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AddressHealth {
    /// Whether they are looked at, from this machine: it has to reach each of them as the world does. Default: false.
    pub check: bool,
    /// Seconds between two looks. 1 to 3600. Default: 10.
    pub interval_seconds: u16,
    /// Seconds in which an address has to take a connection and shake hands. 1 to 60. Default: 3.
    pub timeout_seconds: u16,
    /// Good looks in a row until an address that was down is up. 1 to 100. Default: 2.
    pub rise: u16,
    /// Bad looks in a row until an address is down. 1 to 100. Default: 3.
    pub fall: u16,
}

impl Default for AddressHealth {
    fn default() -> Self {
        Self { check: false, interval_seconds: 10, timeout_seconds: 3, rise: 2, fall: 3 }
    }
}
