//! The loop: look, do what is to be done, wait for a change or for the time.
//!
//! What a CA is asked runs in tasks of their own, a few at a time, each certificate once; what only concerns the store is
//! done at once. Nothing here can take a certificate away that is wanted, so a CA that is down, slow or mad harms nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch::{self, error::RecvError};
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;
use tracing::{error, warn};

use super::own::{self, shown};
use super::plan::{self, Job, LOCAL_LIFETIME, Memory, Outlook, Plan, Situation, group, plan};
use super::preflight::delegation::{self, Verdict};
use super::settings::Ca;
use super::stats::Stats;
use super::world::{World, now};
use super::{challenge, order, window};
use crate::cert::{Authority, Certificate, Identified, Origin, Outcome, Story, Subject};
use crate::store::{Change, Decision, Item, ItemKey, Shelf, Snapshot};
use crate::wire::Name;

/// Certificates that are worked on at once.
const JOBS_MAX: usize = 8;
/// Delegations that are looked at at once.
const LOOKS_MAX: usize = 2;
/// Changes of the store within this time are looked at together.
const GATHER: Duration = Duration::from_millis(50);
/// Seconds after which a look at a delegation of which nothing was heard is begun again.
const LOOK_PATIENCE: u64 = 300;
/// Items of one change.
const AT_ONCE: usize = 100;

/// How things stand with each wanted certificate.
pub(super) type Outlooks = Arc<ArcSwap<BTreeMap<String, Outlook>>>;

pub(super) struct Keeper {
    pub(super) world: Arc<World>,
    pub(super) cas: Vec<Ca>,
    /// Names that are wanted whatever the routes say.
    pub(super) names: Vec<Subject>,
    pub(super) outlooks: Outlooks,
    pub(super) stats: Arc<Stats>,
    pub(super) stop: watch::Receiver<bool>,
}

/// What goes on beside the loop.
#[derive(Default)]
struct Under {
    tasks: JoinSet<Finished>,
    /// The certificates that the tasks work on.
    of: HashMap<Id, String>,
    /// The tasks that look at delegations: they take no place from those that work on certificates.
    looks: HashSet<Id>,
    /// What was asked and said before.
    memory: Memory,
}

/// What a task has to tell.
enum Finished {
    Order,
    /// The serial number, and when to ask again.
    Window(String, u64),
    /// The zone, and when to look again.
    Delegation(String, u64),
}

impl Under {
    /// Tasks that work on certificates.
    fn jobs(&self) -> usize {
        self.tasks.len() - self.looks.len()
    }

    fn running(&self) -> BTreeSet<String> {
        self.of.values().cloned().collect()
    }
}

impl Keeper {
    /// Goes on until it is told to stop.
    pub(super) async fn run(mut self) {
        let mut revisions = self.world.store.revisions();
        let mut under = Under::default();
        while !*self.stop.borrow() {
            revisions.borrow_and_update();
            let seen = self.world.snapshot();
            let look_again_at = self.look(&seen, &mut under).await;
            let pause = Duration::from_secs(look_again_at.saturating_sub(now()).max(1));
            tokio::select! {
                told = under.tasks.join_next_with_id(), if !under.tasks.is_empty() => under.finished(told),
                told = concern(&self.world, &mut revisions, &seen) => match told {
                    Ok(()) => (),
                    Err(_) => return, // the store is gone
                },
                _ = self.stop.changed() => return,
                () = sleep(pause) => (),
            }
        }
    }

    /// Plans and begins what is to be done; tells when to look again.
    async fn look(&self, snapshot: &Snapshot, under: &mut Under) -> u64 {
        let running = under.running();
        self.sweep(snapshot, &running).await;
        let wanted = self.wanted(snapshot);
        let zones = zones(snapshot, &wanted);
        self.forget(under, snapshot, &zones);
        let situation = Situation {
            wanted: &wanted,
            certificates: &snapshot.certificates,
            stories: &snapshot.stories,
            authority: snapshot.authority.as_deref(),
            settings: &self.world.settings,
            cas: &self.cas,
            zones: &zones,
            memory: &under.memory,
            running: &running,
        };
        let Plan { jobs, look_again_at, outlooks } = plan(&situation, now());
        self.outlooks.store(Arc::new(outlooks));
        let mut changes = Vec::new();
        for job in jobs {
            match job {
                Job::Order(order) if under.jobs() < JOBS_MAX => self.begin(under, order),
                Job::AskWindow(held) if under.jobs() < JOBS_MAX => self.begin_window(under, &held),
                Job::LookAtDelegation(zone) if under.looks.len() < LOOKS_MAX => self.begin_look(under, zone),
                Job::Order(_) | Job::AskWindow(_) | Job::LookAtDelegation(_) => (), // looked at again as soon as a task is done
                Job::Warn(warning) => {
                    warn!(certificate = warning.id, cure = warning.cure, "{}", warning.message);
                    under.memory.warned.insert(warning.serial, warning.step);
                }
                Job::Found => changes.extend(found()),
                Job::Vouch(subjects) => changes.push(vouch(subjects)),
                Job::DropCertificate(id) => changes.push(drop_item(Shelf::Certificate, id)),
                Job::DropStory(id) => changes.push(drop_item(Shelf::Story, id)),
            }
        }
        self.make(changes).await;
        look_again_at
    }

    /// The certificates that are wanted: for the routes, for the settings, and for whoever asked.
    fn wanted(&self, snapshot: &Snapshot) -> Vec<Vec<Subject>> {
        let asked = snapshot.stories.iter().filter(|story| story.asked_for).map(|story| story.subjects().to_vec());
        group(hosts(snapshot).chain(self.names.iter().cloned()), asked)
    }

    fn begin(&self, under: &mut Under, wanted: plan::Order) {
        let (world, stats) = (self.world.clone(), self.stats.clone());
        let id = Certificate::id_of(&wanted.subjects);
        let task = under.tasks.spawn(async move {
            order::run(&world, &wanted, &stats).await;
            Finished::Order
        });
        under.of.insert(task.id(), id);
    }

    fn begin_window(&self, under: &mut Under, held: &Arc<Certificate>) {
        let ca = self.cas.iter().find(|ca| *held.origin() == Origin::Acme(ca.directory.clone()));
        let Some(ca) = ca.cloned() else { return };
        let (world, held) = (self.world.clone(), held.clone());
        // Not asked twice while the question is under way; the answer brings the real time.
        let soon = now() + u64::from(self.world.settings.window_seconds);
        under.memory.window_next.insert(held.serial().to_owned(), soon);
        under.tasks.spawn(async move {
            let next = window::ask(&world, &ca, &held).await;
            Finished::Window(held.serial().to_owned(), next)
        });
    }

    fn begin_look(&self, under: &mut Under, zone: String) {
        // Not looked at twice at once; the answer brings the real time.
        under.memory.delegation_next.insert(zone.clone(), now() + LOOK_PATIENCE);
        let Ok(name) = Name::parse(format!("{zone}.").as_bytes(), None) else { return };
        let world = self.world.clone();
        let check_seconds = world.settings.check_seconds;
        let task = under.tasks.spawn(async move {
            let found = world.look_at_delegation(&name).await;
            let is_right = matches!(found.verdict, Verdict::Right | Verdict::Private);
            let next = plan::next_look(&zone, is_right, check_seconds, now());
            Finished::Delegation(zone, next)
        });
        under.looks.insert(task.id());
    }

    /// Forgets what is about certificates and zones that are gone.
    fn forget(&self, under: &mut Under, snapshot: &Snapshot, zones: &BTreeSet<String>) {
        let held: BTreeSet<&str> = snapshot.certificates.iter().map(|held| held.serial()).collect();
        under.memory.window_next.retain(|serial, _| held.contains(serial.as_str()));
        under.memory.warned.retain(|serial, _| held.contains(serial.as_str()));
        under.memory.delegation_next.retain(|zone, _| zones.contains(zone));
        if self.world.delegations.load().keys().any(|zone| !zones.contains(zone)) {
            self.world.delegations.rcu(|known| {
                let mut known = BTreeMap::clone(known);
                known.retain(|zone, _| zones.contains(zone));
                known
            });
        }
    }

    /// Takes away what a crash has left: records of challenges, and attempts that never ended.
    async fn sweep(&self, snapshot: &Snapshot, running: &BTreeSet<String>) {
        for story in snapshot.stories.iter().filter(|story| !running.contains(story.id())) {
            if !story.proofs.is_empty()
                && let Err(trouble) = challenge::clear(&self.world, story.subjects()).await
            {
                warn!(certificate = story.id(), reason = %trouble, "records of a challenge could not be taken away");
            }
            if story.attempts.iter().any(|attempt| attempt.outcome == Outcome::Running) {
                let _ = self.world.tell(story.subjects(), end_attempts).await; // looked at again next time
            }
        }
    }

    /// Makes changes that concern the store alone.
    async fn make(&self, mut changes: Vec<Change>) {
        while !changes.is_empty() {
            let rest = changes.split_off(changes.len().min(AT_ONCE));
            if let Err(trouble) = self.world.commit(Change::Many(changes)).await {
                error!(reason = %trouble, "certificates could not be kept");
                return;
            }
            changes = rest;
        }
    }
}

impl Under {
    fn finished(&mut self, told: Option<Result<(Id, Finished), tokio::task::JoinError>>) {
        let id = told.as_ref().map(|told| told.as_ref().map_or_else(|fault| fault.id(), |(id, _)| *id));
        id.map(|id| self.looks.remove(&id));
        match told {
            Some(Ok((id, Finished::Order))) => drop(self.of.remove(&id)),
            Some(Ok((_, Finished::Window(serial, next)))) => drop(self.memory.window_next.insert(serial, next)),
            Some(Ok((_, Finished::Delegation(zone, next)))) => drop(self.memory.delegation_next.insert(zone, next)),
            Some(Err(fault)) => {
                let of = self.of.remove(&fault.id());
                error!(certificate = of, reason = %fault, "work on a certificate broke off");
            }
            None => (),
        }
    }
}

/// The zones of ours in which these names lie; of nested ones the topmost, by the name without its final dot.
fn zones(snapshot: &Snapshot, wanted: &[Vec<Subject>]) -> BTreeSet<String> {
    let mut zones: Vec<Name> = wanted.iter().flatten().filter_map(|subject| zone_of(snapshot, subject)).collect();
    zones.sort_by(|a, b| a.borrow().canonical_cmp(b.borrow()));
    zones.dedup();
    zones.iter().map(|zone| shown(&delegation::topmost(snapshot, zone))).collect()
}

fn zone_of(snapshot: &Snapshot, subject: &Subject) -> Option<Name> {
    let Subject::Name(name) = subject else { return None };
    let name = Name::parse(format!("{name}.").as_bytes(), None).ok()?;
    own::zone_of(snapshot, name.borrow()).map(|zone| zone.apex().to_name())
}

/// Waits for a change that a plan could follow from. Most changes are of records, and a look at ten thousand certificates
/// for each would cost more than the change itself.
async fn concern(world: &World, revisions: &mut watch::Receiver<u64>, seen: &Snapshot) -> Result<(), RecvError> {
    loop {
        revisions.changed().await?;
        sleep(GATHER).await;
        if !is_all_the_same(seen, &world.snapshot()) {
            return Ok(());
        }
    }
}

/// Whether nothing that a plan is made of has changed: what is looked up in zones is looked up again when its time comes.
fn is_all_the_same(seen: &Snapshot, now: &Snapshot) -> bool {
    seen.routes.is_untouched(&now.routes)
        && seen.certificates.is_untouched(&now.certificates)
        && seen.stories.is_untouched(&now.stories)
        && seen.authority.as_ref().map(Arc::as_ptr) == now.authority.as_ref().map(Arc::as_ptr)
        && seen.zones.len() == now.zones.len()
}

/// Attempts that were under way when the server stopped.
fn end_attempts(story: &mut Story) {
    for attempt in story.attempts.iter_mut().filter(|attempt| attempt.outcome == Outcome::Running) {
        attempt.fail("the server stopped while it was under way", "nothing; it is tried again");
    }
}

/// How much longer a new root must last than the one that is there: one that was made a moment ago is as good, and clients
/// may trust it already.
const ROOT_LONGER: u64 = 86_400;

/// A new root for the built-in CA, unless somebody else has just made one.
fn found() -> Option<Change> {
    let made = match Authority::new(now()) {
        Ok(made) => Arc::new(made),
        Err(fault) => {
            error!(reason = %fault, "the built-in CA could not be made");
            return None;
        }
    };
    let decision = Decision::new(1, move |now| {
        let is_new = now.authority.as_ref().is_none_or(|held| held.not_after() + ROOT_LONGER < made.not_after());
        Ok(match is_new {
            true => Change::PutItem(Item::Authority(made.clone())),
            false => Change::Many(Vec::new()),
        })
    });
    Some(Change::Decide(decision))
}

/// The built-in CA vouches for these names, unless something better has come meanwhile. The decision runs after that which
/// makes the CA, so it finds it.
fn vouch(subjects: Vec<Subject>) -> Change {
    Change::Decide(Decision::new(1, move |snapshot| {
        let held = snapshot.certificates.get(&Certificate::id_of(&subjects));
        let is_better = held.is_some_and(|held| *held.origin() != Origin::Local && held.is_valid(now()));
        let made = match &snapshot.authority {
            Some(authority) if !is_better => {
                authority.issue(&subjects, now(), Duration::from_secs(LOCAL_LIFETIME)).map(Arc::new)
            }
            Some(_) | None => return Ok(Change::Many(Vec::new())),
        };
        match made {
            Ok(made) => Ok(Change::PutItem(Item::Certificate(made))),
            Err(fault) => {
                error!(certificate = Certificate::id_of(&subjects), reason = %fault, "the built-in CA could not vouch");
                Ok(Change::Many(Vec::new()))
            }
        }
    }))
}

/// Takes an item away, if it is still there.
/// The hosts of routes that need a certificate. A host is a name that a certificate can have: both are checked the same way. One
/// that is passed on unopened shows its app's own.
fn hosts(snapshot: &Snapshot) -> impl Iterator<Item = Subject> {
    let ours = snapshot.routes.iter().filter(|route| !route.is_passed());
    ours.filter_map(|route| route.host().as_str().parse().ok())
}

fn drop_item(shelf: Shelf, key: String) -> Change {
    let key = ItemKey::new(shelf, key);
    Change::Decide(Decision::new(1, move |now| {
        Ok(match now.item(&key) {
            Some(_) => Change::DeleteItem(key.clone()),
            None => Change::Many(Vec::new()),
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Actor, Settings, Store};

    /// The daemon may make the root in the very second before: clients are told of that one.
    #[tokio::test]
    async fn records_are_no_concern_and_stories_are() {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings { directory: directory.path().join("data"), ..Settings::default() };
        let store = Store::open(&settings).unwrap();
        let before = store.snapshot();
        let addresses = crate::store::EdgeAddresses::new(["192.0.2.1".parse().unwrap()], []);
        store.commit(Change::PutItem(Item::Addresses(Arc::new(addresses))), Actor::new("test", "")).await.unwrap();
        assert!(before.revision != store.snapshot().revision && is_all_the_same(&before, &store.snapshot()));
        let story = Arc::new(Story::new(vec!["a.example".parse().unwrap()]));
        store.commit(Change::PutItem(Item::Story(story)), Actor::new("test", "")).await.unwrap();
        assert!(!is_all_the_same(&before, &store.snapshot()));
    }

    #[test]
    fn no_certificate_is_wanted_for_what_is_passed_on() {
        let route = |host: &str, app: &str| {
            Arc::new(serde_json::from_value(serde_json::json!({"host": host, "apps": [app]})).unwrap())
        };
        let routes = [route("a.example", "http://10.0.0.1"), route("mail.example", "tls://10.0.0.2")];
        let snapshot = Snapshot { routes: routes.into_iter().collect(), ..Snapshot::default() };
        assert_eq!(hosts(&snapshot).map(|host| host.to_string()).collect::<Vec<_>>(), ["a.example"]);
    }

    #[tokio::test]
    async fn a_root_that_was_just_made_stays_and_an_old_one_goes() {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings { directory: directory.path().join("data"), ..Settings::default() };
        let store = Store::open(&settings).unwrap();
        for (age, stays) in [(5, true), (2 * ROOT_LONGER, false)] {
            let held = Arc::new(Authority::new(now() - age).unwrap());
            store.commit(Change::PutItem(Item::Authority(held.clone())), Actor::new("test", "")).await.unwrap();
            store.commit(found().unwrap(), Actor::new("test", "")).await.unwrap();
            assert_eq!(store.snapshot().authority.as_ref() == Some(&held), stays, "{age} s old");
        }
    }
}
