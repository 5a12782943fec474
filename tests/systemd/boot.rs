//! The whole life of an installed server on a machine with a real systemd: `boot` starts it in namespaces of its own, `machine` is
//! what is done there.

use std::path::Path;
use std::process::Command;

/// What `boot` says where it cannot.
const NOT_HERE: i32 = 77;

#[test]
fn installed_served_restarted_and_removed_by_a_real_systemd() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    // Copies: the machine there sees only the file system that `/` is on, and the folder.
    let binary = Path::new(env!("CARGO_BIN_EXE_freehold"));
    let all = [binary.to_owned(), project.join("systemd"), project.join("docs"), project.join("tests/systemd/machine")];
    assert!(Command::new("cp").arg("-r").args(all).arg(folder.path()).status().unwrap().success());
    let at = |name: &str| folder.path().join(name);
    let status = Command::new(project.join("tests/systemd/boot"))
        .args([folder.path(), &at("machine"), folder.path(), &at("freehold")])
        .env("FREEHOLD_BOOT_SECONDS", "300")
        .status()
        .unwrap();
    let told = |name| std::fs::read_to_string(at(name)).unwrap_or_default();
    if status.code() == Some(NOT_HERE) {
        return println!("skipped: no systemd can be booted here: {}", told("console"));
    }
    assert!(status.success() && told("said").ends_with("done\n"), "{}{}", told("said"), told("console"));
}
