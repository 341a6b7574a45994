//! What belongs to a report: which files, and their digests, so that a reader can tell whether he has the same ones.
//!
//! Reads files to their end, by the handle that is open already where there is one: by its name we may no longer be
//! allowed to.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::report::{check::file_name, model::Attachment};

/// A capture or a saved run that is read.
#[derive(Debug)]
pub struct ReadFile {
    pub path: PathBuf,
    pub file: File,
}

impl ReadFile {
    /// `what`: what the file is, in a few words.
    pub fn attached(&self, what: &str) -> Attachment {
        named(&self.path, what, digest(&self.file).ok())
    }
}

/// The recording at `path`, which is complete; `file` reads it.
pub fn recording(path: &Path, file: Option<&File>) -> Attachment {
    named(path, "the frames of this run", file.and_then(|file| digest(file).ok()))
}

/// The recording at `path`, while it grows.
pub fn growing_recording(path: &Path) -> Attachment {
    named(path, "the frames of this run, still being written", None)
}

/// The system that we run on, as in `Linux 6.12.0 (x86_64)`.
pub fn system() -> String {
    let names = nix::sys::utsname::uname().ok();
    let release = names.as_ref().map(|names| names.release().to_string_lossy()).unwrap_or_default();
    let name = match std::env::consts::OS {
        "linux" => "Linux",
        other => other,
    };
    format!("{} ({})", format!("{name} {}", release.trim()).trim(), std::env::consts::ARCH)
}

/// Without its directories: a report is for the public, a home directory is not.
fn named(path: &Path, what: &str, digested: Option<(u64, String)>) -> Attachment {
    let (octets, sha256) = digested.unzip();
    let name = file_name(&path.display().to_string()).to_owned();
    Attachment { name, what: what.to_owned(), octets, sha256 }
}

/// Length and SHA-256 of the whole of `file`, wherever its offset stands. A pipe has neither.
fn digest(file: &File) -> io::Result<(u64, String)> {
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut length = 0;
    loop {
        match file.read_at(&mut buffer, length)? {
            0 => break,
            read => {
                hash.update(&buffer[..read]);
                length += read as u64;
            }
        }
    }
    let octets = hash.finalize();
    Ok((length, octets.iter().map(|octet| format!("{octet:02x}")).collect()))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_file_is_digested_whole_and_its_offset_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let mut file = File::open(&path).unwrap();
        file.read_exact(&mut [0]).unwrap();
        let mut read = ReadFile { path, file };
        let attached = read.attached("letters");
        assert_eq!((attached.name.as_str(), attached.octets), ("abc", Some(3)));
        // FIPS 180-4's own example.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(attached.sha256.as_deref(), Some(known));
        let mut rest = String::new();
        read.file.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "bc");
    }
}
