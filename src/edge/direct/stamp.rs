//! Whom a connection's requests are from, as the app is told (see `forwarded.rs`): written once for each connection, since
//! nothing in it changes from one request to the next but the host.

use std::io::Write as _;
use std::net::IpAddr;

use crate::edge::client::Client;
use crate::edge::tls::Spoken;

/// What an app is told about a client, in front of the host and behind it.
pub(in crate::edge) struct Stamp {
    before_host: Box<[u8]>,
    after_host: Box<[u8]>,
}

impl Stamp {
    /// For a client that is no trusted proxy: then all of it is ours to say.
    pub(in crate::edge) fn of(client: &Client) -> Self {
        let [http1, http2, http3] = &client.worker.shared.via;
        let via = match client.spoken() {
            Spoken::Http1 => http1,
            Spoken::Http2 => http2,
            Spoken::Http3 => http3,
        };
        Self::new(client.address().ip(), client.secure.is_some(), via.as_bytes())
    }

    fn new(peer: IpAddr, secure: bool, via: &[u8]) -> Self {
        let proto = if secure { "https" } else { "http" };
        let mut before =
            format!("X-Forwarded-For: {peer}\r\nX-Real-IP: {peer}\r\nX-Forwarded-Proto: {proto}\r\nVia: ").into_bytes();
        before.extend_from_slice(via);
        let named = match peer {
            IpAddr::V4(peer) => write!(before, "\r\nForwarded: for={peer};host="),
            IpAddr::V6(peer) => write!(before, "\r\nForwarded: for=\"[{peer}]\";host="),
        };
        debug_assert!(named.is_ok(), "memory takes what is written");
        let after = format!(";proto={proto}\r\nX-Forwarded-Host: ").into_bytes();
        Self { before_host: before.into(), after_host: after.into() }
    }

    /// Writes the fields about a request for `host`, which is sound as a field's value.
    pub(super) fn write(&self, host: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before_host);
        let plain = host.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_'));
        if plain {
            out.extend_from_slice(host);
        } else {
            out.push(b'"');
            out.extend_from_slice(host);
            out.push(b'"');
        }
        out.extend_from_slice(&self.after_host);
        out.extend_from_slice(host);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(peer: &str, secure: bool, host: &str) -> String {
        let mut out = Vec::new();
        Stamp::new(peer.parse().unwrap(), secure, b"1.1 freehold-1").write(host.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_app_is_told_who_asks() {
        assert_eq!(
            written("192.0.2.1", true, "a.example"),
            "X-Forwarded-For: 192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nVia: 1.1 freehold-1\r\n\
             Forwarded: for=192.0.2.1;host=a.example;proto=https\r\nX-Forwarded-Host: a.example\r\n"
        );
        let v6 = written("2001:db8::1", false, "a.example:8080");
        assert!(v6.contains("Forwarded: for=\"[2001:db8::1]\";host=\"a.example:8080\";proto=http\r\n"), "{v6}");
        assert!(v6.ends_with("X-Forwarded-Host: a.example:8080\r\n"), "{v6}");
    }
}
