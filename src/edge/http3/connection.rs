//! One connection over HTTP/3: its streams, its limits, its end.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

use quinn::{Connection, RecvStream, SendStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::code::Code;
use super::{control, frame, request};
use crate::edge::client::{Client, Order, network};
use crate::edge::watch::{Tick, Watched};

/// The setting that says how large a head may be (RFC 9114, section 7.2.4.1).
const MAX_FIELD_SECTION_SIZE: u64 = 0x6;
/// The stream on which we say what concerns all of a connection.
const CONTROL: u8 = 0;
/// How long a goodbye may wait for the client to take it.
const WORD_TIME_MAX: Duration = Duration::from_secs(1);
/// How long the client is waited for behind the goodbye, so that it learns which of its requests were not looked at: twice the way
/// there and back, within these bounds.
const FAREWELL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A connection, as its requests see it.
pub(super) struct Link {
    connection: Connection,
    pub(super) client: Rc<Client>,
    /// The network that the client proved to be in.
    home: IpAddr,
    /// Octets that were heard when it was last looked.
    heard: Cell<u64>,
    seat: Cell<usize>,
}

impl Link {
    fn new(connection: Connection, client: Rc<Client>) -> Rc<Self> {
        let home = network(client.address().ip());
        let link = Rc::new(Self { connection, client, home, heard: Cell::new(0), seat: Cell::new(0) });
        let watched: Weak<dyn Watched> = Rc::downgrade(&(Rc::clone(&link) as Rc<dyn Watched>));
        link.seat.set(link.client.worker.watch.enter(watched));
        link
    }

    /// Octets of a head.
    pub(super) fn head_size_max(&self) -> u64 {
        self.client.worker.shared.settings.clients.head_size_max.into()
    }

    /// Fields of a head.
    pub(super) fn headers_max(&self) -> usize {
        self.client.worker.shared.settings.clients.headers_max as usize
    }

    /// Ends the connection at once because of what the client did.
    pub(super) fn end(&self, code: Code) {
        self.client.misbehaved();
        self.connection.close(code.into(), b"");
    }

    /// Whether the client has gone to another network. Its word for that is a packet, whose sender may be forged; what is under way goes
    /// on, but only a handshake proves an address, and rules go by addresses.
    fn has_moved(&self) -> bool {
        network(self.connection.remote_address().ip().to_canonical()) != self.home
    }
}

/// Octets of which nothing comes, whatever they are, end the connection ([`Client::chats`]).
impl Watched for Link {
    fn look(&self, now: Tick) {
        let heard = self.connection.stats().udp_rx.bytes;
        let more = heard - self.heard.replace(heard);
        if !self.client.has_moved_since(now.saturating_sub(1)) {
            self.client.chats(more as usize);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.client.worker.watch.leave(self.seat.get());
    }
}

/// Serves a connection to its end.
pub(super) async fn serve(connection: Connection, client: Rc<Client>) {
    let link = Link::new(connection, client);
    let opening = timeout(link.client.worker.shared.settings.clients.handshake, open(&link));
    let Ok(Some(control)) = opening.await else {
        return link.connection.close(Code::ClosedCritical.into(), b"");
    };
    let mut serving = Serving { control, requests: JoinSet::new(), next: 0, leaves: false, ends_at: None };
    let mut others = JoinSet::new();
    let seen = Rc::default();
    loop {
        tokio::select! {
            order = orders(&link) => match order {
                Order::Leave => serving.leave(&link).await,
                // What was answered is on its way, which takes the time it takes.
                Order::End if link.client.is_leaving() && !serving.requests.is_empty() => (),
                Order::End => return link.connection.close(Code::ExcessiveLoad.into(), b""),
                Order::Park => (),
            },
            accepted = link.connection.accept_bi() => match accepted {
                Ok((send, receive)) => serving.accept(send, receive, &link).await,
                Err(_) => return,
            },
            accepted = link.connection.accept_uni() => match accepted {
                Ok(stream) => drop(others.spawn_local(control::listen(Rc::clone(&link), stream, Rc::clone(&seen)))),
                Err(_) => return,
            },
            Some(_) = serving.requests.join_next() => (),
            Some(_) = others.join_next() => (),
            () = until(serving.ends_at) => return link.connection.close(Code::NoError.into(), b""),
        }
        if serving.leaves && serving.requests.is_empty() && serving.ends_at.is_none() {
            let (least, most) = FAREWELL;
            serving.ends_at = Some(Instant::now() + (link.connection.rtt() * 2).clamp(least, most));
        }
    }
}

/// Opens the stream on which we say what we are like. Those of QPACK are not needed without a dynamic table (RFC 9204, section 4.2).
async fn open(link: &Link) -> Option<SendStream> {
    let mut stream = link.connection.open_uni().await.ok()?;
    let settings = frame::settings(&[(MAX_FIELD_SECTION_SIZE, link.head_size_max())]);
    stream.write_all(&[&[CONTROL], &settings[..]].concat()).await.ok()?;
    Some(stream)
}

/// Comes when there is something to be done.
async fn orders(link: &Link) -> Order {
    poll_fn(|context| link.client.poll_order(context).map_or(Poll::Pending, Poll::Ready)).await
}

/// Comes at this time; never if there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// What a connection has under way.
struct Serving {
    control: SendStream,
    requests: JoinSet<()>,
    /// The first stream that was not looked at yet.
    next: u64,
    /// Whether the goodbye was said.
    leaves: bool,
    /// When it ends, with nothing under way.
    ends_at: Option<Instant>,
}

impl Serving {
    /// Says goodbye: what is under way is finished, and what comes from now on is not looked at.
    async fn leave(&mut self, link: &Link) {
        if std::mem::replace(&mut self.leaves, true) {
            return;
        }
        let goodbye = frame::go_away(self.next);
        if !matches!(timeout(WORD_TIME_MAX, self.control.write_all(&goodbye)).await, Ok(Ok(()))) {
            link.connection.close(Code::NoError.into(), b"");
        }
    }

    /// Takes a request, unless the goodbye was said.
    async fn accept(&mut self, mut send: SendStream, mut receive: RecvStream, link: &Rc<Link>) {
        if link.has_moved() {
            self.leave(link).await;
        }
        if self.leaves {
            let _ = send.reset(Code::RequestRejected.into());
            let _ = receive.stop(Code::RequestRejected.into());
            return;
        }
        self.next = u64::from(quinn::VarInt::from(send.id())) + 4; // a client's streams go up by four
        self.requests.spawn_local(request::answer(Rc::clone(link), send, receive));
    }
}
