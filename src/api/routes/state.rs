//! How a route stands: what its name is answered with, whether the world is led here for it, and its certificate. Made in one
//! place, of what is kept; nothing is asked over the network. The list, a single route and the metrics all show this.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::acme::{self, Lookout, Outlook, Said, Verdict};
use crate::api::CertificateError;
use crate::api::certificates::next;
use crate::api::event::moment;
use crate::api::types::plain;
use crate::cert::{Certificate, Origin, Story, Subject};
use crate::edge::Board;
use crate::edge::addresses::AddressBoard;
use crate::limits::ALIAS_CHAIN_MAX;
use crate::store::Snapshot;
use crate::wire::{Kind, Name};
use crate::zone::Zone;

/// How a route stands, as far as is known without asking anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct RouteState {
    /// The zone of ours that answers for its host.
    pub(in crate::api) zone: Option<String>,
    pub(in crate::api) answer: RouteAnswer,
    pub(in crate::api) delegation: Option<RouteDelegation>,
    pub(in crate::api) certificate: RouteCertificate,
    /// Until when the certificate is valid, in seconds since 1970.
    pub(in crate::api) valid_until: Option<u64>,
    /// When it is renewed or tried again, likewise.
    pub(in crate::api) next_attempt: Option<u64>,
}

/// What this server answers for the host of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteAnswer {
    /// `addresses`; `alias`, of a name that others answer for; `none`, no address; `elsewhere`: others answer for the host.
    #[schema(pattern = "^(addresses|alias|none|elsewhere)$", examples("addresses"))]
    pub state: String,
    /// The records: A, AAAA, and the CNAMEs that lead to them.
    #[schema(examples("A 192.0.2.80"))]
    pub records: Vec<String>,
}

/// Whether the world is led to this server for the host of a route. It is looked at from time to time, not when it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteDelegation {
    /// The zone; of nested zones of this server the topmost, because what lies between it delegates itself.
    #[schema(examples("home.example"))]
    pub zone: String,
    /// `right`; `wrong`; `private`, a name that only its own network knows; `unknown`, not looked at yet or nobody could be asked.
    #[schema(pattern = "^(right|wrong|private|unknown)$", examples("right"))]
    pub state: String,
    /// What the parent says, in words.
    #[schema(examples("example delegates home.example to ns1.home.example"))]
    pub message: String,
    /// What to do about it; null where nothing is to be done.
    #[schema(examples("at the registrar of home.example, enter its name servers: ns1.home.example"))]
    pub cure: Option<String>,
    /// The name servers that the parent names.
    #[schema(examples("ns1.home.example"))]
    pub name_servers: Vec<String>,
    /// When it was looked at, in UTC (RFC 3339); null before the first look.
    #[schema(format = "date-time", examples("2026-11-21T15:24:05Z"))]
    pub looked_at: Option<String>,
}

/// The certificate of a route's host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteCertificate {
    /// `public`; `local`, of the built-in CA, which browsers do not know; `ended`; `none`, not yet; `app`: the app shows its own, and
    /// this server has none, because it passes connections on unopened.
    #[schema(pattern = "^(public|local|ended|none|app)$", examples("public"))]
    pub state: String,
    /// Who vouches for it.
    #[schema(examples("Let's Encrypt E7"))]
    pub issuer: Option<String>,
    /// Its serial number, hexadecimal.
    #[schema(examples("04:ab:cd"))]
    pub serial: Option<String>,
    /// Until when it is valid, in UTC (RFC 3339).
    #[schema(format = "date-time", examples("2027-02-19T15:24:05Z"))]
    pub valid_until: Option<String>,
    /// When it is renewed or tried again, in UTC (RFC 3339); null where nobody does.
    #[schema(format = "date-time", examples("2027-01-20T03:11:00Z"))]
    pub next_attempt: Option<String>,
    /// Failures in a row.
    #[schema(examples(0))]
    pub failures: u32,
    /// Why the last attempt failed; null if it did not.
    pub last_error: Option<CertificateError>,
}

/// What states are made of.
pub(in crate::api) struct Sources<'a> {
    pub(in crate::api) snapshot: &'a Snapshot,
    /// What the keeper knows, where one runs.
    pub(in crate::api) lookout: Option<&'a Lookout>,
    /// What is known of apps, where an edge runs.
    pub(in crate::api) board: Option<&'a Board>,
    /// What is known of the edge's addresses, likewise.
    pub(in crate::api) addresses: Option<&'a AddressBoard>,
    pub(in crate::api) now: u64,
}

impl RouteState {
    /// Of the route of this host.
    pub(in crate::api) fn of(host: &str, sources: &Sources<'_>) -> Self {
        let Sources { snapshot, lookout, now, .. } = *sources;
        let name = host.parse::<Name>().ok();
        let held = snapshot.certificates.for_server_name(host, now).map(|held| &**held);
        let is_passed = snapshot.routes.of_name(host).iter().any(|route| route.is_passed());
        let held = held.filter(|_| !is_passed);
        let (certificate, next_attempt) = match is_passed {
            true => (RouteCertificate::of_the_app(), None),
            false => RouteCertificate::of(host, held, sources),
        };
        let valid_until = held.map(Certificate::not_after);
        let home = name.as_ref().and_then(|name| snapshot.home(name.borrow()));
        Self {
            zone: home.map(|zone| plain(zone.apex())),
            answer: name.as_ref().map_or_else(RouteAnswer::elsewhere, |name| RouteAnswer::of(name, snapshot)),
            delegation: home.map(|zone| RouteDelegation::of(zone, snapshot, lookout)),
            certificate,
            valid_until,
            next_attempt,
        }
    }
}

impl RouteAnswer {
    fn elsewhere() -> Self {
        Self { state: "elsewhere".to_owned(), records: Vec::new() }
    }

    /// As DNS answers it, aliases followed as long as they lead to names of ours.
    fn of(name: &Name, snapshot: &Snapshot) -> Self {
        let mut records = Vec::new();
        let mut name = name.clone();
        for _ in 0..ALIAS_CHAIN_MAX {
            match acme::say(snapshot, name.borrow(), Kind::A) {
                Said::Alias(target) => {
                    records.push(format!("CNAME {}", plain(target.borrow())));
                    name = target;
                }
                Said::NotOurs if records.is_empty() => return Self::elsewhere(),
                Said::NotOurs => return Self { state: "alias".to_owned(), records },
                said @ (Said::Data(_) | Said::Nothing) => {
                    let more = acme::say(snapshot, name.borrow(), Kind::AAAA);
                    let before = records.len();
                    records.extend([said, more].iter().flat_map(Said::addresses).map(record));
                    let state = if records.len() > before { "addresses" } else { "none" };
                    return Self { state: state.to_owned(), records };
                }
            }
        }
        Self { state: "none".to_owned(), records }
    }

    /// The addresses among the records.
    pub(in crate::api) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.records.iter().filter_map(|record| record.split_once(' ')?.1.parse().ok())
    }
}

/// An address as its record.
fn record(address: IpAddr) -> String {
    match address {
        IpAddr::V4(_) => format!("A {address}"),
        IpAddr::V6(_) => format!("AAAA {address}"),
    }
}

impl RouteDelegation {
    fn of(zone: &Arc<Zone>, snapshot: &Snapshot, lookout: Option<&Lookout>) -> Self {
        if let Some(found) = lookout.and_then(|lookout| lookout.delegation(snapshot, &zone.apex().to_name())) {
            return Self::found(&found);
        }
        let name = plain(zone.apex());
        let (state, message) = match lookout.is_some_and(|lookout| lookout.is_private(&name)) {
            true => {
                ("private", format!("{name} is a private name: the world delegates it to nobody, so nobody was asked"))
            }
            false => ("unknown", "it was not looked at yet".to_owned()),
        };
        Self { zone: name, state: state.to_owned(), message, cure: None, name_servers: Vec::new(), looked_at: None }
    }

    /// What a look has found.
    pub(in crate::api) fn found(found: &acme::Delegation) -> Self {
        let state = match found.verdict {
            Verdict::Right => "right",
            Verdict::Wrong => "wrong",
            Verdict::Private => "private",
            Verdict::Unknown => "unknown",
        };
        Self {
            zone: found.zone.clone(),
            state: state.to_owned(),
            message: found.message.clone(),
            cure: (!found.cure.is_empty()).then(|| found.cure.clone()),
            name_servers: found.servers.clone(),
            looked_at: Some(moment(found.looked_at)),
        }
    }
}

impl RouteCertificate {
    /// One that is none of ours.
    fn of_the_app() -> Self {
        Self {
            state: "app".to_owned(),
            issuer: None,
            serial: None,
            valid_until: None,
            next_attempt: None,
            failures: 0,
            last_error: None,
        }
    }

    /// What is known of it, and when something happens next, in seconds since 1970.
    fn of(host: &str, held: Option<&Certificate>, sources: &Sources<'_>) -> (Self, Option<u64>) {
        let Sources { snapshot, lookout, now, .. } = *sources;
        let state = match held {
            None => "none",
            Some(held) if !held.is_valid(now) => "ended",
            Some(held) if *held.origin() == Origin::Local => "local",
            Some(_) => "public",
        };
        let ids = ids(host, held);
        let story = ids.iter().find_map(|id| snapshot.stories.get(id)).map(|story| &**story);
        let outlooks = lookout.map(Lookout::outlooks);
        let outlook = outlooks.as_ref().and_then(|outlooks| ids.iter().find_map(|id| outlooks.get(id)));
        let next_attempt = match outlook {
            Some(Outlook::Order(at) | Outlook::Local(at)) => Some((*at).max(now)).filter(|at| *at < NEVER),
            Some(Outlook::Running) => Some(now),
            Some(Outlook::Imported(_)) => None,
            None => next(held, story, now),
        };
        let told = Self {
            state: state.to_owned(),
            issuer: held.map(|held| held.issuer().to_owned()),
            serial: held.map(|held| held.serial().to_owned()),
            valid_until: held.map(|held| moment(held.not_after())),
            next_attempt: next_attempt.map(moment),
            failures: story.map_or(0, |story| story.failures),
            last_error: story.and_then(last_error),
        };
        (told, next_attempt)
    }
}

/// Seconds since 1970 that stand for "never": beyond what a date can say.
const NEVER: u64 = 253_402_300_800;

fn last_error(story: &Story) -> Option<CertificateError> {
    story.attempts.last().and_then(|last| CertificateError::of(&last.outcome))
}

/// What the certificate of a host can be found by: the one that is shown, then those that the keeper wants for it. A name has one
/// of its own, or shares one with the wildcard beside or above it.
fn ids(host: &str, held: Option<&Certificate>) -> Vec<String> {
    let subject = |name: String| name.parse::<Subject>().ok();
    let above = host.split_once('.').map(|(_, parent)| parent);
    let sets = [
        vec![subject(host.to_owned())],
        vec![subject(host.to_owned()), subject(format!("*.{host}"))],
        vec![above.and_then(|above| subject(format!("*.{above}")))],
        vec![above.and_then(|above| subject(format!("*.{above}"))), above.and_then(|above| subject(above.to_owned()))],
    ];
    let id = |set: Vec<Option<Subject>>| {
        let mut set: Vec<Subject> = set.into_iter().collect::<Option<_>>()?;
        set.sort();
        Some(Certificate::id_of(&set))
    };
    let shown = held.map(|held| held.id().to_owned());
    shown.into_iter().chain(sets.into_iter().filter_map(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::Attempt;

    #[test]
    fn the_story_of_a_host_is_found_however_it_shares_its_certificate() {
        for (names, host) in [
            (&["a.org"][..], "a.org"),
            (&["*.a.org", "a.org"], "a.org"),
            (&["*.a.org", "a.org"], "*.a.org"),
            (&["*.a.org"], "x.a.org"),
            (&["*.a.org", "a.org"], "x.a.org"),
        ] {
            let mut snapshot = Snapshot::default();
            let mut story = Story::new(names.iter().map(|name| name.parse().unwrap()).collect());
            let mut attempt = Attempt::new("https://ca.example/", 0);
            attempt.fail("no", "ask another");
            story.push(attempt);
            (story.failures, story.retry_at) = (2, 2_000);
            snapshot.stories.insert(Arc::new(story));
            let sources = Sources { snapshot: &snapshot, lookout: None, board: None, addresses: None, now: 1_000 };
            let told = RouteState::of(host, &sources).certificate;
            assert_eq!((told.failures, told.state.as_str()), (2, "none"), "{names:?} {host}");
            assert_eq!(told.next_attempt.as_deref(), Some("1970-01-01T00:33:20Z"));
            assert_eq!(told.last_error.unwrap().cure, "ask another");
        }
    }
}
