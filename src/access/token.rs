//! Tokens, and the secrets that prove them.
//!
//! A secret is shown once, as `freehold_<id>_<43 characters>`: the word in front lets scanners of code and logs find one
//! that got out, the identity lets the server find the token without trying each, and the rest is 256 random bits in base64url. What is
//! kept is their SHA-256, and the comparison takes the same time wherever they differ. Nothing here prints a secret or a
//! hash, except [`Secret::reveal`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::scope::Scope;

const PREFIX: &str = "freehold_";
/// Octets of an identity, and twice as many characters: with 10,000 tokens, one in 20,000 new ones meets an old one, and
/// is made again.
const ID_OCTETS: usize = 5;
/// Octets of the part that nobody knows.
const SECRET_OCTETS: usize = 32;
/// Octets of a token's name.
pub const NAME_SIZE_MAX: usize = 64;

/// A token as the server keeps it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What it is found by; no secret.
    pub id: String,
    /// What people call it; the history says it for every change made with it.
    pub name: String,
    /// SHA-256 of the secret's 32 octets.
    #[serde(serialize_with = "write_hash", deserialize_with = "read_hash")]
    hash: [u8; 32],
    /// What it may reach.
    pub scope: Scope,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// When it ends, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

impl Token {
    /// The token that a secret proves.
    pub fn new(secret: &Secret, name: String, scope: Scope, created: u64, expires: Option<u64>) -> Self {
        Self { id: secret.id.clone(), name, hash: secret.hash(), scope, created, expires }
    }

    /// Whether this secret proves it, in a time that does not depend on the secret.
    pub fn is_proven_by(&self, secret: &Secret) -> bool {
        constant_time::verify_slices_are_equal(&self.hash, &secret.hash()).is_ok()
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, hash: _, scope, created, expires } = self;
        let mut shown = f.debug_struct("Token");
        shown.field("id", id).field("name", name).field("scope", scope).field("created", created);
        shown.field("expires", expires).finish_non_exhaustive()
    }
}

/// Whether a token may be called this: 1 to 64 letters, digits and `-_.@+` of ASCII. So it stays one word in tables and logs.
pub fn is_name(name: &str) -> bool {
    (1..=NAME_SIZE_MAX).contains(&name.len())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.@+".contains(&octet))
}

fn write_hash<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&URL_SAFE_NO_PAD.encode(hash))
}

fn read_hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(deserializer)?;
    let octets = URL_SAFE_NO_PAD.decode(text).ok().and_then(|octets| octets.try_into().ok());
    octets.ok_or_else(|| de::Error::custom("the hash of a token is 32 octets in base64url")) // never says which
}

/// What proves a token. It exists only where a token is made, and while a request is looked at.
pub struct Secret {
    id: String,
    octets: [u8; SECRET_OCTETS],
}

/// The text does not have the form of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedSecret;

impl Secret {
    /// How many random octets make one.
    pub const RANDOM_SIZE: usize = ID_OCTETS + SECRET_OCTETS;

    /// The secret that these random octets make.
    pub fn new(random: &[u8; Self::RANDOM_SIZE]) -> Self {
        let (id, secret) = random.split_at(ID_OCTETS);
        let mut octets = [0; SECRET_OCTETS];
        octets.copy_from_slice(secret);
        Self { id: id.iter().map(|octet| format!("{octet:02x}")).collect(), octets }
    }

    /// The identity of its token.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The secret, for whoever shall hold it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, URL_SAFE_NO_PAD.encode(self.octets))
    }

    fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, &self.octets).as_ref());
        hash
    }
}

impl FromStr for Secret {
    type Err = MalformedSecret;

    fn from_str(text: &str) -> Result<Self, MalformedSecret> {
        let (id, secret) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or(MalformedSecret)?;
        let is_id = id.len() == 2 * ID_OCTETS && id.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'));
        let mut octets = [0; SECRET_OCTETS];
        let decoded = URL_SAFE_NO_PAD.decode_slice(secret, &mut octets);
        if !is_id || decoded != Ok(SECRET_OCTETS) {
            return Err(MalformedSecret);
        }
        Ok(Self { id: id.to_owned(), octets })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}, hidden)", self.id)
    }
}

impl fmt::Display for MalformedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token reads freehold_, ten characters, an underscore and forty-three characters")
    }
}

impl std::error::Error for MalformedSecret {}

/// All tokens by their identity; versions share what did not change.
#[derive(Clone, Debug, Default)]
pub struct Tokens(imbl::OrdMap<String, Arc<Token>>);

impl Tokens {
    /// The token of this identity.
    pub fn get(&self, id: &str) -> Option<&Arc<Token>> {
        self.0.get(id)
    }

    /// The token of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Token>> {
        self.iter().find(|token| token.name == name)
    }

    /// All, in the order of their identities.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.0.values()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a token in, in place of the one of the same identity.
    pub fn insert(&mut self, token: Arc<Token>) {
        self.0.insert(token.id.clone(), token);
    }

    /// Takes a token out, if it is there.
    pub fn remove(&mut self, id: &str) -> Option<Arc<Token>> {
        self.0.remove(id)
    }
}

impl FromIterator<Arc<Token>> for Tokens {
    fn from_iter<I: IntoIterator<Item = Arc<Token>>>(tokens: I) -> Self {
        Self(tokens.into_iter().map(|token| (token.id.clone(), token)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(fill: u8) -> Secret {
        Secret::new(&[fill; Secret::RANDOM_SIZE])
    }

    fn token(fill: u8) -> Token {
        Token::new(&secret(fill), "ci".into(), Scope::everything(), 7, Some(9))
    }

    #[test]
    fn a_secret_proves_its_own_token_only() {
        let shown = secret(0xab).reveal();
        assert_eq!(shown, "freehold_ababababab_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s");
        let read: Secret = shown.parse().unwrap();
        assert_eq!((read.id(), read.reveal()), ("ababababab", shown));
        assert!(token(0xab).is_proven_by(&read));
        assert!(!token(0xac).is_proven_by(&read));
        let mut random = [0xab; Secret::RANDOM_SIZE];
        random[Secret::RANDOM_SIZE - 1] ^= 1;
        assert!(!token(0xab).is_proven_by(&Secret::new(&random)));
    }

    #[test]
    fn what_has_not_the_form_of_a_secret() {
        let shown = secret(0xab).reveal();
        for wrong in [
            "",
            "freehold_",
            "freehold_ababababab",
            "freehold_ababababab_",
            &shown[1..],
            &shown[..shown.len() - 1],
            &format!("{shown}q"),
            &format!("{shown}="),
            &format!(" {shown}"),
            &shown.replace("ababababab", "ABABABABAB"),
            &shown.replace("ababababab", "ababababa"),
            &format!("{}t", &shown[..shown.len() - 1]), // bits behind the last octet
            &shown.replace('6', "+"),
        ] {
            assert_eq!(wrong.parse::<Secret>().err(), Some(MalformedSecret), "{wrong}");
        }
    }

    /// The hash of a known secret, so that tokens on a disk stay valid whatever the code becomes.
    #[test]
    fn a_token_on_the_disk_is_read_for_ever() {
        let text = r#"{"id":"0000000000","name":"ci","hash":"Zmh6rfhivXdsj8GLjp-OIAiXFIVu4jOzkCpZHQ1fKSU","scope":{"rights":"admin"},"created":7,"expires":9}"#;
        let read: Token = serde_json::from_str(text).unwrap();
        assert!(read.is_proven_by(&secret(0)));
        assert_eq!((serde_json::to_string(&read).unwrap().as_str(), &read), (text, &token(0)));
        assert!(serde_json::from_str::<Token>(&text.replace("Zmh6", "Zmh")).is_err());
        assert!(serde_json::from_str::<Token>(&text.replace("\"expires\"", "\"ends\"")).is_err());
    }

    #[test]
    fn neither_secret_nor_hash_is_printed() {
        let shown = format!("{:?} {:?}", secret(0xab), token(0xab));
        assert!(!shown.contains("q6ur") && !shown.contains("171"), "{shown}"); // 0xab as base64 and decimal
        assert!(shown.contains("ababababab") && shown.contains("ci"), "{shown}");
    }

    #[test]
    fn a_token_ends_at_its_second() {
        assert_eq!([8, 9, 10].map(|now| token(0).is_expired(now)), [false, true, true]);
        assert!(!Token { expires: None, ..token(0) }.is_expired(u64::MAX));
    }

    #[test]
    fn names_are_one_word() {
        let longest = "a".repeat(NAME_SIZE_MAX);
        for (name, good) in [
            ("ci-deploy", true),
            ("Anna@laptop.2+x_y", true),
            (&*longest, true),
            (&*(longest.clone() + "a"), false),
            ("", false),
            ("a b", false),
            ("a\u{1b}[31m", false),
            ("jürgen", false),
        ] {
            assert_eq!(is_name(name), good, "{name}");
        }
    }

    #[test]
    fn tokens_are_found_by_identity_and_name() {
        let mut tokens: Tokens = [token(1), token(2)].into_iter().map(Arc::new).collect();
        let before = tokens.clone();
        assert_eq!(tokens.get("0101010101").map(|token| token.id.as_str()), Some("0101010101"));
        assert_eq!(tokens.named("ci").map(|token| token.id.as_str()), Some("0101010101"));
        assert!(tokens.remove("0101010101").is_some() && tokens.remove("0101010101").is_none());
        assert_eq!((tokens.len(), before.len(), tokens.get("0101010101")), (1, 2, None));
    }
}
