//! Lists of what is written as text (names, patterns, types, networks), as lists of strings for serde.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serializer, de};

/// For `#[serde(with)]`.
pub(super) fn serialize<T: Display, S: Serializer>(list: &Option<Vec<T>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter().flatten().map(ToString::to_string))
}

/// For `#[serde(with)]`.
pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let words = Vec::<String>::deserialize(deserializer)?;
    let read = |word: &String| word.parse().map_err(|fault| de::Error::custom(format!("{word}: {fault}")));
    words.iter().map(read).collect::<Result<_, _>>().map(Some)
}
