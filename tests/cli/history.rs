//! Who changed what, and taking it back: through a running server and without one, with the same words.

use crate::kit::{Home, Said};

const ONE: &str = "\
$TTL 300
@    SOA ns hostmaster 5 3600 600 86400 300
     NS  ns
ns   A   192.0.2.53
www  A   192.0.2.1
";
const FILE: &str = "home.example.zone";

/// Output with every moment as `TIME` and the user as `USER`.
fn masked(said: Said) -> Said {
    let mask = |text: &str| {
        let mut masked = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("20").filter(|_| rest.len() >= 19) {
            let moment = rest.get(at..at + 19).filter(|moment| is_moment(moment));
            let size = if moment.is_some() { 19 } else { 2 };
            masked += &rest[..at];
            masked += moment.map_or("20", |_| "TIME");
            rest = &rest[at + size..];
        }
        let user = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
        (masked + rest).replace(&format!("cli:{}", user.trim()), "USER")
    };
    Said { code: said.code, out: mask(&said.out), err: mask(&said.err) }
}

fn is_moment(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00 00:00:00" || shape == "0000-00-00T00:00:00"
}

fn said(out: &str, err: &str) -> Said {
    Said { code: 0, out: out.into(), err: err.into() }
}

fn import(home: &Home, text: &str) {
    home.write(FILE, text);
    assert_eq!(home.run(&["zone", "import", FILE]).code, 0);
}

/// A slip of the hand, seen and taken back.
fn a_slip(home: &Home) {
    let run = |arguments: &[&str]| masked(home.run(arguments));
    import(home, ONE);
    import(home, &ONE.replace("192.0.2.1\n", "192.0.2.2\nmail A 192.0.2.3\n"));
    let history = "\
REVISION  TIME (UTC)           WHO       CHANGE
       2  TIME  USER  +1 ~1 -0  mail A +192.0.2.3, 1 more
       1  TIME  USER  new, 4 records
";
    let spaced = |said: Said| {
        let out = said.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n");
        Said { out: out.collect(), ..said }
    };
    let history = spaced(said(history, ""));
    assert_eq!(spaced(run(&["zone", "history", "home.example"])), history);
    let shown = run(&["zone", "history", "home.example", "2"]);
    let expected = said(
        "-home.example. 300 IN SOA ns.home.example. hostmaster.home.example. 5 3600 600 86400 300\n\
         +home.example. 300 IN SOA ns.home.example. hostmaster.home.example. 6 3600 600 86400 300\n\
         +mail.home.example. 300 IN A 192.0.2.3\n\
         -www.home.example. 300 IN A 192.0.2.1\n\
         +www.home.example. 300 IN A 192.0.2.2\n",
        "home.example: revision 2, TIME UTC, USER: 1 added, 1 changed, 0 removed\n",
    );
    assert_eq!(shown, expected);
    let tried = run(&["zone", "undo", "home.example", "--dry-run"]);
    let expected = said(
        "-home.example. 300 IN SOA ns.home.example. hostmaster.home.example. 6 3600 600 86400 300\n\
         +home.example. 300 IN SOA ns.home.example. hostmaster.home.example. 7 3600 600 86400 300\n\
         -mail.home.example. 300 IN A 192.0.2.3\n\
         -www.home.example. 300 IN A 192.0.2.2\n\
         +www.home.example. 300 IN A 192.0.2.1\n",
        "home.example: would have 0 added, 1 changed, 1 removed, serial 6 -> 7\n",
    );
    assert_eq!(tried, expected);
    assert_eq!(spaced(run(&["zone", "history", "home.example"])), history, "a dry run leaves no trace");
    let undone = "home.example: 0 added, 1 changed, 1 removed, serial 6 -> 7; revision 2 is taken back\n";
    assert_eq!(run(&["zone", "undo", "home.example"]), said(undone, ""));
    let refused = "error: A mail.home.example was changed again since, by revision 3\n \
                   = cure: undo revision 3 first, or set the record as it shall be\n";
    let expected = Said { code: 1, out: String::new(), err: refused.into() };
    assert_eq!(run(&["zone", "undo", "home.example", "2"]), expected);
}

/// A zone that is deleted, and comes back.
fn a_lost_zone(home: &Home) {
    let run = |arguments: &[&str]| masked(home.run(arguments));
    home.run(&["zone", "delete", "home.example", "--yes"]);
    let undone = "home.example: new, 4 records, serial 8; revision 4 is taken back\n";
    assert_eq!(run(&["zone", "undo", "home.example"]), said(undone, ""));
    let log = run(&["log", "--limit", "2"]);
    let words: Vec<Vec<&str>> = log.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        words,
        [
            vec!["REVISION", "TIME", "(UTC)", "WHO", "ZONE", "CHANGE"],
            vec!["5", "TIME", "USER", "home.example", "new,", "4", "records"],
            vec!["4", "TIME", "USER", "home.example", "deleted,", "4", "records"],
        ]
    );
    assert_eq!(log.err, "there is more: add --before 4\n");
    let older = run(&["log", "--before", "2", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&older.out).unwrap();
    assert_eq!((&json["changes"][0]["time"], &json["changes"][0]["revision"]), (&"TIMEZ".into(), &1.into()));
    assert_eq!((json["changes"].as_array().unwrap().len(), &json["next"]), (1, &serde_json::Value::Null));
}

#[test]
fn without_a_server() {
    let home = Home::new();
    a_slip(&home);
    a_lost_zone(&home);
}

#[test]
fn with_a_server() {
    let home = Home::new();
    let server = home.serve();
    a_slip(&home);
    assert_eq!(server.ask("www.home.example"), [[192, 0, 2, 1]]);
    server.stop();
    let server = home.serve(); // the history is as lasting as the zones
    a_lost_zone(&home);
    assert_eq!(server.ask("www.home.example"), [[192, 0, 2, 1]]);
    server.stop();
}

#[test]
fn a_table_of_the_past_lines_up() {
    let home = Home::new();
    import(&home, ONE);
    let out = home.run(&["zone", "history", "home.example"]).out;
    let columns: Vec<_> = out.lines().map(|line| line.find("new").or(line.find("CHANGE")).unwrap()).collect();
    assert_eq!(columns[0], columns[1], "{out}");
}

#[test]
fn what_is_not_known_is_said() {
    let home = Home::new();
    import(&home, ONE);
    let failed = |arguments: &[&str]| {
        let said = home.run(arguments);
        (said.code, said.err.lines().next().unwrap_or_default().to_owned())
    };
    let fault = |text: &str| (1, format!("error: {text}"));
    assert_eq!(failed(&["zone", "history", "none.example"]), fault("there is no zone none.example"));
    assert_eq!(failed(&["zone", "undo", "none.example"]), fault("there is no zone none.example"));
    let beyond = fault("there is no revision 2 yet: the newest is 1");
    assert_eq!(failed(&["zone", "undo", "home.example", "2"]), beyond);
    assert_eq!(failed(&["zone", "history", "home.example", "2"]), beyond);
    assert_eq!(home.run(&["log", "--limit", "0"]).code, 2);
    assert_eq!(home.run(&["zone", "history", "home.example", "1", "--limit", "3"]).code, 2);
    home.run(&["backup", "all.backup"]);
    home.run(&["restore", "all.backup", "--data", "elsewhere"]);
    let restored = home.run(&["--data", "elsewhere", "log"]);
    assert_eq!(restored, said("", "the history begins with revision 2; what was before is not kept\n"));
}
