//! The folder of recordings: which files in it are ours, what they take together, and what a run that was killed left.
//!
//! A file is ours by its name and by how it begins, both; nothing else there is counted, mended or removed. Two runs may share
//! a folder: a recording that is being written is locked by its run.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::super::{exit::usage, output, privilege::Invoker};
use crate::analysis::rule::Alert;

/// How the comment of every recording begins.
pub const MARK: &str = "esp-tcpwatch flight recording";
const PREFIX: &str = "esp-tcpwatch-";
const ENDING: &str = ".pcapng";
/// Of one that is being written. What is in it can be read all the same.
const PART: &str = ".part";
/// `20261122T234348.123Z`.
const TIME: usize = 20;
/// Whole blocks of pcapng are no longer than this: a frame, and comments.
const LONGEST_BLOCK: u32 = 1 << 24;
const SECTION: u32 = 0x0a0d_0d0a;
/// Runs that share the folder and write a recording of the same name at the same time.
const RUNS: u32 = 9;

/// The folder, and how much may be in it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    budget: u64,
    /// What ours take, as far as is known.
    pub used: u64,
}

/// A recording that is being written.
#[derive(Debug)]
pub struct Part {
    file: Flock<File>,
    path: PathBuf,
    /// Octets up to the end of the last whole block.
    length: u64,
}

/// A file of ours.
#[derive(Debug)]
struct Recording {
    path: PathBuf,
    octets: u64,
    is_part: bool,
}

impl Folder {
    /// Makes the folder where there is none, for `successor`; call it while we may.
    ///
    /// # Errors
    /// It cannot be made, or whoever the run goes on as may not write there.
    pub fn open(path: &Path, budget: u64, successor: Option<Invoker>) -> Result<Folder> {
        output::directory(path, successor)?;
        let name = path.display();
        if !path.is_dir() {
            return Err(usage(format!("--recorder {name} is a file\n  name a folder")));
        }
        if !output::is_writable(path, successor)? {
            let whom = successor.map_or("this user".to_owned(), |user| format!("uid {}", user.uid));
            return Err(usage(format!(
                "--recorder {name}: {whom} may not write there, as whom this run goes on\n  \
                 give the folder to them, name one that is not there yet, or choose the user with --user"
            )));
        }
        // Under the name that it has whatever the run's folder becomes.
        let path = fs::canonicalize(path).with_context(|| format!("cannot look up {name}"))?;
        Ok(Folder { path, budget, used: 0 })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Cuts what killed runs left back to its last whole block and gives it its name; counts what is there.
    pub fn adopt(&mut self) -> io::Result<()> {
        for recording in self.recordings()?.iter().filter(|recording| recording.is_part) {
            mend(&recording.path)?;
        }
        self.count()
    }

    fn count(&mut self) -> io::Result<()> {
        self.used = self.recordings()?.iter().map(|recording| recording.octets).sum();
        Ok(())
    }

    /// A new recording called `stem`, which is [`stem`]'s, or so with a number where another run has that.
    pub fn create(&mut self, stem: &str) -> io::Result<Part> {
        self.count()?;
        let new = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
        let mut last = None;
        for number in 1..=RUNS {
            let path = self.path.join(format!("{}{PART}", numbered(stem, number)));
            let file = match new(&path) {
                // Of a run that was killed in this very millisecond, or of one that sees what we see.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    mend(&path)?;
                    new(&path)
                }
                file => file,
            };
            match file {
                Ok(file) => {
                    let file =
                        Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error)?;
                    return Ok(Part { file, path, length: 0 });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| ErrorKind::AlreadyExists.into()))
    }

    /// Removes the oldest recordings until `octets` more stay within the budget; false: they do not even then.
    pub fn make_room(&mut self, octets: u64) -> io::Result<bool> {
        if self.used + octets <= self.budget {
            return Ok(true);
        }
        // Others may have written or removed some.
        self.count()?;
        for recording in self.recordings()?.iter().filter(|recording| !recording.is_part) {
            if self.used + octets <= self.budget {
                break;
            }
            match fs::remove_file(&recording.path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => self.used = self.used.saturating_sub(recording.octets),
            }
        }
        Ok(self.used + octets <= self.budget)
    }

    /// Ours, the oldest first.
    fn recordings(&self) -> io::Result<Vec<Recording>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| is_name(name)) else { continue };
            let is_part = name.ends_with(PART);
            let Ok(about) = entry.metadata() else { continue };
            let path = entry.path();
            // One that is empty was begun a moment ago, or a kill came between.
            let is_ours = about.is_file() && (is_part && about.len() == 0 || begins_as_ours(&path));
            if is_ours {
                found.push(Recording { path, octets: about.len(), is_part });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }
}

impl Part {
    /// Whole blocks of pcapng. Where they do not all find their place none of them does.
    pub fn write(&mut self, blocks: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all_at(blocks, self.length) {
            // Where even this fails, whoever reads it meets half a block at its end.
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += blocks.len() as u64;
        Ok(())
    }

    /// It is complete, and gets its name. False: there is nothing in it, and it is taken away.
    pub fn complete(&self) -> io::Result<bool> {
        if self.length == 0 {
            fs::remove_file(&self.path)?;
            return Ok(false);
        }
        self.file.sync_data()?;
        named(&self.path).map(|()| true)
    }
}

/// `esp-tcpwatch-TIME-RULE-ALERT`, so that the order of names is that of time.
pub fn stem(alert: &Alert) -> String {
    let nanos = alert.when.0.nanos();
    let time = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or_default();
    let letter = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let rule: String = alert.rule.chars().take(64).map(letter).collect();
    let millis = nanos / 1_000_000 % 1_000;
    format!("{PREFIX}{}.{millis:03}Z-{rule}-{}", time.strftime("%Y%m%dT%H%M%S"), alert.id)
}

/// Whether a recording may be called so.
fn is_name(name: &str) -> bool {
    let stem = name.strip_suffix(PART).unwrap_or(name).strip_suffix(ENDING);
    let Some(rest) = stem.and_then(|stem| stem.strip_prefix(PREFIX)) else { return false };
    let Some((time, rest)) = rest.split_at_checked(TIME) else { return false };
    let fits = time.bytes().zip(b"00000000T000000.000Z").all(|(is, like)| match like {
        b'0' => is.is_ascii_digit(),
        other => is == *other,
    });
    let id = rest.strip_prefix('-').and_then(|rest| rest.rsplit_once('-'));
    fits && id.is_some_and(|(rule, id)| {
        !rule.is_empty() && !id.is_empty() && id.bytes().all(|c| c.is_ascii_digit())
    })
}

/// Neither a link nor a pipe is followed or waited for.
fn opened(path: &Path, writes: bool) -> io::Result<File> {
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    OpenOptions::new().read(true).write(writes).custom_flags(flags).open(path)
}

fn begins_as_ours(path: &Path) -> bool {
    let mut begin = Vec::with_capacity(256);
    let read = opened(path, false).and_then(|file| file.take(256).read_to_end(&mut begin));
    let mark = MARK.as_bytes();
    read.is_ok()
        && begin.starts_with(&SECTION.to_le_bytes())
        && begin.windows(mark.len()).any(|window| window == mark)
}

/// Cuts what a killed run left at `path` back to its last whole block, and names it. One that is being written is let be.
fn mend(path: &Path) -> io::Result<()> {
    let file = match opened(path, true).map(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock)) {
        Ok(Ok(file)) => file,
        // Another run's, or not ours to change.
        Ok(Err(_)) | Err(_) => return Ok(()),
    };
    let whole = whole_blocks(&file)?;
    if whole == 0 {
        return fs::remove_file(path);
    }
    file.set_len(whole)?;
    named(path)
}

/// Octets up to the end of the last whole block.
fn whole_blocks(mut file: &File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut at = 0;
    loop {
        let mut head = [0; 8];
        file.seek(SeekFrom::Start(at))?;
        match file.read_exact(&mut head) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(at),
            read => read?,
        }
        let [_, _, _, _, a, b, c, d] = head;
        let size = u32::from_le_bytes([a, b, c, d]);
        let end = at + u64::from(size);
        if !(12..=LONGEST_BLOCK).contains(&size) || end > length {
            return Ok(at);
        }
        at = end;
    }
}

/// Takes the ending off that says it is being written; with a number where the name is taken.
fn named(part: &Path) -> io::Result<()> {
    let name = part.with_extension("");
    let stem = name.with_extension("");
    let stem = stem.file_name().unwrap_or_default().to_string_lossy();
    let names = (1..=u32::MAX).map(|number| name.with_file_name(numbered(&stem, number)));
    for name in names {
        if !name.exists() {
            return fs::rename(part, &name);
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// The first has its name alone.
fn numbered(stem: &str, number: u32) -> String {
    if number == 1 { format!("{stem}{ENDING}") } else { format!("{stem}-{number}{ENDING}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEM: &str = "esp-tcpwatch-20261122T234348.123Z-time-wait-collision-3";

    fn folder(path: &Path, budget: u64) -> Folder {
        Folder::open(path, budget, None).unwrap()
    }

    /// Blocks as a recording of ours begins.
    fn blocks(more: usize) -> Vec<u8> {
        let mut comment = MARK.as_bytes().to_vec();
        comment.resize(MARK.len().next_multiple_of(4), b' ');
        let mut block = SECTION.to_le_bytes().to_vec();
        let size = (12 + comment.len()) as u32;
        block.extend(size.to_le_bytes());
        block.extend(comment);
        block.extend(size.to_le_bytes());
        for _ in 0..more {
            block.extend([6, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0]);
        }
        block
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn only_a_name_of_ours_is_one() {
        for name in [format!("{STEM}.pcapng"), format!("{STEM}.pcapng.part")] {
            assert!(is_name(&name), "{name}");
        }
        for name in [
            STEM,
            "esp-tcpwatch-20261122T234348Z.pcapng",
            "esp-tcpwatch-20261122T234348.123Z-3.pcapng",
            "esp-tcpwatch-20261122T234348.123Z-x-.pcapng",
            "esp-tcpwatch-2026112éT234348.12Z-x-1.pcapng",
            "esp-tcpwatch-20261122T234348.123Z-x-1.pcapng.part.part",
            "run.pcapng",
            "",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn the_oldest_go_first_and_never_what_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let old =
            |second: u32| dir.path().join(format!("esp-tcpwatch-20250101T0000{second:02}.000Z-x-1.pcapng"));
        for second in 1..=3 {
            fs::write(old(second), blocks(0)).unwrap();
        }
        // Called as ours and something else, or ours and called otherwise; a link to something outside.
        fs::write(old(0), "my notes").unwrap();
        fs::write(dir.path().join("a.pcapng"), blocks(0)).unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("x"), blocks(0)).unwrap();
        std::os::unix::fs::symlink(outside.path().join("x"), dir.path().join(old(4))).unwrap();
        let one = blocks(0).len() as u64;
        let mut folder = folder(dir.path(), 3 * one);
        folder.adopt().unwrap();
        assert_eq!(folder.used, 3 * one);
        let mut part = folder.create(STEM).unwrap();
        assert!(folder.make_room(one).unwrap());
        part.write(&blocks(0)).unwrap();
        folder.used += one;
        assert!(!old(1).exists() && old(2).exists(), "{:?}", names(dir.path()));
        assert!(!folder.make_room(3 * one).unwrap(), "the one that is being written stays");
        assert!(old(0).exists() && dir.path().join("a.pcapng").exists() && old(4).is_symlink());
        assert!(outside.path().join("x").exists());
        assert_eq!(folder.used, one);
    }

    #[test]
    fn what_a_killed_run_left_is_cut_to_whole_blocks_and_a_living_one_is_let_be() {
        let dir = tempfile::tempdir().unwrap();
        let left = |id: u32| dir.path().join(format!("esp-tcpwatch-20250101T000000.000Z-x-{id}.pcapng.part"));
        let whole = blocks(2);
        fs::write(left(1), &whole).unwrap();
        fs::write(left(2), &whole[..whole.len() - 5]).unwrap();
        fs::write(left(3), "").unwrap();
        let mut other = folder(dir.path(), 1 << 20);
        let mut living = other.create(STEM).unwrap();
        living.write(&blocks(1)).unwrap();
        let mut folder = folder(dir.path(), 1 << 20);
        folder.adopt().unwrap();
        let expected = [
            "esp-tcpwatch-20250101T000000.000Z-x-1.pcapng",
            "esp-tcpwatch-20250101T000000.000Z-x-2.pcapng",
            &format!("{STEM}.pcapng.part"),
        ];
        assert_eq!(names(dir.path()), expected);
        assert_eq!(fs::read(left(1).with_extension("")).unwrap(), whole);
        assert_eq!(fs::read(left(2).with_extension("")).unwrap(), blocks(1));
        assert_eq!(folder.used, (whole.len() + 2 * blocks(1).len()) as u64);
        assert!(living.complete().unwrap() && dir.path().join(format!("{STEM}.pcapng")).exists());
        assert!(!folder.create(STEM).unwrap().complete().unwrap(), "nothing is in it");
        assert_eq!(names(dir.path()).len(), 3);
    }

    #[test]
    fn runs_that_see_the_same_share_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (mut one, mut two) = (folder(dir.path(), 1 << 20), folder(dir.path(), 1 << 20));
        let parts = [one.create(STEM).unwrap(), two.create(STEM).unwrap()];
        for mut part in parts {
            part.write(&blocks(1)).unwrap();
            part.complete().unwrap();
        }
        let mut third = one.create(STEM).unwrap();
        third.write(&blocks(2)).unwrap();
        third.complete().unwrap();
        let expected = [format!("{STEM}-2.pcapng"), format!("{STEM}-3.pcapng"), format!("{STEM}.pcapng")];
        assert_eq!(names(dir.path()), expected);
        assert!(expected.iter().all(|name| is_name(name)));
    }

    #[test]
    fn octets_that_are_no_blocks_end_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for (more, octets) in [(12, vec![6, 0, 0, 0, 3, 0, 0, 0]), (0, vec![0xff; 40]), (0, vec![1])] {
            let mut written = blocks(more / 12);
            let whole = written.len() as u64;
            written.extend(octets);
            fs::write(&path, &written).unwrap();
            assert_eq!(whole_blocks(&File::open(&path).unwrap()).unwrap(), whole);
        }
    }
}
