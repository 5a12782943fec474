//! A zone file on the disk, read and checked: the one way for check, import, diff and the first start of
//! development mode.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::arguments::ZoneFiles;
use super::stop::{Exit, Stop};
use super::terminal::Progress;
use crate::api::Checked;
use crate::wire::Name;
use crate::zone::text::{self, Reading};

/// A zone file, read and checked.
pub(super) struct ZoneText {
    /// The zone or its faults.
    pub(super) checked: Checked,
    /// The whole zone as one text, if the file includes no other.
    pub(super) whole: Option<Arc<[u8]>>,
}

/// As [`read`], where nobody needs the text afterwards: it leaves the memory before the zone is built, and is read
/// again where there are faults to show.
pub(super) fn check(path: &Path, origin: Option<Name>, progress: &Progress) -> Result<Checked, Stop> {
    let (mut reading, text) = read_text(path, origin, progress)?;
    drop(text);
    let again = path != Path::new("-") && reading.faults.is_empty();
    if again {
        reading.files.iter_mut().for_each(|file| file.text = Arc::new([]));
    }
    let mut checked = Checked::of(reading);
    progress.clear();
    if again && !checked.faults.is_empty() {
        for file in &mut checked.files {
            let path = Path::new(&*file.label);
            file.text = fs::read(path).map_err(|fault| Stop::file("read", path, &fault))?.into();
        }
    }
    Ok(checked)
}

/// Reads a file, or standard input for `-`, and all that it includes. The zone's name comes from `origin`, from the
/// text, or from the file's name, in this order.
pub(super) fn read(path: &Path, origin: Option<Name>, progress: &Progress) -> Result<ZoneText, Stop> {
    let (reading, text) = read_text(path, origin, progress)?;
    let whole = (reading.files.len() == 1).then_some(text);
    let checked = Checked::of(reading);
    progress.clear();
    Ok(ZoneText { checked, whole })
}

fn read_text(path: &Path, origin: Option<Name>, progress: &Progress) -> Result<(Reading, Arc<[u8]>), Stop> {
    let text: Arc<[u8]> = if path == Path::new("-") {
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text).map_err(|fault| Stop::file("read", path, &fault))?;
        text.into()
    } else {
        fs::read(path).map_err(|fault| Stop::file("read", path, &fault))?.into()
    };
    let origin = origin.or_else(|| origin_of(path, &text));
    let label = path.to_string_lossy();
    progress.begin(format!("reading {label}"), text.len());
    let reading = text::read(Arc::clone(&text), &label, origin, &mut include, &mut |octets| progress.at(octets));
    progress.begin(format!("checking {label}"), 0);
    Ok((reading, text))
}

/// The files that are meant: a directory stands for every file in it that ends in `.zone`, in order.
pub(super) fn expand(files: &ZoneFiles) -> Result<Vec<PathBuf>, Stop> {
    let mut paths = Vec::new();
    for path in &files.files {
        match path.is_dir() {
            true => paths.extend(zone_files_of(path)?),
            false => paths.push(path.clone()),
        }
    }
    if let (Some(_), 2..) = (&files.origin, paths.len()) {
        let message = format!("--origin names one zone, and there are {} files", paths.len());
        return Err(Stop::new(Exit::Usage, message, "give one file, or leave --origin out"));
    }
    Ok(paths)
}

fn zone_files_of(directory: &Path) -> Result<Vec<PathBuf>, Stop> {
    let unreadable = |fault: io::Error| Stop::file("read", directory, &fault);
    let entries = fs::read_dir(directory).map_err(unreadable)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>().map_err(unreadable)?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "zone") && path.is_file());
    paths.sort();
    if paths.is_empty() {
        let message = format!("no file in {} ends in .zone", directory.display());
        return Err(Stop::failed(message, "name the files, or rename them"));
    }
    Ok(paths)
}

/// A file that another includes; a relative path starts at the file that names it, not where the command runs.
fn include(path: &str, including: &str) -> io::Result<(String, Arc<[u8]>)> {
    let path = Path::new(including).parent().map_or_else(|| PathBuf::from(path), |parent| parent.join(path));
    let text = fs::read(&path)?;
    Ok((path.to_string_lossy().into_owned(), text.into()))
}

/// `home.example` for the file `home.example.zone`, unless the text itself begins with a name: an `$ORIGIN`, or a
/// record whose owner is absolute.
fn origin_of(path: &Path, text: &[u8]) -> Option<Name> {
    let first = text
        .split(|&octet| octet == b'\n')
        .map(|line| line.split(|&octet| octet == b';').next().unwrap_or_default())
        .filter_map(|line| line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()))
        .find(|word| !word.eq_ignore_ascii_case(b"$TTL"))?;
    if first.eq_ignore_ascii_case(b"$ORIGIN") || first.ends_with(b".") {
        return None;
    }
    path.file_name()?.to_str()?.strip_suffix(".zone")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_is_used_only_when_the_text_has_none() {
        let origin = |name: &str, text: &str| origin_of(Path::new(name), text.as_bytes()).map(|name| name.to_string());
        assert_eq!(origin("d/home.example.zone", "; note\n\n$TTL 60\n@ SOA"), Some("home.example.".into()));
        assert_eq!(origin("home.example.zone", "$TTL 60\n$origin other.example.\n@ SOA"), None);
        assert_eq!(origin("home.example.zone", "other.example. SOA"), None);
        assert_eq!(origin("home.example.txt", "@ SOA"), None);
        assert_eq!(origin("-", "@ SOA"), None);
    }

    #[test]
    fn an_included_file_is_found_beside_the_one_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("parts")).unwrap();
        fs::write(directory.path().join("parts/mail"), "@ MX 10 mail.example.net.\n").unwrap();
        let path = directory.path().join("example.org.zone");
        let text = "@ 60 SOA ns.example.net. h 1 2 3 4 5\n@ 60 NS ns.example.net.\n$INCLUDE parts/mail\n";
        fs::write(&path, text).unwrap();
        let read = read(&path, None, &Progress::new()).unwrap();
        assert_eq!(read.checked.zone.unwrap().record_count(), 3);
        assert!(read.whole.is_none());
    }
}
