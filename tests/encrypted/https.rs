//! DNS over HTTPS (RFC 8484), by way of an edge, asked by curl.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use freehold::edge::{self, DnsOverHttps, Settings, Sockets, Sources, TicketKeys};
use hickory_proto::rr::RecordType;

use crate::kit::{QUESTIONS, Server, query, rewritten, unpadded};

const HOST: &str = "dns.home.example";
const KIND: &str = "content-type: application/dns-message";

struct Front {
    server: Server,
    edge: edge::Handle,
    folder: tempfile::TempDir,
}

/// What curl was answered.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).next_back()
    }
}

impl Front {
    fn start() -> Self {
        let server = Server::start();
        server.certify(HOST);
        let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let settings = Settings {
            listen_http: vec![here.into()],
            listen_https: vec![here.into()],
            workers: 1,
            ..Settings::default()
        };
        let answers = server.handle.over_https();
        let dns = DnsOverHttps { host: HOST.into(), path: "/dns-query".into(), answers: Arc::new(move || answers()) };
        let sources = Sources {
            snapshots: Arc::clone(&server.snapshots),
            challenge_answer: Arc::new(|_, _| None),
            challenge_certificate: Arc::new(|_| None),
            ticket_keys: TicketKeys::default().renewed(crate::kit::now()).unwrap(),
            dns: Some(dns),
        };
        let edge = edge::start(Sockets::bind(&settings).unwrap(), &settings, sources).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.pem"), server.authority.root_pem()).unwrap();
        Self { server, edge, folder }
    }

    fn curl(&self, address: &str, words: &[&str], body: &[u8]) -> Answer {
        let (https, http) = (self.edge.https_addresses()[0].port(), self.edge.http_addresses()[0].port());
        let address = address.replace("{}", &format!("https://{HOST}:{https}/dns-query"));
        let address = address.replace("{http}", &format!("http://{HOST}:{http}/dns-query"));
        std::fs::write(self.folder.path().join("body"), body).unwrap();
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--include",
                "--max-time",
                "20",
                "--cacert",
                "root.pem",
                "-H",
                "Expect:",
            ])
            .args(["--connect-to", &format!("{HOST}::127.0.0.1:"), &address])
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let end = output.stdout.windows(4).position(|octets| octets == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8_lossy(&output.stdout[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: output.stdout[end..].to_vec() }
    }

    fn post(&self, message: &[u8], more: &[&str]) -> Answer {
        self.curl("{}", &[&["-H", KIND, "--data-binary", "@body"], more].concat(), message)
    }
}

fn base64url(octets: &[u8]) -> String {
    use base64::Engine;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(octets)
}

#[test]
fn replies_are_those_of_tcp_by_get_and_by_post_over_both_versions() {
    let front = Front::start();
    for version in ["--http1.1", "--http2"] {
        for (name, kind) in QUESTIONS {
            let asked = query(0, name, kind, false);
            let expected = front.server.over_tcp(&asked);
            let posted = front.post(&asked, &[version]);
            let got = front.curl(&format!("{{}}?dns={}", base64url(&asked)), &[version], b"");
            for answer in [&posted, &got] {
                assert_eq!((answer.status, &answer.body), (200, &expected), "{name} {kind}: {}", answer.head);
                assert_eq!(answer.field("content-type"), Some("application/dns-message"));
                assert_eq!(answer.field("content-length"), Some(&*expected.len().to_string()));
            }
        }
        let padded = query(0, "www.home.example.", RecordType::A, true);
        let expected = rewritten(&front.server.over_tcp(&padded));
        assert_eq!(unpadded(&front.post(&padded, &[version]).body), expected);
    }
    assert_eq!(front.server.handle.stats().https.queries, 34);
}

#[test]
fn a_cache_is_told_how_long_it_may_keep_a_reply_and_head_says_the_same() {
    let front = Front::start();
    for (name, kind, kept) in [
        ("www.home.example.", RecordType::A, "max-age=300"),
        ("alias.home.example.", RecordType::A, "max-age=300"),
        ("alias.home.example.", RecordType::AAAA, "max-age=60"), // the alias lasts longer than what is not there
        ("nothing.home.example.", RecordType::A, "max-age=60"),
        ("elsewhere.example.", RecordType::A, "no-store"),
    ] {
        let address = format!("{{}}?dns={}", base64url(&query(0, name, kind, false)));
        for version in ["--http1.1", "--http2"] {
            let (got, head) = (front.curl(&address, &[version], b""), front.curl(&address, &[version, "--head"], b""));
            assert_eq!(got.field("cache-control"), Some(kept), "{name} {kind}");
            assert!(head.body.is_empty());
            for field in ["content-type", "content-length", "cache-control"] {
                assert_eq!(head.field(field), got.field(field), "{name} {kind} {field}");
            }
        }
    }
}

#[test]
fn what_is_no_query_is_told_in_plain_words() {
    let front = Front::start();
    let asked = query(0, "www.home.example.", RecordType::A, false);
    let text = base64url(&asked);
    let data = ["--data-binary", "@body"];
    let long = vec![0; 65_536];
    for (address, words, body, status, told) in [
        ("{}", &[][..], &[][..], 400, "holds no query"),
        ("{}?dns=", &[], &[], 400, "not a DNS query"),
        ("{}?dns=AAA*", &[], &[], 400, "not base64url"),
        ("{}?dns=AAAA", &[], &[], 400, "not a DNS query"),
        (&format!("{{}}?dns={text}%3D"), &[], &[], 400, "without padding"),
        ("{}", &["-H", KIND, data[0], data[1]], &[], 400, "not a DNS query"),
        ("{}", &["-H", KIND, data[0], data[1]], &[0xff; 40], 400, "not a DNS query"),
        ("{}", &["-H", "content-type: text/plain", data[0], data[1]], &asked, 415, "application/dns-message"),
        ("{}", &["-H", "content-type:", data[0], data[1]], &asked, 415, "application/dns-message"),
        ("{}", &["-H", KIND, data[0], data[1]], &long, 413, "at most 65535"),
        ("{}", &["-H", KIND, "-H", "transfer-encoding: chunked", data[0], data[1]], &long, 413, "at most 65535"),
        ("{}", &["-X", "PUT", "-H", KIND, data[0], data[1]], &asked, 405, "by GET or POST"),
        ("{}", &["-X", "OPTIONS"], &[], 405, "by GET or POST"),
        ("{}/more", &[], &[], 404, ""),
        (&format!("{{http}}?dns={text}"), &[], &[], 404, ""),
    ] {
        for version in ["--http1.1", "--http2"] {
            if version == "--http2" && status == 413 {
                continue; // curl 7.88 shows no answer that comes before it has sent its body
            }
            let answer = front.curl(address, &[words, &[version]].concat(), body);
            let page = String::from_utf8_lossy(&answer.body);
            assert_eq!(answer.status, status, "{address} {words:?}: {page}");
            assert!(page.contains(told), "{address} {words:?}: {page}");
            assert_eq!(answer.field("allow"), (status == 405).then_some("GET, HEAD, POST"), "{address}");
        }
    }
    assert_eq!(front.post(&asked, &[]).body, front.server.over_tcp(&asked), "and then it answers as before");
    let malformed = front.post(&asked[..asked.len() - 1], &[]);
    assert_eq!((malformed.status, malformed.body[3] & 0xf), (200, 1), "FORMERR is an answer");
    assert_eq!(front.server.handle.stats().https.panics, 0);
}
