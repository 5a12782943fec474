//! What is kept beside certificates: accounts with CAs, and the stories of what was tried.

use std::borrow::Cow;
use std::sync::Arc;

use super::shelf::{Collection, Stored};
use crate::cert::{Account, ById, Identified, Outcome, Story};

impl<V> Collection<V> for ById<V>
where
    V: Stored + Identified,
{
    fn find(&self, key: &str) -> Option<&Arc<V>> {
        self.get(key)
    }

    fn put(&mut self, value: Arc<V>) {
        self.insert(value);
    }

    fn take(&mut self, key: &str) {
        self.remove(key);
    }

    fn each<'a>(&'a self) -> impl Iterator<Item = &'a Arc<V>>
    where
        V: 'a,
    {
        self.iter()
    }
}

impl Stored for Account {
    const WORD: &'static str = "account";
    const INSTEAD_OF_UNDO: Option<&'static str> = Some("a new account is made when one is missing");

    fn key(&self) -> Cow<'_, str> {
        self.id().into()
    }
}

/// Told by `cert why`, not by the history: each attempt is several changes.
impl Stored for Story {
    const WORD: &'static str = "story";
    const INSTEAD_OF_UNDO: Option<&'static str> = Some("what was tried was tried");
    const SILENT: bool = true;

    fn key(&self) -> Cow<'_, str> {
        self.id().into()
    }

    fn line(&self) -> String {
        let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed { .. });
        match self.attempts.last() {
            None => "nothing tried yet".to_owned(),
            Some(last) if failed(&last.outcome) => format!("{} failures in a row", self.failures),
            Some(_) => "well".to_owned(),
        }
    }
}
