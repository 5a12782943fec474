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
    pub fn here() -> Self {
        // /proc/self belongs to the process's user; asking the kernel directly would be an unsafe call.
        let user = fs::metadata("/proc/self").map(|this| std::os::unix::fs::MetadataExt::uid(&this));
        Self::Here(user.map_or_else(|_| "unknown".into(), user_name))
    }

    /// The user with this number, over the Unix socket.
    pub(super) fn socket(user: u32) -> Self {
        Self::Socket(user_name(user))
    }

    /// The address at the other end, if there is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Here(_) | Self::Socket(_) => None,
            Self::Network { peer, .. } => Some(*peer),
        }
    }

    /// Where they are, in a word.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Here(_) => "here".to_owned(),
            Self::Socket(_) => "socket".to_owned(),
            Self::Network { peer, .. } => peer.to_canonical().to_string(),
        }
    }

    /// Whom the journal names for a change.
    pub fn actor(&self) -> Actor {
        let user = match self {
            Self::Here(user) | Self::Socket(user) => user.clone(),
            Self::Network { .. } => String::new(),
        };
        Actor::new(user, self.place())
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
