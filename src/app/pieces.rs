//! The file that events go to, in pieces: FILE is being written, FILE.1 is the piece before it, FILE.2 the one before that.
//!
//! Knows names, sizes and whole lines; what the lines say is the sink's. A disk that is full, or a folder that was closed to us, costs
//! lines, which are counted and told, and never the run.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{
    exit::usage,
    log, output,
    privilege::{self, Invoker},
};
use crate::cli::events_file::EventsFile;
use crate::text::escape;

/// Takes whole lines, and gives each piece whole ones. Each begins with the first line of all, so that it can be read alone.
#[derive(Debug)]
pub struct Pieces {
    plan: EventsFile,
    /// `None`: the next piece could not be made yet.
    file: Option<File>,
    /// Octets in the piece, all of them of whole lines.
    size: u64,
    /// The first line of all.
    head: Vec<u8>,
    /// Lines that could not be written.
    lost: u64,
    is_failing: bool,
}

impl Pieces {
    /// Begins the first piece, with the rights of the user that the run goes on as. What FILE holds from an earlier run
    /// becomes FILE.1.
    ///
    /// # Errors
    /// It is no file, or that user may not make files in its folder.
    pub fn open(plan: &EventsFile, successor: Option<Invoker>) -> Result<Pieces> {
        let made = privilege::as_invoker(successor, || first(plan))?;
        let file = made.with_context(|| {
            let whose = successor
                .map_or(String::new(), |user| format!("uid {}, as whom the run goes on, ", user.uid));
            format!("cannot write events to {}: {whose}must be able to make files there", plan.path.display())
        })?;
        Ok(Pieces {
            plan: plan.clone(),
            file: Some(file),
            size: 0,
            head: Vec::new(),
            lost: 0,
            is_failing: false,
        })
    }

    /// Where pieces are made, renamed and removed.
    pub fn folder(&self) -> PathBuf {
        output::folder_of(&self.plan.path)
    }

    /// Lines that could not be written.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn add(&mut self, lines: &[u8]) -> io::Result<()> {
        let is_full = self.size + lines.len() as u64 > self.plan.piece && self.size > self.head.len() as u64;
        if is_full || self.file.is_none() {
            self.file = None;
            make_room(&self.plan)?;
            self.size = 0;
            self.file = Some(new(&self.plan.path)?);
            // As the first line of the first piece, it is among `lines` there.
            let head = core::mem::take(&mut self.head);
            let begun = self.append(&head);
            self.head = head;
            begun?;
        }
        self.append(lines)
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if let Err(error) = file.write_all(lines) {
            // Half a line is none.
            let _ = file.set_len(self.size);
            return Err(error);
        }
        self.size += lines.len() as u64;
        Ok(())
    }
}

impl Write for Pieces {
    /// Takes all of `lines`, which must be whole. What cannot be written is lost, and told in the log.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if self.head.is_empty() {
            self.head = lines.split_inclusive(|octet| *octet == b'\n').next().unwrap_or_default().to_vec();
        }
        let written = self.add(lines);
        let name = self.plan.path.display().to_string();
        match written {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                log::warn(format_args!(
                    "events are written to {} again; {} were lost so far",
                    escape(&name),
                    self.lost
                ));
            }
            Ok(()) => {}
            Err(error) => {
                self.lost += lines.iter().filter(|octet| **octet == b'\n').count() as u64;
                if !core::mem::replace(&mut self.is_failing, true) {
                    log::warn(format_args!(
                        "events cannot be written to {}: {error}; they are lost until they can",
                        escape(&name)
                    ));
                }
            }
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn first(plan: &EventsFile) -> Result<File> {
    match fs::symlink_metadata(&plan.path) {
        Ok(about) if !about.is_file() && !about.is_symlink() => {
            bail!(usage(format!("--events-to {} is no file", plan.path.display())));
        }
        Ok(about) if about.len() == 0 => fs::remove_file(&plan.path)?,
        Ok(_) => make_room(plan)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    Ok(new(&plan.path)?)
}

fn new(path: &Path) -> io::Result<File> {
    // A name that somebody else took meanwhile is theirs, be it a link to elsewhere. At the end, wherever that is: half a line
    // may be cut off again.
    OpenOptions::new().append(true).create_new(true).open(path)
}

/// Moves every piece on by one, the oldest out. A name that is missing is none to be moved: the last time may have ended halfway.
fn make_room(plan: &EventsFile) -> io::Result<()> {
    if !fs::exists(&plan.path)? {
        return Ok(());
    }
    for number in (0..plan.keep).rev() {
        match fs::rename(numbered(&plan.path, number), numbered(&plan.path, number + 1)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    match number {
        0 => path.to_owned(),
        number => {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            name.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &Path, count: u32) -> Vec<String> {
        (0..count).map(|number| fs::read_to_string(numbered(path, number)).unwrap_or_default()).collect()
    }

    #[test]
    fn pieces_hold_whole_lines_and_begin_with_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        fs::write(&path, "of an earlier run\n").unwrap();
        let plan = EventsFile { path: path.clone(), piece: 20, keep: 2 };
        let mut pieces = Pieces::open(&plan, None).unwrap();
        pieces.write_all(b"start\none\n").unwrap();
        assert_eq!(texts(&path, 2), ["start\none\n", "of an earlier run\n"]);
        for lines in ["two\nthree\n", "four\n", "a line longer than a piece\n", "five\n"] {
            pieces.write_all(lines.as_bytes()).unwrap();
        }
        let expected = ["start\nfive\n", "start\na line longer than a piece\n", "start\nfour\n", ""];
        assert_eq!(texts(&path, 4), expected);
        assert_eq!(pieces.lost(), 0);
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_the_rest_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let plan = EventsFile { path: path.clone(), piece: 10, keep: 1 };
        let mut pieces = Pieces::open(&plan, None).unwrap();
        pieces.write_all(b"start\nx\n").unwrap();
        // No piece can be put in the place of a folder.
        let in_the_way = numbered(&path, 1);
        fs::create_dir(&in_the_way).unwrap();
        pieces.write_all(b"one\ntwo\n").unwrap();
        assert_eq!(texts(&path, 1), ["start\nx\n"]);
        pieces.write_all(b"three\n").unwrap();
        fs::remove_dir(&in_the_way).unwrap();
        pieces.write_all(b"four\n").unwrap();
        assert_eq!((pieces.lost(), texts(&path, 1)), (3, vec!["start\nfour\n".to_owned()]));
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_owned(), "/dev/null".into()] {
            let plan = EventsFile { path, piece: 10, keep: 1 };
            assert!(format!("{:#}", Pieces::open(&plan, None).unwrap_err()).contains("is no file"));
        }
        assert!(Path::new("/dev/null").exists());
    }
}
