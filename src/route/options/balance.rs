//! Which of several apps gets a request.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OptionFault;

/// Octets of the name of a header or a cookie.
const NAME_SIZE_MAX: usize = 64;
/// Seconds of a slow start.
const SLOW_START_MAX: u16 = 3_600;

/// Which of several apps gets a request. Apps weigh 1 unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RouteBalance)]
pub struct Balance {
    /// By what it is chosen.
    #[schema(required = false)]
    pub by: By,
    /// The name of the header or the cookie. Of a cookie it may be left out: then the edge sets one of its own.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false, max_length = 64, examples("sessionid"))]
    pub name: String,
    /// Seconds in which the share of an app that has come back grows to the whole of it. 0 to 3600; 0: it has it at once.
    #[serde(skip_serializing_if = "super::is_default")]
    #[schema(required = false, maximum = 3600, examples(30))]
    pub slow_start_seconds: u16,
}

/// By what an app is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RouteBalanceBy)]
pub enum By {
    /// Each in turn, as often as it weighs.
    #[default]
    RoundRobin,
    /// The one with the fewest requests under way.
    LeastConnections,
    /// Of two drawn by lot the one with fewer requests under way.
    TwoChoices,
    /// The same for the same address of a client.
    Client,
    /// The same for the same value of a header.
    Header,
    /// The same for the same value of a cookie.
    Cookie,
}

impl Balance {
    /// Whether answers carry a cookie of the edge.
    pub fn sets_cookie(&self) -> bool {
        self.by == By::Cookie && self.name.is_empty()
    }

    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        let Self { by, name, slow_start_seconds } = self;
        let mut say = |field: &str, message: String, cure: &str| faults.push(OptionFault::new(field, message, cure));
        match by {
            By::Header if name.is_empty() => {
                let cure = "name it, as in balance.name=X-User, or choose another balance.by";
                say("/balance/name", "the header to choose by has no name".into(), cure);
            }
            By::Header | By::Cookie if name.len() > NAME_SIZE_MAX || !name.bytes().all(is_of_token) => {
                let message = format!("{name:?} is no name of a header or a cookie");
                say("/balance/name", message, "write at most 64 letters, digits and hyphens, as in \"sessionid\"");
            }
            By::Header | By::Cookie => (),
            By::RoundRobin | By::LeastConnections | By::TwoChoices | By::Client if name.is_empty() => (),
            By::RoundRobin | By::LeastConnections | By::TwoChoices | By::Client => {
                let cure = "leave it out, or choose balance.by=header or balance.by=cookie";
                say("/balance/name", format!("{name:?} names nothing that is looked at"), cure);
            }
        }
        if *slow_start_seconds > SLOW_START_MAX {
            let message = format!("a slow start of {slow_start_seconds} s is too long");
            say("/balance/slow_start_seconds", message, "write 0 to 3600");
        }
    }
}

/// RFC 9110, section 5.6.2.
fn is_of_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_told_with_its_field() {
        let told = |by, name: &str, slow_start_seconds| {
            let mut faults = Vec::new();
            Balance { by, name: name.into(), slow_start_seconds }.check(&mut faults);
            faults.into_iter().map(|fault| fault.field).collect::<Vec<_>>()
        };
        assert_eq!(told(By::Header, "", 0), ["/balance/name"]);
        assert_eq!(told(By::Cookie, "a b", 3_601), ["/balance/name", "/balance/slow_start_seconds"]);
        assert_eq!(told(By::RoundRobin, "x", 0), ["/balance/name"]);
        assert_eq!(told(By::Header, &"x".repeat(65), 0), ["/balance/name"]);
        for (by, name) in [(By::Cookie, ""), (By::Cookie, "sid"), (By::Header, "X-User"), (By::TwoChoices, "")] {
            assert!(told(by, name, 3_600).is_empty(), "{by:?} {name}");
        }
    }
}
