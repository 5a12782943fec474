//! A value as somebody wrote it, with what it means: read once, when the route is, and never again for a request. It goes back
//! into JSON as it was written, and a value that means nothing is kept with its fault, so that [`super::Options::check`] can
//! tell all of them at once and where each stands. Rejected: to refuse it while JSON is read (only the first would be
//! told, and without its place).

use std::cmp::Ordering;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Fault, OptionFault};

/// What a text can mean.
pub trait Meaning: Sized {
    /// Whether the text must not be seen in a log.
    const SECRET: bool = false;

    /// Reads it.
    fn read(text: &str) -> Result<Self, Fault>;
}

/// A text, and what it means.
#[derive(Clone)]
pub struct Given<T> {
    written: Box<str>,
    meaning: Result<T, Fault>,
}

impl<T: Meaning> Given<T> {
    /// What it means; none only before it was checked.
    pub fn meaning(&self) -> Option<&T> {
        self.meaning.as_ref().ok()
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Tells what is wrong with it, at its place.
    pub(super) fn check(&self, field: impl FnOnce() -> String, faults: &mut Vec<OptionFault>) {
        if let Err(fault) = &self.meaning {
            faults.push(OptionFault { field: field(), fault: fault.clone() });
        }
    }
}

impl<T: Meaning> From<&str> for Given<T> {
    fn from(text: &str) -> Self {
        Self { written: text.into(), meaning: T::read(text) }
    }
}

impl<T> PartialEq for Given<T> {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl<T> Eq for Given<T> {}

impl<T> PartialOrd for Given<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Given<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.written.cmp(&other.written)
    }
}

impl<T: Meaning> fmt::Debug for Given<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if T::SECRET { f.write_str("(secret)") } else { fmt::Debug::fmt(&self.written, f) }
    }
}

impl<T> Serialize for Given<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de, T: Meaning> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self::from(text.as_str()))
    }
}

/// A time in seconds, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl Seconds {
    /// Tells if it is beyond a range.
    pub(super) fn check(
        self,
        range: RangeInclusive<Duration>,
        field: impl FnOnce() -> String,
        faults: &mut Vec<OptionFault>,
    ) {
        if !range.contains(&self.0) {
            let message = format!("the time is {} s", self.0.as_secs_f64());
            let cure = format!("it must be from {} to {}", range.start().as_secs_f64(), range.end().as_secs_f64());
            faults.push(OptionFault { field: field(), fault: Fault::new(message, cure) });
        }
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.subsec_millis() {
            0 => serializer.serialize_u64(self.0.as_secs()),
            _ => serializer.serialize_f64(self.0.as_millis() as f64 / 1_000.0),
        }
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        // Whatever is beyond the range is so for `check` to tell.
        let millis = (seconds * 1_000.0).clamp(0.0, u32::MAX.into());
        Ok(Self(Duration::from_millis(millis as u64)))
    }
}
