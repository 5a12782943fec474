//! DNS over UDP: one thread for each socket reads a batch, answers it, sends the batch.
//!
//! The threads share nothing that is written to but the rate limit's table; the kernel spreads the clients over the
//! sockets of one address (SO_REUSEPORT). They block in the kernel and wake now and then, to let go of an old
//! snapshot and to see whether they should stop.
//!
//! Rejected: tokio, which costs about 1 µs more for each query; a channel between reading and answering.

use std::io;
use std::net::UdpSocket;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::answers::Answers;
use super::batch::Batch;
use super::{Transport, batch};
use crate::limits;

/// How long an idle thread sleeps at most.
const NAP: Duration = Duration::from_millis(250);
/// How long a thread waits after the kernel would not let it read: it may be out of memory for a moment.
const PAUSE: Duration = Duration::from_millis(10);

/// Makes a bound socket ready for [`serve`]. `buffer_size`: octets in each direction; the kernel gives what it allows.
/// A buffer that is larger already stays: systemd may go beyond what this process is allowed, and queries wait in it.
pub(super) fn prepare(socket: &UdpSocket, buffer_size: u32) -> io::Result<()> {
    let options = SockRef::from(socket);
    let buffer_size = buffer_size as usize;
    if options.recv_buffer_size()? < buffer_size {
        options.set_recv_buffer_size(buffer_size)?;
    }
    if options.send_buffer_size()? < buffer_size {
        options.set_send_buffer_size(buffer_size)?;
    }
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(NAP))?;
    socket.set_write_timeout(Some(NAP))?;
    batch::prepare(socket)
}

/// Answers until `stop`.
pub(super) fn serve(socket: &UdpSocket, mut answers: Answers, stop: &AtomicBool) {
    let everywhere = socket.local_addr().is_ok_and(|address| address.ip().is_unspecified());
    let reply_size = usize::from(answers.policy().udp_reply_size_max).max(limits::UDP_REPLY_SIZE_MAX);
    let mut batch = Batch::new(reply_size, everywhere);
    let mut complained = false;
    while !stop.load(Ordering::Relaxed) {
        match batch.receive(socket) {
            Ok(_) => answer_batch(&mut batch, &mut answers, socket),
            Err(fault) if is_nothing(&fault) => answers.refresh(),
            Err(fault) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::error!(%fault, "cannot read queries over UDP; trying on");
                }
                thread::sleep(PAUSE);
            }
        }
    }
}

/// Whether it only means that no query came.
fn is_nothing(fault: &io::Error) -> bool {
    matches!(fault.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Answers one batch. A panic ends one query, not the thread; catching it costs nothing as long as there is none.
fn answer_batch(batch: &mut Batch, answers: &mut Answers, socket: &UdpSocket) {
    let turn = answers.turn();
    turn.look_ahead(batch.count(), batch.packets());
    while !batch.is_done() {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            batch.answer(|packet, address, reply| turn.answer(packet, address, Transport::Udp, reply));
        }));
        if outcome.is_err() {
            turn.stats.panics.add(1);
            tracing::error!("answering a query over UDP panicked; the others go on. This is a bug: please report it");
        }
    }
    turn.stats.queries.add(batch.looked_at());
    if batch.oversized + batch.unanswerable > 0 {
        turn.stats.oversized.add(batch.oversized);
        turn.stats.unanswerable.add(batch.unanswerable);
    }
    let refused = batch.send(socket);
    if refused > 0 {
        turn.stats.unsent.add(refused);
    }
    turn.stats.took(turn.now.micros_since(), batch.looked_at());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_grows_but_never_shrinks() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let options = SockRef::from(&socket);
        options.set_recv_buffer_size(10_000).unwrap();
        prepare(&socket, 100_000).unwrap();
        let grown = options.recv_buffer_size().unwrap();
        assert!(grown >= 100_000, "{grown}");
        prepare(&socket, 20_000).unwrap();
        assert_eq!(options.recv_buffer_size().unwrap(), grown);
    }
}
