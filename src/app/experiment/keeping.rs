//! The recordings of blocks: a directory of the user's, and a file for each attempt that is named by its number and its arm.
//!
//! Knows names and files; what is in a frame is nobody's business here.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::super::{
    TOOL,
    exit::usage,
    output,
    privilege::{self, Invoker},
};
use crate::experiment::block::Block;
use crate::sink::record::{Recorder, RecorderInfo};

/// Where the frames of blocks are kept.
pub struct Keep {
    directory: PathBuf,
    interface: String,
}

impl Keep {
    /// Takes `directory`, which is made for `invoker` where it is not there. No recording that is in it may be of a turn that
    /// is still to come: it is another experiment's.
    pub fn open(directory: &Path, interface: &str, next_turn: u64, invoker: Option<Invoker>) -> Result<Keep> {
        output::directory(directory, invoker)?;
        let name = directory.display();
        let cannot = || format!("cannot read the directory {name}");
        for entry in fs::read_dir(directory).with_context(cannot)? {
            let file = entry.with_context(cannot)?.file_name();
            if turn_of(&file.to_string_lossy()).is_some_and(|turn| turn >= next_turn) {
                return Err(usage(format!(
                    "{name} holds recordings of another experiment\n  give another directory to --keep"
                )));
            }
        }
        // Blocks are recorded with the user's rights: find out now whether they suffice.
        privilege::as_invoker(invoker, || tempfile::tempfile_in(directory))?
            .with_context(|| format!("cannot write into the directory {name}"))?;
        Ok(Keep { directory: directory.to_owned(), interface: interface.to_owned() })
    }

    /// Where recordings are made.
    pub fn folder(&self) -> PathBuf {
        self.directory.clone()
    }

    /// Begins the recording of `block`, and names it there.
    pub fn begin(&self, block: &mut Block) -> Result<Recorder<BufWriter<File>>> {
        let name = file_name(block);
        let path = self.directory.join(&name);
        let file = File::create_new(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let what = match block.slot {
            None => "the positive control".to_owned(),
            Some(slot) => format!("block {}", slot + 1),
        };
        let info = RecorderInfo {
            application: TOOL.to_owned(),
            interface: self.interface.clone(),
            filter: None,
            snaplen: super::super::watch::DEFAULT_SNAPLEN,
            comment: Some(format!("experiment, {what}, attempt {}: {}", block.turn, block.arm)),
        };
        block.recording = Some(name);
        Ok(Recorder::new(BufWriter::new(file), info))
    }
}

/// `block-007-msl_ms=6000.pcapng`: arms have no letters that a file's name may not have.
fn file_name(block: &Block) -> String {
    let arm = if block.slot.is_none() { "control" } else { block.arm.as_str() };
    format!("block-{:03}-{arm}.pcapng", block.turn)
}

fn turn_of(name: &str) -> Option<u64> {
    let (turn, _) = name.strip_prefix("block-")?.strip_suffix(".pcapng")?.split_once('-')?;
    turn.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(turn: u64, slot: Option<usize>) -> Block {
        let mut block: Block = serde_json::from_str(
            r#"{"turn":0,"slot":null,"arm":"unfixed+msl_ms=6000","began":"","took_s":0.0,"spoilt":null,
                "firsts":{"asked":0,"answered":0},"reuses":[],"wire":null,"device":null}"#,
        )
        .unwrap();
        (block.turn, block.slot) = (turn, slot);
        block
    }

    #[test]
    fn a_recording_is_named_by_number_and_arm_and_is_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        let keep = Keep::open(&path, "tap0", 0, None).unwrap();
        let (mut control, mut other) = (block(0, None), block(7, Some(3)));
        drop(keep.begin(&mut control).unwrap());
        drop(keep.begin(&mut other).unwrap());
        assert_eq!(control.recording.as_deref(), Some("block-000-control.pcapng"));
        assert_eq!(other.recording.as_deref(), Some("block-007-unfixed+msl_ms=6000.pcapng"));
        assert!(path.join(other.recording.clone().unwrap()).is_file());
        assert!(keep.begin(&mut other).is_err(), "never written over");
        assert!(Keep::open(&path, "tap0", 8, None).is_ok(), "an interrupted run goes on");
        for earlier in [0, 7] {
            let error = Keep::open(&path, "tap0", earlier, None).err().unwrap().to_string();
            assert!(error.contains("another experiment"), "{error}");
        }
        assert!(
            Keep::open(&dir.path().join("a/b"), "tap0", 0, None).is_err(),
            "one directory is made, not two"
        );
    }
}
