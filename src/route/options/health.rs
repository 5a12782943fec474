//! How it is found out whether an app is well: by asking it from time to time, and by what comes of requests.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OptionFault;

/// Octets of the path that is asked for.
const PATH_SIZE_MAX: usize = 1_024;

/// How it is found out whether an app is well. Apps are asked once a path is named, or `tcp` is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RouteHealth)]
pub struct Health {
    /// The path that each app is asked for from time to time; empty: none.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false, max_length = 1024, examples("/health"))]
    pub path: String,
    /// The statuses of an app that is well: `200`, or a range such as `200-399`.
    #[serde(skip_serializing_if = "is_usual_status")]
    #[schema(required = false, default = "200-399", examples("200-299"))]
    pub status: String,
    /// Whether it is enough that the app takes a connection. Not together with a path.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, default = false, examples(false))]
    pub tcp: bool,
    /// Seconds between two looks, give or take a tenth. 1 to 3600.
    #[serde(skip_serializing_if = "is_five")]
    #[schema(required = false, default = 5, minimum = 1, maximum = 3600, examples(5))]
    pub interval_seconds: u16,
    /// Seconds in which the app has to answer. 1 to 60.
    #[serde(skip_serializing_if = "is_two")]
    #[schema(required = false, default = 2, minimum = 1, maximum = 60, examples(2))]
    pub timeout_seconds: u16,
    /// Good looks in a row until an app that was down is up. 1 to 100.
    #[serde(skip_serializing_if = "is_two")]
    #[schema(required = false, default = 2, minimum = 1, maximum = 100, examples(2))]
    pub rise: u16,
    /// Bad looks in a row until an app is down. 1 to 100.
    #[serde(skip_serializing_if = "is_three")]
    #[schema(required = false, default = 3, minimum = 1, maximum = 100, examples(3))]
    pub fall: u16,
    /// Requests in a row that an app has to fail until it is left out for a while, where the route has others. 0 to 1000; 0: it
    /// never is.
    #[serde(skip_serializing_if = "is_five")]
    #[schema(required = false, default = 5, maximum = 1000, examples(5))]
    pub eject_after: u16,
}

/// How an app is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look<'h> {
    /// It is asked for a path, and the status has to be in a range, both ends included.
    Page {
        /// The path, with its query.
        path: &'h str,
        /// The least status.
        from: u16,
        /// The greatest status.
        to: u16,
    },
    /// It has to take a connection.
    Connection,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            path: String::new(),
            status: USUAL_STATUS.to_owned(),
            tcp: false,
            interval_seconds: 5,
            timeout_seconds: 2,
            rise: 2,
            fall: 3,
            eject_after: 5,
        }
    }
}

/// What an app answers that has nothing to complain about: also a redirect to where one signs in.
const USUAL_STATUS: &str = "200-399";

fn is_usual_status(status: &str) -> bool {
    status == USUAL_STATUS
}

fn is_two(number: &u16) -> bool {
    *number == 2
}

fn is_three(number: &u16) -> bool {
    *number == 3
}

fn is_five(number: &u16) -> bool {
    *number == 5
}

impl Health {
    /// How apps are looked at, if they are.
    pub fn look(&self) -> Option<Look<'_>> {
        if self.path.is_empty() {
            return self.tcp.then_some(Look::Connection);
        }
        let (from, to) = range(&self.status)?;
        Some(Look::Page { path: &self.path, from, to })
    }

    /// The time between two looks.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_seconds.into())
    }

    /// The time for one look.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }

    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        let Self { path, status, tcp, interval_seconds, timeout_seconds, rise, fall, eject_after } = self;
        let mut say = |field: &str, message: String, cure: &str| {
            faults.push(OptionFault::new(&format!("/health/{field}"), message, cure));
        };
        let sound = path.starts_with('/') && path.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#');
        if !path.is_empty() && (!sound || path.len() > PATH_SIZE_MAX) {
            say("path", format!("{path:?} is no path to ask for"), "write it as in \"/health\"");
        }
        if *tcp && !path.is_empty() {
            say("tcp", "an app is asked for a path or for a connection, not both".into(), "leave one of them out");
        }
        if range(status).is_none() {
            let message = format!("{status:?} is no status and no range of them");
            say("status", message, "write \"200\" or \"200-299\"; a status has three digits");
        }
        let numbers = [
            ("interval_seconds", *interval_seconds, 1, 3_600),
            ("timeout_seconds", *timeout_seconds, 1, 60),
            ("rise", *rise, 1, 100),
            ("fall", *fall, 1, 100),
            ("eject_after", *eject_after, 0, 1_000),
        ];
        for (field, number, least, most) in numbers {
            if !(least..=most).contains(&number) {
                say(field, format!("{number} is out of range"), &format!("write {least} to {most}"));
            }
        }
    }
}

/// The first and the last status of a range.
fn range(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let status = |text: &str| text.parse().ok().filter(|status| (100..=599).contains(status) && text.len() == 3);
    let (from, to) = (status(from)?, status(to)?);
    (from <= to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: impl FnOnce(&mut Health)) -> Vec<String> {
        let mut health = Health::default();
        change(&mut health);
        let mut faults = Vec::new();
        health.check(&mut faults);
        faults.into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn what_cannot_be_is_told_with_its_field() {
        for wrong in ["health", "/a b", "/#x"] {
            assert_eq!(told(|health| health.path = wrong.into()), ["/health/path"]);
        }
        for wrong in ["", "20", "299-200", "200-", "2xx", "+20", "600"] {
            assert_eq!(told(|health| health.status = wrong.into()), ["/health/status"], "{wrong}");
        }
        assert_eq!(told(|health| (health.path, health.tcp) = ("/up".into(), true)), ["/health/tcp"]);
        assert_eq!(told(|health| health.interval_seconds = 0), ["/health/interval_seconds"]);
        assert_eq!(told(|health| health.timeout_seconds = 61), ["/health/timeout_seconds"]);
        assert_eq!(told(|health| (health.rise, health.fall) = (0, 101)), ["/health/rise", "/health/fall"]);
        assert!(told(|health| health.eject_after = 0).is_empty());
    }

    #[test]
    fn apps_are_looked_at_once_it_is_said_how() {
        assert_eq!(Health::default().look(), None);
        assert_eq!(Health { tcp: true, ..Health::default() }.look(), Some(Look::Connection));
        let page = Health { path: "/up?x".into(), status: "204".into(), ..Health::default() };
        assert_eq!(page.look(), Some(Look::Page { path: "/up?x", from: 204, to: 204 }));
    }
}
