//! Reads files of one folder and nothing else on the machine.
//!
//! The kernel itself keeps every step of a path beneath the folder (`openat2(2)` with `RESOLVE_BENEATH`): `..`, absolute symbolic
//! links and those that lead outside fail there, also when somebody swaps a file for a link at the wrong moment. Kernels
//! before 5.6, and sandboxes that forbid the call, resolve the path first and compare: as good, but for that moment.
//!
//! The folder is opened anew for each file, so that a link that is switched from one release to the next is followed at once.

use std::ffi::OsStr;
use std::fs::{File as StdFile, Metadata, OpenOptions};
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use tokio::fs::File as TokioFile;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tokio::task::spawn_blocking;
use tower_http::services::fs::{Backend, File};

use crate::edge::failure::Failure;

/// The one name with a dot that is shown, at the top of the folder (RFC 8615).
const WELL_KNOWN: &str = ".well-known";
/// Entries of a folder that are listed.
const LISTED_MAX: usize = 10_000;

/// The files of one folder.
#[derive(Clone, Debug)]
pub(super) struct Beneath(Arc<Path>);

/// What there is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// Nothing, or nothing that is shown.
    Nothing,
}

/// An entry of a list.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Files stand behind folders.
    pub(super) is_file: bool,
    pub(super) name: String,
    pub(super) size: u64,
}

/// Whether a path in a folder is shown: no part of it begins with a dot.
pub(in crate::edge) fn is_shown(path: &Path) -> bool {
    let hidden = |name: &OsStr| name.as_encoded_bytes().starts_with(b".");
    let parts = path.components().enumerate();
    parts.into_iter().all(|(depth, part)| match part {
        Component::Normal(name) => !hidden(name) || (depth == 0 && name == WELL_KNOWN),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => false,
    })
}

fn is_missing(fault: &io::Error) -> bool {
    let kinds = [
        io::ErrorKind::NotFound,
        io::ErrorKind::NotADirectory,
        io::ErrorKind::InvalidFilename,
        io::ErrorKind::InvalidInput,
    ];
    kinds.contains(&fault.kind())
}

/// What a fault of the system is to whoever asked.
pub(super) fn failure(fault: &io::Error) -> Failure {
    if is_missing(fault) { Failure::FileMissing } else { Failure::FileUnreadable(fault.to_string()) }
}

impl Beneath {
    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.into())
    }

    /// What there is at a path.
    pub(super) async fn kind(&self, path: &Path) -> Result<Kind, Failure> {
        match self.clone().run(path, |beneath, path| beneath.open(path)?.metadata()).await {
            Ok(there) if there.is_file() => Ok(Kind::File),
            Ok(there) if there.is_dir() => Ok(Kind::Folder),
            Ok(_) => Ok(Kind::Nothing),
            Err(fault) if is_missing(&fault) => Ok(Kind::Nothing),
            Err(fault) => Err(failure(&fault)),
        }
    }

    /// What a folder holds, folders first, each in order of their names.
    pub(super) async fn list(&self, path: &Path) -> Result<Vec<Entry>, Failure> {
        let listed = self.clone().run(path, |beneath, path| {
            let folder = rustix::fs::Dir::read_from(beneath.open(path)?)?;
            let mut entries = Vec::new();
            for entry in folder.take(LISTED_MAX) {
                let name = entry?.file_name().to_string_lossy().into_owned();
                let inside = path.join(&name);
                if is_shown(&inside)
                    && let Ok(there) = beneath.open(&inside).and_then(|file| file.metadata())
                    && (there.is_file() || there.is_dir())
                {
                    entries.push(Entry { is_file: there.is_file(), name, size: there.len() });
                }
            }
            entries.sort();
            Ok(entries)
        });
        listed.await.map_err(|fault| failure(&fault))
    }

    /// Runs what may wait for the disk.
    async fn run<T: Send + 'static>(
        self,
        path: &Path,
        work: impl FnOnce(&Self, &Path) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let path = path.to_owned();
        spawn_blocking(move || work(&self, &path)).await.unwrap_or_else(|fault| Err(io::Error::other(fault)))
    }

    /// Opens what is at a path. A pipe or a device does not hold anybody up.
    fn open(&self, path: &Path) -> io::Result<StdFile> {
        if !is_shown(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let folder = OpenOptions::new().read(true).custom_flags(OFlags::DIRECTORY.bits() as i32).open(&self.0)?;
        let inside = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match openat2(&folder, inside, flags, Mode::empty(), resolve) {
            Ok(file) => Ok(OwnedFd::into(file)),
            // A path that leads outside is as good as none.
            Err(Errno::XDEV | Errno::LOOP) => Err(io::ErrorKind::NotFound.into()),
            Err(Errno::NOSYS | Errno::PERM) => self.open_resolved(path),
            Err(fault) => Err(fault.into()),
        }
    }

    fn open_resolved(&self, path: &Path) -> io::Result<StdFile> {
        let folder = self.0.canonicalize()?;
        let resolved = folder.join(path).canonicalize()?;
        if !resolved.starts_with(&folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(resolved)
    }

    fn open_file(&self, path: &Path) -> io::Result<(StdFile, Metadata)> {
        let file = self.open(path.strip_prefix(".").unwrap_or(path))?; // `ServeDir` puts it in front
        let metadata = file.metadata()?;
        if metadata.is_file() { Ok((file, metadata)) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

type Later<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

impl Backend for Beneath {
    type File = Opened;
    type Metadata = Metadata;
    type OpenFuture = Later<'static, Opened>;
    type MetadataFuture = Later<'static, Metadata>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let beneath = self.clone();
        Box::pin(async move {
            let (file, _) = beneath.run(&path, Self::open_file).await?;
            Ok(Opened(TokioFile::from_std(file)))
        })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let beneath = self.clone();
        Box::pin(async move { Ok(beneath.run(&path, Self::open_file).await?.1) })
    }
}

/// A file that is read.
#[derive(Debug)]
pub(super) struct Opened(TokioFile);

impl File for Opened {
    type Metadata = Metadata;
    type MetadataFuture<'a> = Later<'a, Metadata>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        Box::pin(self.0.metadata())
    }
}

impl AsyncRead for Opened {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncSeek for Opened {
    fn start_seek(mut self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.0).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.0).poll_complete(context)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with all that must not be shown, and what must.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("outside.txt"), "secret").unwrap();
        std::fs::create_dir_all(at("site/sub/.git")).unwrap();
        std::fs::create_dir_all(at("site/.well-known")).unwrap();
        for file in ["site/a.txt", "site/.env", "site/sub/.git/config", "site/.well-known/x"] {
            std::fs::write(at(file), file).unwrap();
        }
        symlink(at("outside.txt"), at("site/absolute")).unwrap();
        symlink("../outside.txt", at("site/relative")).unwrap();
        symlink("..", at("site/up")).unwrap();
        symlink("a.txt", at("site/inside")).unwrap();
        symlink("sub/../a.txt", at("site/winding")).unwrap();
        symlink("loop", at("site/loop")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("site/pipe"), rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .unwrap();
        folder
    }

    #[test]
    fn only_files_beneath_the_folder_are_opened_by_either_way() {
        let folder = folder();
        let beneath = Beneath::new(&folder.path().join("site"));
        let resolved = |path: &Path| -> io::Result<()> {
            let file = beneath.open_resolved(path)?;
            if file.metadata()?.is_file() && is_shown(path) {
                io::Result::Ok(())
            } else {
                Err(io::ErrorKind::NotFound.into())
            }
        };
        for name in ["a.txt", "inside", "winding", ".well-known/x"] {
            assert!(beneath.open_file(Path::new(name)).is_ok(), "{name}");
            assert!(resolved(Path::new(name)).is_ok(), "{name}");
        }
        for name in [
            "absolute",
            "relative",
            "up/outside.txt",
            "../outside.txt",
            "/etc/passwd",
            ".env",
            "sub/.git/config",
            "pipe",
            "sub",
            "",
            "loop",
            "none",
            "a.txt/x",
        ] {
            assert!(beneath.open_file(Path::new(name)).is_err(), "{name}");
            assert!(resolved(Path::new(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn a_link_that_is_switched_is_followed_at_once() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("next")).unwrap();
        std::fs::write(at("next/a.txt"), "next").unwrap();
        symlink("site", at("current")).unwrap();
        let beneath = Beneath::new(&at("current"));
        let size = || beneath.open_file(Path::new("a.txt")).unwrap().1.len();
        assert_eq!(size(), "site/a.txt".len() as u64);
        std::fs::remove_file(at("current")).unwrap();
        symlink("next", at("current")).unwrap();
        assert_eq!(size(), 4);
    }
}
