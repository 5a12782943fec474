//! Zones come, are shown, change and go: through a running server, and without one, with the same words.

use crate::kit::{Home, Said};

const ONE: &str = "\
$TTL 300
@    SOA ns hostmaster 5 3600 600 86400 300
     NS  ns
ns   A   192.0.2.53
www  A   192.0.2.1
";

fn out(text: &str) -> Said {
    Said { code: 0, out: text.into(), err: String::new() }
}

/// The life of a zone, in words that do not depend on who holds the store.
fn life_of_a_zone(home: &Home) {
    home.write("home.example.zone", ONE);
    let file = "home.example.zone";
    assert_eq!(
        home.run(&["zone", "import", "--dry-run", file]),
        out("home.example: would be new, 4 records, serial 5\n")
    );
    assert_eq!(home.run(&["zone", "import", file]), out("home.example: new, 4 records, serial 5\n"));
    assert_eq!(home.run(&["zone", "import", file]), out("home.example: nothing changed\n"));
    let list = "ZONE          NAMES  RECORDS  SERIAL\nhome.example      3        4       5\n";
    assert_eq!(home.run(&["zone", "list"]), out(list));

    home.write(file, &ONE.replace("192.0.2.1\n", "192.0.2.2\nmail A 192.0.2.3\n"));
    let expected = Said {
        code: 0,
        out: "-home.example. 300 IN SOA ns.home.example. hostmaster.home.example. 5 3600 600 86400 300\n\
              +home.example. 300 IN SOA ns.home.example. hostmaster.home.example. 6 3600 600 86400 300\n\
              +mail.home.example. 300 IN A 192.0.2.3\n\
              -www.home.example. 300 IN A 192.0.2.1\n\
              +www.home.example. 300 IN A 192.0.2.2\n"
            .into(),
        err: "home.example: would have 1 added, 1 changed, 0 removed, serial 5 -> 6\n".into(),
    };
    assert_eq!(home.run(&["zone", "diff", file]), expected);
    assert_eq!(
        home.run(&["zone", "import", file]),
        out("home.example: 1 added, 1 changed, 0 removed, serial 5 -> 6\n")
    );

    let exported = home.run(&["zone", "export", "home.example"]);
    assert_eq!((exported.code, exported.err.as_str()), (0, ""));
    assert_eq!(home.run(&["zone", "export", "Home.Example.", "out.zone"]), out(""));
    assert_eq!(home.read("out.zone"), exported.out);
    assert_eq!(home.run_with(&["zone", "import", "-"], &exported.out), out("home.example: nothing changed\n"));

    let unsure = home.run(&["zone", "delete", "home.example"]);
    assert_eq!(unsure.code, 2);
    assert!(unsure.err.ends_with(" = cure: add --yes if you mean it\n"), "{}", unsure.err);
    let dry = home.run(&["zone", "delete", "home.example", "--dry-run"]);
    assert_eq!(dry, out("home.example: would be deleted, 5 records\n"));
    assert_eq!(home.run(&["zone", "delete", "home.example", "--yes"]), out("home.example: deleted, 5 records\n"));
    let gone =
        "error: there is no zone home.example\n = cure: `freehold zone list`, or GET /v1/zones, shows all zones\n";
    assert_eq!(home.run(&["zone", "export", "home.example"]), Said { code: 1, out: String::new(), err: gone.into() });
}

#[test]
fn without_a_server() {
    life_of_a_zone(&Home::new());
}

#[test]
fn with_a_server() {
    let home = Home::new();
    let server = home.serve();
    life_of_a_zone(&home);
    server.stop();
}

#[test]
fn an_import_is_answered_by_dns_at_once() {
    let home = Home::new();
    let server = home.serve();
    home.write("home.example.zone", ONE);
    home.run(&["zone", "import", "home.example.zone"]);
    assert_eq!(server.ask("www.home.example"), [[192, 0, 2, 1]]);
    home.write("home.example.zone", &ONE.replace("192.0.2.1\n", "192.0.2.2\n"));
    home.run(&["zone", "import", "home.example.zone"]);
    assert_eq!(server.ask("www.home.example"), [[192, 0, 2, 2]]);
    server.stop();
}

#[test]
fn a_zone_with_faults_changes_nothing() {
    let home = Home::new();
    home.write("home.example.zone", ONE);
    home.run(&["zone", "import", "home.example.zone"]);
    home.write("home.example.zone", &ONE.replace("192.0.2.1\n", "192.0.2.256\n"));
    let checked = home.run(&["zone", "check", "home.example.zone"]);
    let imported = home.run(&["zone", "import", "home.example.zone"]);
    assert_eq!(imported, Said { code: 1, out: String::new(), err: checked.out });
    assert!(home.run(&["zone", "export", "home.example"]).out.contains("192.0.2.1"));
}

#[test]
fn files_that_are_included_come_along() {
    let home = Home::new();
    home.write("zones/home.example.zone", &format!("{ONE}$INCLUDE parts/more\n"))
        .write("zones/parts/more", "a A 192.0.2.9\n");
    let server = home.serve_with(&["serve", "--listen", "127.0.0.1:0", "--data", "data"]);
    home.run(&["--data", "data", "zone", "delete", "home.example", "--yes"]);
    let said = home.run(&["--data", "data", "zone", "import", "zones/home.example.zone"]);
    assert_eq!(said, out("home.example: new, 5 records, serial 5\n"));
    assert_eq!(server.ask("a.home.example"), [[192, 0, 2, 9]]);
    server.stop();
}

#[test]
fn a_backup_is_taken_while_it_serves_and_restored_elsewhere() {
    let home = Home::new();
    home.write("zones/home.example.zone", ONE);
    let server = home.serve();
    assert_eq!(home.run(&["backup", "all.backup"]), out(""));
    let running = home.run(&["restore", "all.backup"]);
    assert_eq!(running.code, 1);
    assert!(running.err.contains("a server runs on"), "{}", running.err);
    server.stop();
    let restored = home.run(&["restore", "all.backup", "--data", "elsewhere"]);
    assert_eq!(restored.code, 0, "{}", restored.err);
    let export = |data: &str| home.run(&["--data", data, "zone", "export", "home.example"]);
    assert_eq!(export("elsewhere"), export("freehold-data"));
    assert_eq!(home.run(&["restore", "all.backup", "--data", "elsewhere"]).code, 1);
}

#[test]
fn there_is_nothing_to_list_where_there_is_no_data() {
    let expected = "\
error: no server runs, and there is no data directory ./freehold-data
 = cure: start `freehold serve`, or say --data DIRECTORY
";
    assert_eq!(Home::new().run(&["zone", "list"]), Said { code: 1, out: String::new(), err: expected.into() });
}
