//! What somebody has to see to, because nobody else will: a certificate that was brought and ends soon, and one that should
//! have been renewed and was not, time and again.
//!
//! Told in steps towards the end, each once: a line a day would be skipped, a single one forgotten.

use super::{REHEARSE_AFTER, due};
use crate::cert::{self, Certificate, Certificates, Origin, Outcome, Story};

const DAY: u64 = 86_400;
/// Seconds that are left when somebody is told; the last is the end itself.
const STEPS: [u64; 6] = [30 * DAY, 14 * DAY, 7 * DAY, 3 * DAY, DAY, 0];
/// A certificate that was brought is not told of before this part of its life is left: whoever brings one each day knows.
const LEFT_MOST: u64 = 3;

/// A certificate that somebody has to see to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The certificate's id.
    pub id: String,
    /// Its serial number: one that takes its place is another.
    pub serial: String,
    /// Seconds before the end from which on it is said: the lower, the more urgent. 0: it has ended.
    pub step: u64,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub cure: String,
}

/// What is to be said of a certificate at this moment.
pub fn warning(certificates: &Certificates, held: &Certificate, story: Option<&Story>, now: u64) -> Option<Warning> {
    let (message, cure) = match held.origin() {
        Origin::Imported if !is_followed(certificates, held) => brought(held, now),
        Origin::Acme(_) => overdue(held, story?, now)?,
        Origin::Imported | Origin::Local => return None,
    };
    let step = step(held, now)?;
    Some(Warning { id: held.id().to_owned(), serial: held.serial().to_owned(), step, message, cure })
}

/// The step it is at; none while there is time.
fn step(held: &Certificate, now: u64) -> Option<u64> {
    let left = held.not_after().saturating_sub(now);
    steps(held).filter(|step| left <= *step).min()
}

/// When it is to be looked at again.
pub(super) fn next(held: &Certificate, now: u64) -> Option<u64> {
    let moments = steps(held).map(|step| held.not_after() - step.min(held.not_after()));
    moments.filter(|at| *at > now).min()
}

fn steps(held: &Certificate) -> impl Iterator<Item = u64> {
    let life = held.not_after().saturating_sub(held.not_before());
    let is_brought = *held.origin() == Origin::Imported;
    STEPS.into_iter().filter(move |step| !is_brought || *step <= life / LEFT_MOST)
}

/// Whether each of its names has another certificate that lasts longer.
fn is_followed(certificates: &Certificates, held: &Certificate) -> bool {
    held.subjects().iter().all(|subject| {
        let name = subject.to_string();
        let mut others = certificates.covering(&name).map(|(_, other)| other);
        others.any(|other| *other.origin() != Origin::Local && other.not_after() > held.not_after())
    })
}

fn brought(held: &Certificate, now: u64) -> (String, String) {
    let (names, end) = (names(held), cert::date(held.not_after()));
    let ends = if now > held.not_after() { "has ended" } else { "ends" };
    (
        format!("the certificate that was imported for {names} {ends} on {end}"),
        format!(
            "import the next one with `freehold cert import`, or `freehold cert delete {}`: then Freehold sees to it",
            shell(held.id())
        ),
    )
}

fn overdue(held: &Certificate, story: &Story, now: u64) -> Option<(String, String)> {
    let due = due::due(held, story.window.as_ref());
    if story.failures < REHEARSE_AFTER || due > now {
        return None;
    }
    let why = story.attempts.iter().rev().find_map(|attempt| match &attempt.outcome {
        Outcome::Failed { message, cure } => Some((message.as_str(), cure.as_str())),
        Outcome::Running | Outcome::Done => None,
    });
    let (why, cure) = why.unwrap_or(("the reason was not kept", "look into the log"));
    let (names, failures, end) = (names(held), story.failures, cert::date(held.not_after()));
    let ends = if now > held.not_after() { "has ended" } else { "ends" };
    Some((
        format!("the certificate for {names} {ends} on {end}, and {failures} attempts to renew it failed: {why}"),
        cure.to_owned(),
    ))
}

/// The names in short.
fn names(held: &Certificate) -> String {
    match held.subjects() {
        [] => held.id().to_owned(),
        [one] => one.to_string(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

/// As a shell takes it: a star would be spread.
fn shell(word: &str) -> String {
    if word.contains('*') { format!("'{word}'") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::cert::{Attempt, Authority};

    const NOW: u64 = 1_800_000_000;

    fn held(names: &[&str], days: u64, origin: Origin) -> Arc<Certificate> {
        let subjects: Vec<_> = names.iter().map(|name| name.parse().unwrap()).collect();
        let made = Authority::new(NOW).unwrap().issue(&subjects, NOW, Duration::from_secs(days * DAY)).unwrap();
        Arc::new(Certificate::parse(&made.chain_pem(), &made.key_pem(), origin).unwrap())
    }

    fn at(held: &Arc<Certificate>, story: Option<&Story>, now: u64) -> Option<u64> {
        let all: Certificates = [Arc::clone(held)].into_iter().collect();
        warning(&all, held, story, now).map(|warning| warning.step / DAY)
    }

    #[test]
    fn what_was_brought_is_warned_about_in_steps() {
        let brought = held(&["a.org"], 90, Origin::Imported);
        let end = brought.not_after();
        for (left, step) in [(40 * DAY, None), (30 * DAY, Some(30)), (15 * DAY, Some(30)), (14 * DAY, Some(14))] {
            assert_eq!(at(&brought, None, end - left), step, "{left}");
        }
        assert_eq!((at(&brought, None, end - 1), at(&brought, None, end + 1)), (Some(1), Some(0)));
        assert_eq!(next(&brought, end - 40 * DAY), Some(end - 30 * DAY));
        assert_eq!((next(&brought, end - DAY), next(&brought, end)), (Some(end), None));
        let short = held(&["a.org"], 6, Origin::Imported);
        assert_eq!((at(&short, None, NOW), at(&short, None, short.not_after() - DAY)), (None, Some(1)));
        assert_eq!(at(&held(&["a.org"], 90, Origin::Local), None, end), None);
    }

    #[test]
    fn what_another_one_follows_is_not() {
        let (old, new) = (held(&["a.b.org"], 60, Origin::Imported), held(&["*.b.org"], 90, Origin::Imported));
        let all: Certificates = [old.clone(), new.clone()].into_iter().collect();
        assert_eq!(warning(&all, &old, None, old.not_after()), None);
        assert!(warning(&all, &new, None, new.not_after()).unwrap().cure.contains("delete '*.b.org'`"));
    }

    #[test]
    fn what_fails_to_be_renewed_is_told_with_the_cas_words() {
        let made = held(&["a.org"], 90, Origin::Acme("https://ca.example/".into()));
        let mut story = Story::new(made.subjects().to_vec());
        let mut attempt = Attempt::new("https://ca.example/", NOW);
        attempt.fail("the CA says: no", "ask another");
        story.push(attempt);
        story.failures = 2;
        let late = made.not_after() - 20 * DAY;
        assert_eq!(at(&made, Some(&story), late), None, "two failures may pass");
        story.failures = 3;
        assert_eq!((at(&made, Some(&story), late), at(&made, None, late)), (Some(30), None));
        assert_eq!(at(&made, Some(&story), NOW), None, "it is not due");
        let all: Certificates = [made.clone()].into_iter().collect();
        let told = warning(&all, &made, Some(&story), late).unwrap();
        assert!(told.message.ends_with("and 3 attempts to renew it failed: the CA says: no"), "{}", told.message);
        assert_eq!(told.cure, "ask another");
    }
}
