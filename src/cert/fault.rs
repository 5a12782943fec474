//! What is wrong with a certificate, a key or a name, and what to do about it.

use std::fmt;

/// One fault, in words for whoever handed the thing in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, naming the culprit.
    pub message: String,
    /// What to do about it.
    pub cure: String,
}

impl Fault {
    /// A fault with its cure.
    pub fn new(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { message: message.into(), cure: cure.into() }
    }

    /// What the library that makes keys and certificates could not do: no fault of the user's.
    pub(super) fn making(error: &rcgen::Error) -> Self {
        Self::new(
            format!("the certificate or its key could not be made ({error})"),
            "try again; if it stays, report it",
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.cure)
    }
}

impl std::error::Error for Fault {}
