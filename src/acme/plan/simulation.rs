//! Two years of renewals, against a CA that keeps its limits as Let's Encrypt does, fails, and goes away for days.

use std::collections::HashMap;
use std::time::Duration;

use super::*;
use crate::acme::Limits;
use crate::cert::{Attempt, Outcome};

const START: u64 = 1_800_000_000;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;
const TWO_YEARS: u64 = 730 * DAY;
const CA: &str = "https://ca.example/directory";

/// What the CA does with an order at this moment.
type Mood = Box<dyn Fn(u64) -> Result<(), Cause>>;

/// An order of the CA: when, for what, whether it was a renewal, whether it was issued.
type Ordered = (u64, String, bool, bool);

struct World {
    authority: Authority,
    certificates: Certificates,
    stories: ById<Story>,
    settings: Settings,
    wanted: Vec<Vec<Subject>>,
    memory: Memory,
    /// Seconds that a certificate is valid.
    lifetime: u64,
    /// The part of the lifetime after which the CA would like renewals, if it says.
    window: Option<f64>,
    mood: Mood,
    /// What the CA was asked.
    orders: Vec<Ordered>,
    now: u64,
}

impl World {
    fn new(names: usize, lifetime: u64, mood: Mood) -> Self {
        let wanted = (0..names).map(|i| vec![format!("app{i}.example.org").parse().unwrap()]).collect();
        let check = u32::try_from((lifetime / 4).clamp(1, DAY)).unwrap();
        Self {
            authority: Authority::new(START).unwrap(),
            certificates: Certificates::default(),
            stories: ById::default(),
            settings: Settings {
                terms_agreed: true,
                cas: vec![Ca::at(CA)],
                check_seconds: check,
                ..Settings::default()
            },
            wanted,
            memory: Memory::default(),
            lifetime,
            window: None,
            mood,
            orders: Vec::new(),
            now: START,
        }
    }

    /// Plans and does everything at once until the end, looking only when the plan says so.
    fn run(&mut self, seconds: u64) {
        let cas = self.settings.cas();
        while self.now < START + seconds {
            let plan = plan(
                &Situation {
                    wanted: &self.wanted,
                    certificates: &self.certificates,
                    stories: &self.stories,
                    authority: Some(&self.authority),
                    settings: &self.settings,
                    cas: &cas,
                    zones: &BTreeSet::new(),
                    memory: &self.memory,
                    running: &BTreeSet::new(),
                },
                self.now,
            );
            assert!(plan.look_again_at > self.now, "the plan goes on");
            // Whatever is done changes the store, and that wakes the keeper.
            self.now = if plan.jobs.is_empty() { plan.look_again_at } else { self.now };
            for job in plan.jobs {
                self.perform(job);
            }
        }
    }

    fn perform(&mut self, job: Job) {
        match job {
            Job::Found => self.authority = Authority::new(self.now).unwrap(),
            Job::Vouch(subjects) => {
                let made = self.authority.issue(&subjects, self.now, Duration::from_secs(LOCAL_LIFETIME)).unwrap();
                self.certificates.insert(Arc::new(made));
            }
            Job::Order(order) => self.order(&order),
            Job::AskWindow(certificate) => self.ask_window(&certificate),
            Job::LookAtDelegation(zone) => panic!("{zone} is no zone of ours"),
            Job::Warn(warning) => drop(self.memory.warned.insert(warning.serial, warning.step)),
            Job::DropCertificate(id) => assert!(self.certificates.remove(&id).is_some()),
            Job::DropStory(id) => assert!(self.stories.remove(&id).is_some()),
        }
    }

    fn order(&mut self, order: &Order) {
        let id = Certificate::id_of(&order.subjects);
        let mut story =
            self.stories.get(&id).map_or_else(|| Story::new(order.subjects.clone()), |story| (**story).clone());
        let mut attempt = Attempt { ordered: true, renewal: order.replaces.is_some(), ..Attempt::new(CA, self.now) };
        let result = (self.mood)(self.now);
        self.orders.push((self.now, id, attempt.renewal, result.is_ok()));
        match result {
            Ok(()) => {
                attempt.outcome = Outcome::Done;
                let made = self.authority.issue(&order.subjects, self.now, Duration::from_secs(self.lifetime)).unwrap();
                let origin = Origin::Acme(CA.to_owned());
                let made = Certificate::parse(&made.chain_pem(), &made.key_pem(), origin).unwrap();
                note_success(&mut story);
                self.certificates.insert(Arc::new(made));
            }
            Err(cause) => {
                attempt.fail("no", "wait");
                let until = order.replaces.as_ref().map(|held| held.not_after());
                note_failure(&mut story, cause, self.settings.retry_seconds.into(), until, self.now);
            }
        }
        story.push(attempt);
        self.stories.insert(Arc::new(story));
    }

    fn ask_window(&mut self, certificate: &Certificate) {
        self.memory
            .window_next
            .insert(certificate.serial().to_owned(), self.now + u64::from(self.settings.window_seconds));
        let Some(part) = self.window else { return };
        let mut story = (**self.stories.get(certificate.id()).unwrap()).clone();
        let (start, serial) = (certificate.not_before() + (self.lifetime as f64 * part) as u64, certificate.serial());
        story.window =
            Some(Window { serial: serial.to_owned(), start, end: start + self.lifetime / 20, explanation: None });
        self.stories.insert(Arc::new(story));
    }

    /// Attempts for a certificate from one moment on.
    fn tries(&self, id: &str, from: u64, to: u64) -> usize {
        self.orders.iter().filter(|(at, name, ..)| name == id && (from..=to).contains(at)).count()
    }

    /// What Let's Encrypt would not have taken: its limits as of 2026.
    fn limits_kept(&self) {
        let within = |span: u64, count: usize, what: &str, key: &dyn Fn(&Ordered) -> Option<String>| {
            let mut times: HashMap<String, Vec<u64>> = HashMap::new();
            for order in &self.orders {
                if let Some(key) = key(order) {
                    times.entry(key).or_default().push(order.0);
                }
            }
            for (key, times) in times {
                let crowded = times.windows(count + 1).find(|window| window[count] - window[0] < span);
                assert!(crowded.is_none(), "{what} of {key}: {crowded:?}");
            }
        };
        within(3 * HOUR, 300, "orders", &|_| Some(CA.to_owned()));
        within(7 * DAY, 50, "new names", &|(_, _, renewal, issued)| {
            (*issued && !renewal).then(|| "example.org".to_owned())
        });
        within(7 * DAY, 5, "the same names", &|(_, name, _, issued)| issued.then(|| name.clone()));
        within(HOUR, 5, "failures", &|(_, name, _, issued)| (!issued).then(|| name.clone()));
    }

    /// Each name was served by a certificate of the CA all the time after its first one.
    fn never_ended(&self) {
        let now = self.now;
        for subjects in &self.wanted {
            let held = self.certificates.get(&Certificate::id_of(subjects)).unwrap();
            assert!(matches!(held.origin(), Origin::Acme(_)) && held.is_valid(now), "{held:?}");
        }
    }
}

fn always() -> Mood {
    Box::new(|_| Ok(()))
}

#[test]
fn two_years_pass_and_nothing_ends() {
    for (lifetime, window) in [(90, None), (47, Some(0.66)), (6, None), (6, Some(0.1))] {
        let mut world = World::new(3, lifetime * DAY, always());
        world.window = window;
        world.run(TWO_YEARS);
        world.never_ended();
        world.limits_kept();
        let expected = if lifetime == 6 { 200..=500 } else { 11..=40 };
        let made = world.orders.len() / 3;
        assert!(window == Some(0.1) || expected.contains(&made), "{lifetime} days, {window:?}: {made} each");
    }
}

/// For every renewal that never succeeds there are at least three attempts before the certificate ends.
#[test]
fn three_tries_at_least_before_the_end() {
    for cause in [Cause::Passing, Cause::Lasting, Cause::Preflight] {
        for lifetime in [90 * DAY, 47 * DAY, 6 * DAY] {
            for window in [None, Some(0.9), Some(0.99)] {
                let mood: Mood = Box::new(move |now| if now < START + 10 { Ok(()) } else { Err(cause) });
                let mut world = World::new(3, lifetime, mood);
                world.window = window;
                world.run(lifetime);
                for subjects in world.wanted.clone() {
                    let id = Certificate::id_of(&subjects);
                    let tries = world.tries(&id, START + 10, world.certificates.get(&id).unwrap().not_after());
                    assert!(tries >= 3, "{cause:?}, {lifetime} s, {window:?}: {tries} tries");
                }
                world.limits_kept();
            }
        }
    }
}

/// With the waits of a test CA whose certificates last 45 seconds.
#[test]
fn certificates_of_45_seconds_can_be_lived_with() {
    let mut world = World::new(2, 45, always());
    world.settings.retry_seconds = 1;
    world.settings.check_seconds = 1;
    world.settings.limits = Limits { same_names: 0, domain: 0, orders: 0, failures: 0 };
    world.run(HOUR);
    world.never_ended();

    let mood: Mood = Box::new(|now| if now < START + 2 { Ok(()) } else { Err(Cause::Lasting) });
    let mut world = World { settings: world.settings, ..World::new(1, 45, mood) };
    world.run(45);
    assert!(world.tries("app0.example.org", START + 2, START + 45) >= 3);
}

/// Every third order fails, and the CA is away for a week every two months.
#[test]
fn a_ca_that_fails_and_goes_away_ends_nothing() {
    for lifetime in [90, 47] {
        let mood: Mood = Box::new(|now| match now {
            _ if (now - START) % (60 * DAY) > 53 * DAY => Err(Cause::Passing),
            _ if now % 3 == 0 => Err(Cause::Lasting),
            _ => Ok(()),
        });
        let mut world = World::new(4, lifetime * DAY, mood);
        world.run(TWO_YEARS);
        world.never_ended();
        world.limits_kept();
    }
}

/// A CA that never says yes is asked daily, for ever.
#[test]
fn nobody_gives_up_and_nobody_hammers() {
    let mut world = World::new(1, 90 * DAY, Box::new(|_| Err(Cause::Lasting)));
    world.run(TWO_YEARS);
    world.limits_kept();
    assert!((660..=735).contains(&world.orders.len()), "{} attempts", world.orders.len());
    assert!(world.tries("app0.example.org", START, START + 3 * HOUR) >= 4);
    let served = world.certificates.for_server_name("app0.example.org", world.now).unwrap();
    assert!(*served.origin() == Origin::Local && served.is_valid(world.now), "the stop-gap is kept fresh");
}

/// Two hundred new names at once: each is served at once by the built-in CA, and the rest comes as the limits allow.
#[test]
fn many_new_names_come_as_the_limits_allow() {
    let mut world = World::new(200, 90 * DAY, always());
    world.run(60);
    assert_eq!(world.certificates.len(), 200);
    assert_eq!(world.orders.len(), 45);
    world.run(30 * DAY);
    world.limits_kept();
    world.never_ended();
}

/// The clock jumps ahead by ten years and back again: what is held is renewed as soon as it can be, and nothing is blocked.
#[test]
fn the_clock_may_jump() {
    let mut world = World::new(3, 90 * DAY, always());
    world.run(30 * DAY);
    world.now = START + 3_650 * DAY;
    world.run(3_651 * DAY);
    world.never_ended();
    let certificates = world.certificates.clone();
    world.now = START + 40 * DAY;
    world.run(60 * DAY);
    assert_eq!(world.certificates.len(), certificates.len());
    world.mood = Box::new(|_| Err(Cause::Lasting));
    world.now = START + 7_300 * DAY;
    world.run(7_301 * DAY);
    world.mood = always();
    world.now = START + 61 * DAY;
    world.run(75 * DAY);
    world.never_ended();
}
