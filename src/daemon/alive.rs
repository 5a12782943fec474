//! Whether the server does what it is there for: it is asked as clients ask it, and as the command line does.
//!
//! systemd is told that the server is ready, and later that it still lives, only after this. A flood must not
//! look like death, or it would end the server: where the question drowns among others, that those are read is enough.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::dns;
use crate::store::Store;

/// How long one question waits for its answer, before it is asked again.
const QUESTION_TIME_MAX: Duration = Duration::from_millis(500);
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(20);
/// `. NS`, with this ID: whatever the zones are, it is answered or refused.
const QUESTION: [u8; 17] = [0xF4, 0xEE, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Answer,
    Nothing,
    /// The address is not this machine's at present, or its protocol is switched off: nobody can ask there.
    Unreachable,
}

/// Asks over UDP and TCP at every address until each has answered; the one that has not when time is up.
pub(super) async fn dns_answers(
    addresses: &[SocketAddr],
    dns: &dns::Meter,
    time_max: Duration,
) -> Result<(), SocketAddr> {
    let until = Instant::now() + time_max;
    for &address in addresses {
        let mut asked = 0;
        let before = read(dns);
        loop {
            if heard(address).await != Heard::Nothing {
                break;
            }
            asked += 2; // one over UDP, one over TCP
            if read(dns) > before + asked {
                break;
            }
            if Instant::now() >= until {
                return Err(address);
            }
            sleep(PAUSE).await; // a refusal comes at once
        }
    }
    Ok(())
}

/// Queries that were read so far.
fn read(dns: &dns::Meter) -> u64 {
    dns.report().queries()
}

async fn heard(address: SocketAddr) -> Heard {
    let address = SocketAddr::new(reachable(address.ip()), address.port());
    match timeout(QUESTION_TIME_MAX, ask(address)).await {
        Ok(Ok(())) => Heard::Answer,
        Ok(Err(fault)) if is_elsewhere(&fault) => Heard::Unreachable,
        Ok(Err(_)) | Err(_) => Heard::Nothing,
    }
}

/// Where a socket that is bound to this address can be asked from here.
fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

/// The question goes out from the very address it goes to, so that it never leaves the machine.
async fn ask(address: SocketAddr) -> io::Result<()> {
    let from = SocketAddr::new(address.ip(), 0);
    let udp = UdpSocket::bind(from).await?;
    udp.connect(address).await?;
    udp.send(&QUESTION).await?;
    let mut reply = [0; 2];
    while udp.recv(&mut reply).await? < 2 || reply != QUESTION[..2] {}
    let tcp = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    tcp.bind(from)?;
    let mut tcp = tcp.connect(address).await?;
    tcp.write_all(&[&[0, QUESTION.len() as u8][..], &QUESTION].concat()).await?;
    let mut reply = [0; 4];
    tcp.read_exact(&mut reply).await?;
    if reply[2..] == QUESTION[..2] { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn is_elsewhere(fault: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable, Unsupported};
    matches!(fault.kind(), AddrNotAvailable | HostUnreachable | NetworkUnreachable | Unsupported)
}

/// A question that is asked once, however long the answer takes: whoever asks again meanwhile waits for the same one. So
/// questions never queue up at somebody who does not answer.
pub(super) struct Question<T>(Option<JoinHandle<T>>);

impl<T> Default for Question<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Send + 'static> Question<T> {
    /// Asks, unless that is under way, and waits; `None` if there is no answer in this time.
    pub(super) async fn ask<A>(&mut self, answer: impl FnOnce() -> A, time_max: Duration) -> Option<T>
    where
        A: Future<Output = T> + Send + 'static,
    {
        let asked = self.0.get_or_insert_with(|| tokio::spawn(answer()));
        let answered = timeout(time_max, asked).await.ok()?;
        self.0 = None;
        answered.ok()
    }
}

/// Whether the store's writer answers, whatever the disk does.
pub(super) struct Writer {
    store: Arc<Store>,
    question: Question<bool>,
}

impl Writer {
    pub(super) fn of(store: &Arc<Store>) -> Self {
        Self { store: Arc::clone(store), question: Question::default() }
    }

    /// Asks, and waits for its word.
    pub(super) async fn answers(&mut self, time_max: Duration) -> bool {
        let store = Arc::clone(&self.store);
        self.question.ask(|| async move { store.answers().await }, time_max).await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    #[tokio::test]
    async fn silence_is_told_from_an_address_that_is_elsewhere() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(heard(silent.local_addr().unwrap()).await, Heard::Nothing);
        assert_eq!(heard("192.0.2.1:53".parse().unwrap()).await, Heard::Unreachable);
    }

    #[tokio::test]
    async fn udp_alone_is_not_enough() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let udp = async {
            let mut query = [0; 17];
            let (size, client) = server.recv_from(&mut query).await.unwrap();
            server.send_to(&query[..size], client).await.unwrap();
        };
        assert_eq!(tokio::join!(udp, heard(address)).1, Heard::Nothing);
    }

    #[tokio::test]
    async fn a_server_that_runs_is_heard_at_all_its_addresses() {
        let listen = ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"].map(|address| address.parse().unwrap()).into();
        let settings = dns::Settings { listen, workers: 1, ..dns::Settings::default() };
        let sockets = dns::Sockets::bind(&settings).unwrap();
        let snapshots = Arc::new(arc_swap::ArcSwap::default());
        let server = dns::start(sockets, &settings, &[0; 16], snapshots).unwrap();
        assert_eq!(dns_answers(server.addresses(), server.meter(), Duration::from_secs(10)).await, Ok(()));
        assert!(read(server.meter()) >= 2);
    }

    #[tokio::test]
    async fn the_writer_answers_until_the_store_is_gone_and_nothing_is_changed() {
        let directory = tempfile::tempdir().unwrap();
        let settings = store::Settings { directory: directory.path().join("data"), ..store::Settings::default() };
        let store = Arc::new(Store::open(&settings).unwrap());
        let mut writer = Writer::of(&store);
        for _ in 0..3 {
            assert!(writer.answers(Duration::from_secs(10)).await);
        }
        assert_eq!(store.snapshot().revision, 0);
        store.close();
        assert!(!writer.answers(Duration::from_secs(10)).await);
    }

    #[tokio::test]
    async fn a_question_without_an_answer_is_not_asked_twice() {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let mut question = Question::default();
        let moment = Duration::from_millis(1);
        assert_eq!(question.ask(|| async { answered.await.unwrap() }, moment).await, None);
        assert_eq!(question.ask(|| async { panic!("asked twice") }, moment).await, None);
        answer.send(7).unwrap();
        assert_eq!(question.ask(|| async { panic!("asked twice") }, Duration::from_secs(10)).await, Some(7));
        assert_eq!(question.ask(|| async { 8 }, Duration::from_secs(10)).await, Some(8));
    }
}
