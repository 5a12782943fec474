//! A CA of our own that does what a test tells it: it believes everything, signs anything, and answers any request with
//! whatever the test likes instead. And a client for what a test has to say to a real one.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use freehold::cert::{Authority, read_certificates};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rcgen::{CertificateParams, CertificateSigningRequestParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What the CA was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `GET /dir`, `POST /order`, `GET /ari` and so on, without numbers.
    pub(crate) what: String,
    /// How often that was asked before.
    pub(crate) before: usize,
    /// The payload of a signed request.
    pub(crate) payload: Value,
    /// Seconds since 1970.
    pub(crate) at: u64,
}

/// An answer of the test's: status, headers, body.
pub(crate) type Told = (u16, Vec<(&'static str, String)>, String);
/// Asked what to say; `None` is the usual.
type Script = Box<dyn Fn(&Asked) -> Option<Told> + Send + Sync>;

/// The running CA.
pub(crate) struct Ca {
    inner: Arc<Inner>,
    pub(crate) root: PathBuf,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Inner {
    script: Script,
    port: u16,
    asked: Mutex<Vec<Asked>>,
    requests: Mutex<HashMap<String, Vec<u8>>>,
    names: Mutex<Vec<Value>>,
    key: KeyPair,
    own: CertificateParams,
    /// Seconds that its certificates are valid.
    lifetime: u64,
}

/// A problem document.
pub(crate) fn problem(status: u16, kind: &str, detail: &str, headers: Vec<(&'static str, String)>) -> Told {
    let document = json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail, "status": status});
    (status, headers, document.to_string())
}

pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

impl Ca {
    /// Starts it, with certificates of so many seconds.
    pub(crate) fn start(
        folder: &Path,
        lifetime: u64,
        script: impl Fn(&Asked) -> Option<Told> + Send + Sync + 'static,
    ) -> Ca {
        let authority = Authority::new(now()).unwrap();
        let own = authority.issue(&["127.0.0.1".parse().unwrap()], now(), Duration::from_secs(86_400)).unwrap();
        let root = folder.join("scripted-root.pem");
        std::fs::write(&root, authority.root_pem()).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "Scripted CA");
        let inner = Arc::new(Inner {
            script: Box::new(script),
            port: listener.local_addr().unwrap().port(),
            asked: Mutex::default(),
            requests: Mutex::default(),
            names: Mutex::default(),
            key: KeyPair::generate().unwrap(),
            own: parameters,
            lifetime,
        });
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (serving, certified) = (inner.clone(), own.certified().unwrap());
        let (ready, is_ready) = mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                ready.send(()).unwrap();
                tokio::select! {
                    () = serving.serve(listener, certified) => (),
                    _ = stopped => (),
                }
            });
        });
        is_ready.recv().unwrap();
        Ca { inner, root, stop: Some(stop), thread: Some(thread) }
    }

    /// The settings that lead to it; `ca` goes to its table.
    pub(crate) fn settings(&self, more: &str, ca: &str) -> String {
        format!(
            "terms_agreed = true\nresolvers = [\"127.0.0.1:1\"]\nretry_seconds = 1\ncheck_seconds = 1\nwindow_seconds = 1\n{more}\n\
             limits = {{ same_names = 0, domain = 0, orders = 0, failures = 0 }}\n{}{ca}\n",
            self.table()
        )
    }

    /// Its table in the settings.
    pub(crate) fn table(&self) -> String {
        format!("[[ca]]\ndirectory = \"{}\"\nroot = \"{}\"\n", self.inner.url("/dir"), self.root.display())
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self, what: &str) -> Vec<Asked> {
        self.inner.asked.lock().unwrap().iter().filter(|asked| asked.what == what).cloned().collect()
    }
}

impl Drop for Ca {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().unwrap().join();
    }
}

impl Inner {
    fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    async fn serve(self: Arc<Self>, listener: TcpListener, certified: Arc<freehold::cert::Certified>) {
        let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certified));
        let config = rustls::ServerConfig::builder().with_no_client_auth().with_cert_resolver(resolver);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let (inner, acceptor) = (self.clone(), acceptor.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request| {
                    let inner = inner.clone();
                    async move { Ok::<_, Infallible>(inner.answer(request).await) }
                });
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let payload = || -> Option<Value> {
            let signed: Value = serde_json::from_slice(&body).ok()?;
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed["payload"].as_str()?).ok()?).ok()
        };
        let payload = payload().unwrap_or(Value::Null);
        let mut parts = path.splitn(3, '/').skip(1);
        let (place, number) = (parts.next().unwrap_or(""), parts.next().unwrap_or("").to_owned());
        let what = format!("{method} /{place}");
        let asked = {
            let mut all = self.asked.lock().unwrap();
            let before = all.iter().filter(|other| other.what == what).count();
            all.push(Asked { what, before, payload: payload.clone(), at: now() });
            all.last().unwrap().clone()
        };
        let told = (self.script)(&asked).unwrap_or_else(|| self.usual(&method, place, &number, &payload));
        let mut response = Response::builder().status(told.0).header("Replay-Nonce", format!("nonce{}", asked.at));
        for (name, value) in told.1 {
            response = response.header(name, value);
        }
        response.body(Full::new(told.2.into())).unwrap()
    }

    fn usual(&self, method: &Method, place: &str, number: &str, payload: &Value) -> Told {
        let plain = |value: Value| (200, vec![("Content-Type", "application/json".to_owned())], value.to_string());
        match (method.as_str(), place) {
            ("GET", "dir") => plain(json!({
                "newNonce": self.url("/nonce"), "newAccount": self.url("/account"), "newOrder": self.url("/order"),
                "revokeCert": self.url("/revoke"), "keyChange": self.url("/key"), "renewalInfo": self.url("/ari"),
                "meta": {"caaIdentities": ["scripted.example"], "profiles": {"shortlived": "6 days"}}
            })),
            ("HEAD", "nonce") => (200, vec![], String::new()),
            ("POST", "account") => {
                (201, vec![("Location", self.url("/account/1"))], json!({"status": "valid"}).to_string())
            }
            ("POST", "order") if number.is_empty() => {
                let number = {
                    let mut names = self.names.lock().unwrap();
                    names.push(payload["identifiers"].clone());
                    names.len() - 1
                };
                let mut order = self.order(number, "ready");
                for field in ["replaces", "profile"] {
                    if !payload[field].is_null() {
                        order[field] = payload[field].clone();
                    }
                }
                (201, vec![("Location", self.url(&format!("/order/{number}")))], order.to_string())
            }
            ("POST", "order") => {
                let is_signed = self.requests.lock().unwrap().contains_key(number);
                plain(self.order(number.parse().unwrap(), if is_signed { "valid" } else { "ready" }))
            }
            ("POST", "authz") => {
                let (order, name) = number.split_once('/').unwrap();
                let names = self.names.lock().unwrap();
                let identifier = &names[order.parse::<usize>().unwrap()][name.parse::<usize>().unwrap()];
                plain(json!({"status": "valid", "identifier": identifier, "challenges": []}))
            }
            ("POST", "finalize") => {
                let request = URL_SAFE_NO_PAD.decode(payload["csr"].as_str().unwrap()).unwrap();
                self.requests.lock().unwrap().insert(number.to_owned(), request);
                plain(self.order(number.parse().unwrap(), "valid"))
            }
            ("POST", "cert") => (200, vec![], self.sign(number)),
            _ => (404, vec![], "{}".to_owned()),
        }
    }

    fn order(&self, number: usize, status: &str) -> Value {
        let count = self.names.lock().unwrap()[number].as_array().map_or(0, Vec::len);
        let authorizations: Vec<_> = (0..count).map(|name| self.url(&format!("/authz/{number}/{name}"))).collect();
        json!({"status": status, "authorizations": authorizations, "finalize": self.url(&format!("/finalize/{number}")),
            "certificate": self.url(&format!("/cert/{number}"))})
    }

    fn sign(&self, number: &str) -> String {
        let request = self.requests.lock().unwrap().get(number).cloned().unwrap();
        let mut request = CertificateSigningRequestParams::from_der(&request.into()).unwrap();
        let epoch = date_time_ymd(1970, 1, 1);
        request.params.not_before = epoch + Duration::from_secs(now());
        request.params.not_after = epoch + Duration::from_secs(now() + self.lifetime);
        request.params.use_authority_key_identifier_extension = true;
        request.params.serial_number = Some(rcgen::SerialNumber::from(now() * 1_000 + number.parse::<u64>().unwrap()));
        request.signed_by(&Issuer::from_params(&self.own, &self.key)).unwrap().pem()
    }
}

/// A client that believes this root.
pub(crate) fn client(root: &Path) -> impl HttpClient {
    let mut roots = rustls::RootCertStore::empty();
    for root in read_certificates(&std::fs::read_to_string(root).unwrap()).unwrap() {
        roots.add(root).unwrap();
    }
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Client(TlsConnector::from(Arc::new(config)))
}

struct Client(TlsConnector);

impl HttpClient for Client {
    fn request(
        &self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let connector = self.0.clone();
        Box::pin(async move {
            let authority = request.uri().authority().unwrap().to_string();
            *request.uri_mut() = request.uri().path().parse().unwrap();
            request.headers_mut().insert("Host", authority.parse().unwrap());
            let stream = TcpStream::connect(&authority).await.unwrap();
            let stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Ok(Response::from_parts(parts, Full::new(body)).into())
        })
    }
}
