//! Names and passwords that a browser asks for. Of a password only a hash is kept: Argon2 as `freehold route password` makes it, or bcrypt as
//! `htpasswd -B` does. How much work a hash may be is bounded, or a route could be made that keeps the server busy.

use std::collections::BTreeMap;
use std::fmt;

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};
use hyper::header::HeaderValue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Fault, Given, Meaning, OptionFault};

/// Users of one route; more belong into something that forward authentication asks.
const USERS_MAX: usize = 256;
/// Octets of a name, and of what is shown beside the question.
const NAME_SIZE_MAX: usize = 128;
/// The most work that a hash may be: 64 MiB sixteen times over, or 2 to the power of 14 rounds of bcrypt, about a second.
const MEMORY_KIB_MAX: u32 = 64 << 10;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 16;
const BCRYPT_COST_MAX: u32 = 14;

/// Names and passwords that a browser asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RouteBasicAuth)]
pub struct BasicAuth {
    /// Each user with the hash of the password: Argon2 or bcrypt. Only who may change routes is shown the hashes.
    #[schema(value_type = BTreeMap<String, String>, examples("$argon2id$v=19$m=19456,t=2,p=1$…"))]
    pub users: BTreeMap<Given<UserName>, Given<PasswordHash>>,
    /// What the browser shows beside the question; the browser remembers a password for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<String>, max_length = 128, examples("Photos"))]
    pub realm: Option<Given<Realm>>,
    /// Whether the app gets the name and password as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, default = false, examples(false))]
    pub keep_authorization: bool,
}

/// The name of a user.
#[derive(Clone, Debug)]
pub struct UserName(pub HeaderValue);

/// What the browser shows beside the question, as it goes into `WWW-Authenticate`.
#[derive(Clone, Debug)]
pub struct Realm(pub HeaderValue);

/// The hash of a password.
#[derive(Clone)]
pub struct PasswordHash {
    text: Box<str>,
    bcrypt: bool,
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Meaning for UserName {
    fn read(text: &str) -> Result<Self, Fault> {
        let sound = !text.is_empty() && text.len() <= NAME_SIZE_MAX && text.trim() == text && !text.contains(':');
        let value = HeaderValue::try_from(text).ok().filter(|_| sound && !text.chars().any(char::is_control));
        value.map(Self).ok_or_else(|| {
            Fault::new(format!("{text:?} cannot be the name of a user"), "write up to 128 octets without a colon")
        })
    }
}

impl Meaning for Realm {
    fn read(text: &str) -> Result<Self, Fault> {
        let plain = |c: char| (' '..='~').contains(&c) && !matches!(c, '"' | '\\');
        let sound = !text.is_empty() && text.len() <= NAME_SIZE_MAX && text.chars().all(plain);
        let value = HeaderValue::try_from(format!("Basic realm=\"{text}\", charset=\"UTF-8\""));
        value.ok().filter(|_| sound).map(Self).ok_or_else(|| {
            let cure = "write up to 128 plain characters without quotes and backslashes";
            Fault::new(format!("{text:?} cannot be shown beside the question for a password"), cure)
        })
    }
}

impl Meaning for PasswordHash {
    const SECRET: bool = true;

    /// What is wrong is told without the text: it may be a password.
    fn read(text: &str) -> Result<Self, Fault> {
        let fault = |message: &str| {
            Err(Fault::new(message, "make one with `freehold route password USER`, or with `htpasswd -nB USER`"))
        };
        if let Some(cost) = bcrypt_cost(text) {
            return match cost {
                4..=BCRYPT_COST_MAX => Ok(Self { text: text.into(), bcrypt: true }),
                _ => fault("the bcrypt hash of a password is more work than is allowed, cost 14"),
            };
        }
        let Ok(hash) = Phc::new(text) else { return fault("this is no hash of a password") };
        if !hash.algorithm.as_str().starts_with("argon2") || hash.salt.is_none() || hash.hash.is_none() {
            return fault("this is no Argon2 or bcrypt hash of a password");
        }
        match Params::try_from(&hash) {
            Ok(params)
                if params.m_cost() <= MEMORY_KIB_MAX
                    && params.t_cost() <= PASSES_MAX
                    && params.p_cost() <= LANES_MAX =>
            {
                Ok(Self { text: text.into(), bcrypt: false })
            }
            Ok(_) => fault("the Argon2 hash of a password is more work than is allowed: m=65536, t=16, p=16"),
            Err(_) => fault("the Argon2 hash of a password has parameters that cannot be"),
        }
    }
}

/// The cost of a bcrypt hash, if it is one.
fn bcrypt_cost(text: &str) -> Option<u32> {
    let known = ["$2a$", "$2b$", "$2y$"].iter().any(|start| text.starts_with(start));
    let parts: bcrypt::HashParts = text.parse().ok().filter(|_| known && text.len() == 60)?;
    Some(parts.get_cost())
}

impl PasswordHash {
    /// The hash of a password with a salt of random octets, 16 or more.
    pub fn make(password: &str, salt: &[u8]) -> Result<String, Fault> {
        let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), salt);
        let fault = |fault| Fault::new(format!("the password cannot be hashed: {fault}"), "choose another one");
        hash.map(|hash: Phc| hash.to_string()).map_err(fault)
    }

    /// Whether it is the hash of this password. That takes some hundredths of a second on purpose, and compares in constant
    /// time.
    pub fn is_of(&self, password: &[u8]) -> bool {
        if self.bcrypt {
            return bcrypt::verify(password, &self.text).unwrap_or(false);
        }
        Phc::new(&self.text).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
    }

    /// As it is kept.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl BasicAuth {
    pub(super) fn check(&self, faults: &mut Vec<OptionFault>) {
        let at = "/basic_auth/users";
        if self.users.is_empty() || self.users.len() > USERS_MAX {
            let message = format!("{} users are named", self.users.len());
            let fault = Fault::new(message, format!("name from 1 to {USERS_MAX}; for more there is forward_auth"));
            faults.push(OptionFault { field: at.into(), fault });
        }
        for (user, hash) in &self.users {
            let field = || format!("{at}/{}", user.as_str().replace('~', "~0").replace('/', "~1"));
            user.check(field, faults);
            hash.check(field, faults);
        }
        if let Some(realm) = &self.realm {
            realm.check(|| "/basic_auth/realm".into(), faults);
        }
    }

    /// The same for those who may not see hashes.
    pub fn without_hashes(&self) -> Self {
        let hidden = |(user, _): (&Given<UserName>, _)| (user.clone(), Given::from("hidden"));
        Self { users: self.users.iter().map(hidden).collect(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `htpasswd -nbBC 5 anna secret` prints it, without the name.
    const BCRYPT: &str = "$2y$05$MEGs2cmkBqd5lp5YNn4Rcul0qp1kA4I0zIbhLrXYFZJzdZAU3VBQm";

    #[test]
    fn a_hash_is_of_its_password_and_no_other() {
        let made = PasswordHash::make("secret", b"0123456789abcdef").unwrap();
        assert!(made.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{made}");
        let hash = PasswordHash::read(&made).unwrap();
        assert!(hash.is_of(b"secret") && !hash.is_of(b"Secret") && !hash.is_of(b""));
        let made = bcrypt::hash("secret", 4).unwrap();
        let hash = PasswordHash::read(&made).unwrap();
        assert!(hash.is_of(b"secret") && !hash.is_of(b"secret "));
        assert!(PasswordHash::read(BCRYPT).is_ok());
    }

    #[test]
    fn what_is_no_hash_or_too_much_work_is_told_without_being_shown() {
        for (text, told) in [
            ("secret", "no hash of a password"),
            ("", "no hash"),
            ("$1$abc$def", "no"),
            ("$argon2id$v=19$m=1048576,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg", "more work"),
            ("$argon2id$v=19$m=19456,t=999,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg", "more work"),
            ("$argon2id$v=19$m=19456,t=2,p=1", "no Argon2"),
            ("$2y$20$MEGs2cmkBqd5lp5YNn4Rcul0qp1kA4I0zIbhLrXYFZJzdZAU3VBQm", "more work"),
        ] {
            let fault = PasswordHash::read(text).unwrap_err().to_string();
            assert!(fault.contains(told) && (text.is_empty() || !fault.contains(text)), "{text}: {fault}");
        }
        let given: Given<PasswordHash> = BCRYPT.into();
        assert_eq!(format!("{given:?} {:?}", given.meaning()), "(secret) Some((secret))");
    }

    #[test]
    fn names_and_realms_are_plain() {
        for name in ["", "a:b", "a\nb", " a", &"a".repeat(129)] {
            assert!(UserName::read(name).is_err(), "{name:?}");
        }
        assert!(UserName::read("anna@example.org").is_ok() && UserName::read("jürgen").is_ok());
        assert_eq!(Realm::read("Photos").unwrap().0, "Basic realm=\"Photos\", charset=\"UTF-8\"");
        for realm in ["", "a\"b", "a\\b", "a\nb", "é"] {
            assert!(Realm::read(realm).is_err(), "{realm:?}");
        }
    }
}
