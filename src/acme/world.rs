//! Where a job works: the store, the settings, a resolver, the table of answers.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::answers::Answers;
use super::ask::Resolver;
use super::lookout::Delegations;
use super::settings::Settings;
use super::trouble::Trouble;
use crate::cert::{Attempt, ById, Certificate, Identified, Outcome, Story, Subject};
use crate::store::{Actor, Change, Decision, Item, Snapshot, Store};

/// Who makes our changes, as the history tells it.
pub(super) fn actor() -> Actor {
    Actor::new("acme", "")
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Everything a job needs.
pub(super) struct World {
    pub(super) store: Arc<Store>,
    pub(super) settings: Settings,
    pub(super) resolver: Resolver,
    pub(super) answers: Arc<Answers>,
    /// What was found of the delegations of our zones.
    pub(super) delegations: Delegations,
    /// One account is made at a time, so that two jobs do not make two.
    pub(super) accounts: tokio::sync::Mutex<()>,
}

impl World {
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.store.snapshot()
    }

    /// Makes a change by the one door.
    pub(super) async fn commit(&self, change: Change) -> Result<(), Trouble> {
        let done = self.store.commit(change, actor()).await;
        done.map(drop).map_err(|refused| {
            let refused = refused.to_string();
            let (message, cure) = refused.rsplit_once(": ").unwrap_or((&refused, "look into the log"));
            Trouble { cause: super::plan::Cause::Passing, ..Trouble::ours(message, cure) }
        })
    }

    /// Changes the story of these names, which begins here if there is none.
    pub(super) async fn tell(
        &self,
        subjects: &[Subject],
        change: impl Fn(&mut Story) + Send + Sync + 'static,
    ) -> Result<(), Trouble> {
        let subjects = subjects.to_vec();
        let decision = Decision::new(1, move |now| {
            let mut story = story_of(&now.stories, &subjects);
            change(&mut story);
            Ok(Change::PutItem(Item::Story(Arc::new(story))))
        });
        self.commit(Change::Decide(decision)).await
    }

    /// Keeps how far an attempt has come, in place of what was kept of it before.
    pub(super) async fn note(&self, subjects: &[Subject], attempt: &Attempt) -> Result<(), Trouble> {
        let attempt = attempt.clone();
        self.tell(subjects, move |story| replace(story, attempt.clone())).await
    }
}

/// The story of these names, or its beginning.
pub(super) fn story_of(stories: &ById<Story>, subjects: &[Subject]) -> Story {
    let known = stories.get(&Certificate::id_of(subjects));
    known.map_or_else(|| Story::new(subjects.to_vec()), |story| (**story).clone())
}

/// Puts an attempt in the place of what was kept of it before.
pub(super) fn replace(story: &mut Story, attempt: Attempt) {
    let same = |other: &Attempt| {
        other.outcome == Outcome::Running && (other.started, &other.directory) == (attempt.started, &attempt.directory)
    };
    if story.attempts.last().is_some_and(same) {
        story.attempts.pop();
    }
    story.push(attempt);
    debug_assert_eq!(story.id(), Certificate::id_of(story.subjects()));
}
