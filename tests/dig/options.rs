//! What dig can ask for: transports, sizes, EDNS options, odd headers.

use crate::network::{OURS, OURS_TOO, World};
use crate::tools::{Told, dig};

fn ask(question: &str) -> Told {
    dig(&format!("@{OURS} +norecurse {question}"))
}

pub(crate) fn transports(world: &World) {
    ask("www.home.example A").status("NOERROR", 1).contains("flags: qr aa;");
    ask("+tcp www.home.example A").status("NOERROR", 1).contains("(TCP)");
    dig("@::1 www.home.example A").status("NOERROR", 1).contains("SERVER: ::1#53(::1) (UDP)");
    dig("@::1 +tcp www.home.example A").status("NOERROR", 1).contains("SERVER: ::1#53(::1) (TCP)");
    dig(&format!("@{OURS_TOO} www.home.example A")).status("NOERROR", 1);
    assert!(world.ours.stats().tcp.queries > 0);
}

/// Bound to every address, it answers from the one that was asked: dig takes no reply from another.
pub(crate) fn replies_leave_from_the_address_asked(_: &World) {
    for address in ["127.0.0.1", "127.0.0.77", "127.255.255.254", "::1"] {
        dig(&format!("@{address} -p 5300 www.home.example A")).status("NOERROR", 1).lacks("unexpected source");
        dig(&format!("@{address} -p 5300 +tcp www.home.example A")).status("NOERROR", 1);
    }
}

pub(crate) fn sizes(_: &World) {
    ask("+noedns +ignore large.home.example TXT").status("NOERROR", 0).contains("flags: qr aa tc;").lacks("EDNS");
    ask("+bufsize=512 +ignore large.home.example TXT").status("NOERROR", 0).contains("flags: qr aa tc;");
    ask("+bufsize=4096 +ignore large.home.example TXT").status("NOERROR", 0).contains("flags: qr aa tc;");
    ask("large.home.example TXT").status("NOERROR", 6).contains(";; Truncated, retrying in TCP mode.");
    ask("+tcp +bufsize=512 large.home.example TXT").status("NOERROR", 6).lacks(" tc");
    ask("www.home.example A").contains("EDNS: version: 0, flags:; udp: 1232");
}

pub(crate) fn cookies(_: &World) {
    ask("+cookie www.home.example A").status("NOERROR", 1).contains("(good)");
    ask("+cookie +tcp www.home.example A").status("NOERROR", 1).contains("(good)");
    ask("+nocookie www.home.example A").status("NOERROR", 1).lacks("COOKIE");
    ask("+cookie=0123456789abcdef www.home.example A").contains("COOKIE: 0123456789abcdef");
    // A server cookie that is given back is answered with one again.
    let told = ask("+cookie=0123456789abcdef www.home.example A");
    let cookie = told.lines_with("; COOKIE: ").next().and_then(|line| line.split(' ').nth(2)).unwrap().to_owned();
    assert_eq!(cookie.len(), 48, "8 octets of the client's and 16 of the server's: {cookie}");
    ask(&format!("+cookie={cookie} www.home.example A")).status("NOERROR", 1).contains("(good)");
}

pub(crate) fn options(_: &World) {
    ask("+nsid www.home.example A").contains("NSID:").contains("ns1.home.example");
    ask("+ednsopt=65001:00ff www.home.example A").status("NOERROR", 1).lacks("65001");
    ask("+subnet=192.0.2.0/24 www.home.example A").status("NOERROR", 1).lacks("CLIENT-SUBNET");
    ask("+padding=64 www.home.example A").status("NOERROR", 1).lacks("PAD");
    ask("+keepalive +tcp www.home.example A").status("NOERROR", 1).contains("TCP KEEPALIVE: 30.0 secs");
    ask("+keepalive +notcp www.home.example A").status("NOERROR", 1).lacks("KEEPALIVE");
    ask("+expire home.example SOA").status("NOERROR", 1);
    ask("+dnssec www.home.example A").status("NOERROR", 1).contains("flags: do; udp: 1232");
    ask("+edns=1 +noednsnegotiation www.home.example A").status("BADVERS", 0).contains("EDNS: version: 0");
    ask("+edns=1 www.home.example A").status("NOERROR", 1);
    ask("+ednsflags=0x4000 www.home.example A").status("NOERROR", 1).lacks("MBZ");
}

/// Several questions on one connection, answered on it.
pub(crate) fn one_connection_many_questions(world: &World) {
    let before = world.ours.stats();
    let names = ["www", "mail", "blog", "nothing", "large", "ns1", "ns2", "x.apps"];
    let questions: String = names.iter().map(|name| format!(" {name}.home.example A")).collect();
    let told = dig(&format!("+tcp +keepopen +norecurse @{OURS}{questions}"));
    assert_eq!(told.lines_with(";; ->>HEADER<<-").count(), names.len());
    let after = world.ours.stats();
    assert_eq!(after.tcp.accepted - before.tcp.accepted, 1, "connections for {} questions", names.len());
}

pub(crate) fn the_case_of_the_question_comes_back(_: &World) {
    ask("wWw.HoMe.ExAmPlE A").contains(";wWw.HoMe.ExAmPlE. IN A").says("wWw.HoMe.ExAmPlE. 300 IN A 192.0.2.10");
    ask("WWW.HOME.EXAMPLE AAAA").says("WWW.HOME.EXAMPLE. 300 IN AAAA 2001:db8::10");
}

pub(crate) fn closed_doors(_: &World) {
    ask("home.example AXFR").contains("; Transfer failed.");
    ask("home.example IXFR=1").contains("; Transfer failed.");
    ask("www.example.net A").status("REFUSED", 0).contains("EDE: 20 (Not Authoritative)");
    ask("+noedns www.example.net A").status("REFUSED", 0).lacks("EDE");
    ask("home.example SOA +opcode=NOTIFY").status("NOTIMP", 0);
    ask("home.example SOA +opcode=UPDATE").contains("status: NOTIMP");
    ask("+opcode=STATUS www.home.example A").status("NOTIMP", 0);
    ask("+header-only +nocookie").contains("status: FORMERR");
    ask("+header-only +cookie").contains("status: NOERROR").contains("(good)"); // a question for a cookie alone
    ask("www.home.example HS A").status("REFUSED", 0);
    ask("version.bind CH TXT").says("version.bind. 0 CH TXT \"Freehold\"");
    ask("id.server CH TXT").says("id.server. 0 CH TXT \"ns1.home.example\"");
    ask("www.home.example ANY +notcp").status("NOERROR", 1);
}
