//! Who sends a request, as far as the way it came by tells: the kernel knows the user at the other end of a Unix socket,
//! of a network it knows nothing but an address.

use std::fs;
use std::net::IpAddr;

use crate::store::Actor;

/// Who sends a request. The listener says it of every connection, as axum's `ConnectInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The user that this very process runs as; no server runs.
    Here(String),
    /// A user of this machine, over the Unix socket, who was let in by it.
    Socket(String),
    /// Somebody over TCP, of whom only a token can say more.
    Network {
        /// The other end.
        peer: IpAddr,
        /// The address of this machine that was reached.
        local: IpAddr,
    },
}

impl Caller {
    /// The user that this process runs as.
    pub(super) fn here() -> Self {
        // /proc/self belongs to the process's user; asking the kernel directly would be an unsafe call.
        let user = fs::metadata("/proc/self").map(|this| std::os::unix::fs::MetadataExt::uid(&this));
        Self::Here(user.map_or_else(|_| "unknown".into(), user_name))
    }

    /// The user with this number, over the Unix socket.
    pub(super) fn socket(user: u32) -> Self {
        Self::Socket(user_name(user))
    }

    /// Whom the journal names for a change.
    pub(super) fn actor(&self) -> Actor {
        match self {
            Self::Here(user) => Actor::new(user.clone(), "here"),
            Self::Socket(user) => Actor::new(user.clone(), "socket"),
            Self::Network { peer, .. } => Actor::new("", peer.to_string()),
        }
    }
}

/// The name of a user in `/etc/passwd`; users from elsewhere (LDAP) are named by their number.
fn user_name(user: u32) -> String {
    let number = user.to_string();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    name.unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_or_numbers() {
        assert_eq!(Caller::socket(0), Caller::Socket("root".into()));
        assert_eq!(Caller::socket(4_000_000_000).actor(), Actor::new("4000000000", "socket"));
    }
}
