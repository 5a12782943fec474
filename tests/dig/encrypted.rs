//! DNS over TLS and over HTTPS as kdig speaks them, over QUIC where kdig can, and a resolver that asks us over TLS.

use crate::kit::case::ZoneText;
use crate::kit::process::Running;
use crate::network::{World, zone_file};
use crate::ours;
use crate::tools::{dig, kdig};
use arc_swap::ArcSwap;
use freehold::cert::Authority;
use freehold::dns;
use freehold::edge::{self, DnsOverHttps, Sources, TicketKeys};
use std::fs::{read_to_string, write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Where it listens: at the usual ports.
const ADDRESS: &str = "127.0.0.20";
const NAME: &str = "ns1.home.example";
/// A resolver that asks over TLS.
const RESOLVER: &str = "127.0.0.54";

/// A name server with an edge; the root of its CA lies in `root.pem`.
struct Encrypted {
    _edge: edge::Handle,
    dns: dns::Handle,
}

fn start(folder: &Path) -> Encrypted {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let authority = Authority::new(now).unwrap();
    write(folder.join("root.pem"), authority.root_pem()).unwrap();
    let zone = ZoneText { name: "home.example".into(), text: read_to_string(zone_file("home.example")).unwrap() };
    let mut snapshot = ours::snapshot(&[zone]).unwrap();
    let certificate = authority.issue(&[NAME.parse().unwrap()], now, Duration::from_secs(3_600)).unwrap();
    snapshot.certificates.insert(Arc::new(certificate));
    let snapshots = Arc::new(ArcSwap::from_pointee(snapshot));
    let text = format!(
        "listen = [\"{ADDRESS}\"]\nworkers = 1\n[encrypted]\nnames = [\"{NAME}\"]\ntls = [\"{ADDRESS}\"]\nquic = [\"{ADDRESS}\"]"
    );
    let settings: dns::Settings = toml::from_str(&text).unwrap();
    let sockets = dns::Sockets::bind(&settings).unwrap();
    let dns = dns::start(sockets, &settings, b"sixteen octets!!", Arc::clone(&snapshots)).unwrap();
    let settings: edge::Settings =
        toml::from_str(&format!("listen_http = []\nlisten_https = [\"{ADDRESS}\"]\nworkers = 1")).unwrap();
    let answers = dns.over_https();
    let sources = Sources {
        snapshots,
        challenge_answer: Arc::new(|_, _| None),
        challenge_certificate: Arc::new(|_| None),
        ticket_keys: TicketKeys::default().renewed(now).unwrap(),
        dns: Some(DnsOverHttps { host: NAME.into(), path: "/dns-query".into(), answers: Arc::new(move || answers()) }),
    };
    let edge = edge::start(edge::Sockets::bind(&settings).unwrap(), &settings, sources).unwrap();
    Encrypted { _edge: edge, dns }
}

pub(crate) fn kdig_over_every_transport(world: &World) {
    let server = start(world.folder.path());
    let verified = format!("+tls-ca={}/root.pem +tls-hostname={NAME}", world.folder.path().display());
    for transport in
        ["+tls".to_owned(), format!("+https={NAME}/dns-query"), format!("+https={NAME}/dns-query +https-get")]
    {
        let ask = |words: &str| kdig(&format!("@{ADDRESS} {transport} {verified} {words}"));
        ask("www.home.example A")
            .contains("status: NOERROR")
            .contains("Flags: qr aa rd;")
            .says("www.home.example. 300 IN A 192.0.2.10")
            .contains("PADDING:") // kdig pads by itself
            .contains("Received 468 B");
        ask("large.home.example TXT").contains("ANSWER: 6;");
        ask("nothing.home.example A").contains("status: NXDOMAIN");
        ask("www.example.net A").contains("status: REFUSED");
    }
    kdig(&format!("@{ADDRESS} +tls +keepopen {verified} www.home.example A mail.home.example A"))
        .says("www.home.example. 300 IN A 192.0.2.10")
        .says("mail.home.example. 300 IN A 192.0.2.25");
    kdig(&format!("@{ADDRESS} +tls www.home.example A")).says("www.home.example. 300 IN A 192.0.2.10"); // without a name
    kdig(&format!("@{ADDRESS} +tls {verified} +tls-hostname=other.example www.home.example A")).lacks("192.0.2.10");
    let stats = server.dns.stats();
    assert!(stats.tls.queries >= 7 && stats.https.queries == 8, "{stats:?}");
    let told = kdig(&format!("@{ADDRESS} -p 853 +quic +retry=0 {verified} www.home.example A"));
    if server.dns.stats().quic.queries > 0 {
        told.says("www.home.example. 300 IN A 192.0.2.10");
    } else {
        println!(
            "    NOT TESTED with kdig: it was built without QUIC. tests/encrypted asks over QUIC with hickory's client"
        );
    }
}

pub(crate) fn a_resolver_asks_over_tls(world: &World) {
    let folder = world.folder.path();
    let server = start(folder);
    let settings = folder.join("unbound-tls.conf");
    let text = format!(
        "server:\n  interface: {RESOLVER}\n  username: \"\"\n  chroot: \"\"\n  directory: \"{0}\"\n  pidfile: \"\"\n  \
         use-syslog: no\n  num-threads: 1\n  module-config: \"iterator\"\n  do-not-query-localhost: no\n  do-ip6: no\n  \
         tls-cert-bundle: \"{0}/root.pem\"\n  access-control: 127.0.0.0/8 allow\n  local-zone: \"example.\" nodefault\n\
         remote-control:\n  control-enable: no\n\
         stub-zone:\n  name: \"home.example\"\n  stub-addr: \"{ADDRESS}@853#{NAME}\"\n  stub-tls-upstream: yes\n",
        folder.display()
    );
    write(&settings, text).unwrap();
    let arguments = ["-d", "-c", &settings.to_string_lossy()];
    let _resolver = Running::start("unbound", &arguments, &folder.join("unbound-tls.log"));
    let begin = Instant::now();
    let ask = |question: &str| dig(&format!("@{RESOLVER} +nottlid +tries=1 +timeout=5 {question}"));
    while !ask("www.home.example A").has_line("www.home.example. IN A 192.0.2.10") {
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", read_to_string(folder.join("unbound-tls.log")));
        std::thread::sleep(Duration::from_millis(100)); // it is still starting
    }
    ask("large.home.example TXT").status("NOERROR", 6);
    ask("nothing.home.example A").status("NXDOMAIN", 0);
    let stats = server.dns.stats();
    assert!(stats.tls.queries >= 3 && stats.udp.queries == 0 && stats.tcp.queries == 0, "{stats:?}");
}
