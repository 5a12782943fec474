//! What is to be done about certificates now, and when to look again. Pure: everything known, and the moment, come in.
//!
//! Wanted names are compared with what is held; the difference is the work. So a restart needs no memory of what was under
//! way, and years of renewals are tested in a moment. What has to be remembered (failures, waits, what was asked of a CA)
//! stands in the stories.

mod counters;
mod due;
mod names;
mod retry;
mod warning;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::settings::{Ca, Settings};
use crate::cert::{Authority, ById, Certificate, Certificates, Identified, Origin, Story, Subject, Window};
use counters::Counters;
pub use names::{group, is_internal};
pub(crate) use retry::{Cause, WAIT_MAX, note_failure, note_success};
pub use warning::{Warning, warning};

/// How long the built-in CA vouches for a name.
pub(super) const LOCAL_LIFETIME: u64 = 90 * 86_400;
/// A new root is made when the old one ends within this time.
const ROOT_LEFT: u64 = 2 * LOCAL_LIFETIME;
/// How long the story of names that nobody wants any more is kept: as long as it counts against a CA's limits.
const STORY_KEPT: u64 = 8 * 86_400;
/// How long a certificate that nobody wants any more is kept after its end.
const CERTIFICATE_KEPT: u64 = 7 * 86_400;
/// A certificate that begins later than this from now was made while a clock was wrong.
const AHEAD_MAX: u64 = 86_400;
/// After so many failures the next attempt is rehearsed with the CA's staging system first.
const REHEARSE_AFTER: u32 = 3;
/// Checks after which a delegation that is right is looked at again: an hour, unless the settings say otherwise.
const RIGHT_FOR: u64 = 12;
/// How much longer than said a pause between two looks may be, so that many zones are not all looked at in one moment.
const LOOK_SPREAD: f64 = 0.25;

/// All that a plan looks at.
pub struct Situation<'a> {
    /// The names of each certificate that is wanted; see [`group`].
    pub wanted: &'a [Vec<Subject>],
    /// What is held.
    pub certificates: &'a Certificates,
    /// What was tried.
    pub stories: &'a ById<Story>,
    /// The built-in CA, if there is one yet.
    pub authority: Option<&'a Authority>,
    /// The settings.
    pub settings: &'a Settings,
    /// The CAs of the settings, in order.
    pub cas: &'a [Ca],
    /// The zones of ours in which wanted names lie; of nested ones the topmost.
    pub zones: &'a BTreeSet<String>,
    /// What was asked and said before.
    pub memory: &'a Memory,
    /// Certificates that somebody is working on, by id.
    pub running: &'a BTreeSet<String>,
}

/// What a keeper remembers beside the store. To forget it does no harm: it is asked and said once more.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// When each CA is next to be asked how it would like a certificate to be renewed, by the certificate's serial number;
    /// one that is not named was not asked yet.
    pub window_next: BTreeMap<String, u64>,
    /// When the delegation of each zone is next to be looked at.
    pub delegation_next: BTreeMap<String, u64>,
    /// The lowest step at which was warned about a certificate, by its serial number.
    pub warned: BTreeMap<String, u64>,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// Make the built-in CA, or a new root for it.
    Found,
    /// Have the built-in CA vouch for these names.
    Vouch(Vec<Subject>),
    /// Ask a CA for a certificate.
    Order(Order),
    /// Ask a CA when it would like this certificate to be renewed.
    AskWindow(Arc<Certificate>),
    /// Look whether the world is led to us for this zone.
    LookAtDelegation(String),
    /// Say this to whoever reads the log.
    Warn(Warning),
    /// Take away a certificate that nobody wants.
    DropCertificate(String),
    /// Take away a story that nobody needs.
    DropStory(String),
}

/// An order to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The names.
    pub subjects: Vec<Subject>,
    /// The CAs that may be asked now, in order; at least one.
    pub cas: Vec<Ca>,
    /// The certificate of the same names that is held, if a CA made it.
    pub replaces: Option<Arc<Certificate>>,
    /// Whether to rehearse first.
    pub rehearse: bool,
}

/// How things stand with one wanted certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// The built-in CA vouches for it, and nobody else can; from this moment on anew.
    Local(u64),
    /// A CA is asked from this moment on.
    Order(u64),
    /// Somebody is at it.
    Running,
    /// A certificate that somebody brought serves it until it ends, at this moment.
    Imported(u64),
}

/// What to do now, and when to look again.
#[derive(Debug, Default)]
pub struct Plan {
    /// To do now, in this order.
    pub jobs: Vec<Job>,
    /// When to look again if nothing changes, in seconds since 1970.
    pub look_again_at: u64,
    /// How things stand with each wanted certificate, by id.
    pub outlooks: BTreeMap<String, Outlook>,
}

/// The moment from which on a certificate is to be renewed, in seconds since 1970; `window` is what the CA wishes.
pub fn renewal(certificate: &Certificate, window: Option<&Window>) -> u64 {
    due::due(certificate, window)
}

/// When the delegation of a zone is to be looked at again after a look at `now`, which found it right or not: what is
/// right stays so for long; what is not, somebody may be about to mend. `check_seconds` is that of the settings.
pub(super) fn next_look(zone: &str, is_right: bool, check_seconds: u32, now: u64) -> u64 {
    let pause = u64::from(check_seconds) * if is_right { RIGHT_FOR } else { 1 };
    now + pause + (pause as f64 * LOOK_SPREAD * due::fraction(&format!("{zone} {now}"))) as u64
}

/// Compares what is wanted with what is held.
pub fn plan(situation: &Situation<'_>, now: u64) -> Plan {
    let mut planner = Planner {
        situation,
        now,
        counters: Counters::new(situation.stories.iter().map(|story| &**story), situation.settings.limits),
        plan: Plan { look_again_at: now + u64::from(situation.settings.check_seconds), ..Plan::default() },
    };
    if situation.authority.is_none_or(|authority| authority.not_after() < now + ROOT_LEFT) {
        planner.plan.jobs.push(Job::Found);
    }
    for subjects in situation.wanted {
        planner.certificate(subjects);
    }
    planner.windows();
    planner.delegations();
    planner.warnings();
    planner.tidy();
    planner.plan
}

struct Planner<'a> {
    situation: &'a Situation<'a>,
    now: u64,
    counters: Counters,
    plan: Plan,
}

impl Planner<'_> {
    /// What one wanted certificate needs.
    fn certificate(&mut self, subjects: &[Subject]) {
        let id = Certificate::id_of(subjects);
        if self.situation.running.contains(&id) {
            self.plan.outlooks.insert(id, Outlook::Running);
            return;
        }
        let held = self.situation.certificates.get(&id);
        let is_local = held.is_some_and(|held| *held.origin() == Origin::Local);
        if let Some(until) = self.imported(subjects) {
            self.look_at(until + 1);
            self.plan.outlooks.insert(id, Outlook::Imported(until));
            return;
        }
        let able: Vec<&Ca> = self.situation.cas.iter().filter(|ca| can_certify(ca, subjects)).collect();
        // What a CA has made is kept, be it ended: the built-in CA takes only places that are its own.
        let vouch_at = match held {
            Some(held) if is_local && self.is_ahead(held) => self.now,
            Some(held) if is_local => due::due(held, None),
            Some(held) if able.is_empty() => held.not_after() + 1,
            Some(_) => u64::MAX,
            None if !able.is_empty() && self.is_covered(subjects) => u64::MAX,
            None => self.now,
        };
        if vouch_at <= self.now {
            self.plan.jobs.push(Job::Vouch(subjects.to_vec()));
        } else {
            self.look_at(vouch_at);
        }
        if able.is_empty() {
            self.plan.outlooks.insert(id, Outlook::Local(vouch_at));
            return;
        }
        self.order(id, subjects, held, &able);
    }

    /// Orders now, or says when.
    fn order(&mut self, id: String, subjects: &[Subject], held: Option<&Arc<Certificate>>, able: &[&Ca]) {
        let story = self.situation.stories.get(&id);
        let window = story.and_then(|story| story.window.as_ref());
        let made = held.filter(|held| matches!(held.origin(), Origin::Acme(_)));
        let is_wished = story.is_some_and(|story| story.renew_since.is_some());
        let fresh = made.filter(|held| !is_wished && !self.is_ahead(held));
        let due = fresh.map_or(self.now, |held| due::due(held, window));
        let retry_at = story.map_or(0, |story| retry::retry_at(story.retry_at, self.now));
        let allowed: Vec<(u64, &Ca)> =
            able.iter().map(|ca| (self.allowed_at(ca, story.map(|story| &**story), subjects, made), *ca)).collect();
        let soonest = allowed.iter().map(|(at, _)| *at).min().unwrap_or(self.now);
        let at = due.max(retry_at).max(soonest);
        self.plan.outlooks.insert(id, Outlook::Order(at));
        if at > self.now {
            self.look_at(at);
            return;
        }
        let cas: Vec<Ca> = allowed.iter().filter(|(at, _)| *at <= self.now).map(|(_, ca)| (*ca).clone()).collect();
        for ca in &cas {
            let renewal = is_renewal(made, ca);
            self.counters.reserve(&ca.directory, subjects, renewal, self.now);
        }
        let rehearse = story.is_some_and(|story| story.failures >= REHEARSE_AFTER);
        let replaces = made.cloned();
        self.plan.jobs.push(Job::Order(Order { subjects: subjects.to_vec(), cas, replaces, rehearse }));
    }

    /// Whether it was made while a clock was wrong, so that nobody takes it now.
    fn is_ahead(&self, held: &Certificate) -> bool {
        held.not_before() > self.now + AHEAD_MAX
    }

    /// From when on this CA may be asked: it did not ask to be left alone, and its limits are not near.
    fn allowed_at(&self, ca: &Ca, story: Option<&Story>, subjects: &[Subject], made: Option<&Arc<Certificate>>) -> u64 {
        let wait = story.map_or(0, |story| retry::retry_at(story.wait_of(&ca.directory), self.now));
        self.counters.allowed_at(&ca.directory, subjects, is_renewal(made, ca), self.now).max(wait)
    }

    /// The end of the certificate that somebody brought for all of these names, if it is valid.
    fn imported(&self, subjects: &[Subject]) -> Option<u64> {
        let first = subjects.first()?.to_string();
        let serves = |certificate: &&Arc<Certificate>| {
            *certificate.origin() == Origin::Imported
                && certificate.is_valid(self.now)
                && subjects.iter().all(|subject| certificate.covers(subject))
        };
        let all = self.situation.certificates.covering(&first).map(|(_, certificate)| certificate);
        all.filter(serves).map(|certificate| certificate.not_after()).max()
    }

    /// Whether a valid certificate serves each of these names already.
    fn is_covered(&self, subjects: &[Subject]) -> bool {
        subjects.iter().all(|subject| {
            let name = subject.to_string();
            self.situation.certificates.covering(&name).any(|(_, certificate)| certificate.is_valid(self.now))
        })
    }

    /// Asks CAs when they would like their certificates to be renewed.
    fn windows(&mut self) {
        for subjects in self.situation.wanted {
            let id = Certificate::id_of(subjects);
            let Some(held) = self.situation.certificates.get(&id) else { continue };
            let Origin::Acme(directory) = held.origin() else { continue };
            let is_asked = self.situation.cas.iter().any(|ca| ca.directory == *directory);
            if !is_asked || self.situation.running.contains(&id) || held.not_after() < self.now {
                continue;
            }
            match self.situation.memory.window_next.get(held.serial()) {
                Some(at) if *at > self.now => self.look_at(*at),
                _ => self.plan.jobs.push(Job::AskWindow(held.clone())),
            }
        }
    }

    /// Looks at delegations from time to time.
    fn delegations(&mut self) {
        for zone in self.situation.zones {
            match self.situation.memory.delegation_next.get(zone) {
                Some(at) if *at > self.now => self.look_at(*at),
                _ => self.plan.jobs.push(Job::LookAtDelegation(zone.clone())),
            }
        }
    }

    /// Says what somebody has to see to, each step once.
    fn warnings(&mut self) {
        for held in self.situation.certificates.iter() {
            let story = self.situation.stories.get(held.id()).map(|story| &**story);
            let said = self.situation.memory.warned.get(held.serial());
            if let Some(warning) = warning(self.situation.certificates, held, story, self.now)
                && said.is_none_or(|said| warning.step < *said)
            {
                self.plan.jobs.push(Job::Warn(warning));
            }
            if *held.origin() != Origin::Local
                && let Some(at) = warning::next(held, self.now)
            {
                self.look_at(at);
            }
        }
    }

    /// Takes away what nobody wants any more.
    fn tidy(&mut self) {
        let wanted: BTreeSet<String> =
            self.situation.wanted.iter().map(|subjects| Certificate::id_of(subjects)).collect();
        for certificate in self.situation.certificates.iter().filter(|held| !wanted.contains(held.id())) {
            let drop_at = match certificate.origin() {
                Origin::Local => self.now,
                Origin::Acme(_) => certificate.not_after() + CERTIFICATE_KEPT,
                Origin::Imported => continue,
            };
            if drop_at <= self.now {
                self.plan.jobs.push(Job::DropCertificate(certificate.id().to_owned()));
            }
        }
        for story in self.situation.stories.iter().filter(|story| !wanted.contains(story.id())) {
            let last = story.attempts.last().map_or(0, |attempt| attempt.started);
            let is_over = last.saturating_add(STORY_KEPT) <= self.now && story.proofs.is_empty();
            if is_over && !self.situation.running.contains(story.id()) {
                self.plan.jobs.push(Job::DropStory(story.id().to_owned()));
            }
        }
    }

    fn look_at(&mut self, at: u64) {
        self.plan.look_again_at = self.plan.look_again_at.min(at.max(self.now + 1));
    }
}

/// Whether a certificate of this CA for the same names is held.
fn is_renewal(made: Option<&Arc<Certificate>>, ca: &Ca) -> bool {
    made.is_some_and(|held| *held.origin() == Origin::Acme(ca.directory.clone()))
}

/// Whether this CA can vouch for all of these names.
fn can_certify(ca: &Ca, subjects: &[Subject]) -> bool {
    ca.is_private() || !subjects.iter().any(is_internal)
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
