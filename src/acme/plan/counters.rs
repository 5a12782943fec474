//! What was asked of each CA lately, and when it may be asked again, so that its limits are never met.
//!
//! The numbers follow from the stories in the store, so a restart forgets none. A registered domain is taken to be the last
//! two labels of a name: below a suffix of two labels (`co.uk`) that counts too much together, never too little.

use std::collections::HashMap;

use crate::acme::Limits;
use crate::cert::{Attempt, Outcome, Story, Subject};

const HOUR: u64 = 3_600;
const WEEK: u64 = 7 * 86_400;

/// What was asked of one CA, by the moments when it was.
#[derive(Default)]
struct Asked {
    orders: Vec<u64>,
    /// Certificates by story.
    issued: HashMap<String, Vec<u64>>,
    /// Certificates for new names, by registered domain.
    domains: HashMap<String, Vec<u64>>,
    /// Failures by name.
    failures: HashMap<Subject, Vec<u64>>,
}

/// What was asked of each CA.
pub(super) struct Counters {
    limits: Limits,
    by_ca: HashMap<String, Asked>,
}

impl Counters {
    pub(super) fn new<'s>(stories: impl Iterator<Item = &'s Story>, limits: Limits) -> Self {
        let mut counters = Self { limits, by_ca: HashMap::new() };
        for story in stories {
            story.attempts.iter().filter(|attempt| attempt.ordered).for_each(|attempt| counters.count(story, attempt));
        }
        counters
    }

    fn count(&mut self, story: &Story, attempt: &Attempt) {
        let asked = self.by_ca.entry(attempt.directory.clone()).or_default();
        asked.orders.push(attempt.started);
        // One that is under way may yet end either way.
        let (mut issued, mut failed) = (attempt.outcome == Outcome::Done, attempt.failed_at_the_ca());
        if attempt.outcome == Outcome::Running {
            (issued, failed) = (true, true);
        }
        if issued {
            asked.issued.entry(key(story.subjects())).or_default().push(attempt.started);
            for domain in domains(story.subjects()).into_iter().filter(|_| !attempt.renewal) {
                asked.domains.entry(domain).or_default().push(attempt.started);
            }
        }
        for subject in story.subjects().iter().filter(|_| failed) {
            asked.failures.entry(subject.clone()).or_default().push(attempt.started);
        }
    }

    /// From when on this CA may be asked for these names; `renewal` says that it replaces a certificate of the same.
    pub(super) fn allowed_at(&self, directory: &str, subjects: &[Subject], renewal: bool, now: u64) -> u64 {
        let Some(asked) = self.by_ca.get(directory) else { return now };
        let limits = &self.limits;
        let mut at = free_at(&asked.orders, limits.orders, 3 * HOUR, now);
        at = at.max(asked.issued.get(&key(subjects)).map_or(now, |times| free_at(times, limits.same_names, WEEK, now)));
        for subject in subjects {
            at = at.max(asked.failures.get(subject).map_or(now, |times| free_at(times, limits.failures, HOUR, now)));
        }
        for domain in domains(subjects).into_iter().filter(|_| !renewal) {
            at = at.max(asked.domains.get(&domain).map_or(now, |times| free_at(times, limits.domain, WEEK, now)));
        }
        at
    }

    /// Notes what is about to be asked, so that jobs of one plan see each other.
    pub(super) fn reserve(&mut self, directory: &str, subjects: &[Subject], renewal: bool, now: u64) {
        let mut attempt = Attempt::new(directory, now);
        (attempt.ordered, attempt.renewal) = (true, renewal);
        self.count(&Story::new(subjects.to_vec()), &attempt);
    }
}

fn key(subjects: &[Subject]) -> String {
    crate::cert::Certificate::id_of(subjects)
}

/// The moment at which fewer than `limit` of these lie within the last `span` seconds. What lies in the future, after the
/// clock was set back, counts as long as it is not further away than that.
fn free_at(times: &[u64], limit: u32, span: u64, now: u64) -> u64 {
    if limit == 0 {
        return now;
    }
    let mut recent: Vec<u64> = times.iter().copied().filter(|at| at.abs_diff(now) < span).collect();
    recent.sort_unstable();
    match (recent.len() + 1).checked_sub(limit as usize) {
        None | Some(0) => now,
        Some(surplus) => recent.get(surplus - 1).map_or(now, |at| (at + span).max(now)),
    }
}

/// The registered domains of these names, each once.
fn domains(subjects: &[Subject]) -> Vec<String> {
    let mut domains: Vec<String> = subjects
        .iter()
        .map(|subject| match subject {
            Subject::Name(name) => match name.rmatch_indices('.').nth(1) {
                Some((dot, _)) => name[dot + 1..].to_owned(),
                None => name.to_string(),
            },
            Subject::Address(address) => address.to_string(),
        })
        .collect();
    domains.sort();
    domains.dedup();
    domains
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const CA: &str = "https://ca.example/";

    fn subjects(names: &[&str]) -> Vec<Subject> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn registered_domains_are_two_labels() {
        let told = domains(&subjects(&["a.b.example.org", "*.example.org", "example.org", "host", "x.org"]));
        assert_eq!(told, ["example.org", "host", "x.org"]);
    }

    #[test]
    fn a_limit_opens_when_the_oldest_falls_out_of_its_span() {
        assert_eq!(free_at(&[], 1, 10, 100), 100);
        assert_eq!(free_at(&[95], 1, 10, 100), 105);
        assert_eq!(free_at(&[91, 95, 99], 3, 10, 100), 101);
        assert_eq!(free_at(&[91, 95, 99], 4, 10, 100), 100);
        assert_eq!(free_at(&[91, 95, 99], 1, 10, 100), 109);
        assert_eq!(free_at(&[90, 50], 1, 10, 100), 100, "they are over");
        assert_eq!(free_at(&[105, 500], 1, 10, 100), 115, "the clock was set back");
        assert_eq!(free_at(&[99; 100], 0, 10, 100), 100, "no limit");
    }

    #[test]
    fn each_limit_is_kept_for_itself() {
        let limits = Limits { same_names: 2, domain: 3, orders: 5, failures: 1 };
        let at = |counters: &Counters, names: &[&str], renewal| counters.allowed_at(CA, &subjects(names), renewal, NOW);
        let story = |name: &str, outcome: Outcome| {
            let mut story = Story::new(subjects(&[name]));
            let attempt = Attempt { ordered: true, outcome, ..Attempt::new(CA, NOW) };
            story.push(attempt);
            story
        };
        let failed = || Outcome::Failed { message: String::new(), cure: String::new() };
        let stories =
            [story("a.example.org", Outcome::Done), story("b.example.org", Outcome::Done), story("c.x.org", failed())];
        let mut counters = Counters::new(stories.iter(), limits);
        assert_eq!(at(&counters, &["a.example.org"], true), NOW);
        assert_eq!(at(&counters, &["c.x.org", "y.org"], false), NOW + HOUR, "one name failed");
        assert_eq!(at(&counters, &["d.example.org"], false), NOW);
        counters.reserve(CA, &subjects(&["d.example.org"]), false, NOW);
        assert_eq!(at(&counters, &["e.example.org"], false), NOW + WEEK, "the domain");
        assert_eq!(at(&counters, &["a.example.org"], true), NOW, "a renewal does not count there");
        counters.reserve(CA, &subjects(&["a.example.org"]), true, NOW);
        assert_eq!(at(&counters, &["a.example.org"], true), NOW + WEEK, "the same names");
        assert_eq!(at(&counters, &["new.net"], false), NOW + 3 * HOUR, "orders");
        assert_eq!(counters.allowed_at("https://other/", &subjects(&["new.net"]), false, NOW), NOW, "another CA");
        let unsent = Attempt::new(CA, NOW);
        let mut quiet = Story::new(subjects(&["q.net"]));
        (0..10).for_each(|_| quiet.push(unsent.clone()));
        assert_eq!(at(&Counters::new([&quiet].into_iter(), limits), &["q.net"], false), NOW, "nothing was sent");
    }
}
