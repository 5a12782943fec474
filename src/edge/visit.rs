//! A visit to a site, or straight to an app, as a program would make it: for whoever wants to know at which step it fails. Each
//! step is a call of its own, so that it can be timed.
//!
//! Nothing of the edge's own machinery is used, which is what is looked at: connections are new, and no one else's.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use super::tls::{AppTls, speaks_http2, visitor};
use crate::cert::{Authority, Facts};
use crate::route::{Address, App, Fault, Protocol, Server};

/// How long each step of a visit may take.
const STEP_TIME: Duration = Duration::from_secs(5);
/// Octets of the head of an answer.
const HEAD_SIZE_MAX: usize = 64 << 10;
/// Who asks, for the app's log.
const AGENT: &str = "freehold-route-test";

/// A connection over which the host was shown to be who it is, or not.
pub struct Shown(visitor::Shown);

impl Shown {
    /// What the certificate at the head of the chain says.
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// Why a client that trusts whom this machine trusts would not take it.
    pub fn doubt(&self) -> Option<&str> {
        self.0.doubt.as_deref()
    }
}

/// Connects to an address.
pub async fn connect(address: SocketAddr) -> Result<TcpStream, Fault> {
    let fault = |reason: String| Fault::new(format!("{address} {reason}"), "");
    match timeout(STEP_TIME, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(wrong)) => Err(fault(unreached(&wrong))),
        Err(_) => Err(fault(format!("does not answer within {} s", STEP_TIME.as_secs()))),
    }
}

/// Shakes hands as a browser that wants this host. The built-in CA is trusted beside the authorities of this machine.
pub async fn shake_hands(stream: TcpStream, host: &str, authority: Option<&Authority>) -> Result<Shown, Fault> {
    let fault = |reason: String| Fault::new(format!("TLS for {host} fails: {reason}"), "");
    match timeout(STEP_TIME, visitor::look(stream, host, authority)).await {
        Ok(Ok(shown)) => Ok(Shown(shown)),
        Ok(Err(wrong)) => Err(fault(wrong.to_string())),
        Err(_) => Err(fault(format!("no answer within {} s", STEP_TIME.as_secs()))),
    }
}

/// Asks for a page over that connection: the status of the answer.
pub async fn ask(shown: Shown, host: &str, path: &str) -> Result<u16, Fault> {
    over_http1(shown.0.stream, &Page { agent: AGENT, host, path }).await
}

/// Asks an app for a page, without the edge in between: the status of the answer.
pub async fn ask_app(app: &App, host: &str, path: &str) -> Result<u16, Fault> {
    ask_app_as(AGENT, app, host, path).await
}

/// Connects to an app whose connections are passed on unopened: what is spoken inside is not known, but some TLS is.
pub async fn shake_hands_with_app(app: &App, host: &str, authority: Option<&Authority>) -> Result<Shown, Fault> {
    let stream = reach(app).await?;
    shake_hands(stream, host, authority).await.map_err(|wrong| of_app(app, wrong))
}

/// What is asked for, and by whom.
struct Page<'p> {
    agent: &'static str,
    host: &'p str,
    path: &'p str,
}

/// The same, by this name in the app's log.
pub(super) async fn ask_app_as(agent: &'static str, app: &App, host: &str, path: &str) -> Result<u16, Fault> {
    let page = &Page { agent, host, path };
    let fault = |reason: &str, cure: &str| Fault::new(format!("{app} {reason}"), cure);
    let server = match &app.address {
        Address::Unix(socket) => {
            let stream = timeout(STEP_TIME, UnixStream::connect(socket)).await;
            let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let stream = stream.map_err(|wrong| fault(&unreached(&wrong), START))?;
            return over_http1(stream, page).await.map_err(|wrong| of_app(app, wrong));
        }
        Address::Tcp { server, .. } => server,
    };
    let stream = reach(app).await?;
    let check = match app.protocol {
        Protocol::Http => return over_http1(stream, page).await.map_err(|wrong| of_app(app, wrong)),
        Protocol::H2c => return over_http2(stream, "http", page).await.map_err(|wrong| of_app(app, wrong)),
        Protocol::Https => true,
        Protocol::HttpsUnchecked | Protocol::Tls => false,
    };
    let tls = AppTls::new().map_err(|wrong| fault(&wrong.to_string(), ""))?;
    let stream = timeout(STEP_TIME, tls.connect(stream, server, check, false)).await;
    let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let stream = stream.map_err(|wrong| {
        fault(
            &format!("cannot be spoken to over TLS: {wrong}"),
            "https+insecure:// in the target takes any certificate",
        )
    })?;
    let asked = match speaks_http2(&stream) {
        true => over_http2(stream, "https", page).await,
        false => over_http1(stream, page).await,
    };
    asked.map_err(|wrong| of_app(app, wrong))
}

/// Connects to an app that has a port.
async fn reach(app: &App) -> Result<TcpStream, Fault> {
    let fault = |reason: &str, cure: &str| Fault::new(format!("{app} {reason}"), cure);
    let address = match &app.address {
        Address::Unix(_) => return Err(fault("has no port", "write the address of one")),
        Address::Tcp { server: Server::Ip(address), port } => SocketAddr::new(*address, *port),
        Address::Tcp { server: Server::Name(name), port } => {
            let found = timeout(STEP_TIME, lookup_host((&**name, *port))).await;
            let found = found.ok().and_then(Result::ok).and_then(|mut found| found.next());
            found.ok_or_else(|| fault("has a name that cannot be resolved", "correct it, or write an address"))?
        }
    };
    connect(address).await.map_err(|wrong| Fault { cure: START.into(), ..of_app(app, wrong) })
}

/// What helps where nobody answers.
const START: &str = "start the app, or correct the address with `freehold route set`";

fn of_app(app: &App, wrong: Fault) -> Fault {
    Fault { message: format!("{app}: {}", wrong.message), ..wrong }
}

async fn over_http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    page: &Page<'_>,
) -> Result<u16, Fault> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_SIZE_MAX);
    let opened = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.map_err(|wrong| no_answer(&wrong))?;
    let mut request = request(page)?;
    let host = HeaderValue::try_from(page.host).map_err(|_| Fault::new("the host cannot be asked for", ""))?;
    request.headers_mut().insert(HOST, host);
    let driving = tokio::spawn(connection); // it ends with the sender at the latest
    let answer = timeout(STEP_TIME, sender.send_request(request)).await;
    driving.abort();
    read(answer.map(|answer| answer.map(|answer| answer.status().as_u16())))
}

async fn over_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    scheme: &str,
    page: &Page<'_>,
) -> Result<u16, Fault> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_header_list_size(HEAD_SIZE_MAX as u32);
    let opened = timeout(STEP_TIME, builder.handshake(TokioIo::new(stream))).await;
    let (mut sender, connection) = opened.map_err(|_| slow())?.map_err(|wrong| no_answer(&wrong))?;
    let mut request = request(page)?;
    let uri = Uri::builder().scheme(scheme).authority(page.host).path_and_query(page.path).build();
    *request.uri_mut() = uri.map_err(|_| Fault::new("the host cannot be asked for", ""))?;
    let driving = tokio::spawn(connection);
    let answer = timeout(STEP_TIME, sender.send_request(request)).await;
    driving.abort();
    read(answer.map(|answer| answer.map(|answer| answer.status().as_u16())))
}

fn request(page: &Page<'_>) -> Result<Request<Empty<Bytes>>, Fault> {
    let (mut request, path) = (Request::new(Empty::new()), page.path);
    *request.uri_mut() =
        path.parse().map_err(|_| Fault::new(format!("{path:?} is no path to ask for"), "write it as in /login"))?;
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(page.agent));
    Ok(request)
}

fn read(answer: Result<Result<u16, hyper::Error>, tokio::time::error::Elapsed>) -> Result<u16, Fault> {
    answer.map_err(|_| slow())?.map_err(|wrong| no_answer(&wrong))
}

fn slow() -> Fault {
    Fault::new(format!("no answer within {} s", STEP_TIME.as_secs()), "find out what keeps it busy")
}

fn hung_up() -> Fault {
    Fault::new("the connection was closed without an answer", "its own log says why")
}

fn no_answer(wrong: &hyper::Error) -> Fault {
    match wrong.is_parse() {
        true => Fault::new(
            "what it answers is no HTTP",
            "look whether the target speaks another protocol: https://, or h2c:// for gRPC",
        ),
        false => hung_up(),
    }
}

pub(super) fn unreached(fault: &io::Error) -> String {
    let known = [
        (io::ErrorKind::ConnectionRefused, "takes no connections: nobody listens there"),
        (io::ErrorKind::NotFound, "is not there: nobody listens at this socket"),
        (io::ErrorKind::TimedOut, "does not answer"),
    ];
    match known.into_iter().find(|(kind, _)| *kind == fault.kind()) {
        Some((_, words)) => words.to_owned(),
        None => format!("cannot be reached: {}", fault.to_string().split(" (os error").next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// An app that reads a head and says this.
    async fn app(answer: &'static str) -> App {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let app = App::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            assert!(head.starts_with(b"GET /x?y HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&head));
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        app
    }

    #[tokio::test]
    async fn what_an_app_does_is_told_in_plain_words() {
        let asked = |app: App| async move { ask_app(&app, "a.example", "/x?y").await };
        assert_eq!(asked(app("HTTP/1.1 204 No Content\r\n\r\n").await).await, Ok(204));
        for (answer, message) in [("", "closed without an answer"), ("SSH-2.0-x\r\n\r\n", "is no HTTP")] {
            let fault = asked(app(answer).await).await.unwrap_err();
            assert!(fault.message.contains(message) && !fault.cure.is_empty(), "{answer:?}: {fault:?}");
        }
        let nobody = asked(App::parse("unix:/nowhere/app.sock").unwrap()).await.unwrap_err();
        assert!(nobody.message.starts_with("unix:/nowhere/app.sock is not there"), "{nobody:?}");
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let nobody = asked(App::parse(&format!("http://{free}")).unwrap()).await.unwrap_err();
        assert!(nobody.message.contains("nobody listens") && nobody.cure.starts_with("start the app"), "{nobody:?}");
    }
}
