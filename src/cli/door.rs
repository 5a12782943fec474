//! The way to the admin API: a server somewhere else if one is named, else the socket of the running one, or, when none
//! runs, the API in this process.
//!
//! The lock on the data directory decides. A command that finds the lock taken and the socket silent waits a
//! moment, for a server that starts or another command that ends.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::Method;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::remote::{self, Remote};
use super::stop::{Exit, Stop};
use crate::api::{self, Answer, Here, Problem, Question, plain, system_reason};
use crate::store::{self, OpenFault, Store};
use crate::wire::{Kind, Name};

/// How long a taken lock may stay silent: a server with a million names starts in less.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How often a taken lock is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How long a connection is taken for good without a question: a good deal less than the server does.
const FRESH: Duration = Duration::from_secs(20);

/// What says that no server listens: there is no socket, it is of a server that is gone, or there is no directory.
const NOBODY: [io::ErrorKind; 3] =
    [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused, io::ErrorKind::NotADirectory];

/// Where what is asked for is.
#[derive(Clone, Debug)]
pub enum Place {
    /// On this machine.
    Local(Local),
    /// At a server somewhere else.
    Remote(Remote),
}

/// Where the store and its server are, on this machine.
#[derive(Clone, Debug)]
pub struct Local {
    /// The store.
    pub store: store::Settings,
    /// The admin API.
    pub admin: api::Settings,
    /// The settings file, if there is one.
    pub file: Option<PathBuf>,
}

impl Place {
    /// For what can be done on this machine only.
    pub(super) fn local(&self, command: &str) -> Result<&Local, Stop> {
        match self {
            Self::Local(local) => Ok(local),
            Self::Remote(remote) => Err(stays_here(command, &format!("not at {remote}"))),
        }
    }
}

/// Why a command is not for a server somewhere else.
pub(super) fn stays_here(command: &str, not_there: &str) -> Stop {
    let message = format!("`freehold {command}` works on this machine, {not_there}");
    Stop::new(Exit::Usage, message, "leave --server and FREEHOLD_SERVER out, or run it there")
}

impl Local {
    /// The admin socket.
    fn socket(&self) -> PathBuf {
        self.admin.socket_in(&self.store.directory)
    }
}

/// The way to the admin API.
pub(super) enum Door {
    /// A running server.
    Server(Server),
    /// No server runs; the store is open here.
    Here(Here, Arc<Store>),
}

impl Door {
    /// Opens the way. `create` is whether a data directory that is not there may be made.
    pub(super) async fn open(place: &Place, create: bool) -> Result<Self, Stop> {
        let give_up_at = Instant::now() + WAIT_MAX;
        loop {
            if let Some(door) = Self::running(place).await? {
                return Ok(door);
            }
            let place = place.local("this command")?;
            let directory = &place.store.directory;
            if !create && !directory.is_dir() {
                let message = format!("no server runs, and there is no data directory {}", directory.display());
                return Err(Stop::failed(message, "start `freehold serve`, or say --data DIRECTORY"));
            }
            let settings = place.store.clone();
            match tokio::task::spawn_blocking(move || Store::open(&settings)).await {
                Ok(Ok(store)) => {
                    let store = Arc::new(store);
                    return Ok(Self::Here(Here::new(Arc::clone(&store), place.admin.clone()), store));
                }
                Ok(Err(OpenFault::Locked { .. })) if Instant::now() < give_up_at => {
                    tokio::time::sleep(TRY_AGAIN_AFTER).await;
                }
                Ok(Err(OpenFault::Locked { process, .. })) => return Err(silent(place, &process)),
                Ok(Err(fault)) => return Err(Stop::line(Exit::Failed, &fault.to_string())),
                Err(fault) => return Err(Stop::failed(format!("opening the store broke off: {fault}"), "")),
            }
        }
    }

    /// The running server, if one runs.
    pub(super) async fn running(place: &Place) -> Result<Option<Self>, Stop> {
        let way = match place {
            Place::Local(local) => Way::Socket(local.socket()),
            Place::Remote(remote) => Way::Network(remote.clone()),
        };
        Ok(way.take().await?.map(|sender| Self::Server(Server { way, sender, used: Instant::now() })))
    }

    /// The same store once more, if it is open here: it cannot be opened twice.
    pub(super) fn again(&self) -> Option<Self> {
        match self {
            Self::Here(here, store) => Some(Self::Here(here.clone(), Arc::clone(store))),
            Self::Server(_) => None,
        }
    }

    /// Asks; an answer that is a problem becomes the command's end.
    pub(super) async fn ask(&mut self, question: Question) -> Result<Answer, Stop> {
        let answer = match self {
            Self::Here(here, _) => here.answer(question).await,
            Self::Server(server) => server.ask(question).await?,
        };
        if answer.status().is_success() { Ok(answer) } else { Err(problem(answer).await) }
    }

    /// Asks and reads the JSON of the answer.
    pub(super) async fn ask_json<T: serde::de::DeserializeOwned>(&mut self, question: Question) -> Result<T, Stop> {
        let answer = self.ask(question).await?;
        let body = answer.into_body().collect().await.map_err(|fault| broke_off(&fault))?.to_bytes();
        serde_json::from_slice(&body).map_err(|fault| {
            let message = format!("the server's answer is not understood: {fault}");
            Stop::failed(message, "use the freehold command of the server's own version")
        })
    }

    /// Leaves; an open store is closed, which writes what it still holds back.
    pub(super) async fn close(self) -> Result<(), Stop> {
        let Self::Here(_, store) = self else { return Ok(()) };
        match tokio::task::spawn_blocking(move || store.close()).await {
            Ok(()) => Ok(()),
            Err(fault) => Err(Stop::failed(format!("closing the store broke off: {fault}"), "")),
        }
    }
}

/// A server that runs.
pub(super) struct Server {
    way: Way,
    sender: SendRequest<Full<Bytes>>,
    /// When something was last asked.
    used: Instant,
}

/// The way to a server.
enum Way {
    Socket(PathBuf),
    Network(Remote),
}

impl Way {
    /// A connection; `None` if no server listens at the socket.
    async fn take(&self) -> Result<Option<SendRequest<Full<Bytes>>>, Stop> {
        match self {
            Self::Socket(path) => reach(path).await,
            Self::Network(remote) => remote::reach(remote).await.map(Some),
        }
    }
}

impl Server {
    async fn ask(&mut self, mut question: Question) -> Result<Answer, Stop> {
        // A server closes what is idle: while somebody edits, or is asked whether it is meant.
        if self.used.elapsed() > FRESH || self.sender.is_closed() {
            self.sender = self.way.take().await?.ok_or_else(|| broke_off(&"it does not listen any more"))?;
        }
        if let Way::Network(remote) = &self.way {
            remote.sign(&mut question);
        }
        let answer = self.sender.send_request(question).await.map_err(|fault| match &self.way {
            Way::Network(remote) if fault.is_parse() => remote.no_http(),
            Way::Network(_) | Way::Socket(_) => broke_off(&fault),
        })?;
        self.used = Instant::now();
        Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
    }
}

/// Connects to a server's socket; `None` if none listens.
async fn reach(socket: &Path) -> Result<Option<SendRequest<Full<Bytes>>>, Stop> {
    let stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(fault) if NOBODY.contains(&fault.kind()) => return Ok(None),
        Err(fault) => {
            let message = format!("cannot reach the server at {}: {}", socket.display(), system_reason(&fault));
            return Err(Stop::new(Exit::Unreachable, message, "run as root or as the user the server runs as"));
        }
    };
    let (server, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|fault| broke_off(&fault))?;
    tokio::spawn(connection);
    Ok(Some(server))
}

/// A request without a body; `query` may be empty.
pub(super) fn question(method: Method, path: &str, query: &str) -> Result<Question, Stop> {
    let mark = if query.is_empty() { "" } else { "?" };
    hyper::Request::builder()
        .method(method)
        .uri(format!("{path}{mark}{query}"))
        .header(hyper::header::HOST, "freehold")
        .body(Full::default())
        .map_err(|fault| Stop::failed(format!("the request cannot be made: {fault}"), ""))
}

/// A request with a body in JSON.
pub(super) fn with_json(mut question: Question, body: &impl serde::Serialize) -> Result<Question, Stop> {
    let text = serde_json::to_vec(body).map_err(io::Error::from)?;
    question.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(question.map(|_| Full::new(text.into())))
}

/// The path of a zone, and of what is below it.
pub(super) fn zone_path(zone: &Name, below: &str) -> String {
    format!("/v1/zones/{}{below}", escaped(&plain(zone.borrow())))
}

/// The path of a record set.
pub(super) fn set_path(zone: &Name, owner: &Name, kind: Kind) -> String {
    zone_path(zone, &format!("/records/{}/{kind}", escaped(&owner.to_string())))
}

/// One step of a path, or a value in a query: what they must not hold is written `%XX` (RFC 3986, section 2.1).
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => escaped.push(char::from(octet)),
            // The root's own name must not look like a step in a path.
            b'.' if text != "." => escaped.push('.'),
            _ => escaped += &format!("%{octet:02X}"),
        }
    }
    escaped
}

/// Whether a server listens at the socket.
pub(super) async fn is_serving(place: &Local) -> bool {
    UnixStream::connect(place.socket()).await.is_ok()
}

fn silent(place: &Local, process: &str) -> Stop {
    let (directory, socket) = (place.store.directory.display(), place.socket());
    let message = format!("{directory} is in use by process {process}, and no server answers at {}", socket.display());
    Stop::new(Exit::Unreachable, message, "wait until that process has started or ended")
}

fn broke_off(fault: &dyn std::fmt::Display) -> Stop {
    let message = format!("the server broke the connection off: {fault}");
    Stop::new(Exit::Unreachable, message, "look at its log, and whether it still runs")
}

async fn problem(answer: Answer) -> Stop {
    let status = answer.status();
    let body = answer.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Stop::problem(&problem),
        Err(_) => Stop::failed(format!("the server answered {status}"), "look at its log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_fits_a_path() {
        let path = |name: &str| zone_path(&name.parse().unwrap(), "/file");
        assert_eq!(path("home.example"), "/v1/zones/home.example/file");
        assert_eq!(path("0/25.2.0.192.in-addr.arpa"), "/v1/zones/0%2F25.2.0.192.in-addr.arpa/file");
        assert_eq!(path("a\\.b.example"), "/v1/zones/a%5C.b.example/file");
        assert_eq!(path("."), "/v1/zones/%2E/file");
        let set = set_path(&"home.example".parse().unwrap(), &"*.a.home.example".parse().unwrap(), Kind::TXT);
        assert_eq!(set, "/v1/zones/home.example/records/%2A.a.home.example./TXT");
    }
}
