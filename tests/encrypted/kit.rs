//! A name server on free ports with a small zone and certificates of its own CA.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use freehold::cert::Authority;
use freehold::dns::{self, Handle, Settings, Sockets};
use freehold::store::{Snapshot, Zones};
use freehold::zone::{Zone, text};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{Name, RecordType};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Long enough for a busy machine; whoever waits for it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// What the server is called.
pub(crate) const NAME: &str = "ns1.home.example";

/// Names and types whose replies are of every sort: large, negative, aliased, refused.
pub(crate) const QUESTIONS: [(&str, RecordType); 8] = [
    ("www.home.example.", RecordType::A),
    ("www.home.example.", RecordType::MX),
    ("nothing.home.example.", RecordType::A),
    ("alias.home.example.", RecordType::AAAA),
    ("large.home.example.", RecordType::TXT),
    ("home.example.", RecordType::SOA),
    ("elsewhere.example.", RecordType::A),
    ("home.example.", RecordType::AXFR),
];

pub(crate) struct Server {
    pub(crate) handle: Handle,
    pub(crate) snapshots: Arc<ArcSwap<Snapshot>>,
    pub(crate) authority: Authority,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with("tcp = { message_seconds = 60, write_seconds = 60, idle_seconds = 60 }")
    }

    /// With more settings of `[dns]`.
    pub(crate) fn with(more: &str) -> Self {
        let here = "[\"127.0.0.1:0\"]";
        let text = format!(
            "listen = {here}\nworkers = 1\n{more}\n[encrypted]\nnames = [\"{NAME}\"]\ntls = {here}\nquic = {here}"
        );
        let settings: Settings = toml::from_str(&text).unwrap();
        assert_eq!(settings.check(), Vec::<String>::new());
        let zones: Zones = [Arc::new(zone())].into_iter().collect();
        let snapshots = Arc::new(ArcSwap::from_pointee(Snapshot { zones, ..Snapshot::default() }));
        let sockets = Sockets::bind(&settings).unwrap();
        let handle = dns::start(sockets, &settings, b"sixteen octets!!", Arc::clone(&snapshots)).unwrap();
        let server = Self { handle, snapshots, authority: Authority::new(now()).unwrap() };
        server.certify(NAME);
        server
    }

    /// Another certificate, as the store would have it.
    pub(crate) fn certify(&self, name: &str) {
        let made = self.authority.issue(&[name.parse().unwrap()], now(), Duration::from_secs(86_400)).unwrap();
        let mut next = Snapshot::clone(&self.snapshots.load());
        next.certificates.insert(Arc::new(made));
        self.snapshots.store(Arc::new(next));
    }

    pub(crate) fn tls(&self) -> SocketAddr {
        self.handle.tls_addresses()[0]
    }

    pub(crate) fn quic(&self) -> SocketAddr {
        self.handle.quic_addresses()[0]
    }

    /// How a client speaks TLS that trusts this server's CA alone.
    pub(crate) fn client(&self, protocol: &[u8]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.root_pem().as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let mut config =
            builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        config
    }

    /// A connection over TLS.
    pub(crate) fn connect(&self) -> Stream<StreamOwned<ClientConnection, TcpStream>> {
        self.connect_with(self.client(b"dot"), NAME).unwrap()
    }

    pub(crate) fn connect_with(
        &self,
        config: ClientConfig,
        name: &str,
    ) -> std::io::Result<Stream<StreamOwned<ClientConnection, TcpStream>>> {
        let name: ServerName<'static> = name.to_owned().try_into().unwrap();
        let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = plain(self.tls());
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(Stream(StreamOwned::new(session, socket)))
    }

    /// What TCP says to these octets.
    pub(crate) fn over_tcp(&self, message: &[u8]) -> Vec<u8> {
        let mut stream = Stream(plain(self.handle.addresses()[0]));
        stream.send(message);
        stream.receive()
    }

    /// Waits until what was counted is as it should be.
    pub(crate) fn until(&self, what: &str, is: impl Fn(&dns::stats::Report) -> bool) {
        let begin = Instant::now();
        while !is(&self.handle.stats()) {
            assert!(begin.elapsed() < PATIENCE, "never {what}: {:?}", self.handle.stats());
            std::thread::sleep(Duration::from_millis(5)); // another thread counts
        }
    }
}

/// A connection over TCP.
pub(crate) fn plain(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// Messages with their length in front.
pub(crate) struct Stream<S>(pub(crate) S);

impl<S: Read + Write> Stream<S> {
    pub(crate) fn send(&mut self, message: &[u8]) {
        self.0.write_all(&framed(message)).unwrap();
        self.0.flush().unwrap();
    }

    pub(crate) fn receive(&mut self) -> Vec<u8> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).unwrap();
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        self.0.read_exact(&mut message).unwrap();
        message
    }
}

pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

/// A query with EDNS, padded if wanted.
pub(crate) fn query(id: u16, name: &str, kind: RecordType, padded: bool) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    let edns = message.edns.get_or_insert_default();
    edns.set_max_payload(1_232);
    if padded {
        edns.options_mut().insert(EdnsOption::Unknown(12, vec![0; 11]));
    }
    message.to_vec().unwrap()
}

/// A reply with its padding taken away; the padding has to fill the last block.
pub(crate) fn unpadded(reply: &[u8]) -> Vec<u8> {
    assert_eq!(reply.len() % 468, 0, "{} octets", reply.len());
    let mut message = Message::from_vec(reply).unwrap();
    let options = message.edns.as_mut().unwrap().options_mut();
    let padding = options.get(12.into()).cloned();
    assert!(matches!(padding, Some(EdnsOption::Unknown(12, zeros)) if zeros.iter().all(|octet| *octet == 0)));
    options.remove(12.into());
    message.to_vec().unwrap()
}

/// A reply as the same codec writes it.
pub(crate) fn rewritten(reply: &[u8]) -> Vec<u8> {
    Message::from_vec(reply).unwrap().to_vec().unwrap()
}

fn zone() -> Zone {
    let mut lines = vec![
        "@ 300 SOA ns1 hostmaster 1 3600 600 86400 60".to_owned(),
        "@ 300 NS ns1".into(),
        "ns1 300 A 192.0.2.53".into(),
        "www 300 A 192.0.2.1".into(),
        "alias 300 CNAME www".into(),
    ];
    lines.extend((0..100).map(|number| format!("large 300 TXT \"{number:0>200}\"")));
    let (text, origin) = (lines.join("\n") + "\n", "home.example".parse().ok());
    let mut none = |_: &str, _: &str| Err(std::io::Error::other("nothing is included"));
    let reading = text::read(text.as_bytes().into(), "zone", origin, &mut none, &mut |_| ());
    Zone::build(reading.draft).zone.unwrap()
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
