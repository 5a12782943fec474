//! The Unix socket of the admin API: whoever is root, or the user that the server runs as, needs no token.
//!
//! The kernel says who connects (`SO_PEERCRED`), and the socket's mode says it a second time. A socket that systemd opened
//! has the mode and the group that its unit says, and that alone decides: whoever may open it is let in.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::super::caller::Caller;

/// What everybody else may do with a file, among the bits of its mode.
const MODE_OTHERS: u32 = 0o007;

/// The bound socket. Dropped, it takes its file away, unless somebody else has put it there.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    door: Door,
}

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// Root and this user: the socket is our own.
    Owner(u32),
    /// Whom the file's mode lets in: the socket was handed over.
    Mode,
}

impl Door {
    fn admits(self, user: u32) -> bool {
        match self {
            Self::Owner(owner) => user == 0 || user == owner,
            Self::Mode => true,
        }
    }
}

impl Socket {
    /// Binds. Whoever calls holds the data directory's lock: a file that lies in the way was left by a server that
    /// is gone. Must be called inside a runtime.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            Ok(()) | Err(_) => (),
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        let owner = fs::metadata(path)?.uid();
        Ok(Self { listener, path: path.to_owned(), door: Door::Owner(owner) })
    }

    /// Takes a socket that somebody else bound, such as systemd, and that stays when this goes. One that everybody may
    /// open is refused. Must be called inside a runtime.
    pub fn adopt(listener: net::UnixListener) -> io::Result<Self> {
        let path = listener.local_addr()?.as_pathname().map(Path::to_owned);
        let path = path.ok_or_else(|| io::Error::other("it has no path, so that nobody could be kept out"))?;
        if fs::metadata(&path)?.permissions().mode() & MODE_OTHERS != 0 {
            return Err(io::Error::other(format!("everybody may open {}", path.display())));
        }
        listener.set_nonblocking(true)?;
        Ok(Self { listener: UnixListener::from_std(listener)?, path, door: Door::Mode })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection, and who it is, if it is for them.
    pub(super) async fn accept(&self) -> io::Result<(UnixStream, Option<Caller>)> {
        let (stream, _) = self.listener.accept().await?;
        let user = stream.peer_cred().map_err(|_| io::ErrorKind::NotConnected)?.uid();
        if !self.door.admits(user) {
            tracing::warn!(user, "refused at the admin socket: neither root nor the server's user");
            return Ok((stream, None));
        }
        Ok((stream, Some(Caller::socket(user))))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.door != Door::Mode {
            // A file that stays behind is taken away by the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_file_is_private_and_goes_with_the_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.socket");
        fs::write(&path, "left by a server that is gone").unwrap();
        let socket = Socket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_that_was_handed_over_stays_and_is_not_for_everybody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.socket");
        let listener = net::UnixListener::bind(&path).unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o666);
        let fault = Socket::adopt(listener.try_clone().unwrap()).err().unwrap();
        assert!(fault.to_string().starts_with("everybody may open "), "{fault}");
        mode(0o660);
        let socket = Socket::adopt(listener).unwrap();
        assert_eq!(socket.path(), path);
        assert!(socket.door.admits(4_000_000_000), "the mode has let it in");
        assert!(Door::Owner(7).admits(7) && Door::Owner(7).admits(0) && !Door::Owner(7).admits(8));
        drop(socket);
        assert!(path.exists());
    }
}
