//! Proving each name to the CA: answers out, everywhere, then "look now", then wait.

use std::collections::BTreeMap;

use instant_acme::{AuthorizationStatus, ChallengeType, OrderStatus};

use super::obtain::{Work, patience};
use crate::acme::challenge::{Place, everywhere, place, publish};
use crate::acme::own::shown;
use crate::acme::trouble::Trouble;
use crate::acme::world::{now, story_of};
use crate::cert::{Outcome, Subject, challenge_certificate};

/// How a name is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// A TXT record in a zone of ours (RFC 8555, section 8.4).
    Dns,
    /// A document on port 80 (RFC 8555, section 8.3).
    Http,
    /// A certificate on port 443 (RFC 8737).
    Tls,
}

impl Method {
    /// As CAs and CAA records call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns-01",
            Self::Http => "http-01",
            Self::Tls => "tls-alpn-01",
        }
    }

    fn kind(self) -> ChallengeType {
        match self {
            Self::Dns => ChallengeType::Dns01,
            Self::Http => ChallengeType::Http01,
            Self::Tls => ChallengeType::TlsAlpn01,
        }
    }
}

/// A name and how it is proven.
pub(super) struct Way {
    pub(super) subject: Subject,
    pub(super) method: Method,
    /// Where its TXT record goes.
    pub(super) place: Option<Place>,
}

/// How each name is going to be proven. Names of others by TLS and by HTTP in turn, one attempt this, the next that: which of
/// the two gets through depends on what stands before us.
pub(super) async fn ways(work: &Work<'_>) -> Result<Vec<Way>, Trouble> {
    let snapshot = work.world.snapshot();
    let story = story_of(&snapshot.stories, &work.order.subjects);
    let failed = story.attempts.iter().filter(|attempt| matches!(attempt.outcome, Outcome::Failed { .. })).count();
    let by_edge = if failed % 2 == 0 { Method::Tls } else { Method::Http };
    let mut ways = Vec::new();
    for subject in &work.order.subjects {
        let place = place(&snapshot, &work.world.resolver, subject).await?;
        if let (Some(parent), None) = (subject.wildcard_parent(), &place) {
            return Err(Trouble::preflight(
                format!("{subject} can only be proven in the zone of {parent}, which is not on this server"),
                format!(
                    "bring that zone here, or make _acme-challenge.{parent} an alias (CNAME) of a name in a zone of this server"
                ),
            ));
        }
        let method = if place.is_some() { Method::Dns } else { by_edge };
        ways.push(Way { subject: subject.clone(), method, place });
    }
    Ok(ways)
}

/// Proves every name of the order.
pub(super) async fn prove(work: &mut Work<'_>, placed: &mut instant_acme::Order, ways: &[Way]) -> Result<(), Trouble> {
    let values = answer(work, placed, ways).await?;
    for (place, values) in places(values) {
        let told = everywhere(&work.world.snapshot(), &work.world.resolver, &place, &values).await?;
        work.log.step(told);
    }
    announce(work, placed, ways).await?;
    let status = placed.poll_ready(&patience()).await.map_err(|error| work.trouble(error));
    match status {
        Ok(OrderStatus::Ready) => {
            work.log.step("the CA is convinced");
            Ok(())
        }
        Ok(_) => Err(reason(work, placed).await),
        // The order's own words seldom say more than that it failed.
        Err(trouble) if trouble.kind.is_some() => Err(named(reason(work, placed).await, trouble)),
        Err(trouble) => Err(trouble),
    }
}

/// The reason of a single name, if it says anything; else that of the order.
fn named(of_name: Trouble, of_order: Trouble) -> Trouble {
    if of_name.kind.is_some() { Trouble { wait_until: of_order.wait_until, ..of_name } } else { of_order }
}

/// Puts the answer to each open challenge in its place; the values of TXT records are told.
async fn answer(
    work: &mut Work<'_>,
    placed: &mut instant_acme::Order,
    ways: &[Way],
) -> Result<Vec<(Place, String)>, Trouble> {
    let mut values = Vec::new();
    let mut names = placed.authorizations();
    while let Some(name) = names.next().await {
        let mut name = name.map_err(|error| work.trouble(error))?;
        let Some(way) = way(ways, &name.identifier().to_string(), name.status)? else {
            work.log.step(format_args!("{} was proven before", name.identifier()));
            continue;
        };
        let offered: Vec<_> = name.challenges.iter().map(|challenge| format!("{:?}", challenge.r#type)).collect();
        let challenge = name.challenge(way.method.kind()).ok_or_else(|| not_offered(way, &offered))?;
        let proof = challenge.key_authorization();
        let subjects = &work.order.subjects;
        match (way.method, &way.place) {
            (Method::Dns, Some(place)) => {
                let value = proof.dns_value();
                publish(work.world, subjects, place, &value).await?;
                work.log.step(format_args!("{} TXT {value} is published for {}", shown(&place.owner), way.subject));
                values.push((place.clone(), value));
            }
            (Method::Tls, _) => {
                let digest = proof.digest().as_ref().try_into().unwrap_or([0; 32]);
                work.world.answers.put_tls(&way.subject, challenge_certificate(&way.subject, &digest, now())?);
                work.log.step(format_args!("{} is answered on port 443", way.subject));
            }
            (Method::Http | Method::Dns, _) => {
                work.world.answers.put_http(&way.subject, &challenge.token, proof.as_str());
                work.log.step(format_args!("{} is answered on port 80", way.subject));
            }
        }
    }
    Ok(values)
}

/// Tells the CA to look.
async fn announce(work: &mut Work<'_>, placed: &mut instant_acme::Order, ways: &[Way]) -> Result<(), Trouble> {
    let mut names = placed.authorizations();
    while let Some(name) = names.next().await {
        let mut name = name.map_err(|error| work.trouble(error))?;
        let Some(way) = way(ways, &name.identifier().to_string(), name.status)? else { continue };
        if let Some(mut challenge) = name.challenge(way.method.kind()) {
            challenge.set_ready().await.map_err(|error| work.trouble(error))?;
            work.log.step(format_args!("the CA is told to look at {} ({})", way.subject, way.method.name()));
        }
    }
    Ok(())
}

/// How this name is proven; none if it is already.
fn way<'w>(ways: &'w [Way], name: &str, status: AuthorizationStatus) -> Result<Option<&'w Way>, Trouble> {
    let nonsense =
        |what: &str| Err(Trouble::passing(format!("the CA's order has {name} {what}"), "nothing; it is tried again"));
    match status {
        AuthorizationStatus::Valid => Ok(None),
        AuthorizationStatus::Pending => match ways.iter().find(|way| way.subject.to_string() == name) {
            Some(way) => Ok(Some(way)),
            None => nonsense("in it, which was not asked for"),
        },
        AuthorizationStatus::Invalid => nonsense("as invalid from the start"),
        AuthorizationStatus::Revoked => nonsense("as revoked"),
        AuthorizationStatus::Expired => nonsense("as expired"),
        AuthorizationStatus::Deactivated => nonsense("as deactivated"),
    }
}

fn not_offered(way: &Way, offered: &[String]) -> Trouble {
    Trouble::of_this_ca(
        format!("the CA does not offer {} for {}, only {}", way.method.name(), way.subject, offered.join(", ")),
        "name another CA below [[acme.ca]]",
    )
}

/// Why the CA is not convinced: what it says of the names.
async fn reason(work: &Work<'_>, placed: &mut instant_acme::Order) -> Trouble {
    let mut names = placed.authorizations();
    while let Some(Ok(mut name)) = names.next().await {
        if name.refresh().await.is_err() {
            continue;
        }
        let text = name.identifier().to_string();
        if let Some(problem) = name.challenges.iter().find_map(|challenge| challenge.error.as_ref()) {
            let trouble = Trouble::of_problem(problem);
            return Trouble { message: format!("{text}: {}", trouble.message), ..trouble };
        }
    }
    let wait_until = work.client.take_retry_after();
    Trouble {
        wait_until,
        ..Trouble::passing("the CA is not convinced and does not say why", "nothing; it is tried again")
    }
}

/// The values by place.
fn places(values: Vec<(Place, String)>) -> Vec<(Place, Vec<String>)> {
    let mut by_owner: BTreeMap<String, (Place, Vec<String>)> = BTreeMap::new();
    for (place, value) in values {
        by_owner.entry(place.owner.to_string()).or_insert_with(|| (place, Vec::new())).1.push(value);
    }
    by_owner.into_values().collect()
}
