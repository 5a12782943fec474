//! drill and kdig, which read replies with code of their own (ldns, Knot).

use crate::network::{OURS, World};
use crate::tools::{drill, kdig};

pub(crate) fn drill_asks(_: &World) {
    drill(&format!("@{OURS} www.home.example A"))
        .contains("rcode: NOERROR")
        .contains("flags: qr aa rd ;")
        .says("www.home.example. 300 IN A 192.0.2.10");
    drill(&format!("-t @{OURS} large.home.example TXT")).contains("ANSWER: 6,");
    drill(&format!("-b 512 -u @{OURS} www.home.example AAAA")).says("www.home.example. 300 IN AAAA 2001:db8::10");
    drill(&format!("-D @{OURS} nothing.home.example A"))
        .contains("rcode: NXDOMAIN")
        .contains("home.example. 60 IN SOA");
    drill(&format!("@{OURS} home.example HTTPS")).contains("home.example. 300 IN HTTPS 1 .");
    drill(&format!("@{OURS} version.bind CH TXT")).says("version.bind. 0 CH TXT \"Freehold\"");
}

pub(crate) fn kdig_asks(_: &World) {
    kdig(&format!("@{OURS} www.home.example A"))
        .contains("status: NOERROR")
        .contains("Flags: qr aa rd;")
        .says("www.home.example. 300 IN A 192.0.2.10");
    kdig(&format!("@{OURS} +tcp large.home.example TXT")).contains("ANSWER: 6;");
    kdig(&format!("@{OURS} +nsid www.home.example A")).contains("ns1.home.example");
    kdig(&format!("@{OURS} +cookie www.home.example A")).contains("COOKIE:");
    kdig(&format!("@{OURS} +padding=32 +bufsize=1232 www.home.example A")).contains("status: NOERROR");
    kdig(&format!("@{OURS} +badcookie +cookie www.home.example A")).contains("status: NOERROR");
    kdig(&format!("@{OURS} +dnssec nothing.home.example A")).contains("status: NXDOMAIN");
    kdig(&format!("@{OURS} www.example.net A +edns")).contains("status: REFUSED").contains("EDE: 20");
    kdig(&format!("@{OURS} +keepopen +tcp www.home.example A mail.home.example A"))
        .says("www.home.example. 300 IN A 192.0.2.10")
        .says("mail.home.example. 300 IN A 192.0.2.25");
    kdig(&format!("@{OURS} home.example HTTPS")).contains("home.example. 300 IN HTTPS 1 .");
    kdig(&format!("@{OURS} home.example AXFR")).contains("REFUSED");
}
