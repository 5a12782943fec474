//! Addresses of the edge that are looked at: one that is down leaves DNS, and comes back.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use crate::kit::{Home, PATIENCE, Server};

const ZONE: &str = "\
$TTL 300
@    SOA ns hostmaster 5 3600 600 86400 300
     NS  ns
ns   A   192.0.2.53
";

/// A server with an edge at this address, and whatever else its settings say of the edge.
pub(crate) fn edge(at: &str, more: &str) -> (Home, Server) {
    let home = Home::new();
    let text = format!(
        "[store]\ndirectory = \"freehold-data\"\n[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = []\n\
         [edge]\nlisten_http = []\nlisten_https = [\"{at}\"]\n{more}"
    );
    home.write("freehold.toml", &text).write("zones/home.example.zone", ZONE);
    assert_eq!(home.run(&["zone", "import", "zones/home.example.zone"]).code, 0);
    assert_eq!(home.run(&["route", "add", "app.home.example", "http://127.0.0.1:9"]).code, 0);
    let server = home.serve_with(&["serve"]);
    (home, server)
}

pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < PATIENCE, "never {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The lines of a zone that are about the app.
pub(crate) fn lines(home: &Home) -> Vec<String> {
    let out = home.run(&["zone", "export", "home.example"]).out;
    let mut owner = String::new();
    let mut told = Vec::new();
    for line in out.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with([' ', '\t']) {
            owner = words.first().copied().unwrap_or_default().to_owned();
        }
        if owner == "app" {
            told.push(words.join(" ").trim_start_matches("app ").to_owned());
        }
    }
    told
}

fn serial(home: &Home) -> u32 {
    let listed = home.run(&["zone", "list"]).out;
    listed.split_whitespace().last().unwrap().parse().unwrap()
}

#[test]
fn an_address_that_is_down_leaves_dns_and_comes_back() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let health = "addresses = [\"127.0.0.2\", \"127.0.0.3\"]\n\
                  [edge.address_health]\ncheck = true\ninterval_seconds = 1\ntimeout_seconds = 5\nrise = 2\nfall = 2\n";
    let (home, server) = edge(&format!("127.0.0.1:{port}"), health);
    let start = |address: &str| edge(&format!("{address}:{port}"), "");
    // Nobody is there yet: then all are told.
    until("found down", || home.run(&["route", "show", "app.home.example"]).out.matches(" down since ").count() == 2);
    assert_eq!(server.ask("app.home.example"), [[127, 0, 0, 2], [127, 0, 0, 3]]);
    let (_two, two) = start("127.0.0.2");
    until("back", || server.ask("app.home.example") == [[127, 0, 0, 2]]);
    let (_three, three) = start("127.0.0.3");
    until("back", || server.ask("app.home.example") == [[127, 0, 0, 2], [127, 0, 0, 3]]);
    let both = lines(&home);
    assert!(both.contains(&"60 A 127.0.0.2".to_owned()) && both.contains(&"60 A 127.0.0.3".to_owned()), "{both:?}");
    assert!(
        both.iter().any(|line| line.contains("HTTPS") && line.contains("ipv4hint=127.0.0.2,127.0.0.3")),
        "{both:?}"
    );
    let before = serial(&home);
    three.signal("KILL");
    until("left out", || server.ask("app.home.example") == [[127, 0, 0, 2]]);
    let one = lines(&home);
    assert!(one.iter().any(|line| line.starts_with("60 ") && line.ends_with("ipv4hint=127.0.0.2")), "{one:?}");
    assert!(!one.iter().any(|line| line.contains("127.0.0.3")), "{one:?}");
    assert_eq!(serial(&home), before + 1, "one change, which whoever takes over the zone sees");
    let shown = home.run(&["route", "show", "app.home.example"]).out;
    assert!(
        shown.contains("address      127.0.0.2 up since ") && shown.contains("address      127.0.0.3 down since "),
        "{shown}"
    );
    let told = home.run(&["zone", "history", "home.example", "--limit", "1"]).out;
    assert!(told.contains(" health "), "{told}");
    two.signal("KILL");
    until("all told", || server.ask("app.home.example").len() == 2);
    server.stop();
    // What was found outlives the server; whoever looks no more forgets it.
    assert!(home.run(&["zone", "export", "home.example"]).out.contains("127.0.0.3"));
}
