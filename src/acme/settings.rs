//! The settings of certificates: the `[acme]` table of the settings file.
//!
//! Each field is described once, here; the manual is made from these lines.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

use crate::cert::KeyKind;

/// The CA that is asked where terms are agreed to and none is named.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Its staging system, for rehearsals.
const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// Octets of the URL of a directory, which is part of an account's key in the store.
const DIRECTORY_SIZE_MAX: usize = 250;
/// Octets of the identifier of an external account, likewise.
const EAB_ID_SIZE_MAX: usize = 250;
/// CAs at most.
const CA_MAX: usize = 8;

/// Which CAs to ask, and when.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether you agree to the terms of service of the CAs. Without it none is asked, and the built-in CA vouches for
    /// everything. With it and without an `[[acme.ca]]`, Let's Encrypt is asked. Default: false.
    pub terms_agreed: bool,
    /// An address for messages from the CAs, such as `"hostmaster@example.org"`. Default: none.
    pub contact: Option<String>,
    /// The CAs, in the order in which they are asked: the next one when one is down or refuses.
    #[serde(rename = "ca")]
    pub cas: Vec<Ca>,
    /// The kind of key of each certificate: `"p256"` or `"p384"`. Default: `"p256"`.
    pub key: KeyKind,
    /// Seconds that other servers may remember a challenge's record. 0 to 5. Default: 0.
    pub challenge_ttl: u32,
    /// Resolvers to ask what the world sees, such as `"192.0.2.53"` or `"192.0.2.53:5353"`.
    /// Default: those of `/etc/resolv.conf`.
    #[serde(deserialize_with = "resolvers")]
    pub resolvers: Vec<SocketAddr>,
    /// Whether to look, before an order, for what would doom it: a delegation that leads elsewhere, a CAA record that
    /// forbids the CA, name servers that disagree. Default: true.
    pub preflight: bool,
    /// Seconds after which everything is looked over again at the latest, whatever happens. 1 to 86400. Default: 300.
    pub check_seconds: u32,
    /// Seconds between two questions to the CA when it would like a certificate to be renewed (RFC 9773), at most; the CA
    /// says how often it likes to be asked. 1 to 86400. Default: 21600.
    pub window_seconds: u32,
    /// Seconds from the first failure to the next attempt; then ten times that, a hundred times, and from then on 1,440
    /// times, at most a day. 1 to 86400. Default: 60.
    pub retry_seconds: u32,
    /// What is asked of a CA at most.
    pub limits: Limits,
}

/// A CA.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ca {
    /// The URL of its directory (RFC 8555, section 7.1.1), with `https`.
    pub directory: String,
    /// A file with the certificate (PEM) that vouches for the CA's own address, where the system does not know it. Such a CA
    /// is taken for a private one, which may certify names that no public CA can.
    #[serde(default)]
    pub root: Option<PathBuf>,
    /// The directory of its staging system, for rehearsals after several failures. Default: none; Let's Encrypt's is known.
    #[serde(default)]
    pub staging: Option<String>,
    /// The identifier of an external account, where the CA wants one (RFC 8555, section 7.3.4).
    #[serde(default)]
    pub eab_id: Option<String>,
    /// A file with the key of the external account, in base64url as the CA gives it.
    #[serde(default)]
    pub eab_key_file: Option<PathBuf>,
    /// The profile to ask for, such as `"shortlived"` or `"tlsserver"`. Default: the CA's own choice.
    #[serde(default)]
    pub profile: Option<String>,
}

/// What is asked of a CA at most; the defaults stay below Let's Encrypt's limits. 0 is no limit, for a CA of your own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Certificates for the same names in 7 days. 0 to 10. Default: 4.
    pub same_names: u32,
    /// Certificates for new names below one registered domain in 7 days. 0 to 100000. Default: 45.
    pub domain: u32,
    /// Orders in 3 hours. 0 to 100000. Default: 250.
    pub orders: u32,
    /// Failed orders for one name in an hour. 0 to 10. Default: 4.
    pub failures: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            terms_agreed: false,
            contact: None,
            cas: Vec::new(),
            key: KeyKind::P256,
            challenge_ttl: 0,
            resolvers: Vec::new(),
            preflight: true,
            check_seconds: 300,
            window_seconds: 21_600,
            retry_seconds: 60,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { same_names: 4, domain: 45, orders: 250, failures: 4 }
    }
}

impl Ca {
    /// The CA with this directory, and nothing else to say about it.
    pub fn at(directory: &str) -> Self {
        Self {
            directory: directory.to_owned(),
            root: None,
            staging: None,
            eab_id: None,
            eab_key_file: None,
            profile: None,
        }
    }

    /// Whether it is one that the world does not know, and so may certify what only this place knows.
    pub fn is_private(&self) -> bool {
        self.root.is_some()
    }

    /// The staging system of this CA, with all else as with the CA itself.
    pub fn rehearsal(&self) -> Option<Self> {
        let known = (self.directory == LETS_ENCRYPT).then_some(LETS_ENCRYPT_STAGING);
        let directory = self.staging.as_deref().or(known)?.to_owned();
        Some(Self { directory, staging: None, ..self.clone() })
    }
}

impl Settings {
    /// The CAs to ask, in order.
    pub fn cas(&self) -> Vec<Ca> {
        match (self.terms_agreed, self.cas.is_empty()) {
            (false, _) => Vec::new(),
            (true, true) => vec![Ca::at(LETS_ENCRYPT)],
            (true, false) => self.cas.clone(),
        }
    }

    /// What is wrong with these settings: a line for each fault, naming the field. Empty: nothing.
    pub fn check(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut within = |field: &str, value: u32, range: RangeInclusive<u32>| {
            if !range.contains(&value) {
                faults.push(format!("acme.{field} is {value}; it must be from {} to {}", range.start(), range.end()));
            }
        };
        within("challenge_ttl", self.challenge_ttl, 0..=5);
        within("check_seconds", self.check_seconds, 1..=86_400);
        within("window_seconds", self.window_seconds, 1..=86_400);
        within("retry_seconds", self.retry_seconds, 1..=86_400);
        within("limits.same_names", self.limits.same_names, 0..=10);
        within("limits.domain", self.limits.domain, 0..=100_000);
        within("limits.orders", self.limits.orders, 0..=100_000);
        within("limits.failures", self.limits.failures, 0..=10);
        if self.contact.as_deref().is_some_and(|contact| !is_mail_address(contact)) {
            faults.push("acme.contact is not a mail address; write it as \"hostmaster@example.org\"".to_owned());
        }
        self.check_cas(&mut faults);
        faults
    }

    fn check_cas(&self, faults: &mut Vec<String>) {
        if !self.cas.is_empty() && !self.terms_agreed {
            faults.push("acme.terms_agreed must be true where CAs are named; read their terms first".to_owned());
        }
        if self.cas.len() > CA_MAX {
            faults.push(format!("acme.ca names {} CAs; at most {CA_MAX} are asked", self.cas.len()));
        }
        for (i, ca) in self.cas.iter().enumerate() {
            for (field, url) in [("directory", Some(&ca.directory)), ("staging", ca.staging.as_ref())] {
                if let Some(url) = url
                    && !is_directory(url)
                {
                    faults.push(format!(
                        "acme.ca.{field} is {url:?}; it must be a URL such as \"{LETS_ENCRYPT}\", of at most {DIRECTORY_SIZE_MAX} octets"
                    ));
                }
            }
            if self.cas[..i].iter().any(|other| other.directory == ca.directory) {
                faults.push(format!("acme.ca.directory names {} twice", ca.directory));
            }
            if ca.eab_id.is_some() != ca.eab_key_file.is_some() {
                faults
                    .push("acme.ca.eab_id and acme.ca.eab_key_file belong together; the CA gives you both".to_owned());
            }
            if ca.eab_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > EAB_ID_SIZE_MAX) {
                faults.push(format!("acme.ca.eab_id must have from 1 to {EAB_ID_SIZE_MAX} octets"));
            }
        }
    }
}

fn is_mail_address(text: &str) -> bool {
    let plain = text.len() <= 254 && text.chars().all(|c| c.is_ascii_graphic() && !",;<>:?#".contains(c));
    plain && text.split_once('@').is_some_and(|(who, place)| !who.is_empty() && place.contains('.'))
}

fn is_directory(url: &str) -> bool {
    url.len() <= DIRECTORY_SIZE_MAX
        && url.chars().all(|c| c.is_ascii_graphic())
        && url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}

fn resolvers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    let read = |text: &String| match text.parse::<IpAddr>() {
        Ok(address) => Ok(SocketAddr::new(address, 53)),
        Err(_) => text.parse().map_err(|_| {
            de::Error::custom(format!("\"{text}\" is not an address; write \"192.0.2.53\" or \"192.0.2.53:5353\""))
        }),
    };
    Vec::<String>::deserialize(deserializer)?.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        toml::from_str(text).map_err(|fault| fault.message().to_owned())
    }

    #[test]
    fn without_agreement_nobody_is_asked_and_with_it_lets_encrypt_is() {
        let settings = read("").unwrap();
        assert_eq!((settings.clone(), settings.cas(), settings.check()), (Settings::default(), vec![], vec![]));
        let settings = read("terms_agreed = true\ncontact = \"me@example.org\"").unwrap();
        assert_eq!((settings.cas(), settings.check()), (vec![Ca::at(LETS_ENCRYPT)], vec![]));
        assert_eq!(settings.cas()[0].rehearsal(), Some(Ca::at(LETS_ENCRYPT_STAGING)));
    }

    #[test]
    fn every_field_can_be_written() {
        let text = r#"
            terms_agreed = true
            contact = "me@example.org"
            key = "p384"
            challenge_ttl = 5
            resolvers = ["192.0.2.53", "[::1]:5353"]
            preflight = false
            check_seconds = 1
            window_seconds = 1
            retry_seconds = 1
            [limits]
            same_names = 0
            domain = 0
            orders = 0
            failures = 0
            [[ca]]
            directory = "https://ca.example/directory"
            root = "/etc/freehold/root.pem"
            staging = "https://staging.example/directory"
            eab_id = "kid"
            eab_key_file = "/etc/freehold/eab"
            profile = "shortlived"
            [[ca]]
            directory = "https://other.example/directory"
        "#;
        let settings = read(text).unwrap();
        assert_eq!(settings.check(), Vec::<String>::new());
        assert_eq!(settings.resolvers[0], "192.0.2.53:53".parse().unwrap());
        assert!(settings.cas[0].is_private() && !settings.cas[1].is_private());
        assert_eq!(settings.cas[0].rehearsal().unwrap().directory, "https://staging.example/directory");
        assert_eq!(settings.cas[1].rehearsal(), None);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_cure() {
        for (text, told) in [
            ("direktory = 1", "unknown field `direktory`"),
            ("[[ca]]\ndirectory = \"https://a/\"\neab = 1", "unknown field `eab`"),
            ("[[ca]]\nroot = \"x\"", "missing field `directory`"),
            ("resolvers = [\"dns\"]", "\"dns\" is not an address"),
            ("key = \"rsa\"", "unknown variant `rsa`"),
        ] {
            let fault = read(text).unwrap_err();
            assert!(fault.contains(told), "{text}: {fault}");
        }
        let ca = "terms_agreed = true\n[[ca]]\ndirectory = \"https://a/\"\n";
        for (text, told) in [
            ("challenge_ttl = 6", "acme.challenge_ttl is 6; it must be from 0 to 5"),
            ("check_seconds = 0", "acme.check_seconds is 0"),
            ("window_seconds = 86401", "acme.window_seconds is 86401"),
            ("retry_seconds = 0", "acme.retry_seconds is 0"),
            ("limits.failures = 11", "acme.limits.failures is 11"),
            ("contact = \"me\"", "acme.contact is not a mail address"),
            ("[[ca]]\ndirectory = \"https://a/\"", "acme.terms_agreed must be true"),
            (&ca.replace("https", "http"), "acme.ca.directory is \"http://a/\""),
            (&format!("{ca}staging = \"x\""), "acme.ca.staging is \"x\""),
            (&format!("{ca}eab_id = \"x\""), "belong together"),
            (&format!("{ca}eab_id = \"\"\neab_key_file = \"x\""), "acme.ca.eab_id must have"),
            (&format!("{ca}[[ca]]\ndirectory = \"https://a/\"\n"), "names https://a/ twice"),
        ] {
            let faults = read(text).unwrap().check();
            assert!(faults.len() == 1 && faults[0].contains(told), "{text}: {faults:?}");
        }
    }
}
