//! Which coding a client would like best (RFC 9110, section 12.5.3), of those we know.

use hyper::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

/// Members of the list that are looked at.
const MEMBERS_MAX: usize = 32;

/// A coding of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::edge) enum Coding {
    /// RFC 8878.
    Zstd,
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// All of them: what costs least for what it saves comes first.
    pub(in crate::edge) const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// Its name in `Content-Encoding`.
    pub(in crate::edge) fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        })
    }

    fn of(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("zstd") {
            Some(Self::Zstd)
        } else if is("br") {
            Some(Self::Brotli)
        } else if is("gzip") || is("x-gzip") {
            Some(Self::Gzip)
        } else {
            None
        }
    }

    /// The coding to answer with; none if the content is best left as it is.
    pub(in crate::edge) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let members = lists.flat_map(|list| list.split(',')).take(MEMBERS_MAX);
        let (mut told, mut others, mut identity) = ([None; 3], 0, None);
        for member in members {
            let (name, parameters) = member.split_once(';').unwrap_or((member, ""));
            let Some(quality) = quality(parameters) else { continue };
            match (name.trim(), Self::of(name.trim())) {
                (_, Some(coding)) => told[coding as usize] = Some(quality),
                ("*", None) => others = quality,
                (name, None) if name.eq_ignore_ascii_case("identity") => identity = Some(quality),
                (_, None) => (),
            }
        }
        let of = |coding: &Self| told[*coding as usize].unwrap_or(others);
        let best = Self::ALL.into_iter().rev().max_by_key(of).filter(|best| of(best) > 0);
        best.filter(|best| identity.is_none_or(|identity| of(best) >= identity))
    }
}

/// Thousandths, from what stands behind a name; none if it is nothing of the kind.
fn quality(parameters: &str) -> Option<u16> {
    let text = parameters.trim();
    if text.is_empty() {
        return Some(1_000);
    }
    let (name, value) = text.split_once('=')?;
    let (whole, part) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if !name.trim().eq_ignore_ascii_case("q") || part.len() > 3 || !part.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{part:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_that_both_know_is_chosen() {
        for (accept, wanted) in [
            ("", None),
            ("gzip", Some(Coding::Gzip)),
            ("GZip", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("deflate", None),
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip, deflate, br", Some(Coding::Brotli)),
            ("br;q=0.5, gzip", Some(Coding::Gzip)),
            ("gzip;q=1.0, zstd; q=0.999", Some(Coding::Gzip)),
            ("gzip ; Q=0.5 , br;q=0.50", Some(Coding::Brotli)),
            ("zstd;q=0, br;q=0, gzip;q=0.001", Some(Coding::Gzip)),
            ("gzip;q=0", None),
            ("*", Some(Coding::Zstd)),
            ("*, zstd;q=0", Some(Coding::Brotli)),
            ("*;q=0", None),
            ("gzip, *;q=0", Some(Coding::Gzip)),
            ("identity", None),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip;q=0.5", Some(Coding::Gzip)),
            ("identity;q=0, gzip", Some(Coding::Gzip)),
            ("identity;q=0", None),
            ("gzip;q=2", None),
            ("gzip;q=1.001", None),
            ("gzip;q=0.1234", None),
            ("gzip;q=-1", None),
            ("gzip;level=9", None),
            ("gzip;q=", None),
            (",,gzip,,", Some(Coding::Gzip)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(Coding::wanted(&headers), wanted, "{accept:?}");
        }
        assert_eq!(Coding::wanted(&HeaderMap::new()), None);
    }

    #[test]
    fn two_lists_are_one_and_a_long_one_has_an_end() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("gzip;q=0.1"));
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("br"));
        assert_eq!(Coding::wanted(&headers), Some(Coding::Brotli));
        let long = "x,".repeat(MEMBERS_MAX) + "gzip";
        headers.clear();
        headers.insert(ACCEPT_ENCODING, HeaderValue::try_from(long).unwrap());
        assert_eq!(Coding::wanted(&headers), None);
    }
}
