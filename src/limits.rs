//! Every fixed bound, with its reason. A limit that a user may move is a setting with its default here.

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

// ----- Zones ----------------------------------------------------------------------------------------------

/// Octets of a record set in a message, owners compressed: what is left of a message behind header, question and OPT.
pub const SET_SIZE_MAX: usize = MESSAGE_SIZE_MAX - 12 - (NAME_SIZE_MAX + 4) - 512;
/// Name servers of one name without an address in the zone: more make every resolver ask that often (NXNSAttack).
pub const GLUELESS_NS_MAX: usize = 20;

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
