//! The real server, asked by dig, and what it then says of itself: at `/metrics`, `/livez`, `/readyz`, and by `status`.
//!
//! Each number is taken as the difference of two pages, with nothing but known questions between them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "who cannot go on here should stop")]

#[path = "../kit/disk.rs"]
mod disk;
mod edge;
#[path = "../cli/kit.rs"]
#[allow(dead_code, reason = "the commands' tests use the rest")]
mod kit;
mod page;

use std::net::UdpSocket;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use disk::SmallDisk;
use kit::{Home, PATIENCE, Server};
use page::{Page, ask, ask_tcp, strict, token};

const ZONE: &str = "\
$TTL 300
@    SOA ns hostmaster 5 3600 600 86400 300
     NS  ns
ns   A   192.0.2.53
www  A   192.0.2.1
";

/// A server of one zone.
fn serve() -> (Home, Server) {
    let home = Home::new();
    let server = home.write("home.example.zone", ZONE).serve_settled();
    let imported = home.run(&["zone", "import", "home.example.zone"]);
    assert_eq!(imported.code, 0, "{}", imported.err);
    (home, server)
}

fn page(home: &Home) -> Page {
    let (status, kind, text) = ask(&home.path("freehold-data/admin.socket"), "GET", "/metrics");
    assert_eq!((status, kind.as_str()), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"));
    Page::read(&text)
}

fn dig(server: &Server, arguments: &[&str]) {
    let place = [format!("@{}", server.address.ip()), format!("-p{}", server.address.port())];
    let output = Command::new("dig").args(&place).args(["+tries=1", "+time=20"]).args(arguments).output();
    let output = output.expect("dig, which tests/setup installs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Waits until a page says so: a reply is counted a moment after the client has it.
fn eventually(home: &Home, wanted: impl Fn(&Page) -> bool) -> Page {
    let until = Instant::now() + PATIENCE;
    loop {
        let page = page(home);
        if wanted(&page) {
            return page;
        }
        assert!(Instant::now() < until, "{page:?}");
        thread::yield_now();
    }
}

#[test]
fn known_questions_are_counted_exactly() {
    let (home, server) = serve();
    let before = page(&home);
    for _ in 0..5 {
        dig(&server, &["+nocookie", "www.home.example", "A"]);
    }
    dig(&server, &["no.home.example", "AAAA"]);
    dig(&server, &["+tcp", "+keepopen", "+nocookie", "www.home.example", "A", "home.example", "TYPE65280"]);
    dig(&server, &["+tcp", "+nocookie", "elsewhere.example", "MX"]);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"no query", server.address).unwrap();
    let after = eventually(&home, |page| {
        let gained = |name: &str| page.gained(&before, name);
        gained("freehold_dns_queries_total") == 10.0 && gained("freehold_dns_answer_duration_seconds_count") == 10.0
    });
    for (series, count) in [
        ("freehold_dns_queries_total{transport=\"udp\"}", 7.0),
        ("freehold_dns_queries_total{transport=\"tcp\"}", 3.0),
        ("freehold_dns_questions_total{type=\"A\"}", 6.0),
        ("freehold_dns_questions_total{type=\"AAAA\"}", 1.0),
        ("freehold_dns_questions_total{type=\"MX\"}", 1.0),
        ("freehold_dns_questions_total{type=\"other\"}", 1.0),
        ("freehold_dns_questions_total", 9.0),
        ("freehold_dns_replies_total{transport=\"udp\",rcode=\"NOERROR\"}", 5.0),
        ("freehold_dns_replies_total{transport=\"udp\",rcode=\"NXDOMAIN\"}", 1.0),
        ("freehold_dns_replies_total{transport=\"tcp\",rcode=\"NOERROR\"}", 2.0),
        ("freehold_dns_replies_total{transport=\"tcp\",rcode=\"REFUSED\"}", 1.0),
        ("freehold_dns_replies_total", 9.0),
        ("freehold_dns_malformed_total{transport=\"udp\"}", 1.0),
        ("freehold_dns_cookies_total{state=\"client_only\"}", 1.0),
        ("freehold_dns_answer_duration_seconds_count{transport=\"udp\"}", 7.0),
        ("freehold_dns_answer_duration_seconds_bucket{le=\"+Inf\",transport=\"tcp\"}", 3.0),
        ("freehold_dns_connections_accepted_total", 2.0),
    ] {
        assert_eq!(after.gained(&before, series), count, "{series}");
    }
    let took = after.gained(&before, "freehold_dns_answer_duration_seconds_sum");
    assert!(took > 0.0 && took < 10.0 * PATIENCE.as_secs_f64(), "{took}");
    eventually(&home, |page| page.value("freehold_dns_connections_open") == 0.0);
    server.stop();
}

#[test]
fn changes_are_counted_and_the_status_says_the_same() {
    let (home, server) = serve();
    let before = page(&home);
    assert_eq!(home.run(&["record", "set", "www.home.example", "A", "192.0.2.2"]).code, 0);
    assert_eq!(home.run(&["record", "set", "www.home.example", "A", "192.0.2.2"]).code, 0, "no change");
    assert_ne!(home.run(&["record", "set", "www.home.example", "CNAME", "ns"]).code, 0);
    assert_eq!(home.run(&["backup", "all.backup"]).code, 0);
    let after = page(&home);
    for (series, count) in [
        ("freehold_store_commits_total", 1.0),
        ("freehold_store_unchanged_total", 1.0),
        ("freehold_store_refusals_total{reason=\"unsound\"}", 1.0),
        ("freehold_store_refusals_total", 1.0),
        ("freehold_store_revision", 1.0),
        ("freehold_store_save_duration_seconds_count", 1.0),
        ("freehold_store_batch_changes_sum", 1.0),
        ("freehold_api_backups_total", 1.0),
    ] {
        assert_eq!(after.gained(&before, series), count, "{series}");
    }
    for (series, count) in [
        ("freehold_store_zones", 1.0),
        ("freehold_store_names", 3.0),
        ("freehold_store_records", 4.0),
        ("freehold_store_failing", 0.0),
    ] {
        assert_eq!(after.value(series), count, "{series}");
    }
    let status: serde_json::Value = serde_json::from_str(&home.run(&["status", "-o", "json"]).out).unwrap();
    for (field, series) in [
        ("revision", "freehold_store_revision"),
        ("zones", "freehold_store_zones"),
        ("names", "freehold_store_names"),
        ("records", "freehold_store_records"),
        ("journal_size", "freehold_store_journal_size_bytes"),
        ("queries", "freehold_dns_queries_total"),
    ] {
        assert_eq!(status[field].as_f64(), Some(after.value(series)), "{field}");
    }
    assert_eq!(status["backup"]["revision"], status["revision"]);
    assert!(status["memory_size"].as_u64().unwrap() > 1 << 20 && status["failing"] == false, "{status}");
    server.stop();
}

#[test]
fn somebody_elses_parser_takes_the_page() {
    let (home, server) = serve();
    dig(&server, &["www.home.example"]);
    for path in ["/v1/zones", "/v1/zones/home.example", "/v1/zones/none.example", "/nowhere", "/readyz"] {
        ask(&home.path("freehold-data/admin.socket"), "GET", path);
    }
    let (_, _, text) = ask(&home.path("freehold-data/admin.socket"), "GET", "/metrics");
    match strict(&text) {
        None => eprintln!("SKIPPED: no python3 here has prometheus_client; tests/setup installs it"),
        Some(Ok(families)) => assert!(families > 50, "{families}"),
        Some(Err(fault)) => panic!("{fault}\n{text}"),
    }
    for (right, wrong) in [("# EOF", ""), ("cpu_seconds seconds", "cpu_seconds bytes"), ("version=", "version:")] {
        let noticed = strict(&text.replacen(right, wrong, 1)).is_none_or(|said| said.is_err());
        assert!(noticed, "it does not notice that {right} is {wrong}");
    }
    server.stop();
}

#[test]
fn what_only_goes_up_never_goes_down() {
    let (home, server) = serve();
    let (over, address) = (AtomicBool::new(false), server.address);
    thread::scope(|scope| {
        for name in ["www.home.example", "no.home.example"] {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    kit::ask(address, name);
                }
            });
        }
        scope.spawn(|| {
            for number in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let address = format!("192.0.2.{}", number % 250);
                home.run(&["record", "set", "www.home.example", "A", &address]);
            }
        });
        let (mut before, until) = (page(&home), Instant::now() + Duration::from_secs(3));
        let mut pages = 0;
        while Instant::now() < until || pages < 20 {
            let after = page(&home);
            assert_eq!(after.fallen(&before), Vec::<String>::new());
            (before, pages) = (after, pages + 1);
        }
        over.store(true, Ordering::Relaxed);
        assert!(
            before.value("freehold_dns_queries_total") > 100.0 && before.value("freehold_store_commits_total") > 1.0
        );
    });
    server.stop();
}

#[test]
fn over_the_network_health_is_for_everybody_and_metrics_are_for_whoever_may_read() {
    let (home, server) = serve();
    let (socket, url) = (home.path("freehold-data/admin.socket"), server.admin.clone());
    for path in ["/livez", "/readyz"] {
        assert_eq!(ask_tcp(&url, path, ""), 200, "{path}");
    }
    let reader = format!("Authorization: Bearer {}\r\n", token(&socket, "read"));
    let before = page(&home);
    assert_eq!(ask_tcp(&url, "/metrics", ""), 401);
    assert_eq!(ask_tcp(&url, "/metrics", "Authorization: Bearer wrong\r\n"), 401);
    assert_eq!(ask_tcp(&url, "/metrics", &reader), 200);
    assert_eq!(ask_tcp(&url, "/v1/backup", &reader), 403);
    let after = page(&home);
    for (series, count) in [("{status=\"401\"}", 2.0), ("{status=\"403\"}", 1.0), ("{status=\"429\"}", 0.0)] {
        assert_eq!(after.gained(&before, &format!("freehold_api_denials_total{series}")), count, "{series}");
    }
    assert_eq!(
        after.value("freehold_store_items{shelf=\"token\"}"),
        before.value("freehold_store_items{shelf=\"token\"}")
    );
    server.stop();
}

#[test]
fn ready_is_who_can_write_and_alive_who_cannot() {
    let Some(disk) = SmallDisk::mount() else { return };
    let home = Home::new();
    let data = disk.directory();
    let server = home.serve_with(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
        "--data",
        data.to_str().unwrap(),
    ]);
    let socket = data.join("admin.socket");
    let status = |method: &str, path: &str| ask(&socket, method, path).0;
    for _ in 0..2 {
        let (found, kind, text) = ask(&socket, "GET", "/readyz");
        assert_eq!((found, kind.as_str(), text.as_str()), (200, "text/plain; charset=utf-8", "ok\n"));
        assert_eq!((status("HEAD", "/readyz"), status("HEAD", "/livez"), status("HEAD", "/metrics")), (200, 200, 200));
        assert_eq!((status("POST", "/readyz"), status("DELETE", "/livez"), status("PUT", "/metrics")), (405, 405, 405));
        disk.fill();
        let problem = until_ready_is(503, &socket);
        assert_eq!(problem["type"], "/problems/not-ready");
        assert_eq!(problem["detail"], "no changes are taken: the disk is full");
        assert_eq!(problem["hint"], "make room and try again");
        assert_eq!((status("GET", "/livez"), status("HEAD", "/readyz")), (200, 503));
        let (.., metrics) = ask(&socket, "GET", "/metrics");
        assert_eq!(Page::read(&metrics).value("freehold_store_failing"), 1.0);
        assert!(server.ask("www.home.example").is_empty(), "DNS answers on");
        disk.make_room();
        until_ready_is(200, &socket);
        let (.., metrics) = ask(&socket, "GET", "/metrics");
        assert_eq!(Page::read(&metrics).value("freehold_store_failing"), 0.0);
    }
    server.stop();
}

/// What was found a second ago is told again, so it takes a moment to show.
fn until_ready_is(wanted: u16, socket: &std::path::Path) -> serde_json::Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let (status, _, text) = ask(socket, "GET", "/readyz");
        if status == wanted {
            return serde_json::from_str(&text).unwrap_or_default();
        }
        assert!(Instant::now() < until, "{status} {text}");
        thread::sleep(Duration::from_millis(50)); // it is looked at once a second
    }
}
