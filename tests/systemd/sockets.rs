//! Sockets from systemd are served, and systemd hears the truth about it.

use std::collections::BTreeSet;

use crate::kit::{Machine, WATCHDOG, ask_tcp, ask_udp, client, hear_any, hear_udp, question};

#[test]
fn every_socket_is_served_and_stays_when_the_server_goes() {
    let machine = Machine::new(&["127.0.0.1", "127.0.0.2", "::1"]);
    let server = machine.start();
    assert_eq!(machine.told(), "READY=1\n", "{}", server.log());
    for address in machine.addresses() {
        ask_udp(&client(address), 1);
        ask_tcp(address, 2).unwrap();
    }
    let (well, said) = machine.run(&["status"]);
    assert!(well && said.contains("1 zone") && said.contains(&machine.address.to_string()), "{said}");
    server.stop();
    assert_eq!(machine.told(), "STOPPING=1\n");
    assert!(machine.path("admin.socket").exists());
    // What is asked now waits for the next server.
    let waiting = client(machine.address);
    (100..200).for_each(|id| assert!(waiting.send(&question(id)).is_ok()));
    let server = machine.start();
    // Two threads share the socket, so the order may be another.
    let heard: BTreeSet<u16> = (100..200).map(|_| hear_any(&waiting)).collect();
    assert!(heard.into_iter().eq(100..200));
    ask_tcp(machine.address, 4).unwrap();
    server.stop();
}

#[test]
fn ready_means_that_every_address_answers() {
    let machine = Machine::new(&["127.0.0.1", "127.0.0.2"]);
    machine.deafen();
    let mut server = machine.start();
    ask_udp(&client(machine.address), 1);
    assert_eq!(server.end(), 1);
    let deaf = machine.addresses().last().unwrap();
    let told = format!("error: {deaf} does not answer this machine's own question\n = cure: is a firewall in the way?");
    assert!(server.log().contains(&told), "{}", server.log());
    machine.nothing_more_is_told();
}

#[test]
fn the_watchdog_hears_twice_in_its_time_and_nothing_before_ready() {
    let machine = Machine::new(&["127.0.0.1"]);
    let server = machine.start();
    assert_eq!(machine.told_at_all(), "READY=1\n");
    let since = std::time::Instant::now();
    let revision = || {
        let (_, status) = machine.run(&["status"]);
        status.lines().find(|line| line.starts_with("changes")).expect(&status).to_owned()
    };
    let before = revision();
    for _ in 0..6 {
        assert_eq!(machine.told_at_all(), "WATCHDOG=1\n", "{}", server.log());
    }
    // The first comes at once, and the other five half the time apart.
    assert!(since.elapsed() >= WATCHDOG * 2, "{:?}", since.elapsed());
    assert_eq!(revision(), before, "asking the store changes nothing");
    server.stop();
}

#[test]
fn a_reload_is_told_from_beginning_to_end() {
    let machine = Machine::new(&["127.0.0.1"]);
    let server = machine.start();
    assert_eq!(machine.told(), "READY=1\n");
    for settings in [None, Some("[dns]\nworkrs = 1\n")] {
        if let Some(settings) = settings {
            machine.write("freehold.toml", settings); // no good, and so over at once
        }
        server.signal("HUP");
        let told = machine.told();
        let time = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{told}"));
        assert!(time.trim().parse::<u64>().unwrap() > 0);
        assert_eq!(machine.told(), "READY=1\n");
    }
    server.stop();
}

#[test]
fn sockets_that_nobody_would_serve_keep_it_from_starting() {
    let machine = Machine::new(&["127.0.0.1"]);
    let mut server = machine.start_named("https");
    assert_eq!(server.end(), 1);
    let log = server.log();
    assert!(log.starts_with("error: systemd hands over a socket called \"https\""), "{log}");
    assert!(log.ends_with(" = cure: say FileDescriptorName=dns in its unit\n"), "{log}");
    machine.nothing_more_is_told();
}

#[test]
fn an_admin_socket_for_everybody_keeps_it_from_starting() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new(&["127.0.0.1"]);
    std::fs::set_permissions(machine.path("admin.socket"), std::fs::Permissions::from_mode(0o666)).unwrap();
    let mut server = machine.start();
    assert_eq!(server.end(), 1);
    let log = server.log();
    assert!(log.contains("everybody may open") && log.contains("SocketMode=0660"), "{log}");
    machine.nothing_more_is_told();
}

/// After a crash nothing is tidied up, and the next server takes the sockets as they are.
#[test]
fn a_server_that_is_killed_leaves_its_sockets_to_the_next() {
    let machine = Machine::new(&["127.0.0.1"]);
    let mut server = machine.start();
    assert_eq!(machine.told(), "READY=1\n");
    server.signal("KILL");
    server.end();
    let waiting = client(machine.address);
    waiting.send(&question(1)).unwrap();
    let server = machine.start();
    hear_udp(&waiting, 1);
    assert_eq!(machine.told(), "READY=1\n");
    let (well, said) = machine.run(&["status"]);
    assert!(well, "{said}");
    server.stop();
}
