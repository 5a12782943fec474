//! Freehold: the authoritative DNS server for a person's domains and the HTTPS edge in front of their apps.
//!
//! This page is the map. Every lasting change enters through one door; everything that answers reads one immutable
//! value.
//!
//! ```text
//!  admin API, CLI ──> store::Store::commit ──> journal ──> new Snapshot ──> dns answers queries
//!                     apply → save → publish      (sled follows)
//! ```
//!
//! # Floors
//!
//! A folder is one idea. A file imports only from folders below its own and from its own folder; `tests/tidy.rs` keeps
//! it so.
//!
//! | floor  | folder                 | what it knows                                                        |
//! |--------|------------------------|----------------------------------------------------------------------|
//! | ground | [`limits`]             | every fixed bound, with its reason                                   |
//! |        | [`tally`]              | numbers that count up while the server runs                          |
//! | 0      | [`wire`]               | DNS messages as bytes: no zone, no socket                            |
//! | 1      | [`zone`]               | zones as plain values: no I/O, no clock, no tasks                    |
//! | 1      | [`route`]              | which host and path lead to which app                                |
//! | 1      | [`cert`]               | certificates and keys as values, and the built-in CA                 |
//! | 1      | [`access`]             | who may do what: tokens, scopes, allow or deny                       |
//! | 2      | [`store`]              | what Freehold knows, durable and in memory                           |
//! | 3      | [`dns`]                | questions in, answers out                                            |
//! | 3      | [`acme`]               | certificates kept fresh                                              |
//! | 3      | [`edge`]               | HTTPS in front of local apps                                         |
//! | 4      | [`api`]                | the admin HTTP API                                                   |
//! | 5      | [`cli`], [`daemon`]    | the commands; the one place that knows everything                    |
//!
//! # Paths to walk
//!
//! **A query.** `dns/udp.rs` reads a batch of datagrams → [`dns::respond::respond`] for each: [`wire::Query::read`],
//! the gate ([`dns::gate`]), the zone ([`store::Zones::closest`]), the names ([`zone::Zone::lookup`] → [`zone::Found`]), the
//! sections, [`wire::Reply::finish`] → the batch is sent. TCP, tests, benches and the fuzzer call the very same function.
//!
//! **A zone file.** [`zone::text::read`] → [`zone::Draft`] → [`zone::Zone::build`], which tells every fault at once →
//! [`store::Change::PutZone`] → [`store::Store::commit`].
//!
//! **A record by the API.** The body is read into steps, every wrong value told at once → [`store::Change::Decide`], whose
//! function makes an [`zone::Edit`] of the zone when the change's turn comes → [`store::Store::commit`].
//!
//! **A change.** [`store::Store::commit`] hands it to the one writer thread, which applies a batch of changes, appends them to the
//! journal, syncs once, publishes the new [`store::Snapshot`] and answers. When `commit` returns, the change
//! survives a power cut and every transport answers it. sled is brought up to date behind it.
//!
//! **An HTTPS request.** `edge/worker.rs` accepts and shakes hands → `edge/connection.rs` has hyper read it, behind the
//! strict reader → `edge/proxy.rs`: what is asked (`admit.rs`), the route ([`route::Routes::find`]), the fields (`headers.rs`,
//! `forwarded.rs`), which of several apps (`balance/`, by what is known of them in `health/`), the app (`forward.rs`,
//! `upgrade.rs`), a redirect or a file → its body flows back (`answer.rs`).
//!
//! **A connection that is not to be opened.** `edge/tls/hello.rs` keeps the hello that rustls reads → [`route::Routes::passed`] →
//! `edge/passage.rs`: an app, and octets both ways.
//!
//! **The past.** [`store::Store::history`] reads the journal beside the writer: who, when, what; and makes the [`store::Change`]
//! that takes an earlier one back.
//!
//! **A certificate.** A route arrives → `acme/keeper.rs` wakes → [`acme::plan()`] says what is missing → `acme/order/` asks a CA →
//! `acme/challenge/` commits the record that proves the name, and takes it away again → the certificate is committed → the
//! next handshake finds it. Meanwhile the built-in CA ([`cert::Authority`]) vouches.
//!
//! # What always holds
//!
//! - Answers are made by a function of bytes, without await, lock, disk or heap.
//! - A [`zone::Zone`] is sound and never changes; the next version shares what it did not touch.
//! - A change to one name never walks the zone.
//! - Only the store's writer publishes, and only what is on disk.
//! - No queue is unbounded, no lock is held across an await.
//! - `wire` and `zone` do no I/O, read no clock and start no task.
//!
//! # What is missing here, on purpose
//!
//! DNSSEC signing is not built yet; the README says what works today.

pub mod access;
pub mod acme;
pub mod api;
pub mod cert;
pub mod cli;
pub mod daemon;
pub mod dns;
pub mod edge;
pub mod limits;
pub mod route;
pub mod store;
pub mod tally;
pub mod wire;
pub mod zone;
