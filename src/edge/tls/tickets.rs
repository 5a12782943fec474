//! Session tickets: what lets a client that comes back skip most of the handshake.
//!
//! A ticket is the session, sealed with a key that only we have; nothing is kept for it here. Keys change every eight hours
//! and the last three open what they sealed, so a ticket is good for 16 to 24 hours and a stolen key for no more. They
//! are values like any other: whoever starts the edge keeps them, which is how sessions survive a restart (and, one day, move
//! from node to node). rustls's own ticketer forgets its keys with the process.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use rustls::server::ProducesTickets;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Seconds for which the newest key seals.
const KEY_SECONDS: u64 = 8 * 3_600;
/// Keys that open.
const KEYS_MAX: usize = 3;
/// Octets of a key's name, which stands in front of what it sealed, and of the key itself.
const NAME_SIZE: usize = 16;
const SECRET_SIZE: usize = 32;

/// The keys of session tickets, the newest first; at most three. Worth keeping, and worth keeping secret.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketKeys(Vec<TicketKey>);

#[derive(Clone, Serialize, Deserialize)]
struct TicketKey {
    /// When it was made, in seconds since 1970.
    made: u64,
    /// Its name and the key itself.
    octets: Zeroizing<Vec<u8>>,
}

impl TicketKeys {
    /// These keys with a new one in front, if the newest is old enough to go or comes from the future.
    pub fn renewed(&self, now: u64) -> Option<Self> {
        if self
            .0
            .first()
            .is_some_and(|newest| newest.is_sound() && newest.made <= now && now - newest.made < KEY_SECONDS)
        {
            return None;
        }
        let mut octets = Zeroizing::new(vec![0; NAME_SIZE + SECRET_SIZE]);
        getrandom::fill(&mut octets).ok()?;
        let sealed_in =
            |key: &&TicketKey| key.is_sound() && key.made <= now && now - key.made < KEYS_MAX as u64 * KEY_SECONDS;
        let older = self.0.iter().filter(sealed_in).take(KEYS_MAX - 1).cloned();
        Some(Self(std::iter::once(TicketKey { made: now, octets }).chain(older).collect()))
    }
}

impl TicketKey {
    fn is_sound(&self) -> bool {
        self.octets.len() == NAME_SIZE + SECRET_SIZE
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ticket keys", self.0.len())
    }
}

/// Seals and opens tickets.
pub(super) struct Tickets(ArcSwap<Vec<Sealer>>);

struct Sealer {
    name: [u8; NAME_SIZE],
    key: RandomizedNonceKey,
}

impl Tickets {
    pub(super) fn new(keys: &TicketKeys) -> Self {
        Self(ArcSwap::from_pointee(sealers(keys)))
    }

    pub(super) fn put(&self, keys: &TicketKeys) {
        self.0.store(Arc::new(sealers(keys)));
    }
}

fn sealers(keys: &TicketKeys) -> Vec<Sealer> {
    let sealer = |key: &TicketKey| {
        let (name, secret) = key.octets.split_at_checked(NAME_SIZE)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, secret).ok()?;
        Some(Sealer { name: name.try_into().ok()?, key })
    };
    keys.0.iter().filter_map(sealer).take(KEYS_MAX).collect()
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        !self.0.load().is_empty()
    }

    fn lifetime(&self) -> u32 {
        (KEYS_MAX as u64 - 1) as u32 * KEY_SECONDS as u32
    }

    /// The name of the key, the nonce, and the sealed session, which also vouches for the name.
    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let sealers = self.0.load();
        let newest = sealers.first()?;
        let mut sealed = plain.to_vec();
        let nonce = newest.key.seal_in_place_append_tag(Aad::from(newest.name), &mut sealed).ok()?;
        Some([&newest.name[..], &nonce.as_ref()[..], &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME_SIZE)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let sealers = self.0.load();
        let sealer = sealers.iter().find(|sealer| sealer.name == name)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut opened = sealed.to_vec();
        let size = sealer.key.open_in_place(nonce, Aad::from(sealer.name), &mut opened).ok()?.len();
        opened.truncate(size);
        Some(opened)
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tickets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_keys_open_what_they_sealed_and_a_fourth_drives_the_first_out() {
        let mut keys = TicketKeys::default().renewed(1_000).unwrap();
        assert!(keys.renewed(1_000 + KEY_SECONDS - 1).is_none());
        let tickets = Tickets::new(&keys);
        let sealed = tickets.encrypt(b"session").unwrap();
        for turn in 1..=3 {
            keys = keys.renewed(1_000 + turn * KEY_SECONDS).unwrap();
            // As after a restart: the keys are all that was kept.
            let kept = serde_json::from_str(&serde_json::to_string(&keys).unwrap()).unwrap();
            tickets.put(&kept);
            let opened = Tickets::new(&kept).decrypt(&sealed);
            assert_eq!(opened.as_deref(), (turn < 3).then_some(&b"session"[..]), "{turn}");
            assert_eq!(tickets.decrypt(&sealed), opened);
        }
        assert_eq!(keys.0.len(), KEYS_MAX);
    }

    #[test]
    fn what_nobody_sealed_opens_nothing() {
        let tickets = Tickets::new(&TicketKeys::default().renewed(0).unwrap());
        let sealed = tickets.encrypt(b"session").unwrap();
        for at in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[at] ^= 1;
            assert_eq!(tickets.decrypt(&forged), None, "{at}");
            assert_eq!(tickets.decrypt(&sealed[..at]), None, "{at}");
        }
        assert_ne!(tickets.encrypt(b"session").unwrap(), sealed);
        assert!(!Tickets::new(&TicketKeys::default()).enabled());
    }

    #[test]
    fn a_clock_that_jumps_back_and_broken_keys_are_survived() {
        let keys = TicketKeys::default().renewed(1_000_000).unwrap();
        let earlier = keys.renewed(5).unwrap();
        assert_eq!((earlier.0.len(), earlier.0[0].made), (1, 5));
        let broken: TicketKeys = serde_json::from_str(r#"[{"made":7,"octets":[1,2]}]"#).unwrap();
        assert!(!Tickets::new(&broken).enabled());
        assert_eq!(broken.renewed(7).unwrap().0.len(), 1);
        assert_eq!(format!("{keys:?}"), "1 ticket keys");
    }
}
