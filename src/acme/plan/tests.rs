//! Single decisions of the plan.

use std::time::Duration;

use super::*;
use crate::cert::{Attempt, Outcome};

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;
const CA: &str = "https://ca.example/directory";
const OTHER: &str = "https://other.example/directory";

#[derive(Default)]
struct Case {
    certificates: Certificates,
    stories: ById<Story>,
    settings: Settings,
    zones: BTreeSet<String>,
    memory: Memory,
    running: BTreeSet<String>,
}

fn subjects(names: &[&str]) -> Vec<Subject> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn authority() -> Authority {
    Authority::new(NOW).unwrap()
}

fn held(names: &[&str], days: u64, origin: Origin) -> Arc<Certificate> {
    let made = authority().issue(&subjects(names), NOW, Duration::from_secs(days * DAY)).unwrap();
    Arc::new(Certificate::parse(&made.chain_pem(), &made.key_pem(), origin).unwrap())
}

impl Case {
    fn with_cas(cas: &[&str]) -> Self {
        let cas = cas.iter().map(|directory| Ca::at(directory)).collect();
        Self { settings: Settings { terms_agreed: true, cas, ..Settings::default() }, ..Self::default() }
    }

    fn hold(mut self, names: &[&str], days: u64, origin: Origin) -> Self {
        self.certificates.insert(held(names, days, origin));
        self
    }

    fn tell(mut self, names: &[&str], change: impl FnOnce(&mut Story)) -> Self {
        let mut story = Story::new(subjects(names));
        change(&mut story);
        self.stories.insert(Arc::new(story));
        self
    }

    fn plan(&self, wanted: &[&[&str]], now: u64) -> Plan {
        let (authority, cas) = (authority(), self.settings.cas());
        let wanted: Vec<_> = wanted.iter().map(|names| subjects(names)).collect();
        let situation = Situation {
            wanted: &wanted,
            certificates: &self.certificates,
            stories: &self.stories,
            authority: Some(&authority),
            settings: &self.settings,
            cas: &cas,
            zones: &self.zones,
            memory: &self.memory,
            running: &self.running,
        };
        plan(&situation, now)
    }

    /// The jobs in short, without what is only said.
    fn jobs(&self, wanted: &[&[&str]], now: u64) -> Vec<String> {
        let told = |job: &Job| match job {
            Job::Found => "found".to_owned(),
            Job::Vouch(subjects) => format!("vouch {}", subjects[0]),
            Job::Order(order) => {
                let cas: Vec<_> = order.cas.iter().map(|ca| if ca.directory == CA { "1" } else { "2" }).collect();
                let rehearse = if order.rehearse { " rehearse" } else { "" };
                format!("order {} of {}{rehearse}", order.subjects[0], cas.join(" "))
            }
            Job::AskWindow(held) => format!("ask {}", held.id()),
            Job::LookAtDelegation(zone) => format!("look at {zone}"),
            Job::Warn(warning) => format!("warn of {} at {} days", warning.id, warning.step / DAY),
            Job::DropCertificate(id) => format!("drop certificate {id}"),
            Job::DropStory(id) => format!("drop story {id}"),
        };
        let said = |job: &&Job| matches!(job, Job::Warn(_));
        self.plan(wanted, now).jobs.iter().filter(|job| !said(job)).map(told).collect()
    }
}

fn acme() -> Origin {
    Origin::Acme(CA.to_owned())
}

#[test]
fn a_new_name_is_served_at_once_and_ordered() {
    let case = Case::with_cas(&[CA, OTHER]);
    assert_eq!(case.jobs(&[&["a.org"]], NOW), ["vouch a.org", "order a.org of 1 2"]);
    let case = case.hold(&["a.org"], 90, Origin::Local);
    assert_eq!(case.jobs(&[&["a.org"]], NOW), ["order a.org of 1 2"]);
}

#[test]
fn without_a_ca_and_for_internal_names_the_built_in_ca_vouches() {
    let none = Case::default();
    assert_eq!(none.jobs(&[&["a.org"]], NOW), ["vouch a.org"]);
    let some = Case::with_cas(&[CA]);
    assert_eq!(some.jobs(&[&["nas.home.arpa"], &["router"]], NOW), ["vouch nas.home.arpa", "vouch router"]);
    let held = Case::default().hold(&["router"], 90, Origin::Local);
    assert_eq!(held.jobs(&[&["router"]], NOW), [""; 0]);
    assert_eq!(held.jobs(&[&["router"]], NOW + 61 * DAY), ["vouch router"], "a third is left");
    let mut private = Case::with_cas(&[CA]);
    private.settings.cas[0].root = Some("root.pem".into());
    assert_eq!(private.jobs(&[&["nas.home.arpa"]], NOW), ["vouch nas.home.arpa", "order nas.home.arpa of 1"]);
}

#[test]
fn what_a_ca_has_made_is_kept_while_it_is_valid_whatever_the_settings_say() {
    let case = Case::default().hold(&["a.org"], 90, acme());
    assert_eq!(case.jobs(&[&["a.org"]], NOW + 80 * DAY), [""; 0]);
    assert_eq!(case.jobs(&[&["a.org"]], NOW + 91 * DAY), ["vouch a.org"]);
    let case = Case::with_cas(&[CA]).hold(&["a.org"], 90, acme());
    assert_eq!(case.jobs(&[&["a.org"]], NOW + 91 * DAY), ["order a.org of 1"], "the last good one stays");
}

#[test]
fn a_wildcard_that_is_held_is_stop_gap_enough() {
    let case = Case::with_cas(&[CA]).hold(&["*.a.org"], 90, acme());
    assert_eq!(case.jobs(&[&["*.a.org"], &["x.a.org"]], NOW), ["order x.a.org of 1", "ask *.a.org"]);
}

#[test]
fn what_somebody_brought_serves_until_it_ends() {
    let case = Case::with_cas(&[CA]).hold(&["*.a.org", "a.org"], 90, Origin::Imported);
    assert_eq!(case.jobs(&[&["a.org"], &["x.a.org"]], NOW + 80 * DAY), [""; 0]);
    let plan = case.plan(&[&["a.org"]], NOW + 80 * DAY);
    assert!(matches!(plan.outlooks["a.org"], Outlook::Imported(_)));
    let jobs = case.jobs(&[&["a.org"]], NOW + 91 * DAY);
    assert_eq!(jobs, ["vouch a.org", "order a.org of 1"]);
}

#[test]
fn a_failure_is_waited_for_and_a_wish_is_not() {
    let failed = |story: &mut Story| (story.failures, story.retry_at) = (1, NOW + 60);
    let case = Case::with_cas(&[CA]).hold(&["a.org"], 90, Origin::Local).tell(&["a.org"], failed);
    assert_eq!(case.jobs(&[&["a.org"]], NOW), [""; 0]);
    assert_eq!(case.plan(&[&["a.org"]], NOW).look_again_at, NOW + 60);
    assert_eq!(case.jobs(&[&["a.org"]], NOW + 60), ["order a.org of 1"]);

    let case =
        Case::with_cas(&[CA]).hold(&["a.org"], 90, acme()).tell(&["a.org"], |story| story.renew_since = Some(NOW));
    assert_eq!(case.jobs(&[&["a.org"]], NOW), ["order a.org of 1", "ask a.org"]);
}

#[test]
fn a_ca_that_wants_to_be_left_alone_is_and_the_next_is_asked() {
    let wait = |story: &mut Story| story.wait(CA, NOW + 3_600, NOW);
    let case = Case::with_cas(&[CA, OTHER]).hold(&["a.org"], 90, Origin::Local).tell(&["a.org"], wait);
    assert_eq!(case.jobs(&[&["a.org"]], NOW), ["order a.org of 2"]);
    let case = Case::with_cas(&[CA]).hold(&["a.org"], 90, Origin::Local).tell(&["a.org"], wait);
    assert_eq!(case.jobs(&[&["a.org"]], NOW), [""; 0]);
    assert_eq!(case.plan(&[&["a.org"]], NOW).outlooks["a.org"], Outlook::Order(NOW + 3_600));
}

#[test]
fn after_three_failures_it_is_rehearsed_first() {
    let failed = |story: &mut Story| story.failures = 3;
    let case = Case::with_cas(&[CA]).hold(&["a.org"], 90, Origin::Local).tell(&["a.org"], failed);
    assert_eq!(case.jobs(&[&["a.org"]], NOW), ["order a.org of 1 rehearse"]);
}

#[test]
fn a_job_under_way_is_not_begun_again() {
    let mut case = Case::with_cas(&[CA]);
    case.running.insert("a.org".to_owned());
    assert_eq!(case.jobs(&[&["a.org"]], NOW), [""; 0]);
    assert_eq!(case.plan(&[&["a.org"]], NOW).outlooks["a.org"], Outlook::Running);
}

#[test]
fn what_nobody_wants_goes_but_not_what_somebody_brought() {
    let attempted = |story: &mut Story| {
        story.push(Attempt { outcome: Outcome::Done, ..Attempt::new(CA, NOW) });
    };
    let case = Case::with_cas(&[CA])
        .hold(&["a.org"], 90, Origin::Local)
        .hold(&["b.org"], 90, acme())
        .hold(&["c.org"], 90, Origin::Imported)
        .tell(&["b.org"], attempted);
    assert_eq!(case.jobs(&[], NOW), ["drop certificate a.org"]);
    assert_eq!(case.jobs(&[], NOW + 9 * DAY), ["drop certificate a.org", "drop story b.org"]);
    assert_eq!(
        case.jobs(&[], NOW + 98 * DAY),
        ["drop certificate a.org", "drop certificate b.org", "drop story b.org"]
    );
    let case = Case::default().tell(&["d.org"], |story| {
        story.proofs = vec![crate::cert::Proof { zone: String::new(), owner: String::new(), value: String::new() }];
    });
    assert_eq!(case.jobs(&[], NOW), [""; 0], "something of it still lies in a zone");
}

#[test]
fn the_ca_is_asked_for_its_wish_when_it_likes_to_be() {
    let mut case = Case::with_cas(&[CA]).hold(&["a.org"], 90, acme());
    assert_eq!(case.jobs(&[&["a.org"]], NOW), ["ask a.org"]);
    let serial = case.certificates.get("a.org").unwrap().serial().to_owned();
    case.memory.window_next.insert(serial, NOW + 100);
    let plan = case.plan(&[&["a.org"]], NOW);
    assert!(plan.jobs.is_empty() && plan.look_again_at == NOW + 100);
}

#[test]
fn a_root_is_made_and_made_anew_long_before_its_end() {
    let case = Case::default();
    let cas = case.settings.cas();
    let old = authority();
    let told = |authority: Option<&Authority>, now: u64| {
        let situation = Situation {
            wanted: &[],
            certificates: &case.certificates,
            stories: &case.stories,
            authority,
            settings: &case.settings,
            cas: &cas,
            zones: &case.zones,
            memory: &case.memory,
            running: &case.running,
        };
        plan(&situation, now).jobs
    };
    assert_eq!(told(None, NOW), [Job::Found]);
    assert_eq!(told(Some(&old), NOW), []);
    assert_eq!(told(Some(&old), old.not_after() - 100 * DAY), [Job::Found]);
}

#[test]
fn a_delegation_is_looked_at_from_time_to_time() {
    let mut case = Case { zones: BTreeSet::from(["a.org".to_owned()]), ..Case::default() };
    assert_eq!(case.jobs(&[], NOW), ["look at a.org"]);
    let (right, wrong) = (next_look("a.org", true, 300, NOW), next_look("a.org", false, 300, NOW));
    assert!((3_600..=4_500).contains(&(right - NOW)) && (300..=375).contains(&(wrong - NOW)), "{right} {wrong}");
    assert_ne!(next_look("b.org", true, 300, NOW), right, "not all in one moment");
    case.memory.delegation_next.insert("a.org".to_owned(), NOW + 100);
    let plan = case.plan(&[], NOW);
    assert!(plan.jobs.is_empty() && plan.look_again_at == NOW + 100);
    assert_eq!(case.jobs(&[], NOW + 100), ["look at a.org"]);
}

#[test]
fn each_warning_is_said_once_at_each_step() {
    let mut case = Case::default().hold(&["a.org"], 90, Origin::Imported);
    let held = case.certificates.get("a.org").unwrap().clone();
    let end = held.not_after();
    let mut told = Vec::new();
    let mut now = NOW;
    while now <= end + 40 * DAY {
        let plan = case.plan(&[&["a.org"]], now);
        for job in plan.jobs {
            if let Job::Warn(warning) = job {
                told.push((warning.step / DAY, (end - now.min(end)) / DAY));
                case.memory.warned.insert(warning.serial, warning.step);
            }
        }
        now = plan.look_again_at.max(now + 3_600);
    }
    assert_eq!(told.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [30, 14, 7, 3, 1, 0]);
    assert!(told.iter().all(|(step, left)| left <= step && left + 1 >= *step), "{told:?}");
}
