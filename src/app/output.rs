//! The files a run writes: opened while we may still hand them over, owned by the person who asked for them.
//!
//! Knows paths, names and owners; nothing of what is written into them.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{
    exit::usage,
    privilege::{self, Invoker},
};

/// A file that is open already and gets its contents later.
#[derive(Debug)]
pub struct OutputFile {
    pub path: PathBuf,
    file: File,
    /// It did not exist before and has not been given to anyone: a run that fails before it begins takes it back.
    unused: bool,
}

impl OutputFile {
    /// Opens `path` without touching what it holds; one that is made here is given to `invoker`.
    ///
    /// A file that exists keeps its owner: we do not give away what we did not make.
    pub fn open(path: &Path, invoker: Option<Invoker>) -> Result<OutputFile> {
        let cannot = || format!("cannot write {}", path.display());
        let made = OpenOptions::new().write(true).create_new(true).open(path);
        let (file, ours) = match made {
            Ok(file) => {
                if let Some(Invoker { uid, gid }) = invoker {
                    nix::unistd::fchown(file.as_fd(), Some(uid), Some(gid))
                        .with_context(|| format!("cannot give {} to uid {uid}", path.display()))?;
                }
                (file, true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                (OpenOptions::new().write(true).open(path).with_context(cannot)?, false)
            }
            Err(error) => return Err(error).with_context(cannot),
        };
        Ok(OutputFile { path: path.to_owned(), file, unused: ours })
    }

    /// Is this the same file as `other`, whatever the two are called?
    pub fn is_same_as(&self, other: &File) -> bool {
        match (self.file.metadata(), other.metadata()) {
            (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
            _ => false,
        }
    }

    /// Empties it, for a writer that goes from front to back.
    pub fn into_writer(mut self) -> Result<File> {
        self.empty()?;
        self.file.try_clone().with_context(|| format!("cannot write {}", self.path.display()))
    }

    pub fn write_all(&mut self, text: &str) -> Result<()> {
        self.empty()?;
        let written = self.file.rewind().and_then(|()| self.file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn empty(&mut self) -> Result<()> {
        self.unused = false;
        // A FIFO or a device has no length to set.
        if self.file.metadata().is_ok_and(|about| about.is_file()) {
            self.file.set_len(0).with_context(|| format!("cannot empty {}", self.path.display()))?;
        }
        Ok(())
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if self.unused {
            // Nobody is helped by a second error about a leftover.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens the report: `target` itself, or a name with the time when it is a directory or ends in a slash.
pub fn open_report(target: &Path, stem: &str, invoker: Option<Invoker>) -> Result<OutputFile> {
    if target.as_os_str().is_empty() {
        return Err(usage("the report's name is empty; give a file or a directory"));
    }
    let asks_for_directory = target.as_os_str().as_bytes().ends_with(b"/");
    if asks_for_directory && !target.exists() {
        fs::create_dir(target).with_context(|| format!("cannot make the directory {}", target.display()))?;
        if let Some(Invoker { uid, gid }) = invoker {
            nix::unistd::chown(target, Some(uid), Some(gid))
                .with_context(|| format!("cannot give {} to uid {uid}", target.display()))?;
        }
    }
    let path = if target.is_dir() { target.join(timed_name(stem)) } else { target.to_owned() };
    OutputFile::open(&path, invoker)
}

/// `folder`, where `successor` may make files in it; otherwise the system's folder for whatever is made in passing.
pub fn writable(folder: PathBuf, successor: Option<Invoker>) -> Result<PathBuf> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
    let may = privilege::as_invoker(successor, || {
        nix::unistd::eaccess(here, nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK).is_ok()
    })?;
    Ok(if may { folder } else { std::env::temp_dir() })
}

/// `<stem>-20261122T234348Z.md`
pub fn timed_name(stem: &str) -> String {
    format!("{stem}-{}.md", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_gets_a_name_with_the_time() {
        let dir = tempfile::tempdir().unwrap();
        let report = open_report(dir.path(), "esp-tcpwatch", None).unwrap();
        let name = report.path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("esp-tcpwatch-2") && name.ends_with("Z.md"), "{name}");
    }

    #[test]
    fn a_slash_makes_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let report = open_report(&dir.path().join("new/"), "run", None).unwrap();
        assert_eq!(report.path.parent().unwrap(), dir.path().join("new"));
    }

    #[test]
    fn a_report_replaces_a_longer_one_only_when_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.md");
        fs::write(&path, "a longer text").unwrap();
        let mut file = OutputFile::open(&path, None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a longer text");
        file.write_all("short").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "short");
    }

    #[test]
    fn only_an_unused_file_of_ours_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let (new, old, used) = (dir.path().join("new"), dir.path().join("old"), dir.path().join("used"));
        fs::write(&old, "").unwrap();
        for path in [&new, &old] {
            drop(OutputFile::open(path, None).unwrap());
        }
        OutputFile::open(&used, None).unwrap().into_writer().unwrap();
        assert!(!new.exists() && old.exists() && used.exists());
    }

    #[test]
    fn a_file_is_itself_under_another_name() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&a, "x").unwrap();
        fs::hard_link(&a, &b).unwrap();
        assert!(OutputFile::open(&b, None).unwrap().is_same_as(&File::open(&a).unwrap()));
    }
}
