//! An account with a CA: who we are there.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::by_id::Identified;

/// An account, made once for each CA and external binding.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    id: String,
    /// What the ACME client needs to come back: the account's URL and its private key, as JSON. For nobody else.
    credentials: Zeroizing<String>,
    /// The address that the CA was told.
    contact: Option<String>,
}

impl Account {
    /// The account at this directory, with this external binding if there is one.
    pub fn new(
        directory: &str,
        binding: Option<&str>,
        credentials: Zeroizing<String>,
        contact: Option<String>,
    ) -> Self {
        Self { id: Self::id_of(directory, binding), credentials, contact }
    }

    /// The id of the account at this directory, with this external binding if there is one.
    pub fn id_of(directory: &str, binding: Option<&str>) -> String {
        match binding {
            Some(binding) => format!("{directory} {binding}"),
            None => directory.to_owned(),
        }
    }

    /// What the ACME client needs, with the private key.
    pub fn credentials(&self) -> &str {
        &self.credentials
    }

    /// The address that the CA was told.
    pub fn contact(&self) -> Option<&str> {
        self.contact.as_deref()
    }
}

impl Identified for Account {
    fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.id)
    }
}
