//! What was done to get a certificate, and what came of it: the last attempts with every step, in the CA's own words.
//!
//! It is kept in the store, for three readers: whoever asks why there is no certificate, the plan, which must not forget
//! over a restart how long to wait, and the start after a crash, which takes away what a challenge left in a zone.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::by_id::Identified;
use super::{Certificate, Subject};

/// Attempts that are kept.
pub const ATTEMPTS_MAX: usize = 10;
/// Steps of one attempt that are kept; what comes behind them is not written down.
const STEPS_MAX: usize = 60;
/// Octets of one text: a CA may say much.
const TEXT_SIZE_MAX: usize = 1_500;
/// Octets of all texts, about; so that a story fits on its shelf ([`crate::limits`]) even when each octet needs two there.
const TEXTS_SIZE_MAX: usize = 100_000;

/// What was tried for one set of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    id: String,
    subjects: Vec<Subject>,
    /// Whether somebody wants this certificate, be there a route for it or not.
    #[serde(default)]
    pub asked_for: bool,
    /// Since when somebody wants it anew, before its time.
    #[serde(default)]
    pub renew_since: Option<u64>,
    /// Failures in a row.
    #[serde(default)]
    pub failures: u32,
    /// Whether one of them was soon tried again because its cause was a passing one.
    #[serde(default)]
    pub tried_soon: bool,
    /// Not before this moment again.
    #[serde(default)]
    pub retry_at: u64,
    /// CAs that said how long to wait.
    #[serde(default)]
    pub waits: Vec<Wait>,
    /// When the CA would like the certificate to be renewed.
    #[serde(default)]
    pub window: Option<Window>,
    /// Records of ours that lie in zones for a challenge.
    #[serde(default)]
    pub proofs: Vec<Proof>,
    /// The last attempts, oldest first.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

/// A CA that wants to be left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Its directory.
    pub directory: String,
    /// Until when, in seconds since 1970.
    pub until: u64,
}

/// When a CA would like a certificate to be renewed (RFC 9773), in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The serial number of the certificate it is about.
    pub serial: String,
    /// From here.
    pub start: u64,
    /// To here.
    pub end: u64,
    /// A page that says why.
    #[serde(default)]
    pub explanation: Option<String>,
}

/// A TXT value that lies in a zone for a challenge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Proof {
    /// The zone's apex, with its final dot.
    pub zone: String,
    /// The owner, with its final dot.
    pub owner: String,
    /// The value.
    pub value: String,
}

/// One attempt with one CA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The directory of the CA.
    pub directory: String,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// Whether it was only a rehearsal with the CA's staging system.
    #[serde(default)]
    pub rehearsal: bool,
    /// Whether it was to replace a certificate of this CA for the same names.
    #[serde(default)]
    pub renewal: bool,
    /// Whether the CA was sent an order; before that, nothing of it counts against the CA's limits.
    #[serde(default)]
    pub ordered: bool,
    /// What came of it.
    pub outcome: Outcome,
    /// What was done, in order.
    pub steps: Vec<Step>,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is under way; or it was, when the server stopped.
    Running,
    /// There is a certificate (or would be, in a rehearsal).
    Done,
    /// It failed.
    Failed {
        /// Why, in the CA's own words where it said something.
        message: String,
        /// What to do about it.
        cure: String,
    },
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Milliseconds since the attempt began.
    pub after_ms: u64,
    /// What.
    pub text: String,
}

impl Story {
    /// Of these names; nothing was tried yet.
    pub fn new(mut subjects: Vec<Subject>) -> Self {
        subjects.sort();
        subjects.dedup();
        Self {
            id: Certificate::id_of(&subjects),
            subjects,
            asked_for: false,
            renew_since: None,
            failures: 0,
            tried_soon: false,
            retry_at: 0,
            waits: Vec::new(),
            window: None,
            proofs: Vec::new(),
            attempts: Vec::new(),
        }
    }

    /// The names, sorted, each once.
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// Adds an attempt, and lets the oldest go if there are too many.
    pub fn push(&mut self, attempt: Attempt) {
        self.attempts.push(attempt);
        let mut room = TEXTS_SIZE_MAX;
        let fits = |attempt: &&Attempt| {
            let size = attempt.size();
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        };
        let kept = self.attempts.iter().rev().take(ATTEMPTS_MAX).take_while(fits).count().max(1);
        self.attempts.drain(..self.attempts.len() - kept);
    }

    /// Until when this CA wants to be left alone; 0 if it does not.
    pub fn wait_of(&self, directory: &str) -> u64 {
        self.waits.iter().filter(|wait| wait.directory == directory).map(|wait| wait.until).max().unwrap_or(0)
    }

    /// Notes how long this CA wants to be left alone, and forgets what is over.
    pub fn wait(&mut self, directory: &str, until: u64, now: u64) {
        self.waits.retain(|wait| wait.directory != directory && wait.until > now);
        self.waits.push(Wait { directory: directory.to_owned(), until });
    }
}

impl Identified for Story {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Attempt {
    /// One that begins.
    pub fn new(directory: &str, started: u64) -> Self {
        Self {
            directory: directory.to_owned(),
            started,
            rehearsal: false,
            renewal: false,
            ordered: false,
            outcome: Outcome::Running,
            steps: Vec::new(),
        }
    }

    /// Notes a step. A very long text is cut, and very many steps are not all kept.
    pub fn step(&mut self, after_ms: u64, text: impl fmt::Display) {
        if self.steps.len() < STEPS_MAX {
            self.steps.push(Step { after_ms, text: tame(&text.to_string()) });
        }
    }

    /// Octets of its texts.
    fn size(&self) -> usize {
        let outcome = match &self.outcome {
            Outcome::Failed { message, cure } => message.len() + cure.len(),
            Outcome::Running | Outcome::Done => 0,
        };
        self.directory.len() + outcome + self.steps.iter().map(|step| step.text.len() + 32).sum::<usize>()
    }

    /// Notes why it failed.
    pub fn fail(&mut self, message: &str, cure: &str) {
        self.outcome = Outcome::Failed { message: tame(message), cure: tame(cure) };
    }

    /// Whether it ended with a certificate that can be served.
    pub fn issued(&self) -> bool {
        self.outcome == Outcome::Done && !self.rehearsal
    }

    /// Whether it failed after the CA had been sent an order.
    pub fn failed_at_the_ca(&self) -> bool {
        self.ordered && matches!(self.outcome, Outcome::Failed { .. })
    }
}

/// A text that a stranger may have written, fit to be shown: without control characters, not too long.
fn tame(text: &str) -> String {
    let mut tame = String::new();
    for character in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if tame.len() + character.len_utf8() > TEXT_SIZE_MAX {
            tame.push('…');
            break;
        }
        tame.push(character);
    }
    tame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_never_grows_beyond_its_bounds() {
        let mut story = Story::new(vec!["b.example".parse().unwrap(), "a.example".parse().unwrap()]);
        assert_eq!(story.subjects()[0].to_string(), "a.example");
        for started in 0..100 {
            let mut attempt = Attempt::new("https://ca.example/", started);
            (0..1_000).for_each(|at| attempt.step(at, "é".repeat(1_000)));
            attempt.fail(&"x".repeat(10_000), "");
            story.push(attempt);
        }
        assert_eq!(story.attempts.last().unwrap().started, 99);
        let kept = serde_json::to_string(&story).unwrap();
        assert!(kept.len() < 2 * TEXTS_SIZE_MAX, "{} octets", kept.len());
        assert_eq!(serde_json::from_str::<Story>(&kept).unwrap(), story);
    }

    #[test]
    fn the_last_ten_attempts_are_kept() {
        let mut story = Story::new(vec!["a.example".parse().unwrap()]);
        (0..100).for_each(|started| story.push(Attempt::new("https://ca.example/", started)));
        assert_eq!((story.attempts.len(), story.attempts[0].started), (ATTEMPTS_MAX, 90));
    }

    /// A CA, or whoever plays one, must not write on the owner's terminal.
    #[test]
    fn control_characters_of_a_ca_are_not_kept() {
        let mut attempt = Attempt::new("https://ca.example/", 0);
        attempt.step(0, "\x1b[2Jgone\n");
        assert_eq!(attempt.steps[0].text, " [2Jgone ");
    }

    #[test]
    fn a_wait_takes_the_place_of_the_one_before() {
        let mut story = Story::new(vec!["a.example".parse().unwrap()]);
        story.wait("https://a/", 100, 0);
        story.wait("https://b/", 50, 0);
        assert_eq!(
            (story.wait_of("https://a/"), story.wait_of("https://b/"), story.wait_of("https://c/")),
            (100, 50, 0)
        );
        story.wait("https://a/", 200, 60);
        assert_eq!((story.wait_of("https://a/"), story.waits.len()), (200, 1));
    }
}
