//! Every fixed bound, with its reason. A limit that a user may move is a setting with its default here.

use std::time::Duration;

// ----- Names and messages ---------------------------------------------------------------------------------

/// Octets of a name in wire format (RFC 1035, section 2.3.4).
pub const NAME_SIZE_MAX: usize = 255;
/// Octets of a label (RFC 1035, section 2.3.4).
pub const LABEL_SIZE_MAX: usize = 63;
/// Octets of a message: the length prefix of TCP has 16 bits (RFC 1035, section 4.2.2).
pub const MESSAGE_SIZE_MAX: usize = 65_535;
/// Octets of a UDP reply to a client without EDNS (RFC 1035, section 4.2.1).
pub const UDP_REPLY_SIZE_PLAIN: usize = 512;
/// Octets of a UDP reply at most, by default: fits every path without fragments (RFC 9715, section 3.2).
pub const UDP_REPLY_SIZE_MAX: usize = 1_232;
/// Octets of a UDP query that is looked at; a longer one is cut off by the kernel and so is malformed.
pub const UDP_QUERY_SIZE_MAX: usize = 4_096;
/// Links of CNAME and DNAME that one answer follows. BIND follows 16, Knot 20.
pub const ALIAS_CHAIN_MAX: usize = 16;

// ----- Connections ----------------------------------------------------------------------------------------

/// Octets that the TCP connections of one thread keep for half a query or a client that does not read: 500 of the
/// largest messages. Beyond it, whoever has been slow for longest is cut.
pub const TCP_HELD_MAX: usize = 32 << 20;
/// Queries under way at once on one QUIC connection: as many as a resolver under load has open towards one server.
pub const QUIC_QUERIES_MAX: u32 = 100;

/// Octets that a client may say until its TLS hello is whole, where they are kept because they may have to be passed on. Hellos
/// of browsers have two thousand; more than this in one message is refused by the TLS library as well.
pub const CLIENT_HELLO_SIZE_MAX: usize = 64 << 10;

// ----- Connections to the admin API -----------------------------------------------------------------------

/// Connections over the Unix socket. They have their own share, so that the network never locks out who sits at the
/// machine.
pub const ADMIN_SOCKET_CONNECTIONS_MAX: usize = 64;
/// Connections over TCP, from all clients together: people and scripts, not the public.
pub const ADMIN_CONNECTIONS_MAX: usize = 256;
/// Connections over TCP from one network (an IPv4 address, an IPv6 /64): one client leaves room for the others.
pub const ADMIN_CONNECTIONS_PER_CLIENT_MAX: usize = 64;
/// Connections beyond the limits that are told so, at once; the rest is closed without a word.
pub const ADMIN_REFUSALS_MAX: usize = 16;
/// What a TLS handshake, and what a request's head, may take.
pub const ADMIN_HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a connection may stay without a request.
pub const ADMIN_IDLE_TIME_MAX: Duration = Duration::from_secs(60);
/// How long a client may send nothing of a body, or take nothing of an answer.
pub const ADMIN_STALL_TIME_MAX: Duration = Duration::from_secs(30);
/// Octets of a body that have to arrive in [`ADMIN_STALL_TIME_MAX`], unless it ends: 2.4 kbit/s, less than any line that is
/// still in use. An octet now and then does not hold a connection.
pub const ADMIN_BODY_PROGRESS_MIN: usize = 8 << 10;
/// Octets of a request's head over HTTP/1.1, and of what a connection buffers.
pub const ADMIN_HEAD_SIZE_MAX: usize = 32 << 10;
/// Header fields of a request.
pub const ADMIN_HEADERS_MAX: usize = 64;
/// Requests at once on one HTTP/2 connection: as many as clients send before they are told how many they may
/// (RFC 9113, section 6.5.2, recommends no fewer).
pub const ADMIN_STREAMS_MAX: u32 = 100;
/// Octets on a connection of which nothing comes, neither a request nor a part of a body: floods of PING, SETTINGS and their
/// like. More than the windows of HTTP/2 and a head are.
pub const ADMIN_CHATTER_MAX: usize = 512 << 10;
/// Nested arrays and objects in JSON: the deepest body that means anything has 4.
pub const JSON_DEPTH_MAX: usize = 32;
/// Names in the admin API's certificate, and so addresses at which it is reached.
pub const ADMIN_NAMES_MAX: usize = 64;

// ----- Zones ----------------------------------------------------------------------------------------------

/// Octets of a record set in a message, owners compressed: what is left of a message behind header, question and OPT.
pub const SET_SIZE_MAX: usize = MESSAGE_SIZE_MAX - 12 - (NAME_SIZE_MAX + 4) - 512;
/// Name servers of one name without an address in the zone: more make every resolver ask that often (NXNSAttack).
pub const GLUELESS_NS_MAX: usize = 20;

// ----- Items ----------------------------------------------------------------------------------------------

/// Octets of an item (a token, a certificate, a route) as it is kept: a chain of certificates is seldom above 16 KiB, and the
/// journal holds each change's before and after.
pub const ITEM_SIZE_MAX: usize = 256 << 10;
/// Octets of an item's key: a host and a path, of which a route's consists, with room to spare.
pub const ITEM_KEY_SIZE_MAX: usize = 1_536;
/// Changes that one change may be made of: it is made out while others wait.
pub const CHANGES_AT_ONCE_MAX: usize = 1_000;

// ----- Answers --------------------------------------------------------------------------------------------

/// Names in an answer's data whose addresses go into the additional section; the others can be asked for.
pub const ADDITIONAL_TARGETS_MAX: usize = 16;

// ----- Edge -----------------------------------------------------------------------------------------------

/// Octets of a request's body that have to arrive within the time limit for it: less is a crawl.
pub const BODY_PROGRESS_MIN: u64 = 1_024;
/// Octets that are gathered at most on the way between an app and a client, in each direction.
pub const APP_BUFFER_SIZE: usize = 64 << 10;
/// Octets of an answer over HTTP/2 that an app may send before the client took any: enough for a gigabit at a millisecond.
pub const APP_STREAM_WINDOW: u32 = 128 << 10;
/// Octets of a request's body over HTTP/2 that a client may send before the app took any.
pub const CLIENT_STREAM_WINDOW: u32 = 256 << 10;
/// The same for all requests of a connection together: what one connection can make us hold.
pub const CLIENT_CONNECTION_WINDOW: u32 = 1 << 20;
/// Octets over HTTP/2 of which nothing comes, neither a request nor a part of a body either way: floods of PING, SETTINGS and
/// their like. More than bodies that wait for the app can be.
pub const CLIENT_CHATTER_MAX: u64 = CLIENT_CONNECTION_WINDOW as u64 + (256 << 10);

// ----- Access ---------------------------------------------------------------------------------------------

/// Tokens at once: one for each machine of a large fleet. Each is looked at when one is made.
pub const TOKENS_MAX: usize = 10_000;
/// Entries of one list in a token's scope: each request may be compared with all of them.
pub const SCOPE_ENTRIES_MAX: usize = 256;
/// Wrong tokens that a client network may send at once.
pub const GUESSES_MAX: u32 = 10;
/// After so long it may send another: ten in a minute.
pub const GUESS_EVERY: Duration = Duration::from_secs(6);
/// Client networks whose wrong tokens are counted, 8 octets each: 128 KiB.
pub const GUESS_BUCKETS: usize = 16_384;
/// Answers that are kept for requests that may be repeated (`Idempotency-Key`).
pub const ANSWERS_KEPT_MAX: usize = 1_000;
/// Octets of all of them.
pub const ANSWERS_KEPT_SIZE_MAX: usize = 8 << 20;
/// How long they are kept.
pub const ANSWERS_KEPT_FOR: Duration = Duration::from_secs(24 * 3_600);
/// Octets of an `Idempotency-Key`; a UUID has 36.
pub const IDEMPOTENCY_KEY_SIZE_MAX: usize = 255;
/// Seconds that a token may live, if it ends at all: 68 years, as much as a TTL can say.
pub const TOKEN_LIFETIME_MAX: u64 = 2_147_483_647;
