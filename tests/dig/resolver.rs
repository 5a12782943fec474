//! Unbound, with minimised names and mixed case, resolves names of ours down from the root.

use crate::network::{RESOLVER, World};
use crate::tools::{Told, dig};

/// Without TTLs: the resolver may have had the answer for a second already.
fn ask(question: &str) -> Told {
    dig(&format!("@{RESOLVER} +nottlid {question}"))
}

pub(crate) fn every_kind_of_record(_: &World) {
    for (question, answer) in [
        ("www.home.example A", "www.home.example. IN A 192.0.2.10"),
        ("www.home.example AAAA", "www.home.example. IN AAAA 2001:db8::10"),
        ("home.example A", "home.example. IN A 192.0.2.10"),
        ("home.example MX", "home.example. IN MX 10 mail.home.example."),
        ("home.example TXT", "home.example. IN TXT \"v=spf1 mx -all\""),
        ("home.example CAA", "home.example. IN CAA 0 issue \"ca.example.net\""),
        ("home.example HTTPS", "home.example. IN HTTPS 1 . alpn=\"h2,h3\""),
        ("_imap._tcp.home.example SRV", "_imap._tcp.home.example. IN SRV 0 1 993 mail.home.example."),
        ("unknown.home.example TYPE65280", "unknown.home.example. IN TYPE65280 \\# 4 0A000001"),
        ("dotted\\.name.home.example A", "dotted\\.name.home.example. IN A 192.0.2.15"),
        ("www.other.example A", "www.other.example. IN A 192.0.2.41"),
        ("pi.lab.home.example A", "pi.lab.home.example. IN A 192.0.2.31"),
    ] {
        ask(question).status("NOERROR", 1).says(answer);
    }
}

pub(crate) fn aliases_are_followed(_: &World) {
    ask("old-blog.home.example A")
        .status("NOERROR", 3)
        .says("old-blog.home.example. IN CNAME blog.home.example.")
        .says("blog.home.example. IN CNAME www.home.example.")
        .says("www.home.example. IN A 192.0.2.10");
    ask("cross.home.example A").status("NOERROR", 2).says("www.other.example. IN A 192.0.2.41");
    ask("up.lab.home.example AAAA").status("NOERROR", 2).says("www.home.example. IN AAAA 2001:db8::10");
    ask("dangling.home.example A").status("NXDOMAIN", 1);
    ask("www.old.home.example A")
        .status("NOERROR", 3)
        .says("old.home.example. IN DNAME new.home.example.")
        .says("www.new.home.example. IN A 192.0.2.14");
}

pub(crate) fn names_that_are_not_there(_: &World) {
    ask("nothing.home.example A").status("NXDOMAIN", 0).contains("home.example. IN SOA ns1.home.example.");
    ask("www.home.example MX").status("NOERROR", 0).contains("home.example. IN SOA ns1.home.example.");
    ask("below.www.home.example A").status("NXDOMAIN", 0);
    ask("gone.lab.home.example A").status("NXDOMAIN", 0).contains("lab.home.example. IN SOA");
}

/// A minimised name stops at each label: NXDOMAIN for an empty one would end the search (RFC 8020).
pub(crate) fn empty_names_do_not_stop_it(_: &World) {
    ask("a.deep.empty.home.example A").status("NOERROR", 1).says("a.deep.empty.home.example. IN A 192.0.2.11");
    ask("deep.empty.home.example A").status("NOERROR", 0);
    ask("empty.home.example A").status("NOERROR", 0);
    ask("b.deep.empty.home.example A").status("NXDOMAIN", 0);
}

pub(crate) fn wildcards(_: &World) {
    ask("photos.apps.home.example A").status("NOERROR", 1).says("photos.apps.home.example. IN A 192.0.2.12");
    ask("far.below.apps.home.example TXT").status("NOERROR", 1);
    ask("fixed.apps.home.example A").status("NOERROR", 1).says("fixed.apps.home.example. IN A 192.0.2.13");
    ask("fixed.apps.home.example TXT").status("NOERROR", 0);
    ask("apps.home.example A").status("NOERROR", 0);
}

/// Six strings of 240 octets do not fit into 1,232: the resolver gets TC and comes back over TCP.
pub(crate) fn a_large_answer_comes_over_tcp(_: &World) {
    ask("large.home.example TXT +tcp").status("NOERROR", 6);
}

/// The resolver mixes the case of what it asks, and would drop a reply that does not repeat it.
pub(crate) fn the_case_of_the_client_comes_back(_: &World) {
    ask("wWw.HoMe.eXaMpLe A").status("NOERROR", 1).contains(";wWw.HoMe.eXaMpLe. IN A");
}

pub(crate) fn it_asked_us(world: &World) {
    let stats = world.ours.stats();
    assert!(stats.udp.queries > 0, "no query came over UDP");
    assert!(stats.tcp.queries > 0, "no query came over TCP");
}
