//! DNS cookies: proof that a client really lives at the address it asks from (RFC 7873, RFC 9018).
//!
//! The server cookie is the interoperable one of RFC 9018, so that several servers behind one address (anycast,
//! a load balancer, a fleet with other software) accept each other's when they share the secret. Nothing is
//! remembered per client: the cookie carries its own time and a MAC over itself and the address.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

/// Octets of a client cookie (RFC 7873, section 4.1).
pub const CLIENT_SIZE: usize = 8;
/// Octets of a server cookie as this server makes it (RFC 9018, section 4).
pub const SERVER_SIZE: usize = 16;
/// A server cookie this old, in seconds, is still good (RFC 9018, section 4.3).
const AGE_MAX: u32 = 3_600;
/// A server cookie from this far in the future, in seconds, is still good: clocks differ (RFC 9018, section 4.3).
const AHEAD_MAX: u32 = 300;
/// Version 1, three reserved octets (RFC 9018, sections 4.1 and 4.2).
const PREFIX: [u8; 4] = [1, 0, 0, 0];

/// What the COOKIE option of a query says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CookieState {
    /// There was no such option.
    #[default]
    Absent,
    /// A client cookie alone: the client speaks cookies, and has none of ours yet.
    ClientOnly,
    /// A server cookie made with our secret, for this client and address, not too old.
    Valid,
    /// A server cookie that is not ours, for another address, or too old; worth no more than `ClientOnly`.
    Invalid,
    /// A length that no cookie has: FORMERR (RFC 7873, section 5.2.2).
    Malformed,
}

/// Makes and checks server cookies with one secret.
#[derive(Clone)]
pub struct Cookies {
    secret: SipHasher24,
}

impl Cookies {
    /// `secret`: 16 octets that nobody else knows, the same on every server that answers for one address.
    pub fn new(secret: &[u8; 16]) -> Self {
        Self { secret: SipHasher24::new_with_key(secret) }
    }

    /// Judges the data of a COOKIE option, received from `address` at `unix_seconds`.
    pub fn check(&self, option: &[u8], address: IpAddr, unix_seconds: u32) -> CookieState {
        match option.len() {
            CLIENT_SIZE => CookieState::ClientOnly,
            16..=40 if self.is_ours(option, address, unix_seconds) => CookieState::Valid,
            16..=40 => CookieState::Invalid,
            _ => CookieState::Malformed,
        }
    }

    /// The server cookie for a client cookie: what follows `client` in the option of the reply.
    pub fn make(&self, client: &[u8; CLIENT_SIZE], address: IpAddr, unix_seconds: u32) -> [u8; SERVER_SIZE] {
        let mut cookie = [0; SERVER_SIZE];
        cookie[..4].copy_from_slice(&PREFIX);
        cookie[4..8].copy_from_slice(&unix_seconds.to_be_bytes());
        let mac = self.mac(client, &cookie[..8], address);
        cookie[8..].copy_from_slice(&mac.to_le_bytes());
        cookie
    }

    fn is_ours(&self, option: &[u8], address: IpAddr, unix_seconds: u32) -> bool {
        let Some((client, server)) = option.split_at_checked(CLIENT_SIZE) else { return false };
        let ([version, _, _, _, a, b, c, d], Some(mac)) = (server.first_chunk().unwrap_or(&[0; 8]), server.get(8..16))
        else {
            return false;
        };
        if server.len() != SERVER_SIZE || *version != PREFIX[0] {
            return false;
        }
        // Serial arithmetic (RFC 1982): the 32 bits wrap in 2106, and cookies go on.
        let age = unix_seconds.wrapping_sub(u32::from_be_bytes([*a, *b, *c, *d]));
        let in_time = age <= AGE_MAX || age >= AHEAD_MAX.wrapping_neg();
        // One comparison of whole words: its time tells nothing about how many octets were guessed.
        in_time
            && mac.first_chunk().map(|mac| u64::from_le_bytes(*mac)) == Some(self.mac(client, &server[..8], address))
    }

    /// Client cookie, version, reserved, timestamp, address (RFC 9018, section 4.4).
    fn mac(&self, client: &[u8], head: &[u8], address: IpAddr) -> u64 {
        let mut input = [0; CLIENT_SIZE + 8 + 16];
        input[..8].copy_from_slice(client);
        input[8..16].copy_from_slice(head);
        let size = match address {
            IpAddr::V4(address) => {
                input[16..20].copy_from_slice(&address.octets());
                20
            }
            IpAddr::V6(address) => {
                input[16..].copy_from_slice(&address.octets());
                32
            }
        };
        let mut hasher = self.secret;
        hasher.write(&input[..size]);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets<const N: usize>(text: &str) -> [u8; N] {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        assert_eq!(digits.len(), 2 * N, "{text}");
        std::array::from_fn(|i| {
            u8::from_str_radix(std::str::from_utf8(&digits[2 * i..2 * i + 2]).unwrap(), 16).unwrap()
        })
    }

    fn cookies() -> Cookies {
        Cookies::new(&octets("e5e973e5a6b2a43f48e7dc849e37bfcf"))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn rfc9018_appendix_a1_learning_a_new_server_cookie() {
        let made = cookies().make(&octets("2464c4abcf10c957"), address("198.51.100.100"), 1_559_731_985);
        assert_eq!(made, octets("010000005cf79f111f8130c3eee29480"));
    }

    #[test]
    fn rfc9018_appendix_a2_the_same_client_learning_a_renewed_cookie() {
        let option: [u8; 24] = octets("2464c4abcf10c957 010000005cf79f111f8130c3eee29480");
        let client = address("198.51.100.100");
        assert_eq!(cookies().check(&option, client, 1_559_734_385), CookieState::Valid);
        let made = cookies().make(&octets("2464c4abcf10c957"), client, 1_559_734_385);
        assert_eq!(made, octets("010000005cf7a871d4a564a1442aca77"));
    }

    #[test]
    fn rfc9018_appendix_a3_another_client_learning_a_renewed_cookie() {
        // The reserved octets are not zero here: they are part of the MAC, and nothing else.
        let option: [u8; 24] = octets("fc93fc62807ddb86 01abcdef5cf78f71a314227b6679ebf5");
        let client = address("203.0.113.203");
        assert_eq!(cookies().check(&option, client, 1_559_727_985), CookieState::Valid);
        let made = cookies().make(&octets("fc93fc62807ddb86"), client, 1_559_734_700);
        assert_eq!(made, octets("010000005cf7a9acf73a7810aca2381e"));
    }

    #[test]
    fn rfc9018_appendix_a4_ipv6_query_with_rolled_over_secret() {
        let client = address("2001:db8:220:1:59de:d0f4:8769:82b8");
        let option: [u8; 24] = octets("22681ab97d52c298 010000005cf7c57926556bd0934c72f8");
        let old = Cookies::new(&octets("dd3bdf9344b678b185a6f5cb60fca715"));
        let new = Cookies::new(&octets("445536bcd2513298075a5d379663c962"));
        assert_eq!(old.check(&option, client, 1_559_741_961), CookieState::Valid);
        assert_eq!(new.check(&option, client, 1_559_741_961), CookieState::Invalid);
        let made = new.make(&octets("22681ab97d52c298"), client, 1_559_741_961);
        assert_eq!(made, octets("010000005cf7c609a6bb79d16625507a"));
    }

    #[test]
    fn a_cookie_is_good_from_five_minutes_ahead_to_an_hour_back() {
        let (client, home) = (*b"abcdefgh", address("192.0.2.1"));
        for made_at in [10_000, 0, u32::MAX - 60] {
            let option = [&client[..], &cookies().make(&client, home, made_at)].concat();
            let at = |seconds: i64| cookies().check(&option, home, made_at.wrapping_add(seconds as u32));
            for good in [0, 1, 3_600, -1, -300] {
                assert_eq!(at(good), CookieState::Valid, "{good}");
            }
            for bad in [3_601, -301, 1 << 31, 86_400] {
                assert_eq!(at(bad), CookieState::Invalid, "{bad}");
            }
        }
    }

    #[test]
    fn a_cookie_is_bound_to_every_octet_and_to_the_address() {
        let (client, home) = (*b"abcdefgh", address("192.0.2.1"));
        let option = [&client[..], &cookies().make(&client, home, 1_000)].concat();
        assert_eq!(cookies().check(&option, home, 1_000), CookieState::Valid);
        assert_eq!(cookies().check(&option, address("192.0.2.2"), 1_000), CookieState::Invalid);
        for at in 0..option.len() {
            let mut forged = option.clone();
            forged[at] ^= 0x40;
            assert_eq!(cookies().check(&forged, home, 1_000), CookieState::Invalid, "octet {at}");
        }
    }

    #[test]
    fn every_length_has_its_verdict() {
        let option = [7; 64];
        for size in 0..64 {
            let expected = match size {
                8 => CookieState::ClientOnly,
                16..=40 => CookieState::Invalid,
                _ => CookieState::Malformed,
            };
            assert_eq!(cookies().check(&option[..size], address("::1"), 0), expected, "{size} octets");
        }
    }
}
