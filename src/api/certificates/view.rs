//! What the API says of a certificate: how it stands, when something happens next, and what was tried.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::acme::plan::renewal;
use crate::acme::warning;
use crate::api::event::moment;
use crate::cert::{Attempt, Certificate, Identified, Origin, Outcome, Step, Story};
use crate::store::Snapshot;

/// All certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateList {
    /// The revision of everything Freehold knows that this list was read from.
    #[schema(examples(7))]
    pub revision: u64,
    /// The certificates, and the names that have none yet, by id.
    pub certificates: Vec<CertificateSummary>,
}

/// A certificate, or that there is none yet for some names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateSummary {
    /// What it is found by; any of its names does too.
    #[schema(examples("app.home.example"))]
    pub id: String,
    /// The names and addresses it is for.
    #[schema(examples("app.home.example"))]
    pub names: Vec<String>,
    /// `valid`; `local`, of the built-in CA, which browsers do not know; `ended`; `early`, not valid yet; `missing`.
    #[schema(pattern = "^(valid|local|ended|early|missing)$", examples("valid"))]
    pub state: String,
    /// Who vouches for it.
    #[schema(examples("Let's Encrypt E7"))]
    pub issuer: Option<String>,
    /// Its serial number, hexadecimal.
    #[schema(examples("04:ab:cd"))]
    pub serial: Option<String>,
    /// From when on it is valid, in UTC (RFC 3339).
    #[schema(format = "date-time", examples("2026-11-21T15:24:05Z"))]
    pub not_before: Option<String>,
    /// Until when it is valid, in UTC (RFC 3339).
    #[schema(format = "date-time", examples("2027-02-19T15:24:05Z"))]
    pub not_after: Option<String>,
    /// How much of its life is left, in hundredths; 0 when it has ended.
    #[schema(maximum = 100, examples(66))]
    pub left_percent: Option<u8>,
    /// Who takes care of it: `acme`, `local` or `imported`; null where there is none yet.
    #[schema(pattern = "^(acme|local|imported)$", examples("acme"))]
    pub origin: Option<String>,
    /// Whether somebody asked for it by name.
    #[schema(examples(false))]
    pub asked_for: bool,
    /// When it is renewed or tried again, in UTC (RFC 3339); null where nobody does.
    #[schema(format = "date-time", examples("2027-01-20T03:11:00Z"))]
    pub next_attempt: Option<String>,
    /// Failures in a row.
    #[schema(examples(0))]
    pub failures: u32,
    /// Why the last attempt failed; null if it did not.
    pub last_error: Option<CertificateError>,
    /// What somebody has to see to before it ends; null while nobody has.
    pub warning: Option<CertificateError>,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateError {
    /// What is wrong, in the CA's own words where it said something.
    #[schema(examples("the servers of example do not know home.example: it is not delegated to anybody"))]
    pub message: String,
    /// What to do about it.
    #[schema(examples("at the registrar of home.example, enter its name servers: ns1.home.example"))]
    pub cure: String,
}

/// A certificate with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateDetails {
    /// The revision of everything Freehold knows that this was read from.
    #[schema(examples(7))]
    pub revision: u64,
    /// How it stands.
    pub certificate: CertificateSummary,
    /// When the CA would like it to be renewed, if it said so.
    pub window: Option<CertificateWindow>,
    /// The last attempts to get it, oldest first.
    pub attempts: Vec<CertificateAttempt>,
}

/// When a CA would like a certificate to be renewed (RFC 9773).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateWindow {
    /// From here, in UTC (RFC 3339).
    #[schema(format = "date-time", examples("2027-01-19T00:00:00Z"))]
    pub start: String,
    /// To here, in UTC (RFC 3339).
    #[schema(format = "date-time", examples("2027-01-21T00:00:00Z"))]
    pub end: String,
    /// A page of the CA's that says why.
    #[schema(examples("https://ca.example/why"))]
    pub explanation: Option<String>,
}

/// One attempt with one CA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateAttempt {
    /// The directory of the CA.
    #[schema(examples("https://acme-v02.api.letsencrypt.org/directory"))]
    pub directory: String,
    /// When it began, in UTC (RFC 3339).
    #[schema(format = "date-time", examples("2026-11-21T15:24:05Z"))]
    pub started: String,
    /// Whether it was only a rehearsal with the CA's staging system.
    #[schema(examples(false))]
    pub rehearsal: bool,
    /// `running`, `done` or `failed`.
    #[schema(pattern = "^(running|done|failed)$", examples("done"))]
    pub outcome: String,
    /// Why it failed; null if it did not.
    pub error: Option<CertificateError>,
    /// What was done, in order.
    pub steps: Vec<CertificateStep>,
}

/// A step of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateStep {
    /// Milliseconds since the attempt began.
    #[schema(examples(57))]
    pub after_ms: u64,
    /// What.
    #[schema(examples("the CA is convinced"))]
    pub text: String,
}

impl CertificateSummary {
    /// How things stand with what this id stands for: a certificate, a story, or both.
    pub(super) fn of(snapshot: &Snapshot, id: &str, now: u64) -> Option<Self> {
        let (held, story) = (snapshot.certificates.get(id), snapshot.stories.get(id));
        let names = held.map(|held| held.subjects()).or(story.map(|story| story.subjects()))?;
        let last = story.and_then(|story| story.attempts.last());
        Some(Self {
            id: id.to_owned(),
            names: names.iter().map(ToString::to_string).collect(),
            state: state(held.map(|held| &**held), now).to_owned(),
            issuer: held.map(|held| held.issuer().to_owned()),
            serial: held.map(|held| held.serial().to_owned()),
            not_before: held.map(|held| moment(held.not_before())),
            not_after: held.map(|held| moment(held.not_after())),
            left_percent: held.map(|held| left(held, now)),
            origin: held.map(|held| origin(held.origin()).to_owned()),
            asked_for: story.is_some_and(|story| story.asked_for),
            next_attempt: next(held.map(|held| &**held), story.map(|story| &**story), now).map(moment),
            failures: story.map_or(0, |story| story.failures),
            last_error: last.and_then(|last| CertificateError::of(&last.outcome)),
            warning: held
                .and_then(|held| warning(&snapshot.certificates, held, story.map(|story| &**story), now))
                .map(|warning| CertificateError { message: warning.message, cure: warning.cure }),
        })
    }
}

impl CertificateDetails {
    pub(super) fn of(snapshot: &Snapshot, id: &str, now: u64) -> Option<Self> {
        let story = snapshot.stories.get(id);
        let window = story.and_then(|story| story.window.as_ref()).map(|window| CertificateWindow {
            start: moment(window.start),
            end: moment(window.end),
            explanation: window.explanation.clone(),
        });
        Some(Self {
            revision: snapshot.revision,
            certificate: CertificateSummary::of(snapshot, id, now)?,
            window,
            attempts: story.iter().flat_map(|story| &story.attempts).map(CertificateAttempt::of).collect(),
        })
    }
}

impl CertificateAttempt {
    fn of(attempt: &Attempt) -> Self {
        let step = |step: &Step| CertificateStep { after_ms: step.after_ms, text: step.text.clone() };
        let outcome = match attempt.outcome {
            Outcome::Running => "running",
            Outcome::Done => "done",
            Outcome::Failed { .. } => "failed",
        };
        Self {
            directory: attempt.directory.clone(),
            started: moment(attempt.started),
            rehearsal: attempt.rehearsal,
            outcome: outcome.to_owned(),
            error: CertificateError::of(&attempt.outcome),
            steps: attempt.steps.iter().map(step).collect(),
        }
    }
}

impl CertificateError {
    pub(in crate::api) fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Failed { message, cure } => Some(Self { message: message.clone(), cure: cure.clone() }),
            Outcome::Running | Outcome::Done => None,
        }
    }
}

fn state(held: Option<&Certificate>, now: u64) -> &'static str {
    match held {
        None => "missing",
        Some(held) if now > held.not_after() => "ended",
        Some(held) if now < held.not_before() => "early",
        Some(held) if *held.origin() == Origin::Local => "local",
        Some(_) => "valid",
    }
}

fn origin(origin: &Origin) -> &'static str {
    match origin {
        Origin::Local => "local",
        Origin::Acme(_) => "acme",
        Origin::Imported => "imported",
    }
}

/// Hundredths of the life that are left.
fn left(held: &Certificate, now: u64) -> u8 {
    let life = held.not_after().saturating_sub(held.not_before()).max(1);
    let left = held.not_after().saturating_sub(now).min(life);
    u8::try_from(100 * left / life).unwrap_or(100)
}

/// When something happens next; after a failure, when it is tried again.
pub(in crate::api) fn next(held: Option<&Certificate>, story: Option<&Story>, now: u64) -> Option<u64> {
    let wish = story.and_then(|story| story.renew_since).map(|_| now);
    let again = story.filter(|story| story.failures > 0).map(|story| {
        let waits = story.waits.iter().map(|wait| wait.until).min().unwrap_or(0);
        story.retry_at.max(waits).max(now)
    });
    let due = held
        .filter(|held| *held.origin() != Origin::Imported)
        .map(|held| renewal(held, story.and_then(|story| story.window.as_ref())));
    again.or(wish).or(due)
}

/// The ids of all certificates, and of the stories of names that have none.
pub(super) fn ids(snapshot: &Snapshot) -> Vec<String> {
    let mut ids: Vec<String> = snapshot.certificates.iter().map(|held| held.id().to_owned()).collect();
    let open = |story: &&std::sync::Arc<Story>| story.asked_for || story.failures > 0;
    ids.extend(snapshot.stories.iter().filter(open).map(|story| story.id().to_owned()));
    ids.sort();
    ids.dedup();
    ids
}
