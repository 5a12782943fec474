//! What root does in somebody else's data directory stays that somebody's.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use crate::kit::Home;

const OWNER: u32 = 54_321;
const ZONE: &str = "@ 60 SOA ns h 1 3600 600 86400 300\n@ 60 NS ns\nns 60 A 192.0.2.53\n";

/// What below a directory belongs to anybody but [`OWNER`].
fn strangers(directory: &Path) -> Vec<String> {
    let mut strangers = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.uid() != OWNER || metadata.gid() != OWNER {
            strangers.push(path.display().to_string());
        }
        if metadata.is_dir() {
            strangers.extend(self::strangers(&path));
        }
    }
    strangers
}

#[test]
fn root_leaves_nothing_of_its_own_behind() {
    let home = Home::new();
    home.write("home.example.zone", ZONE);
    if fs::metadata(home.path("home.example.zone")).unwrap().uid() != 0 {
        eprintln!("skipped: only root can work in somebody else's directory");
        return;
    }
    fs::set_permissions(home.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    // A zone file that only root may read is read all the same.
    fs::set_permissions(home.path("home.example.zone"), fs::Permissions::from_mode(0o600)).unwrap();
    for name in ["data", "restored"] {
        fs::create_dir(home.path(name)).unwrap();
        chown(home.path(name), Some(OWNER), Some(OWNER)).unwrap();
    }
    let run = |arguments: &[&str]| {
        let said = home.run(&[&["--data", "data"], arguments].concat());
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    };
    run(&["zone", "import", "home.example.zone"]);
    assert!(home.path("data/journal").is_dir());
    assert_eq!(strangers(&home.path("data")), [""; 0]);
    run(&["record", "set", "www.home.example", "A", "192.0.2.1"]);
    run(&["backup", "all.backup"]);
    assert_eq!(home.run(&["restore", "all.backup", "--data", "restored"]).code, 0);
    home.serve_with(&["serve", "--data", "data", "--listen", "127.0.0.1:0"]).stop();
    assert!(home.path("data/cookie.secret").is_file());
    for name in ["data", "restored"] {
        assert_eq!(strangers(&home.path(name)), [""; 0]);
    }
}
