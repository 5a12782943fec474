//! Certificates that clients have to show; and those who have none, another one, or had one before.

use std::sync::Arc;

use freehold::route::{Options, Route};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::app::App;
use super::client::{Client, get, tls, tls_config};
use super::kit::{Edge, has, route, settings};

/// An authority that vouches for clients.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }

    fn vouch(&self, name: &str) -> (CertificateDer<'static>, String, KeyPair) {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        let key = KeyPair::generate().unwrap();
        let made = parameters.signed_by(&key, &self.issuer).unwrap();
        (made.der().clone(), made.pem(), key)
    }

    /// A route that wants a certificate of this authority.
    fn guards(&self, from: &str, app: &App, optional: bool) -> Route {
        let options = serde_json::json!({"client_certificate": {"ca": self.pem, "optional": optional}});
        let options: Options = serde_json::from_value(options).unwrap();
        assert_eq!(options.check(), []);
        route(from, &app.url()).with_options(options)
    }
}

/// TLS of a client that shows a certificate, and resumes sessions wherever it is let.
fn showing(edge: &Edge, (certificate, _, key): &(CertificateDer<'static>, String, KeyPair)) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(edge.root().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config =
        builder.with_root_certificates(roots).with_client_auth_cert(vec![certificate.clone()], key).unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

fn status(edge: &Edge, config: &ClientConfig, path: &str) -> u16 {
    tls(edge, "a.test", config.clone()).map_or(0, |stream| Client::over(stream).get("a.test", path).status)
}

#[test]
fn only_who_shows_a_certificate_comes_and_the_app_learns_who_it_is() {
    let app = App::hello();
    let ours = Authority::new("ours");
    let edge = Edge::with([ours.guards("a.test", &app, false)], settings());
    assert_eq!(get(&edge, "a.test", "/").status, 403);
    let stranger = Authority::new("ours").vouch("anna");
    assert_eq!(status(&edge, &showing(&edge, &stranger), "/"), 0, "the handshake or the first word fails");
    assert!(app.seen().is_empty());
    let anna = ours.vouch("anna, jürgen");
    let mut client = Client::over(tls(&edge, "a.test", showing(&edge, &anna)).unwrap());
    let forged =
        "Client-Cert: :x:\r\nX-Client-Certificate-Subject: CN=root\r\nX_Client_Certificate_Subject: CN=root\r\n";
    let answer = client.say(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{forged}\r\n")).answer();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = app.only();
    let subject = seen.all("x-client-certificate-subject");
    assert!(subject.len() == 1 && subject[0].contains("anna") && subject[0].contains("%C3%BC"), "{}", seen.head);
    assert_eq!(seen.all("x-client-certificate-fingerprint")[0].len(), 64);
    assert!(seen.all("client-cert").len() == 1 && seen.field("client-cert").len() > 100, "{}", seen.head);
    assert!(!seen.head.contains("root"), "{}", seen.head);
}

#[test]
fn one_that_is_optional_tells_who_comes_and_keeps_nobody_out() {
    let app = App::hello();
    let ours = Authority::new("ours");
    let edge = Edge::with([ours.guards("a.test", &app, true)], settings());
    assert_eq!(get(&edge, "a.test", "/").status, 200);
    assert_eq!(status(&edge, &showing(&edge, &ours.vouch("anna")), "/"), 200);
    let subjects: Vec<_> =
        app.seen().iter().map(|seen| seen.field("x-client-certificate-subject").to_owned()).collect();
    assert_eq!(subjects, ["", "CN=anna"]);
}

#[test]
fn what_one_route_of_a_host_trusts_does_not_open_another() {
    let app = App::hello();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let edge = Edge::with(
        [
            ours.guards("a.test/ours", &app, false),
            theirs.guards("a.test/theirs", &app, false),
            route("a.test", &app.url()),
        ],
        settings(),
    );
    let config = showing(&edge, &ours.vouch("anna"));
    let seen = ["/ours", "/theirs", "/", "//theirs", "/%74heirs"].map(|path| status(&edge, &config, path));
    assert_eq!(seen, [200, 403, 200, 403, 403]);
}

#[test]
fn no_session_is_resumed_and_no_older_connection_passes() {
    let app = App::hello();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let edge = Edge::with([route("a.test", &app.url())], settings());
    let usual = tls_config(&edge, &["http/1.1"]);
    let mut old = Client::over(tls(&edge, "a.test", usual.clone()).unwrap());
    assert_eq!(old.get("a.test", "/").status, 200);
    edge.put(ours.guards("a.test", &app, false));
    assert_eq!(old.get("a.test", "/").status, 421, "it was never asked");
    // The ticket of the time before is of no use.
    assert_eq!(status(&edge, &usual, "/"), 403);
    let config = showing(&edge, &ours.vouch("anna"));
    assert_eq!([status(&edge, &config, "/"), status(&edge, &config, "/")], [200, 200]);
    let mut old = Client::over(tls(&edge, "a.test", config.clone()).unwrap());
    assert_eq!(old.get("a.test", "/").status, 200);
    assert_eq!(edge.running().stats().resumed, 0);
    edge.put(theirs.guards("a.test", &app, false));
    assert_eq!(old.get("a.test", "/").status, 421, "the authorities are others now");
    assert_ne!(status(&edge, &config, "/"), 200);
}

#[test]
fn browsers_of_other_hosts_are_not_asked() {
    let app = App::hello();
    let edge =
        Edge::with([Authority::new("ours").guards("a.test", &app, false), route("b.test", &app.url())], settings());
    let config = showing(&edge, &Authority::new("other").vouch("anna"));
    let mut stream = Client::over(tls(&edge, "b.test", config).unwrap());
    assert_eq!(stream.get("b.test", "/").status, 200, "what it would show is nobody's business there");
}

#[test]
fn curl_shows_a_certificate() {
    if !has("curl") {
        return;
    }
    let app = App::hello();
    let ours = Authority::new("ours");
    let edge = Edge::with([ours.guards("a.test", &app, false)], settings());
    let (_, pem, key) = ours.vouch("anna");
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key_file) = (folder.path().join("anna.pem"), folder.path().join("anna.key"));
    std::fs::write(&certificate, pem).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    for version in ["--http1.1", "--http2"] {
        let asked = std::process::Command::new("curl")
            .args(["-s", version, "-o", "/dev/null", "-w", "%{http_code}", "--cacert"])
            .arg(edge.root_file())
            .arg("--cert")
            .arg(&certificate)
            .arg("--key")
            .arg(&key_file)
            .args(["--resolve", &format!("a.test:{}:127.0.0.1", edge.https().port())])
            .arg(format!("https://a.test:{}/", edge.https().port()))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&asked.stdout), "200", "{version}");
    }
}
