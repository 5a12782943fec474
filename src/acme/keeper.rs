//! The loop: look, do what is to be done, wait for a change or for the time.
//!
//! What a CA is asked runs in tasks of their own, a few at a time, each certificate once; what only concerns the store is
//! done at once. Nothing here can take a certificate away that is wanted, so a CA that is down, slow or mad harms nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;
use tracing::{error, warn};

use super::plan::{self, Job, LOCAL_LIFETIME, Outlook, Plan, Situation, group, plan};
use super::settings::Ca;
use super::stats::Stats;
use super::world::{World, now};
use super::{challenge, order, window};
use crate::cert::{Authority, Certificate, Identified, Origin, Outcome, Story, Subject};
use crate::store::{Change, Decision, Item, ItemKey, Shelf, Snapshot};

/// Certificates that are worked on at once.
const JOBS_MAX: usize = 8;
/// Changes of the store within this time are looked at together.
const GATHER: Duration = Duration::from_millis(50);
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
    /// When each CA is to be asked for its wish again, by serial number.
    window_next: BTreeMap<String, u64>,
}

/// What a task has to tell.
enum Finished {
    Order,
    /// The serial number, and when to ask again.
    Window(String, u64),
}

impl Under {
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
            let look_again_at = self.look(&mut under).await;
            let pause = Duration::from_secs(look_again_at.saturating_sub(now()).max(1));
            tokio::select! {
                told = under.tasks.join_next_with_id(), if !under.tasks.is_empty() => under.finished(told),
                told = revisions.changed() => match told {
                    Ok(()) => sleep(GATHER).await,
                    Err(_) => return, // the store is gone
                },
                _ = self.stop.changed() => return,
                () = sleep(pause) => (),
            }
        }
    }

    /// Plans and begins what is to be done; tells when to look again.
    async fn look(&self, under: &mut Under) -> u64 {
        let snapshot = self.world.snapshot();
        let running = under.running();
        self.sweep(&snapshot, &running).await;
        let wanted = self.wanted(&snapshot);
        let situation = Situation {
            wanted: &wanted,
            certificates: &snapshot.certificates,
            stories: &snapshot.stories,
            authority: snapshot.authority.as_deref(),
            settings: &self.world.settings,
            cas: &self.cas,
            window_next: &under.window_next,
            running: &running,
        };
        let Plan { jobs, look_again_at, outlooks } = plan(&situation, now());
        self.outlooks.store(Arc::new(outlooks));
        let held: BTreeSet<&str> = snapshot.certificates.iter().map(|held| held.serial()).collect();
        under.window_next.retain(|serial, _| held.contains(serial.as_str()));
        let mut changes = Vec::new();
        for job in jobs {
            match job {
                Job::Order(order) if under.tasks.len() < JOBS_MAX => self.begin(under, order),
                Job::AskWindow(held) if under.tasks.len() < JOBS_MAX => self.begin_window(under, &held),
                Job::Order(_) | Job::AskWindow(_) => (), // looked at again as soon as a task is done
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
        // A host is a name that a certificate can have: both are checked the same way.
        let hosts = snapshot.routes.iter().filter_map(|route| route.host().as_str().parse().ok());
        group(hosts.chain(self.names.iter().cloned()), asked)
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
        under.window_next.insert(held.serial().to_owned(), soon);
        under.tasks.spawn(async move {
            let next = window::ask(&world, &ca, &held).await;
            Finished::Window(held.serial().to_owned(), next)
        });
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
        match told {
            Some(Ok((id, Finished::Order))) => drop(self.of.remove(&id)),
            Some(Ok((_, Finished::Window(serial, next)))) => drop(self.window_next.insert(serial, next)),
            Some(Err(fault)) => {
                let of = self.of.remove(&fault.id());
                error!(certificate = of, reason = %fault, "work on a certificate broke off");
            }
            None => (),
        }
    }
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
