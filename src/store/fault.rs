//! What can go wrong in the store, as the person in front of it should hear it: what, where, and the cure.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::snapshot::ItemKey;
use crate::limits::CHANGES_AT_ONCE_MAX;
use crate::wire::{Kind, Name};
use crate::zone::Fault;

/// Why the store cannot be opened (or a backup not be restored). One line each, with the cure.
#[derive(Debug)]
pub enum OpenFault {
    /// A file or directory cannot be created, read or written.
    Io {
        /// What was tried, such as `read`.
        deed: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another process serves this directory.
    Locked {
        /// The data directory.
        directory: PathBuf,
        /// The number of that process, or `unknown`.
        process: String,
    },
    /// A file is damaged, or missing, and cannot be rebuilt from what else is there.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where in it.
        reason: String,
        /// What to do.
        cure: String,
    },
    /// A newer Freehold wrote this.
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        version: u32,
    },
    /// A backup is only ever restored into a directory that holds no data.
    NotEmpty {
        /// The directory.
        directory: PathBuf,
    },
}

impl OpenFault {
    pub(super) fn io(deed: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { deed, path: path.to_owned(), error }
    }

    pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        let cure = "restore the newest backup into an empty directory with `freehold restore`".to_owned();
        Self::Damaged { path: path.to_owned(), reason: reason.into(), cure }
    }
}

impl fmt::Display for OpenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { deed, path, error } => {
                write!(f, "cannot {deed} {}: {}: {}", path.display(), plain(error), cure(error))
            }
            Self::Locked { directory, process } => write!(
                f,
                "{} is in use by process {process}: stop that process or use another data directory",
                directory.display()
            ),
            Self::Damaged { path, reason, cure } => write!(f, "{} is damaged: {reason}: {cure}", path.display()),
            Self::Newer { path, version } => write!(
                f,
                "{} was written by a newer Freehold (format {version}): run that version or newer",
                path.display()
            ),
            Self::NotEmpty { directory } => {
                write!(f, "{} already holds data: restore into an empty directory", directory.display())
            }
        }
    }
}

impl std::error::Error for OpenFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::Locked { .. } | Self::Damaged { .. } | Self::Newer { .. } | Self::NotEmpty { .. } => None,
        }
    }
}

/// What the system says, without its ` (os error 28)`.
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

/// What helps against the errors that people meet.
const CURES: [(io::ErrorKind, &str); 7] = [
    (io::ErrorKind::PermissionDenied, "give it to the user that runs Freehold"),
    (io::ErrorKind::ReadOnlyFilesystem, "mount it writable or use another data directory"),
    (io::ErrorKind::StorageFull, "make room on that disk"),
    (io::ErrorKind::QuotaExceeded, "make room or raise the quota"),
    (io::ErrorKind::NotFound, "check the path"),
    (io::ErrorKind::NotADirectory, "use a path that is a directory"),
    (io::ErrorKind::AlreadyExists, "use a path that is a directory"),
];

fn cure(error: &io::Error) -> &'static str {
    let known = CURES.iter().find(|(kind, _)| *kind == error.kind());
    known.map_or("check the disk and the path", |(_, cure)| cure)
}

/// Why a change was not made. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no zone of this name.
    NoSuchZone(Name),
    /// The zone would not be sound.
    Unsound(Vec<Fault>),
    /// There is no such item.
    NoSuchItem(ItemKey),
    /// The item cannot be kept: why.
    Unfit {
        /// Where it would lie.
        key: ItemKey,
        /// What is wrong with it.
        reason: String,
    },
    /// So many changes are too many for one.
    TooMany(usize),
    /// What is there is not what the change was made for; `current` is the tag of what is there, if anything is.
    Stale {
        /// The tag, in the words of whoever decided.
        current: Option<String>,
    },
    /// What shall be new is there already: what it is.
    Present(String),
    /// What shall change is not there: what is missing, and what is there instead.
    Absent(String),
    /// The change could not be made durable, and why, with the cure.
    NotSaved(String),
    /// A set that was to be put back has been changed again.
    ChangedSince {
        /// Its owner.
        name: Name,
        /// Its type.
        kind: Kind,
    },
    /// An item that was to be put back has been changed again.
    ItemChangedSince(ItemKey),
    /// The set belongs to a route.
    Owned {
        /// Its owner name.
        name: Name,
        /// Its type.
        kind: Kind,
        /// The route.
        route: String,
    },
    /// What would belong to a route is there already, by hand.
    Taken {
        /// Its owner name.
        name: Name,
        /// Its type.
        kind: Kind,
        /// The route.
        route: String,
    },
    /// Connections to a host would be passed on unopened by one route, and opened for another.
    NotAlone {
        /// The host.
        host: String,
        /// The other route.
        route: String,
    },
    /// A route would lead back to this server.
    LeadsBack(crate::route::Fault),
    /// The zone was changed while the change was being prepared.
    Overtaken,
    /// The store is closing.
    Closed,
}

impl Refused {
    pub(super) fn not_saved(error: &io::Error) -> Self {
        let known = REFUSALS.iter().find(|(kind, _)| *kind == error.kind());
        Self::NotSaved(match known {
            Some((_, reason)) => format!("{reason} and try again"),
            None => format!("the disk does not take it: {}: check the disk and try again", plain(error)),
        })
    }
}

/// Why a disk takes nothing, in the cases that people meet, and the cure.
const REFUSALS: [(io::ErrorKind, &str); 3] = [
    (io::ErrorKind::StorageFull, "the disk is full: make room"),
    (io::ErrorKind::QuotaExceeded, "the disk quota is used up: make room or raise the quota"),
    (io::ErrorKind::ReadOnlyFilesystem, "the disk is read-only: mount it writable"),
];

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchZone(name) => write!(f, "there is no zone {name}: check the name"),
            Self::Unsound(faults) => {
                for (at, fault) in faults.iter().enumerate() {
                    write!(f, "{}{fault}", if at == 0 { "" } else { "\n" })?;
                }
                Ok(())
            }
            Self::NoSuchItem(key) => write!(f, "there is no {key}: check the name"),
            Self::Unfit { key, reason } => write!(f, "the {key} cannot be kept: {reason}: make it smaller"),
            Self::TooMany(count) => {
                write!(f, "{count} changes are too many for one: make at most {CHANGES_AT_ONCE_MAX} at once")
            }
            Self::Stale { .. } => f.write_str("somebody else has changed it: read it again, then decide"),
            Self::Present(what) => write!(f, "{what} is there already: change it, or choose another name"),
            Self::Absent(what) => write!(f, "{what}: look at what is there"),
            Self::NotSaved(reason) => f.write_str(reason),
            Self::ChangedSince { name, kind } => {
                write!(f, "{name} {kind} was changed again since: undo that change first")
            }
            Self::ItemChangedSince(key) => write!(f, "the {key} was changed again since: undo that change first"),
            Self::Owned { name, kind: kind @ (Kind::HTTPS | Kind::CAA), route } => write!(
                f,
                "the {kind} records of {} belong to the route {route} and follow the edge: \
                 put others in their place with `freehold record set`, or delete the route with `freehold route delete {}`",
                bare(name),
                shell(route)
            ),
            Self::Owned { name, kind, route } => write!(
                f,
                "the addresses of {} belong to the route {route}, so there can be no {kind} by hand: \
                 delete the route with `freehold route delete {}`, or choose another name",
                bare(name),
                shell(route)
            ),
            Self::Taken { name, kind, route } => write!(
                f,
                "{} has {kind} records by hand, and the addresses of the route {route} would stand there: \
                 delete them with `freehold record delete`, or choose another name for the route",
                bare(name)
            ),
            Self::NotAlone { host, route } => write!(
                f,
                "connections to {host} cannot be passed on unopened (tls://) by one route and opened for another: \
                 delete the other with `freehold route delete {}`, or choose another host",
                shell(route)
            ),
            Self::LeadsBack(fault) => write!(f, "{}: {}", fault.message, fault.cure),
            Self::Overtaken => f.write_str("the zone was changed at the same moment: try again"),
            Self::Closed => f.write_str("the store is closing: try again when the server runs"),
        }
    }
}

/// A word as a shell takes it: a star would be spread.
fn shell(word: &str) -> String {
    if word.contains('*') { format!("'{word}'") } else { word.to_owned() }
}

/// A name without the dot at its end.
fn bare(name: &Name) -> String {
    name.to_string().trim_end_matches('.').to_owned()
}

impl std::error::Error for Refused {}
