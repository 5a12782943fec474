//! What a CA says of itself (RFC 8555, section 7.1.1), as far as the ACME client does not tell it.

use serde::Deserialize;

use super::client::Client;
use super::trouble::Trouble;

/// The parts of a directory that we look at.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Directory {
    /// Where to ask when a certificate is best renewed (RFC 9773, section 4).
    #[serde(default, rename = "renewalInfo")]
    pub(super) renewal_info: Option<String>,
    #[serde(default)]
    pub(super) meta: Meta,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    /// The names under which the CA stands in CAA records.
    #[serde(default)]
    pub(super) caa_identities: Vec<String>,
    #[serde(default)]
    pub(super) external_account_required: bool,
    #[serde(default)]
    pub(super) profiles: serde_json::Map<String, serde_json::Value>,
}

impl Directory {
    /// Reads it.
    pub(super) async fn read(client: &Client, url: &str) -> Result<Self, Trouble> {
        let (body, _) = client.read(url).await?;
        serde_json::from_slice(&body).map_err(|fault| {
            Trouble::passing(
                format!("what lies at {url} is no ACME directory ({fault})"),
                "check that acme.ca.directory is the URL of an ACME directory",
            )
        })
    }

    /// Checks the profile that is to be asked for.
    pub(super) fn check_profile(&self, profile: Option<&str>) -> Result<(), Trouble> {
        let Some(profile) = profile.filter(|profile| !self.meta.profiles.contains_key(*profile)) else { return Ok(()) };
        let known: Vec<&str> = self.meta.profiles.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(Trouble::of_this_ca(
            format!("the CA has no profile {profile:?}; it has {known}"),
            "correct acme.ca.profile, or leave it out",
        ))
    }
}
