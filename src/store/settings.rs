//! The store's part of the settings file.

use std::path::PathBuf;

use serde::Deserialize;

/// Where the data lies, and how much of what is kept. Sizes are in octets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The data directory. It is created with mode 0700 if it does not exist.
    pub directory: PathBuf,
    /// A new journal segment is started when the current one has grown to this size. One change never spans two.
    pub journal_segment_size: u64,
    /// How much journal is kept for history, undo and IXFR once a checkpoint covers it. 0 keeps none.
    pub history_size_max: u64,
    /// A checkpoint is written when the journal since the last one has grown to this size, or to the size of that
    /// checkpoint if that is more. It bounds the work of a start-up after sled was damaged.
    pub checkpoint_after_size: u64,
    /// The journal is folded into sled when it has grown by this much ...
    pub fold_after_size: u64,
    /// ... or this many seconds after the first change that is not in sled yet. It bounds the work of a start-up
    /// after a crash.
    pub fold_after_seconds: u64,
    /// How much sled may cache while it is being read or written. It is closed in between.
    pub sled_cache_size: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/var/lib/freehold"),
            journal_segment_size: 64 << 20,
            history_size_max: 256 << 20,
            checkpoint_after_size: 64 << 20,
            fold_after_size: 16 << 20,
            fold_after_seconds: 60,
            sled_cache_size: 16 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_the_default_and_what_is_unknown_is_refused() {
        let settings: Settings = toml::from_str("directory = '/srv/dns'\nhistory_size_max = 0").unwrap();
        let wanted = Settings { directory: "/srv/dns".into(), history_size_max: 0, ..Settings::default() };
        assert_eq!(settings, wanted);
        let fault = toml::from_str::<Settings>("directroy = '/srv/dns'").unwrap_err().to_string();
        assert!(fault.contains("directroy"), "{fault}");
    }
}
