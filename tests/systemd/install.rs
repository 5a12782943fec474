//! `systemd/install` puts everything in place and takes all of it away again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory to install into.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Runs the script: whether it did well, and what it said.
    fn install(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/install"))
            .args(arguments)
            .arg("--root")
            .arg(self.0.path())
            .args(["--binary", env!("CARGO_BIN_EXE_freehold")])
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Everything below the root, directories with a slash behind.
    fn all(&self) -> Vec<String> {
        let mut waiting = vec![self.0.path().to_owned()];
        let mut all = Vec::new();
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let slash = if path.is_dir() { "/" } else { "" };
                all.push(format!("{}{slash}", path.strip_prefix(self.0.path()).unwrap().display()));
                if path.is_dir() {
                    waiting.push(path);
                }
            }
        }
        all.sort();
        all
    }
}

#[test]
fn what_it_puts_in_place_it_takes_away() {
    let root = Root::new();
    // What was there before is none of its business.
    fs::create_dir_all(root.path("usr/local/bin")).unwrap();
    fs::write(root.path("usr/local/bin/other"), "").unwrap();
    let before = root.all();
    let (well, said) = root.install(&[]);
    assert!(well, "{said}");
    for file in [
        "usr/local/bin/freehold",
        "usr/local/lib/systemd/system/freehold.service",
        "usr/local/lib/systemd/system/freehold-dns.socket",
        "usr/local/lib/systemd/system/freehold-dns-tls.socket",
        "usr/local/lib/systemd/system/freehold-dns-quic.socket",
        "usr/local/lib/systemd/system/freehold-http.socket",
        "usr/local/lib/systemd/system/freehold-https.socket",
        "usr/local/lib/systemd/system/freehold-http3.socket",
        "usr/local/lib/systemd/system/freehold-admin.socket",
        "usr/local/lib/systemd/system/freehold-backup.service",
        "usr/local/lib/systemd/system/freehold-backup.timer",
        "usr/local/lib/sysusers.d/freehold.conf",
        "usr/local/lib/tmpfiles.d/freehold.conf",
        "usr/local/share/doc/freehold/operations.md",
        "usr/local/share/man/man1/freehold.1",
        "usr/local/share/man/man1/freehold-zone-import.1",
        "usr/local/share/bash-completion/completions/freehold",
        "usr/local/share/zsh/site-functions/_freehold",
        "usr/local/share/fish/vendor_completions.d/freehold.fish",
        "etc/freehold/freehold.toml",
    ] {
        assert!(said.contains(&format!("/{file}\n")), "it says so: {file}\n{said}");
        let mode = fs::metadata(root.path(file)).unwrap_or_else(|fault| panic!("{file}: {fault}")).permissions().mode();
        assert_eq!(mode & 0o777, if file.ends_with("bin/freehold") { 0o755 } else { 0o644 }, "{file}");
    }
    assert!(said.contains("systemctl enable --now freehold "), "{said}");
    let completions = fs::read_to_string(root.path("usr/local/share/bash-completion/completions/freehold")).unwrap();
    assert!(completions.contains("\"freehold\" --"), "it calls what is on the PATH: {completions}");
    let (well, said) = root.install(&["uninstall"]);
    assert!(well && !said.contains("Kept"), "{said}");
    assert_eq!(root.all(), before);
}

#[test]
fn an_upgrade_keeps_settings_and_so_does_taking_it_away() {
    let root = Root::new();
    assert!(root.install(&[]).0);
    let installed = root.all();
    fs::write(root.path("etc/freehold/freehold.toml"), "# mine\n").unwrap();
    let (well, said) = root.install(&[]);
    assert!(well && said.contains("stays as it is"), "{said}");
    assert_eq!(root.all(), installed);
    fs::create_dir_all(root.path("var/lib/freehold")).unwrap();
    let (well, said) = root.install(&["uninstall"]);
    assert!(well && said.contains("freehold.toml (it was changed)") && said.contains("/var/lib/freehold\n"), "{said}");
    assert_eq!(
        root.all(),
        ["etc/", "etc/freehold/", "etc/freehold/freehold.toml", "var/", "var/lib/", "var/lib/freehold/"]
    );
    assert_eq!(fs::read_to_string(root.path("etc/freehold/freehold.toml")).unwrap(), "# mine\n");
}

#[test]
fn what_it_cannot_do_it_says_with_the_cure() {
    let root = Root::new();
    let (well, said) = root.install(&["uninstall"]);
    assert!(!well && said.contains("nothing is installed here") && said.contains(" = cure: "), "{said}");
    let (well, said) = root.install(&["--frobnicate"]);
    assert!(!well && said.contains("there is no \"--frobnicate\" here"), "{said}");
    assert_eq!(root.all(), [""; 0]);
}
