//! The site takes a break: visitors are told so, and nothing reaches the app.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OptionFault;

/// Octets of the text.
const TEXT_SIZE_MAX: usize = 1_000;
/// What visitors are told if nothing else is said.
const USUAL_TEXT: &str = "The site is being worked on. Please try again in a while.";

/// Whether visitors are told that the site takes a break: `false`, `true`, or the text they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected true, false or a text")]
#[schema(as = RouteMaintenance, examples(true))]
pub enum Maintenance {
    /// Whether they are told in the usual words.
    Plain(bool),
    /// They are told this: plain text of at most 1,000 octets.
    Text(Box<str>),
}

impl Default for Maintenance {
    fn default() -> Self {
        Self::Plain(false)
    }
}

impl Maintenance {
    /// Whether the site takes a break.
    pub fn is_on(&self) -> bool {
        self.text().is_some()
    }

    /// What visitors are told, while the site takes a break.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Plain(false) => None,
            Self::Plain(true) => Some(USUAL_TEXT),
            Self::Text(text) => Some(text),
        }
    }

    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        let Self::Text(text) = self else { return };
        let hidden = text.chars().any(|c| c.is_control() && c != '\n');
        if text.trim().is_empty() || text.len() > TEXT_SIZE_MAX || hidden {
            let message = "the text for visitors is empty, too long, or has a hidden character in it";
            faults.push(OptionFault::new("/maintenance", message, "write up to 1000 octets of plain text, or true"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_is_said_plainly_or_in_words() {
        let read = |json: &str| serde_json::from_str::<Maintenance>(json).unwrap();
        assert_eq!(read("false").text(), None);
        assert_eq!(read("true").text(), Some(USUAL_TEXT));
        assert_eq!(read("\"Back at noon\"").text(), Some("Back at noon"));
        for (json, wrong) in [("true", 0), ("\" \"", 1), ("\"a\\u0007\"", 1), ("\"two\\nlines\"", 0)] {
            let mut faults = Vec::new();
            read(json).check(&mut faults);
            assert_eq!(faults.len(), wrong, "{json}");
        }
    }
}
