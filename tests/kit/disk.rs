//! A small disk that can be filled: a tmpfs of a few megabytes, which needs root. Without root the tests fail and say
//! so, unless `FREEHOLD_SKIP_DISK_TESTS=1` allows to go without.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small disk, mounted while this lives.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    pub(crate) fn mount() -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let disk = Self(place);
        if mount(&["-t", "tmpfs", "-o", "size=6m", "tmpfs"], disk.0.path()) {
            return Some(disk);
        }
        let allowed = std::env::var("FREEHOLD_SKIP_DISK_TESTS").is_ok_and(|value| value == "1");
        assert!(allowed, "cannot mount a small disk: run as root, or set FREEHOLD_SKIP_DISK_TESTS=1 to go without");
        None
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where a store may lie on it.
    pub(crate) fn directory(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Leaves no room at all.
    pub(crate) fn fill(&self) {
        let mut size = 1 << 20;
        let mut filler = fs::File::create(self.0.path().join("filler")).unwrap();
        while size > 0 {
            if std::io::Write::write_all(&mut filler, &vec![1; size]).is_err() {
                size /= 2;
            }
        }
    }

    /// Leaves some room.
    pub(crate) fn fill_but(&self, room: usize) {
        fs::write(self.0.path().join("filler"), vec![1; (6 << 20) - room]).unwrap();
    }

    /// Takes away what filled it.
    pub(crate) fn make_room(&self) {
        fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Whether the system mounts something here.
pub(crate) fn mount(options: &[&str], path: &Path) -> bool {
    Command::new("mount").args(options).arg(path).status().is_ok_and(|status| status.success())
}
