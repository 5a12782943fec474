//! Many datagrams in one system call: all the unsafe code there is, in one small file.
//!
//! `recvmmsg` and `sendmmsg` save about 0.8 µs of the 4.7 that an answer costs the kernel. Sizes are chosen once, nothing
//! is allocated per call, and the kernel's structures are wired to their buffers once: only lengths change.
//! Neighbouring buffers lie an odd number of cache lines apart, for at a distance of 4,096 all would share one set
//! of the first-level cache.
//!
//! Rejected: `socket2`, `rustix`, `nix` (one call each is missing or allocates), io_uring (measured: saves nothing
//! over `sendmmsg`), UDP GSO (replies differ in size and destination).

#![allow(unsafe_code, reason = "the one file that talks to the kernel directly; each block says why it is sound")]

use std::ffi::c_int;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use crate::limits;

/// Datagrams in one call. 32 already has nearly all of the gain; 64 costs nothing more but 350 KiB.
pub(super) const BATCH: usize = 64;
/// Octets from one received packet to the next.
const PACKET_STRIDE: usize = stride(limits::UDP_QUERY_SIZE_MAX);

/// Room for one control message with an address (the largest, `in6_pktinfo`, takes 40 octets), aligned as `cmsghdr`.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct Control(#[expect(dead_code, reason = "only the kernel and `turn_round` look inside")] [u8; 64]);

/// Buffers for one thread: packets as they came, and the replies to them.
///
/// Invariant: no vector is ever resized, and after `new` its elements are touched only through its pointer,
/// so that the pointers in the kernel's structures stay good.
pub(super) struct Batch {
    packets: Vec<u8>,
    replies: Vec<u8>,
    reply_size: usize,
    peers: Vec<libc::sockaddr_in6>,
    // These two are there for the kernel, which finds them through `received`.
    _controls: Vec<Control>,
    _packet_parts: Vec<libc::iovec>,
    reply_parts: Vec<libc::iovec>,
    received: Vec<libc::mmsghdr>,
    outgoing: Vec<libc::mmsghdr>,
    /// Packets of this batch, and how many of them have been looked at.
    count: usize,
    next: usize,
    /// Replies that are ready to be sent.
    ready: usize,
    /// Headers that the kernel has written into since they were reset.
    used: usize,
    control_size: usize,
    /// Datagrams of this batch that were dropped because they were too long, or came from nowhere.
    pub(super) oversized: u64,
    pub(super) unanswerable: u64,
}

impl Batch {
    /// `reply_size`: octets that a reply may have. `destination`: whether the socket tells which address was asked.
    pub(super) fn new(reply_size: usize, destination: bool) -> Self {
        let mut packets = vec![0; BATCH * PACKET_STRIDE];
        let mut replies = vec![0; BATCH * stride(reply_size)];
        // SAFETY: these are plain C structures of integers, for which all zeros is a value.
        let mut peers = vec![unsafe { MaybeUninit::<libc::sockaddr_in6>::zeroed().assume_init() }; BATCH];
        let mut controls = vec![Control([0; 64]); BATCH];
        let part = |base: *mut u8, length| libc::iovec { iov_base: base.cast(), iov_len: length };
        let packets_start = packets.as_mut_ptr();
        let replies_start = replies.as_mut_ptr();
        let mut packet_parts: Vec<_> = (0..BATCH)
            .map(|i| part(packets_start.wrapping_add(i * PACKET_STRIDE), limits::UDP_QUERY_SIZE_MAX))
            .collect();
        let mut reply_parts: Vec<_> =
            (0..BATCH).map(|i| part(replies_start.wrapping_add(i * stride(reply_size)), 0)).collect();
        let (peers_start, controls_start) = (peers.as_mut_ptr(), controls.as_mut_ptr());
        let header = |parts: *mut libc::iovec, i: usize| {
            // SAFETY: as above; null pointers and zero lengths are values too.
            let mut header = unsafe { MaybeUninit::<libc::mmsghdr>::zeroed().assume_init() };
            header.msg_hdr.msg_iov = parts.wrapping_add(i);
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = peers_start.wrapping_add(i).cast();
            header
        };
        let packet_parts_start = packet_parts.as_mut_ptr();
        let mut received: Vec<_> = (0..BATCH).map(|i| header(packet_parts_start, i)).collect();
        let reply_parts_start = reply_parts.as_mut_ptr();
        let outgoing = (0..BATCH).map(|i| header(reply_parts_start, i)).collect();
        if destination {
            for (i, header) in received.iter_mut().enumerate() {
                header.msg_hdr.msg_control = controls_start.wrapping_add(i).cast();
            }
        }
        Self {
            packets,
            replies,
            reply_size,
            peers,
            _controls: controls,
            _packet_parts: packet_parts,
            reply_parts,
            received,
            outgoing,
            count: 0,
            next: 0,
            ready: 0,
            used: BATCH,
            control_size: if destination { size_of::<Control>() } else { 0 },
            oversized: 0,
            unanswerable: 0,
        }
    }

    /// Waits for a packet, takes all that are there, and forgets the batch before. Gives how many came.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let headers = self.received.as_mut_ptr();
        for i in 0..self.used {
            // SAFETY: `used` is at most `BATCH`, the length of `received`.
            let header = unsafe { &mut (*headers.add(i)).msg_hdr };
            header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_controllen = self.control_size;
        }
        (self.count, self.next, self.ready, self.used) = (0, 0, 0, 0);
        (self.oversized, self.unanswerable) = (0, 0);
        // SAFETY: each of the `BATCH` headers points to buffers of the lengths it names, which live as long as `self`
        // and to which no reference exists during the call. The descriptor is open as long as `socket`.
        let count =
            unsafe { libc::recvmmsg(socket.as_raw_fd(), headers, BATCH as u32, libc::MSG_WAITFORONE, ptr::null_mut()) };
        self.count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        self.used = self.count;
        Ok(self.count)
    }

    /// How many packets this batch has.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The packets as they came.
    pub(super) fn packets(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.count).map(|i| self.packet(i))
    }

    /// The octets of packet `i`, which is one of this batch.
    #[inline]
    fn packet(&self, i: usize) -> &[u8] {
        debug_assert!(i < self.count);
        // SAFETY: `i` is under `count`, which the kernel says is at most `BATCH`; it has written this header, and at most
        // `UDP_QUERY_SIZE_MAX` octets to the packet's place. Nothing writes there until the next batch is received,
        // for which `self` has to be borrowed anew.
        unsafe {
            let length = (*self.received.as_ptr().add(i)).msg_len as usize;
            let start = self.packets.as_ptr().add(i * PACKET_STRIDE);
            std::slice::from_raw_parts(start, length.min(limits::UDP_QUERY_SIZE_MAX))
        }
    }

    /// Hands each packet that was not looked at yet to `answer`, with a buffer for the reply, whose length it gives back.
    /// Should `answer` panic, the next call goes on behind the packet that it panicked at.
    #[inline]
    pub(super) fn answer(&mut self, mut answer: impl FnMut(&[u8], IpAddr, &mut [u8]) -> Option<usize>) {
        while self.next < self.count {
            let i = self.next;
            self.next += 1;
            // SAFETY: `i` is under `count`, which the kernel says is at most `BATCH`; it has written this header.
            let flags = unsafe { (*self.received.as_ptr().add(i)).msg_hdr.msg_flags };
            if flags & libc::MSG_TRUNC != 0 {
                self.oversized += 1;
                continue;
            }
            let Some(address) = self.peer(i) else {
                self.unanswerable += 1;
                continue;
            };
            let place = self.replies.as_mut_ptr().wrapping_add(self.ready * stride(self.reply_size));
            // SAFETY: `ready` is at most `i`, so `replies` has room at `place`, and nobody else holds a reference there:
            // the packet lies in another vector.
            let reply = unsafe { std::slice::from_raw_parts_mut(place, self.reply_size) };
            let packet = self.packet(i);
            if let Some(length) = answer(packet, address, reply) {
                self.enqueue(i, length.min(self.reply_size));
            }
        }
    }

    /// Whether each packet has been looked at.
    pub(super) fn is_done(&self) -> bool {
        self.next == self.count
    }

    /// How many packets of this batch were handed out.
    pub(super) fn looked_at(&self) -> u64 {
        self.count as u64 - self.oversized - self.unanswerable
    }

    /// Sends the replies. Gives how many the kernel refused: each of them alone, never its neighbours.
    pub(super) fn send(&mut self, socket: &UdpSocket) -> u64 {
        let (mut sent, mut refused) = (0, 0);
        while sent < self.ready {
            // SAFETY: the headers from `sent` to `ready` were filled by `enqueue` and point into buffers of `self`.
            let count = unsafe {
                let first = self.outgoing.as_mut_ptr().add(sent);
                libc::sendmmsg(socket.as_raw_fd(), first, (self.ready - sent) as u32, 0)
            };
            if let Ok(count) = usize::try_from(count) {
                sent += count;
                continue;
            }
            let fault = io::Error::last_os_error().kind();
            if fault == io::ErrorKind::WouldBlock {
                // The interface has not moved within the socket's time-out: no other reply will leave either.
                return refused + (self.ready - sent) as u64;
            }
            if fault != io::ErrorKind::Interrupted {
                // This destination alone (a firewall's EPERM, no route): the kernel has stopped in front of it.
                (sent, refused) = (sent + 1, refused + 1);
            }
        }
        refused
    }

    /// The source address of packet `i`; none for a port of 0, which nobody can be answered at. On a socket that somebody
    /// else bound for both families, an IPv4 client wears an IPv6 address; it counts as what it is.
    #[inline]
    fn peer(&self, i: usize) -> Option<IpAddr> {
        // SAFETY: `i` is under `BATCH`. `sockaddr_in` is smaller than `sockaddr_in6`, is aligned no more strictly, starts
        // with the same family, and both are plain integers, so either may be read from these octets.
        unsafe {
            let peer = self.peers.as_ptr().add(i);
            match c_int::from((*peer).sin6_family) {
                libc::AF_INET => {
                    let peer = &*peer.cast::<libc::sockaddr_in>();
                    let address = Ipv4Addr::from_bits(u32::from_be(peer.sin_addr.s_addr));
                    (peer.sin_port != 0).then_some(address.into())
                }
                libc::AF_INET6 => {
                    let address = Ipv6Addr::from((*peer).sin6_addr.s6_addr);
                    ((*peer).sin6_port != 0).then_some(address.to_canonical())
                }
                _ => None,
            }
        }
    }

    /// Adds the reply to packet `i`, whose octets are in place, to those that will be sent.
    #[inline]
    fn enqueue(&mut self, i: usize, length: usize) {
        // SAFETY: `i` and `ready` are under `BATCH`; the pointers that are copied are those wired in `new`, or null.
        unsafe {
            let from = &(*self.received.as_ptr().add(i)).msg_hdr;
            let to = &mut (*self.outgoing.as_mut_ptr().add(self.ready)).msg_hdr;
            (*self.reply_parts.as_mut_ptr().add(self.ready)).iov_len = length;
            (to.msg_name, to.msg_namelen) = (from.msg_name, from.msg_namelen);
            if self.control_size > 0 {
                (to.msg_control, to.msg_controllen) = (from.msg_control, from.msg_controllen);
                turn_round(to);
            }
        }
        self.ready += 1;
    }
}

/// Makes "came to this address on this interface" into "leave from this address".
///
/// The interface goes: the way back is the routing table's to choose, as for any other packet. A link-local address keeps
/// it, since it means nothing without.
fn turn_round(header: &mut libc::msghdr) {
    // SAFETY: `msg_control` and `msg_controllen` are as the kernel left them: a sequence of whole control messages,
    // in a `Control` that is aligned for them. `CMSG_FIRSTHDR` gives null if there is none, and the length is checked.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(header);
        if first.is_null() {
            (header.msg_control, header.msg_controllen) = (ptr::null_mut(), 0);
            return;
        }
        let data = libc::CMSG_DATA(first);
        match ((*first).cmsg_level, (*first).cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => (*data.cast::<libc::in_pktinfo>()).ipi_ifindex = 0,
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let info = &mut *data.cast::<libc::in6_pktinfo>();
                if !Ipv6Addr::from(info.ipi6_addr.s6_addr).is_unicast_link_local() {
                    info.ipi6_ifindex = 0;
                }
            }
            _ => (header.msg_control, header.msg_controllen) = (ptr::null_mut(), 0),
        }
    }
}

/// Sets what [`socket2`] cannot: replies that ignore forged "fragmentation needed" messages, which would have them
/// fragmented and so replaceable in part (as in NSD and Knot), and, for a socket on every address, word of which was asked.
pub(super) fn prepare(socket: &UdpSocket) -> io::Result<()> {
    let address = socket.local_addr()?.ip();
    let everywhere = address.is_unspecified();
    if address.is_ipv4() {
        set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)?;
        set(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, everywhere.into())
    } else {
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)?;
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, everywhere.into())
    }
}

fn set(socket: &UdpSocket, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the kernel reads an integer of the length given, from a variable that outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Tells the processor to fetch the cache line of an address, which may be any: it is a hint, and nothing waits for it.
#[inline]
pub(super) fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, whatever the address, and changes nothing that the program can see.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address; // answers are the same without, only slower among many names
}

/// The smallest odd number of cache lines that holds `size` octets, in octets.
const fn stride(size: usize) -> usize {
    (size.div_ceil(64) | 1) * 64
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;

    fn socket(address: &str) -> UdpSocket {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        prepare(&socket).unwrap();
        socket
    }

    fn echo(packet: &[u8], _: IpAddr, reply: &mut [u8]) -> Option<usize> {
        reply[..packet.len()].copy_from_slice(packet);
        Some(packet.len())
    }

    /// Receives until `wanted` packets came, answering each batch.
    fn serve(batch: &mut Batch, server: &UdpSocket, wanted: usize) {
        let mut count = 0;
        while count < wanted {
            count += batch.receive(server).unwrap();
            batch.answer(echo);
            assert_eq!(batch.send(server), 0);
        }
    }

    #[test]
    fn many_packets_of_many_sizes_come_back_whole() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (server, client) = (socket(address), socket(address));
            client.connect(server.local_addr().unwrap()).unwrap();
            let mut batch = Batch::new(1_232, false);
            for round in 0..20 {
                let packets: Vec<Vec<u8>> = (0..70).map(|i| vec![i as u8; (i * 18 + round) % 1_232]).collect();
                packets.iter().for_each(|packet| assert_eq!(client.send(packet).unwrap(), packet.len()));
                serve(&mut batch, &server, packets.len());
                for packet in &packets {
                    let mut reply = [0; 2_000];
                    let length = client.recv(&mut reply).unwrap();
                    assert_eq!(&reply[..length], packet);
                }
            }
        }
    }

    #[test]
    fn a_reply_leaves_from_the_address_that_was_asked() {
        let server = socket("0.0.0.0:0");
        let port = server.local_addr().unwrap().port();
        let client = socket("127.0.0.1:0");
        let mut batch = Batch::new(1_232, true);
        for asked in ["127.0.0.1", "127.0.0.7", "127.3.2.1"] {
            let asked = SocketAddr::new(asked.parse().unwrap(), port);
            client.send_to(b"hello", asked).unwrap();
            serve(&mut batch, &server, 1);
            let mut reply = [0; 16];
            assert_eq!(client.recv_from(&mut reply).unwrap(), (5, asked));
        }
        let server = socket("[::]:0");
        let client = socket("[::1]:0");
        let asked = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), server.local_addr().unwrap().port());
        client.send_to(b"hello", asked).unwrap();
        serve(&mut batch, &server, 1);
        assert_eq!(client.recv_from(&mut [0; 16]).unwrap(), (5, asked));
    }

    #[test]
    fn an_ipv4_client_counts_as_one_even_on_a_socket_for_both_families() {
        let (server, client) = (socket("[::]:0"), socket("127.0.0.1:0"));
        let port = server.local_addr().unwrap().port();
        client.send_to(b"hello", ("127.0.0.1", port)).unwrap();
        let mut batch = Batch::new(512, true);
        assert_eq!(batch.receive(&server).unwrap(), 1);
        let mut peers = Vec::new();
        batch.answer(|packet, peer, reply| {
            peers.push(peer);
            echo(packet, peer, reply)
        });
        assert_eq!((peers, batch.send(&server)), (vec![IpAddr::from(Ipv4Addr::LOCALHOST)], 0));
        assert_eq!(client.recv_from(&mut [0; 16]).unwrap(), (5, ([127, 0, 0, 1], port).into()));
    }

    #[test]
    fn silence_and_panics_take_only_their_own_packet() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        client.connect(server.local_addr().unwrap()).unwrap();
        (0..10_u8).for_each(|i| assert_eq!(client.send(&[i]).unwrap(), 1));
        let mut batch = Batch::new(512, false);
        assert_eq!(batch.receive(&server).unwrap(), 10);
        let mut panics = 0;
        while !batch.is_done() {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                batch.answer(|packet, peer, reply| match packet[0] {
                    2 | 3 => None,
                    5 | 6 | 9 => panic!("on purpose"),
                    _ => echo(packet, peer, reply),
                });
            }));
            panics += usize::from(outcome.is_err());
        }
        assert_eq!((panics, batch.send(&server)), (3, 0));
        for expected in [0, 1, 4, 7, 8] {
            let mut reply = [0; 16];
            assert_eq!((client.recv(&mut reply).unwrap(), reply[0]), (1, expected));
        }
    }

    #[test]
    fn a_refused_destination_costs_its_neighbours_nothing() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        client.connect(server.local_addr().unwrap()).unwrap();
        (0..8_u8).for_each(|i| assert_eq!(client.send(&[i; 4]).unwrap(), 4));
        let mut batch = Batch::new(512, false);
        assert_eq!(batch.receive(&server).unwrap(), 8);
        batch.answer(echo);
        for broken in [0, 3, 4, 7] {
            batch.outgoing[broken].msg_hdr.msg_namelen = 1; // EINVAL, as good as any other refusal
        }
        assert_eq!(batch.send(&server), 4);
        for expected in [1, 2, 5, 6] {
            let mut reply = [0; 16];
            assert_eq!((client.recv(&mut reply).unwrap(), reply[0]), (4, expected));
        }
    }

    #[test]
    fn a_packet_that_is_too_long_is_noticed() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        client.connect(server.local_addr().unwrap()).unwrap();
        let mut batch = Batch::new(limits::UDP_QUERY_SIZE_MAX, false);
        for (size, oversized) in [(4_095, 0), (4_096, 0), (4_097, 1), (60_000, 1)] {
            client.send(&vec![1; size]).unwrap();
            assert_eq!(batch.receive(&server).unwrap(), 1);
            batch.answer(|packet, _, _| {
                assert_eq!(packet.len(), size);
                None
            });
            assert_eq!((batch.oversized, batch.is_done()), (oversized, true), "{size} octets");
        }
    }

    #[test]
    fn strides_are_odd_numbers_of_cache_lines() {
        for size in [1, 64, 512, 1_232, 4_096] {
            assert!(stride(size) >= size && stride(size) < size + 192 && stride(size) % 128 == 64, "{size}");
        }
    }
}
