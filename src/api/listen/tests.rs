//! Clients that behave, and those that do not, over real sockets on loopback.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::settings::{Listen, Settings};
use super::*;

/// What a client over TCP hears.
const WHO: &str = "127.0.0.1 to 127.0.0.1";
/// Whoever waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(200);
/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);
const TIMES: Times = Times { head: LONG, idle: LONG, stall: LONG };
const ASK: &[u8] = b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n";

async fn who(ConnectInfo(caller): ConnectInfo<Caller>) -> String {
    match caller {
        Caller::Here(_) => "here".into(),
        Caller::Socket(_) => "socket".into(),
        Caller::Network { peer, local } => format!("{peer} to {local}"),
    }
}

/// The size of the body, or why there is none.
async fn size(body: Body) -> String {
    match body.collect().await {
        Ok(body) => body.to_bytes().len().to_string(),
        Err(fault) => format!("too slow: {}", Stalled::caused(&fault)),
    }
}

/// More than all buffers between here and a client take.
async fn much() -> Body {
    Body::from(vec![0; 64 << 20])
}

struct Bench {
    address: SocketAddr,
    secure: SocketAddr,
    directory: tempfile::TempDir,
    root: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Bench {
    fn new(times: Times) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = Socket::bind(&directory.path().join("socket")).unwrap();
        let listen = ["127.0.0.1:0", "0.0.0.0:0"].map(|text| Listen::try_from(text.to_owned()).unwrap());
        let settings = Settings { listen: Some(listen.into()), ..Settings::default() };
        let tcp = Tcp::bind_all(&settings).unwrap().tcp;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let authority = Arc::new(crate::cert::Authority::new(now).unwrap());
        let (root, tls) = (authority.root_pem(), Tls::new(Arc::default(), &authority, &settings, now).unwrap());
        let [address, mut secure] = [tcp[0].address(), tcp[1].address()];
        secure.set_ip([127, 0, 0, 1].into());
        let router = Router::new()
            .route("/who", get(who))
            .route("/size", post(size))
            .route("/much", get(much))
            .route("/never", get(pending::<()>));
        let doors = Doors { socket, tcp, tls: Some(tls) };
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serve_within(doors, router, times, stopped));
        Self { address, secure, directory, root, stop, serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// All that comes until the other side closes.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut text = Vec::new();
    let reading = stream.read_to_end(&mut text);
    // A connection that was cut ends in a reset if something was on its way.
    let _ = tokio::time::timeout(PATIENCE, reading).await.expect("the connection ends");
    String::from_utf8_lossy(&text).into_owned()
}

/// One answer to a request that was sent, its head and body.
async fn answer(stream: &mut (impl AsyncReadExt + Unpin), end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let read = tokio::time::timeout(PATIENCE, stream.read_u8()).await.expect("an answer");
        text.push(read.unwrap_or_else(|_| panic!("the connection ended behind {}", String::from_utf8_lossy(&text))));
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn each_door_says_who_comes() {
    let bench = Bench::new(TIMES);
    let mut client = bench.connect().await;
    for _ in 0..2 {
        client.write_all(ASK).await.unwrap();
        answer(&mut client, WHO).await;
    }
    let mut client = UnixStream::connect(bench.directory.path().join("socket")).await.unwrap();
    client.write_all(ASK).await.unwrap();
    answer(&mut client, "socket").await;
}

#[tokio::test]
async fn who_does_not_finish_a_head_is_cut() {
    let bench = Bench::new(Times { head: SHORT, ..TIMES });
    let (mut silent, mut slow) = (bench.connect().await, bench.connect().await);
    let began = Instant::now();
    slow.write_all(b"GET /who HTTP/1.1\r\nhost: ").await.unwrap();
    assert_eq!((rest(&mut silent).await, rest(&mut slow).await), (String::new(), String::new()));
    assert!(began.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_second_head_has_its_own_time_which_begins_with_it() {
    let bench = Bench::new(Times { head: SHORT, ..TIMES });
    let mut client = bench.connect().await;
    client.write_all(ASK).await.unwrap();
    answer(&mut client, WHO).await;
    tokio::time::sleep(SHORT * 3).await; // idle for longer than a head may take
    client.write_all(ASK).await.unwrap();
    answer(&mut client, WHO).await;
    client.write_all(b"GET /who").await.unwrap();
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_one_with_a_request_is_not() {
    let bench = Bench::new(Times { idle: SHORT, ..TIMES });
    let (mut idle, mut busy) = (bench.connect().await, bench.connect().await);
    busy.write_all(b"GET /never HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    idle.write_all(ASK).await.unwrap();
    answer(&mut idle, WHO).await;
    assert_eq!(rest(&mut idle).await, "");
    let waited = tokio::time::timeout(SHORT * 3, busy.read_u8()).await;
    assert!(waited.is_err(), "the server has not answered yet: {waited:?}");
}

#[tokio::test]
async fn a_body_that_stops_is_told_so() {
    let bench = Bench::new(Times { stall: SHORT, ..TIMES });
    let mut client = bench.connect().await;
    client.write_all(b"POST /size HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nabc").await.unwrap();
    answer(&mut client, "too slow: true").await;
    let mut client = bench.connect().await;
    client.write_all(b"POST /size HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc").await.unwrap();
    answer(&mut client, "\r\n\r\n3").await;
}

#[tokio::test]
async fn an_answer_that_is_not_taken_ends_the_connection() {
    let bench = Bench::new(Times { stall: SHORT, ..TIMES });
    let mut client = bench.connect().await;
    client.write_all(b"GET /much HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    answer(&mut client, "\r\n\r\n").await;
    tokio::time::sleep(SHORT * 3).await; // and nothing is read
    assert!(rest(&mut client).await.len() < 64 << 20);
}

#[tokio::test]
async fn heads_have_a_size_and_a_count() {
    let bench = Bench::new(TIMES);
    let fields =
        |count: usize, size: usize| (0..count).map(|i| format!("x-{i}: {}\r\n", "a".repeat(size))).collect::<String>();
    for (fields, status) in [(fields(60, 400), "200"), (fields(70, 1), "431"), (fields(2, 20_000), "431")] {
        let mut client = bench.connect().await;
        let head = format!("GET /who HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{fields}\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        let answer = rest(&mut client).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn whoever_is_one_too_many_is_told_so_and_the_machine_itself_gets_through() {
    let bench = Bench::new(TIMES);
    let mut all = Vec::new();
    for _ in 0..limits::ADMIN_CONNECTIONS_PER_CLIENT_MAX {
        all.push(bench.connect().await);
    }
    let mut refused = bench.connect().await;
    refused.write_all(ASK).await.unwrap();
    let told = rest(&mut refused).await;
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("retry-after: 10\r\n"), "{told}");
    assert!(told.contains("application/problem+json") && told.contains("too many connections"), "{told}");
    let mut local = UnixStream::connect(bench.directory.path().join("socket")).await.unwrap();
    local.write_all(ASK).await.unwrap();
    answer(&mut local, "socket").await;
    drop(all.pop());
    let until = Instant::now() + PATIENCE;
    loop {
        let mut client = bench.connect().await;
        client.write_all(&[&ASK[..ASK.len() - 2], b"connection: close\r\n\r\n"].concat()).await.unwrap();
        if rest(&mut client).await.starts_with("HTTP/1.1 200 ") {
            break;
        }
        assert!(Instant::now() < until, "the place is free again");
    }
}

#[tokio::test]
async fn a_stop_waits_for_requests_and_for_nobody_who_is_idle() {
    let bench = Bench::new(TIMES);
    let (mut idle, mut silent, mut busy) = (bench.connect().await, bench.connect().await, bench.connect().await);
    idle.write_all(ASK).await.unwrap();
    answer(&mut idle, WHO).await;
    let head = b"POST /size HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
    busy.write_all(head).await.unwrap();
    answer(&mut busy, "100 Continue\r\n\r\n").await;
    bench.stop.send(()).unwrap();
    assert_eq!((rest(&mut idle).await, rest(&mut silent).await), (String::new(), String::new()));
    assert!(!bench.serving.is_finished());
    assert!(TcpStream::connect(bench.address).await.is_err(), "nobody new");
    busy.write_all(b"abc").await.unwrap();
    assert!(rest(&mut busy).await.ends_with("\r\n\r\n3"));
    tokio::time::timeout(PATIENCE, bench.serving).await.unwrap().unwrap();
    assert!(!bench.directory.path().join("socket").exists());
}

/// A client that trusts the bench's CA.
async fn speak_tls(bench: &Bench, alpn: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    for root in crate::cert::read_certificates(&bench.root).unwrap() {
        roots.add(root).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = rustls::pki_types::ServerName::IpAddress(bench.secure.ip().into());
    let stream = TcpStream::connect(bench.secure).await.unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn what_leaves_the_machine_is_encrypted_or_not_said() {
    let bench = Bench::new(Times { head: SHORT * 10, ..TIMES });
    let mut client = speak_tls(&bench, b"http/1.1").await;
    client.write_all(ASK).await.unwrap();
    answer(&mut client, WHO).await;
    let (mut plain, mut silent) =
        (TcpStream::connect(bench.secure).await.unwrap(), TcpStream::connect(bench.secure).await.unwrap());
    plain.write_all(ASK).await.unwrap();
    let told = rest(&mut plain).await;
    assert!(!told.contains("HTTP"), "{told}");
    assert_eq!(rest(&mut silent).await, "", "a handshake that does not begin");
}

#[tokio::test]
async fn http2_serves_many_at_once_and_goes_when_idle() {
    let bench = Bench::new(Times { idle: SHORT * 10, ..TIMES });
    let stream = speak_tls(&bench, b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let asked: Vec<_> = (0..100)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move {
                let request = hyper::Request::get("https://localhost/who").body(Empty::<Bytes>::new()).unwrap();
                let answer = client.send_request(request).await.unwrap();
                answer.into_body().collect().await.unwrap().to_bytes()
            })
        })
        .collect();
    for asked in asked {
        assert_eq!(asked.await.unwrap(), "127.0.0.1 to 127.0.0.1");
    }
    tokio::time::timeout(PATIENCE, connection).await.expect("idle, it goes").unwrap().unwrap();
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u32).to_be_bytes();
    [&size[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Its name, how it begins, and what it repeats, by number.
type Flood = (&'static str, Vec<u8>, Box<dyn Fn(u32) -> Vec<u8>>);

/// `GET /who`, by HPACK's static table.
const HEAD: &[u8] = b"\x82\x87\x04\x04/who\x01\x09localhost";

#[tokio::test]
async fn floods_over_http2_end_their_own_connection_only() {
    let bench = Bench::new(Times { stall: PATIENCE, ..Times::default() });
    let mut honest = speak_tls(&bench, b"http/1.1").await;
    let odd = |number: u32| number * 2 + 1;
    let floods: [Flood; 5] = [
        ("PING", Vec::new(), Box::new(|_| frame(6, 0, 0, &[7; 8]))),
        ("SETTINGS", Vec::new(), Box::new(|_| frame(4, 0, 0, &[]))),
        ("WINDOW_UPDATE", Vec::new(), Box::new(|_| frame(8, 0, 0, &1_u32.to_be_bytes()))),
        (
            "resets (CVE-2023-44487)",
            Vec::new(),
            Box::new(move |number| {
                [frame(1, 5, odd(number), HEAD), frame(3, 0, odd(number), &8_u32.to_be_bytes())].concat()
            }),
        ),
        (
            "CONTINUATION",
            frame(1, 1, 1, HEAD),
            Box::new(|_| frame(9, 0, 1, &[&b"\x10\x01x\x7f\x81\x06"[..], &[b'y'; 896]].concat())),
        ),
    ];
    for (name, opening, flood) in floods {
        let (mut reader, mut writer) = tokio::io::split(speak_tls(&bench, b"h2").await);
        let reading = tokio::spawn(async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await });
        let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[]), &opening].concat();
        writer.write_all(&preface).await.unwrap();
        let (mut number, mut ended) = (0, false);
        while number < 1_000_000 && !ended {
            let batch: Vec<u8> = (number..number + 500).flat_map(&flood).collect();
            let written = tokio::time::timeout(PATIENCE, writer.write_all(&batch)).await.expect(name);
            (number, ended) = (number + 500, written.is_err() || reading.is_finished());
        }
        assert!(ended, "{name}: it went on for ever");
        honest.write_all(ASK).await.unwrap();
        answer(&mut honest, WHO).await;
    }
}
