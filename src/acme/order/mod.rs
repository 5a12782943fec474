//! One job: from the names to a stored certificate, with one CA after the other until one says yes.
//!
//! Every step goes into the story. Whatever happens, what was published is taken away again, and what was held stays.

mod obtain;
mod prove;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::plan::{Order, note_failure, note_success};
use super::settings::Ca;
use super::stats::Stats;
use super::trouble::Trouble;
use super::world::{World, now, replace, story_of};
use super::{challenge, plan::Cause};
use crate::cert::{Attempt, Certificate, Origin, Outcome};
use crate::store::{Change, Decision, Item};

/// How long one attempt with one CA may take.
const ATTEMPT_TIME: Duration = Duration::from_secs(15 * 60);

/// An attempt, and when it began.
struct Log {
    attempt: Attempt,
    start: Instant,
}

impl Log {
    fn new(order: &Order, ca: &Ca, rehearsal: bool) -> Self {
        let mut attempt = Attempt::new(&ca.directory, now());
        attempt.rehearsal = rehearsal;
        attempt.renewal = is_renewal(order, ca);
        Self { attempt, start: Instant::now() }
    }

    fn step(&mut self, text: impl fmt::Display) {
        let after = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.attempt.step(after, text);
    }
}

/// Whether a certificate of this CA for these names is held.
fn is_renewal(order: &Order, ca: &Ca) -> bool {
    order.replaces.as_ref().is_some_and(|held| *held.origin() == Origin::Acme(ca.directory.clone()))
}

/// Asks the CAs. Everything that comes of it is in the store afterwards.
pub(super) async fn run(world: &World, order: &Order, stats: &Stats) {
    let id = Certificate::id_of(&order.subjects);
    let mut last = None;
    for ca in &order.cas {
        match with_ca(world, order, ca, stats).await {
            Ok(certificate) => {
                let until = crate::cert::date(certificate.not_after());
                return info!(certificate = id, ca = ca.directory, until, "a certificate was issued");
            }
            Err(trouble) => {
                stats.failed();
                warn!(certificate = id, ca = ca.directory, reason = %trouble, "no certificate was issued");
                let goes_on = trouble.another_ca_may_help;
                last = Some(trouble);
                if !goes_on {
                    break;
                }
            }
        }
    }
    let cause = last.map_or(Cause::Lasting, |trouble| trouble.cause);
    let (step, valid_until) =
        (u64::from(world.settings.retry_seconds), order.replaces.as_ref().map(|held| held.not_after()));
    let noted = world.tell(&order.subjects, move |story| note_failure(story, cause, step, valid_until, now())).await;
    if let Err(trouble) = noted {
        warn!(certificate = id, reason = %trouble, "the failure could not be kept");
    }
}

/// One CA, rehearsed first if that is wise.
async fn with_ca(world: &World, order: &Order, ca: &Ca, stats: &Stats) -> Result<Arc<Certificate>, Trouble> {
    if let Some(staging) = ca.rehearsal().filter(|_| order.rehearse) {
        attempt(world, order, &staging, true, stats).await?;
    }
    attempt(world, order, ca, false, stats).await
}

/// One attempt, kept in the story from its beginning.
async fn attempt(
    world: &World,
    order: &Order,
    ca: &Ca,
    rehearsal: bool,
    stats: &Stats,
) -> Result<Arc<Certificate>, Trouble> {
    stats.attempted();
    let mut log = Log::new(order, ca, rehearsal);
    world.note(&order.subjects, &log.attempt).await?;
    let told = timeout(ATTEMPT_TIME, obtain::obtain(world, order, ca, &mut log)).await;
    let told = told.unwrap_or_else(|_| {
        let minutes = ATTEMPT_TIME.as_secs() / 60;
        Err(Trouble::passing(format!("it was not done after {minutes} minutes"), "nothing; it is tried again"))
    });
    if told.is_ok() {
        stats.issued();
    }
    world.answers.clear(&order.subjects);
    let cleared = challenge::clear(world, &order.subjects).await;
    if let Err(trouble) = cleared {
        log.step(format_args!("the records of the challenge could not be taken away yet: {trouble}"));
    }
    finish(world, order, ca, log, told).await
}

/// Keeps the outcome, and the certificate if there is one, in one change.
async fn finish(
    world: &World,
    order: &Order,
    ca: &Ca,
    mut log: Log,
    told: Result<Arc<Certificate>, Trouble>,
) -> Result<Arc<Certificate>, Trouble> {
    match told {
        Err(trouble) => {
            log.attempt.fail(&trouble.message, &trouble.cure);
            let (attempt, directory, until) = (log.attempt, ca.directory.clone(), trouble.wait_until);
            world
                .tell(&order.subjects, move |story| {
                    replace(story, attempt.clone());
                    if let Some(until) = until {
                        story.wait(&directory, until, now());
                    }
                })
                .await?;
            Err(trouble)
        }
        Ok(certificate) => {
            log.attempt.outcome = Outcome::Done;
            keep(world, order, log.attempt, certificate).await
        }
    }
}

async fn keep(
    world: &World,
    order: &Order,
    attempt: Attempt,
    certificate: Arc<Certificate>,
) -> Result<Arc<Certificate>, Trouble> {
    if attempt.rehearsal {
        return world.note(&order.subjects, &attempt).await.map(|()| certificate);
    }
    let subjects = order.subjects.clone();
    let kept = certificate.clone();
    let decision = Decision::new(2, move |now| {
        let mut story = story_of(&now.stories, &subjects);
        replace(&mut story, attempt.clone());
        note_success(&mut story);
        let items = [Item::Certificate(kept.clone()), Item::Story(story.into())];
        Ok(Change::Many(items.into_iter().map(Change::PutItem).collect()))
    });
    world.commit(Change::Decide(decision)).await.map(|()| certificate)
}
