//! From the root down by hand and by the tools' own traces: each referral leads to the next server, the last is ours.

use crate::network::{OURS, OURS_TOO, ROOT, World};
use crate::tools::{dig, drill};

/// As a resolver would: ask the root, follow the glue, until somebody answers with AA.
pub(crate) fn by_hand(_: &World) {
    let mut server = ROOT.to_owned();
    let mut path = Vec::new();
    for _ in 0..5 {
        path.push(server.clone());
        let told = dig(&format!("@{server} +norecurse www.home.example A"));
        if told.has_line("www.home.example. 300 IN A 192.0.2.10") {
            told.contains("flags: qr aa;");
            assert_eq!(path[..2], [ROOT, "127.0.0.3"]);
            assert!(path.len() == 3 && [OURS, OURS_TOO].contains(&path[2].as_str()), "{path:?}");
            return;
        }
        told.status("NOERROR", 0).lacks(" aa");
        let glue =
            told.lines_with("").find_map(|line| line.split_once(" IN A ").map(|(_, address)| address.to_owned()));
        server = glue.expect("a referral without glue");
    }
    panic!("it never came to an end: {path:?}");
}

/// The cut between two zones of one server: the parent's servers answer for the child with AA.
pub(crate) fn into_a_child_that_is_ours_too(_: &World) {
    dig(&format!("@{OURS} +norecurse pi.lab.home.example A"))
        .contains("flags: qr aa;")
        .says("pi.lab.home.example. 300 IN A 192.0.2.31");
    dig(&format!("@{OURS} +norecurse lab.home.example DS"))
        .contains("flags: qr aa;")
        .contains("home.example. 60 IN SOA ns1");
}

pub(crate) fn dig_trace(_: &World) {
    dig("+trace +nodnssec www.home.example A")
        .contains("IN NS a.root.")
        .says("example. 86400 IN NS a.tld.example.")
        .says("home.example. 86400 IN NS ns1.home.example.")
        .says("www.home.example. 300 IN A 192.0.2.10");
    dig("+trace +nodnssec a.deep.empty.home.example A").says("a.deep.empty.home.example. 300 IN A 192.0.2.11");
}

pub(crate) fn dig_nssearch(_: &World) {
    let told = dig("+nssearch home.example");
    assert_eq!(told.lines_with("SOA ns1.home.example. hostmaster.home.example. 2026010101").count(), 2);
}

pub(crate) fn drill_trace(world: &World) {
    let hints = world.folder.path().join("hints");
    drill(&format!("-T -4 -r {} www.home.example A", hints.display()))
        .contains("home.example. 86400 IN NS ns1.home.example.")
        .contains("www.home.example. 300 IN A 192.0.2.10");
}
