//! Single records come, are shown, change and go: through a running server, and without one, with the same words.

use crate::kit::{Home, Said};

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

fn out(text: &str) -> Said {
    Said { code: 0, out: text.into(), err: String::new() }
}

fn refused(code: i32, text: &str) -> Said {
    Said { code, out: String::new(), err: text.into() }
}

/// The life of a record, in words that do not depend on who holds the store.
fn life_of_a_record(home: &Home) {
    let change = "\
-www.home.example. 300 IN A 192.0.2.1
+www.home.example. 300 IN A 192.0.2.7
home.example: 0 added, 1 changed, 0 removed, serial 5 -> 6
";
    let would = change.replace("home.example: 0", "home.example: would have 0");
    assert_eq!(home.run(&["record", "set", "www.home.example", "A", "192.0.2.7", "--dry-run"]), out(&would));
    assert_eq!(home.run(&["record", "set", "www.home.example", "A", "192.0.2.7"]), out(change));
    let again = home.run(&["record", "set", "www.home.example.", "a", "192.0.2.7"]);
    assert_eq!(again, out("home.example: nothing changed\n"));

    let added = "\
+www.home.example. 300 IN A 192.0.2.8
home.example: 1 added, 0 changed, 0 removed, serial 6 -> 7
";
    assert_eq!(home.run(&["record", "add", "www", "A", "192.0.2.8", "--zone", "home.example"]), out(added));
    let mail = home.run(&["record", "set", "home.example", "MX", "10 mail", "20 mx.example.net.", "--ttl", "1h"]);
    let expected = "\
+home.example. 3600 IN MX 10 mail.home.example.
+home.example. 3600 IN MX 20 mx.example.net.
home.example: 2 added, 0 changed, 0 removed, serial 7 -> 8
";
    assert_eq!(mail, out(expected));
    let list = "\
NAME               TYPE   TTL  VALUE
home.example.      NS     300  ns.home.example.
home.example.      SOA    300  ns.home.example. hostmaster.home.example. 8 3600 600 86400 300
home.example.      MX    3600  10 mail.home.example.
home.example.      MX    3600  20 mx.example.net.
ns.home.example.   A      300  192.0.2.53
www.home.example.  A      300  192.0.2.7
www.home.example.  A      300  192.0.2.8
";
    assert_eq!(home.run(&["record", "list", "home.example"]), out(list));
    let one = "NAME           TYPE   TTL  VALUE\nhome.example.  MX    3600  10 mail.home.example.\nhome.example.  MX    3600  20 mx.example.net.\n";
    assert_eq!(home.run(&["record", "list", "home.example", "@", "MX"]), out(one));
    let json = home.run(&["-o", "json", "record", "list", "home.example", "www.home.example"]);
    let sets: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(sets[0]["values"], serde_json::json!(["192.0.2.7", "192.0.2.8"]));

    let less =
        "-home.example. 3600 IN MX 10 mail.home.example.\nhome.example: 0 added, 0 changed, 1 removed, serial 8 -> 9\n";
    assert_eq!(home.run(&["record", "delete", "home.example", "MX", "10 mail"]), out(less));
    let none = "\
-www.home.example. 300 IN A 192.0.2.7
-www.home.example. 300 IN A 192.0.2.8
home.example: 0 added, 0 changed, 2 removed, serial 9 -> 10
";
    assert_eq!(home.run(&["record", "delete", "www.home.example"]), out(none));
    let gone = "error: there are no records at www.home.example.\n = cure: look at what is there\n";
    assert_eq!(home.run(&["record", "delete", "www.home.example"]), refused(1, gone));
    assert_eq!(home.run(&["record", "delete", "www.home.example", "A"]), refused(1, gone));
}

#[test]
fn with_a_server() {
    let home = home();
    let server = home.serve();
    life_of_a_record(&home);
    server.stop();
}

#[test]
fn without_a_server() {
    let home = home();
    home.serve().stop();
    life_of_a_record(&home);
}

#[test]
fn dns_answers_a_change_when_the_command_returns() {
    let home = home();
    let server = home.serve();
    for last in 10..60 {
        let address = format!("192.0.2.{last}");
        assert_eq!(home.run(&["record", "set", "www.home.example", "A", &address]).code, 0);
        assert_eq!(server.ask("www.home.example"), [[192, 0, 2, last]]);
    }
    server.stop();
}

#[test]
fn what_is_wrong_is_told_with_its_cure() {
    let home = home();
    let server = home.serve();
    for (arguments, code, expected) in [
        (
            &["set", "home.example", "MX", "70000 mail"][..],
            1,
            "error: MX preference must be a number from 0 to 65535\n = cure: write a number from 0 to 65535 instead of \"70000\"\n",
        ),
        (
            &["set", "home.example", "TXT", "v=spf1 -all"],
            1,
            "error: a text with blanks must stand in quotes, or the blanks are lost\n = cure: write it as in: TXT \"some text\"\n",
        ),
        (
            &["add", "www.other.example", "A", "192.0.2.1"],
            1,
            "error: no zone holds www.other.example.\n = cure: `freehold zone list` shows all zones, `freehold zone add` makes a new one\n",
        ),
        (
            &["add", "@", "A", "192.0.2.1"],
            2,
            "error: @ is a zone's own name, but of which?\n = cure: add --zone ZONE\n",
        ),
        (
            &["list", "other.example"],
            1,
            "error: there is no zone other.example\n = cure: `freehold zone list`, or GET /v1/zones, shows all zones\n",
        ),
    ] {
        let said = home.run(&[&["record"], arguments].concat());
        assert_eq!(said, refused(code, expected), "{arguments:?}");
    }
    let alias = home.run(&["record", "add", "www.home.example", "CNAME", "ns"]);
    assert!(alias.code == 1 && alias.err.contains("CNAME") && alias.err.contains(" = cure: "), "{}", alias.err);
    for arguments in
        [&["record", "set", "www.home.example", "NONE", "x"][..], &["record", "set", "www.home.example", "A"]]
    {
        assert_eq!(home.run(arguments).code, 2, "{arguments:?}");
    }
    server.stop();
}

#[test]
fn a_zone_is_added_by_its_name_servers() {
    let home = Home::new();
    let server = home.serve_with(&["serve", "--listen", "127.0.0.1:0", "--data", "data"]);
    let run = |arguments: &[&str]| home.run(&[&["--data", "data"], arguments].concat());
    let servers = ["--name-server", "ns1.example.net", "ns2.example.net."];
    let added = run(&[&["zone", "add", "bücher.example"], &servers[..]].concat());
    assert!(added.out.starts_with("xn--bcher-kva.example: new, 3 records, serial 20"), "{added:?}");
    assert_eq!((added.code, added.err.as_str()), (0, ""));
    let again = run(&[&["zone", "add", "xn--bcher-kva.example"], &servers[..]].concat());
    let exists = "error: the zone xn--bcher-kva.example is there already\n = cure: change it, or choose another name\n";
    assert_eq!(again, refused(1, exists));
    assert_eq!(run(&["record", "add", "www.bücher.example", "A", "192.0.2.1"]).code, 0);
    assert_eq!(server.ask("www.xn--bcher-kva.example"), [[192, 0, 2, 1]]);
    server.stop();
}
