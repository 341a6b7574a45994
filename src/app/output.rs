//! The files a run writes: opened while we may still hand them over, owned by the person who asked for them.
//!
//! Knows paths, names and owners; nothing of what is written into them.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, IsTerminal, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
#[cfg(target_os = "linux")]
use nix::errno::Errno;
use nix::fcntl::OFlag;

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
    is_private: bool,
}

/// To be read and written by its owner alone.
const PRIVATE: u32 = 0o600;

impl OutputFile {
    /// Opens `path` without touching what it holds; one that is made here is given to `invoker`.
    ///
    /// A file that exists keeps its owner: we do not give away what we did not make.
    pub fn open(path: &Path, invoker: Option<Invoker>) -> Result<OutputFile> {
        OutputFile::open_as(path, invoker, 0o666)
    }

    /// The same for what only its owner may read and write; a file that exists is closed to others when it is written.
    pub fn open_private(path: &Path, invoker: Option<Invoker>) -> Result<OutputFile> {
        let mut file = OutputFile::open_as(path, invoker, PRIVATE)?;
        file.is_private = true;
        Ok(file)
    }

    fn open_as(path: &Path, invoker: Option<Invoker>, mode: u32) -> Result<OutputFile> {
        let cannot = || format!("cannot write {}", path.display());
        let made = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
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
        Ok(OutputFile { path: path.to_owned(), file, unused: ours, is_private: false })
    }

    /// For reading it again when it is complete: by its name we may no longer be allowed to. `None`: it is no file, or may
    /// not be read.
    pub fn reader(&self) -> Option<File> {
        let is_file = self.file.metadata().is_ok_and(|about| about.is_file());
        is_file.then(|| File::open(&self.path).ok()).flatten().filter(|file| self.is_same_as(file))
    }

    /// Where it stands: one that comes to nothing is taken back out of there.
    pub fn folder(&self) -> PathBuf {
        folder_of(&self.path)
    }

    /// Would the two overwrite each other?
    pub fn is_same_file(&self, other: &OutputFile) -> bool {
        self.is_same_as(&other.file)
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

    /// Leaves what it holds, for a writer that makes it longer.
    pub fn into_appender(mut self) -> Result<File> {
        self.unused = false;
        self.file.try_clone().with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Writes `contents` over what it holds, which is left as it was where there is no room for them.
    pub fn write_all(&mut self, contents: impl AsRef<[u8]>) -> Result<()> {
        let contents = contents.as_ref();
        let is_file = self.file.metadata().is_ok_and(|about| about.is_file());
        if is_file {
            self.make_room(contents.len())?;
            self.file.rewind().with_context(|| format!("cannot write {}", self.path.display()))?;
        }
        self.begin()?;
        let mut written = self.file.write_all(contents);
        if is_file {
            written = written
                .and_then(|()| self.file.set_len(contents.len() as u64))
                .and_then(|()| self.file.sync_all());
        }
        written.with_context(|| {
            format!("cannot write all of {}: what it holds is not complete", self.path.display())
        })
    }

    /// Takes the room for so many octets, or leaves the file as it was.
    #[cfg(target_os = "linux")]
    fn make_room(&self, length: usize) -> Result<()> {
        let cannot = || format!("cannot write {}, which is as it was", self.path.display());
        let before = self.file.metadata().with_context(cannot)?.len();
        match nix::fcntl::posix_fallocate(&self.file, 0, length as i64) {
            Err(error @ (Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG)) => {
                self.file.set_len(before).with_context(cannot)?;
                Err(error).with_context(cannot)
            }
            // Where room cannot be taken beforehand, it is taken as the octets come.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn make_room(&self, _: usize) -> Result<()> {
        Ok(())
    }

    fn empty(&mut self) -> Result<()> {
        // A FIFO or a device has no length to set.
        if self.file.metadata().is_ok_and(|about| about.is_file()) {
            self.file.set_len(0).with_context(|| format!("cannot empty {}", self.path.display()))?;
        }
        self.begin()
    }

    /// From here on it is used, and only its owner's where it is private.
    fn begin(&mut self) -> Result<()> {
        self.unused = false;
        if self.is_private && self.file.metadata().is_ok_and(|about| about.is_file()) {
            self.file
                .set_permissions(Permissions::from_mode(PRIVATE))
                .with_context(|| format!("cannot close {} to others", self.path.display()))?;
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

/// What to do where a report's name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Ask whoever sits at the terminal; without one, refuse.
    Ask,
    Replace,
}

/// A report's file: its name is taken while we may, its contents come whole or not at all.
#[derive(Debug)]
pub struct ReportFile {
    pub path: PathBuf,
    taken: OutputFile,
}

impl ReportFile {
    /// Takes `path`, and asks first where it holds something already.
    pub fn open(path: &Path, existing: Existing, invoker: Option<Invoker>) -> Result<ReportFile> {
        if path.as_os_str().is_empty() {
            return Err(usage("the report's name is empty; give a file or a directory"));
        }
        let holds_something = fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() > 0);
        if holds_something && existing == Existing::Ask && !is_agreed(path)? {
            return Err(usage(format!(
                "{} exists and was left as it is\n  give another name, or --force to write over it",
                path.display()
            )));
        }
        Ok(ReportFile { path: path.to_owned(), taken: OutputFile::open(path, invoker)? })
    }

    /// As [`ReportFile::open`], where `target` may be a directory too, as it is when it ends in a slash: the file then
    /// gets a name with the time.
    pub fn open_in(
        target: &Path,
        stem: &str,
        existing: Existing,
        invoker: Option<Invoker>,
    ) -> Result<ReportFile> {
        let asks_for_directory = target.as_os_str().as_bytes().ends_with(b"/");
        if asks_for_directory {
            directory(target, invoker)?;
        }
        let path = if target.is_dir() { timed_name(target, stem) } else { target.to_owned() };
        ReportFile::open(&path, existing, invoker)
    }

    /// Where [`ReportFile::write`] makes and removes files: the folder of its name, and of the file that a symbolic link
    /// leads to.
    pub fn folders(&self) -> Vec<PathBuf> {
        let target = fs::canonicalize(&self.path).ok();
        [self.taken.folder()].into_iter().chain(target.as_deref().map(folder_of)).collect()
    }

    /// Is this the same file as `other`, whatever the two are called?
    pub fn is_same_as(&self, other: &File) -> bool {
        self.taken.is_same_as(other)
    }

    /// Would this one and `other` overwrite each other?
    pub fn is_same_file(&self, other: &OutputFile) -> bool {
        self.taken.is_same_file(other)
    }

    /// Puts `contents` in place of what was there, in one step: whoever looks sees the old file or the new one.
    ///
    /// Only what cannot be replaced is written where it is: a pipe or a device, a file that belongs to somebody else,
    /// and one in a directory in which we may make no file.
    pub fn write(mut self, contents: impl AsRef<[u8]>) -> Result<PathBuf> {
        let contents = contents.as_ref();
        let about =
            self.taken.file.metadata().with_context(|| format!("cannot read {}", self.path.display()))?;
        let is_ours = about.is_file() && about.uid() == nix::unistd::geteuid().as_raw();
        if !is_ours || !self.replace(contents, about.permissions())? {
            self.taken.write_all(contents)?;
        }
        self.taken.unused = false;
        Ok(self.path.clone())
    }

    /// Whether it could be done: not where the directory takes no new file.
    fn replace(&self, contents: &[u8], permissions: Permissions) -> Result<bool> {
        let cannot = || format!("cannot write {}", self.path.display());
        let is_closed = |error: &io::Error| {
            matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
        };
        // Through a symbolic link, to the file that it leads to.
        let path = match fs::canonicalize(&self.path) {
            Err(error) if is_closed(&error) => return Ok(false),
            path => path.with_context(cannot)?,
        };
        let directory = path.parent().unwrap_or(Path::new("/"));
        let beside = tempfile::Builder::new()
            .prefix(".esp-tcpwatch-")
            .suffix(".part")
            .permissions(Permissions::from_mode(permissions.mode() & 0o777))
            .tempfile_in(directory);
        let mut beside = match beside {
            Err(error) if is_closed(&error) => return Ok(false),
            beside => beside.with_context(cannot)?,
        };
        beside.write_all(contents).with_context(cannot)?;
        beside.as_file().sync_all().with_context(cannot)?;
        beside.persist(&path).map_err(|error| error.error).with_context(cannot)?;
        // The new name is kept through a power cut, too, where the system can do that.
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
        Ok(true)
    }
}

/// Makes `path` where nothing is there, and gives it to `invoker`.
pub fn directory(path: &Path, invoker: Option<Invoker>) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    fs::create_dir(path).with_context(|| format!("cannot make the directory {}", path.display()))?;
    invoker.map_or(Ok(()), |invoker| give_directory(path, invoker))
}

/// Gives away the directory that was just made, and no other that may stand in its place by now.
fn give_directory(path: &Path, Invoker { uid, gid }: Invoker) -> Result<()> {
    let cannot = || format!("cannot give {} to uid {uid}", path.display());
    let plain = path.components().collect::<PathBuf>(); // `name/` would be followed where `name` is a link
    let flags = (OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits();
    let made = OpenOptions::new().read(true).custom_flags(flags).open(plain).with_context(cannot)?;
    let owner = made.metadata().with_context(cannot)?.uid();
    if owner != nix::unistd::geteuid().as_raw() {
        bail!("{}: it belongs to uid {owner} and was not made by this run", cannot());
    }
    nix::unistd::fchown(made.as_fd(), Some(uid), Some(gid)).with_context(cannot)
}

fn is_agreed(path: &Path) -> Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    eprint!("{} exists. Write over it? [y/N] ", path.display());
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// `<stem>-20261122T234348Z.md` in `directory`, or such a name with a number where that one is taken.
pub fn timed_name(directory: &Path, stem: &str) -> PathBuf {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut path = directory.join(format!("{stem}-{time}.md"));
    let mut number = 1;
    while path.exists() {
        number += 1;
        path = directory.join(format!("{stem}-{time}-{number}.md"));
    }
    path
}

pub fn folder_of(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// `folder`, where `successor` may make files in it; otherwise the system's folder for whatever is made in passing.
pub fn writable(folder: PathBuf, successor: Option<Invoker>) -> Result<PathBuf> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
    let may = is_writable(here, successor)?;
    Ok(if may { folder } else { std::env::temp_dir() })
}

/// Whether `successor` may make files in `folder`.
pub fn is_writable(folder: &Path, successor: Option<Invoker>) -> Result<bool> {
    use nix::unistd::AccessFlags;
    privilege::as_invoker(successor, || {
        nix::unistd::eaccess(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_gets_a_name_with_the_time_and_never_the_same_twice() {
        let dir = tempfile::tempdir().unwrap();
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..3 {
            let report = ReportFile::open_in(dir.path(), "esp-tcpwatch", Existing::Ask, None).unwrap();
            let path = report.write("x").unwrap();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(name.starts_with("esp-tcpwatch-2") && name.ends_with(".md"), "{name}");
            assert!(names.insert(name));
        }
    }

    #[test]
    fn a_slash_makes_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let report = ReportFile::open_in(&dir.path().join("new/"), "run", Existing::Ask, None).unwrap();
        assert_eq!(report.path.parent().unwrap(), dir.path().join("new"));
    }

    #[test]
    fn a_link_in_the_place_of_a_new_directory_is_not_given_away() {
        use nix::unistd::{Uid, getgid};
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let myself = Invoker { uid: Uid::effective(), gid: getgid() };
        give_directory(&real.join(""), myself).unwrap();
        for path in [link.clone(), link.join("")] {
            let error = give_directory(&path, myself).unwrap_err();
            assert!(error.to_string().contains("cannot give"), "{error}");
        }
    }

    /// Under `cargo test` no terminal can be asked, or it is not answered with yes.
    #[test]
    fn what_is_there_is_not_written_over_unless_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.md");
        fs::write(&path, "a longer text").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        if !io::stdin().is_terminal() {
            let error = ReportFile::open(&path, Existing::Ask, None).unwrap_err().to_string();
            assert!(error.contains("--force"), "{error}");
        }
        let report = ReportFile::open(&path, Existing::Replace, None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a longer text", "until there is something better");
        report.write("short").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "short");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn an_empty_file_and_a_link_may_be_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let (empty, link) = (dir.path().join("empty"), dir.path().join("link"));
        fs::write(&empty, "").unwrap();
        std::os::unix::fs::symlink(&empty, &link).unwrap();
        ReportFile::open(&link, Existing::Ask, None).unwrap().write("text").unwrap();
        assert_eq!(fs::read_to_string(&empty).unwrap(), "text");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_report_that_was_never_written_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.md");
        drop(ReportFile::open(&path, Existing::Ask, None).unwrap());
        assert!(!path.exists());
        ReportFile::open(Path::new("/dev/null"), Existing::Ask, None).unwrap().write("gone").unwrap();
        assert!(Path::new("/dev/null").exists());
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
    fn a_private_file_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (new, old) = (dir.path().join("new"), dir.path().join("old"));
        fs::write(&old, "x").unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o644)).unwrap();
        for path in [&new, &old] {
            OutputFile::open_private(path, None).unwrap().write_all("secret").unwrap();
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
        }
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
