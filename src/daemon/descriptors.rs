//! As many file descriptors as the system allows: the usual 1,024 are fewer than the TCP connections that the settings
//! promise. The process may raise its soft limit to its hard one without any right.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Where that fails, the server runs with what it has, and the log says so.
pub(super) fn allow_many() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(fault) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%fault, limit = current, "the limit of open files stays as it is; it bounds the TCP connections");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let lower = current.map(|limit| limit - 1);
        setrlimit(Resource::Nofile, Rlimit { current: lower, maximum }).unwrap();
        allow_many();
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
    }
}
