//! An account with a CA: who we are there.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::by_id::Identified;

/// Octets of the URL of an account.
const NAMED_SIZE_MAX: usize = 1_024;
/// Names of one CA.
const ISSUERS_MAX: usize = 8;

/// An account, made once for each CA and external binding.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    id: String,
    /// What the ACME client needs to come back: the account's URL and its private key, as JSON. For nobody else.
    credentials: Zeroizing<String>,
    /// The address that the CA was told.
    contact: Option<String>,
    /// Its URL, by which CAA records name it (RFC 8657, section 3); empty if it was made by an earlier version.
    #[serde(default)]
    url: String,
    /// The names under which the CA stands in CAA records.
    #[serde(default)]
    issuers: Vec<String>,
}

impl Account {
    /// The account at this directory, with this external binding if there is one.
    pub fn new(
        directory: &str,
        binding: Option<&str>,
        credentials: Zeroizing<String>,
        contact: Option<String>,
    ) -> Self {
        Self { id: Self::id_of(directory, binding), credentials, contact, url: String::new(), issuers: Vec::new() }
    }

    /// The same, with its URL and the names under which the CA stands in CAA records.
    /// What could not stand there is left out.
    pub fn with_issuers(self, url: &str, issuers: &[String]) -> Self {
        let is_plain = |octet: u8| octet.is_ascii_graphic() && !b";\"\\".contains(&octet);
        let is_url = !url.is_empty() && url.len() <= NAMED_SIZE_MAX && url.bytes().all(is_plain);
        let is_domain = |name: &&String| {
            let sound = |octet: u8| octet.is_ascii_alphanumeric() || b".-".contains(&octet);
            (1..=253).contains(&name.len()) && name.bytes().all(sound)
        };
        let issuers = issuers.iter().filter(is_domain).filter(|_| is_url).take(ISSUERS_MAX).cloned().collect();
        Self { url: if is_url { url.to_owned() } else { String::new() }, issuers, ..self }
    }

    /// Its URL; empty if that is not known.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The names under which the CA stands in CAA records.
    pub fn issuers(&self) -> &[String] {
        &self.issuers
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
