//! `freehold serve`: development mode, stop and start again, signals, and what keeps it from starting.

use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::kit::Home;

const ZONE: &str = "\
$TTL 300
@    SOA ns hostmaster 5 3600 600 86400 300
     NS  ns
ns   A   192.0.2.53
www  A   192.0.2.1
";

fn home() -> Home {
    let home = Home::new();
    home.write("zones/home.example.zone", ZONE);
    home
}

#[test]
fn development_mode_says_what_it_serves_and_what_to_try() {
    let home = home();
    home.write("zones/broken.example.zone", "@ A 192.0.2.256\n").write("zones/notes.txt", "not a zone");
    let server = home.serve();
    let heard = server.heard.join("\n");
    let (port, admin) = (server.address.port(), &server.admin);
    let said = |what: &str| server.heard.iter().find_map(|line| line.strip_prefix(what)).unwrap_or_default().trim();
    let (https, http) = (said("HTTPS "), said("HTTP "));
    let secure_port = https.rsplit(':').next().unwrap();
    let over = |what: &str| server.heard.iter().find_map(|line| line.trim().strip_suffix(what)).unwrap_or_default();
    let (tls, quic) = (over(" (TLS)"), over(" (QUIC)"));
    let tls_port = tls.rsplit(':').next().unwrap();
    let expected = format!(
        "\
Freehold {}, development mode: answers on this machine only.

ZONE          NAMES  RECORDS  SERIAL
home.example      4        6       6

DNS    127.0.0.1:{port} (UDP and TCP)
       {tls} (TLS)
       {quic} (QUIC)
HTTPS  {https}
HTTP   {http}
Admin  {admin}
Data   ./freehold-data

Try:
  dig @127.0.0.1 -p {port} www.home.example
  {} zone list
  kdig @127.0.0.1 -p {tls_port} +tls-ca=./freehold-data/local-ca.pem +tls-host=dns.home.example app.home.example
  curl --cacert ./freehold-data/local-ca.pem --resolve app.home.example:{secure_port}:$(dig +short @127.0.0.1 -p {port} \
app.home.example) https://app.home.example:{secure_port}/
",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_BIN_EXE_freehold"),
    );
    assert!(heard.contains(&expected), "{heard}");
    assert!(
        heard.contains("zones/broken.example.zone: left out") && heard.contains("not ready to be served"),
        "{heard}"
    );
    assert_eq!(server.ask("www.home.example"), [[192, 0, 2, 1]]);
    server.stop();
}

#[test]
fn stopped_and_started_it_serves_the_same_from_the_store() {
    let home = home();
    home.serve().stop();
    let before = home.run(&["zone", "export", "home.example"]).out;
    // The zone files matter to an empty store only.
    home.write("zones/home.example.zone", &ZONE.replace("192.0.2.1\n", "192.0.2.99\n"))
        .write("zones/other.example.zone", ZONE);
    let server = home.serve();
    assert_eq!(server.ask("www.home.example"), [[192, 0, 2, 1]]);
    assert_eq!(home.run(&["zone", "export", "home.example"]).out, before);
    assert_eq!(home.run(&["zone", "list"]).out.lines().count(), 2);
    server.stop();
}

#[test]
fn a_killed_server_leaves_nothing_in_the_way() {
    let home = home();
    let mut server = home.serve();
    server.signal("KILL");
    server.end();
    assert!(home.path("freehold-data/admin.socket").exists());
    assert_eq!(home.run(&["zone", "list"]).code, 0, "the socket of a dead server is passed over");
    home.serve().stop();
    assert!(!home.path("freehold-data/admin.socket").exists());
}

#[test]
fn sigint_stops_as_well() {
    let mut server = home().serve();
    server.signal("INT");
    assert_eq!(server.end(), 0);
}

#[test]
fn sighup_reads_the_settings_again_and_loses_no_query() {
    let home = home();
    let settings = |level: &str, workers: u16| {
        let text = format!(
            "[store]\ndirectory = \"data\"\n[dns]\nlisten = [\"127.0.0.1:0\"]\nworkers = {workers}\n[admin]\nlisten = []\n[log]\nlevel = \"{level}\"\n"
        );
        home.write("freehold.toml", &text);
    };
    settings("info", 1);
    assert_eq!(home.run(&["zone", "import", "zones/home.example.zone"]).code, 0);
    let mut server = home.serve_with(&["serve"]);
    let (address, over) = (server.address, AtomicBool::new(false));
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0;
            while !over.load(Ordering::Relaxed) || asked < 100 {
                assert_eq!(crate::kit::ask(address, "www.home.example"), [[192, 0, 2, 1]]);
                asked += 1;
            }
        });
        server.signal("HUP");
        server.hear(|line| line.contains("nothing is different"));
        settings("debug", 1);
        server.signal("HUP");
        server.hear(|line| line.contains("read again") && line.contains("applied=\"log.level\""));
        settings("debug", 2);
        server.signal("HUP");
        server.hear(|line| line.contains("only after a restart") && line.contains("restart=\"dns.workers\""));
        home.write("freehold.toml", "[dns]\nworkrs = 1\n");
        server.signal("HUP");
        server.hear(|line| line.contains("everything stays as it is"));
        server.hear(|line| line.contains("did you mean `workers`?"));
        over.store(true, Ordering::Relaxed);
        asking.join().unwrap();
    });
    server.stop();
}

#[test]
fn the_log_is_json_for_programs() {
    let home = home();
    home.write(
        "freehold.toml",
        "[store]\ndirectory = \"data\"\n[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = []\n[log]\nformat = \"json\"\n",
    );
    let mut server = home.serve_with(&["serve"]);
    server.signal("TERM");
    assert_eq!(server.end(), 0);
    let events: Vec<serde_json::Value> = server.heard.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["message"] == "ready"));
    assert_eq!(events.last().unwrap()["message"], "stopped");
}

#[test]
fn a_port_in_use_is_named_with_the_cure() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let said = home().run(&["serve", "--listen", &address.to_string()]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    let (port, expected) = (address.port(), "error: ");
    assert!(
        said.err.contains(&format!("{expected}{address} is in use over UDP: another name server has it\n = cure: ")),
        "{}",
        said.err
    );
    assert!(said.err.contains(&format!("sport = :{port}")) && said.err.contains("--listen"), "{}", said.err);
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let home = home();
    let server = home.serve();
    let said = home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("\nerror: ./freehold-data is in use by process "), "{}", said.err);
    assert!(said.err.contains("; it is waited for, 5 s at most\n"), "{}", said.err);
    assert!(said.err.ends_with(" = cure: stop that process or use another data directory\n"), "{}", said.err);
    assert_eq!(server.ask("www.home.example"), [[192, 0, 2, 1]]);
    server.stop();
}

/// A command that finds no server works on the directory itself; a server that starts in that moment waits for it.
#[test]
fn a_server_waits_for_a_command_that_has_the_directory() {
    let home = home();
    home.serve().stop(); // so that there is one
    let held = fs::File::options().write(true).open(home.path("freehold-data/lock")).unwrap();
    held.lock().unwrap();
    let release = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(700));
        held.unlock().unwrap();
    });
    let server = home.serve();
    release.join().unwrap();
    assert_eq!(server.ask("www.home.example"), [[192, 0, 2, 1]]);
    server.stop();
}

#[test]
fn a_data_directory_that_cannot_be_used_is_named_with_the_cure() {
    let home = home();
    home.write("file", "");
    let said = home.run(&["serve", "--listen", "127.0.0.1:0", "--data", "file/data"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(
        said.err.starts_with("error: ") && said.err.ends_with(" = cure: use a path that is a directory\n"),
        "{}",
        said.err
    );
    fs::create_dir(home.path("shut")).unwrap();
    fs::set_permissions(home.path("shut"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(home.path("shut")).is_ok() {
        return; // root may do everything
    }
    let said = home.run(&["serve", "--listen", "127.0.0.1:0", "--data", "shut"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("permission denied\n = cure: "), "{}", said.err);
}

#[test]
fn status_tells_the_addresses_or_that_nobody_answers() {
    let home = home();
    let server = home.serve();
    let said = home.run(&["status"]);
    assert_eq!(said.code, 0);
    assert!(
        said.out.contains(&format!("at          {}\n", server.address))
            && said.out.contains("1 zone, 4 names, 6 records"),
        "{}",
        said.out
    );
    server.stop();
    let said = home.run(&["status"]);
    assert_eq!(said.code, 5);
    assert_eq!(
        said.err,
        "error: no server runs on the data directory ./freehold-data\n = cure: start it with `freehold serve`\n"
    );
}

/// A client that sends half a request and then waits, so that a stop has something to wait for.
fn half_a_request(home: &Home) -> UnixStream {
    let mut client = UnixStream::connect(home.path("freehold-data/admin.socket")).unwrap();
    let head = "PUT /v1/zones/home.example/file HTTP/1.1\r\nhost: here\r\ncontent-type: text/dns\r\ncontent-length: 99\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(b"@ SOA").unwrap();
    client
}

#[test]
fn a_client_that_hangs_does_not_keep_it_from_stopping() {
    let home = home();
    let mut server = home.serve();
    let _client = half_a_request(&home);
    assert_eq!(home.run(&["status"]).code, 0, "others are served meanwhile");
    let since = Instant::now();
    server.signal("TERM");
    assert_eq!(server.end(), 0, "{:?}", server.heard);
    assert!(since.elapsed() < Duration::from_secs(10));
    assert!(server.heard.iter().any(|line| line.contains("were cut off")), "{:?}", server.heard);
}

#[test]
fn a_second_signal_stops_at_once() {
    let home = home();
    let mut server = home.serve();
    let _client = half_a_request(&home);
    assert_eq!(home.run(&["status"]).code, 0);
    server.signal("TERM");
    server.hear(|line| line.contains("stopping"));
    let since = Instant::now();
    server.signal("TERM");
    assert_eq!(server.end(), 1);
    assert!(since.elapsed() < Duration::from_secs(2));
    assert!(server.heard.iter().any(|line| line.contains("second signal")), "{:?}", server.heard);
}

#[test]
fn a_socket_path_that_is_too_long_is_named_with_the_cure() {
    let home = home();
    home.write(
        "freehold.toml",
        &format!("[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nsocket = \"{}\"\n", "s".repeat(120)),
    );
    let said = home.run(&["serve", "--data", "data"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("error: cannot listen at the admin socket sss"), "{}", said.err);
    assert!(said.err.contains("at most 107 octets"), "{}", said.err);
}
