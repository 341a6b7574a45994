//! The file of results: opened while it can be given to the user, read once, and then only ever made longer by whole lines.
//!
//! Knows files and names. What a line means is the experiment room's.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::super::{
    exit::usage,
    output::{self, OutputFile},
    privilege::Invoker,
};
use crate::experiment::{
    block::Block,
    spec::Spec,
    store::{Line, SCHEMA, Stored, parse},
};

/// Results beyond this are no results of ours.
const MOST: u64 = 256 * 1024 * 1024;

/// Where the results go: what `-o` names, or a name with the time.
pub fn named(output: Option<&Path>) -> Result<PathBuf> {
    let Some(path) = output else {
        return Ok(output::timed_name(Path::new("."), "esp-tcpwatch-experiment").with_extension("jsonl"));
    };
    if path.as_os_str().is_empty() || path.as_os_str() == "-" || path.is_dir() {
        return Err(usage("-o names a file: proof.md or proof.html, or proof.jsonl for the results alone"));
    }
    Ok(path.to_owned())
}

/// What is there already; `None` where there is no file, or nothing in it.
pub fn earlier(path: &Path) -> Result<Option<Stored>> {
    let name = path.display();
    if path.extension().is_some_and(|end| end == "md" || end == "html") {
        return Err(usage(format!(
            "--resume takes the results, not the page: {}",
            path.with_extension("jsonl").display()
        )));
    }
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(|| format!("cannot read {name}"))?,
    };
    read(file, &name.to_string())
}

/// The results in `input`, which is called `name`; `None` where there is nothing in it.
pub fn read(input: impl Read, name: &str) -> Result<Option<Stored>> {
    let mut text = String::new();
    input.take(MOST).read_to_string(&mut text).with_context(|| format!("cannot read {name}"))?;
    parse(&text)
        .map_err(|error| usage(format!("{name}: {error}\n  name a file of results, or a new one to -o")))
}

/// The open file and what it holds.
pub struct Results {
    path: PathBuf,
    file: File,
    stored: Stored,
}

impl Results {
    /// Goes on with what is there, where it is the same experiment.
    pub fn open(path: PathBuf, spec: Spec, successor: Option<Invoker>) -> Result<Results> {
        let earlier = earlier(&path)?;
        if earlier.as_ref().is_some_and(|earlier| earlier.spec != spec) {
            return Err(usage(format!(
                "{} holds the results of another experiment\n  give another name to -o, or go on with it: --resume {0}",
                path.display()
            )));
        }
        // Opened by the one who hands files over; then kept: from now on there is no right to do so again.
        let mut file = OutputFile::open(&path, successor)?.into_appender()?;
        let stored = match earlier {
            Some(stored) => {
                // Half a line of a run that was killed.
                let cannot = || format!("cannot write {}", path.display());
                file.set_len(stored.whole as u64).with_context(cannot)?;
                file.seek(SeekFrom::End(0)).with_context(cannot)?;
                stored
            }
            None => {
                file.set_len(0).with_context(|| format!("cannot write {}", path.display()))?;
                let head = Line::Experiment {
                    schema: SCHEMA,
                    tool: super::super::TOOL.to_owned(),
                    spec: spec.clone(),
                };
                append(&mut file, &path, &head)?;
                Stored::new(spec)
            }
        };
        Ok(Results { path, file, stored })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn stored(&self) -> &Stored {
        &self.stored
    }

    /// Takes the next turn, for good: its source ports are not used again even where this run is killed.
    pub fn begin(&mut self) -> Result<u64> {
        let turn = self.stored.next_turn;
        append(&mut self.file, &self.path, &Line::Begin { turn })?;
        self.stored.next_turn = turn + 1;
        Ok(turn)
    }

    pub fn add(&mut self, block: Block) -> Result<()> {
        let line = Line::Block(Box::new(block.clone()));
        append(&mut self.file, &self.path, &line)?;
        self.stored.blocks.push(block);
        Ok(())
    }
}

/// One write for the whole line, and on the disk before anything else is done: a torn one is the last, and is not read.
fn append(file: &mut File, path: &Path, line: &Line) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let text = line.text().with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)?;
    match file.sync_data() {
        // A pipe or a device has nothing to sync.
        Err(error) if error.kind() != std::io::ErrorKind::InvalidInput => Err(error).with_context(cannot),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn spec(seed: u64) -> Spec {
        let words = ["unfixed", "fixed"].map(str::to_owned).to_vec();
        let args = crate::cli::experiment::Shape {
            arms: words,
            rounds: None,
            seed,
            reuse: 5,
            between: 10,
            patience: core::time::Duration::from_secs(20),
            source_ports: (20_000, 29_999),
            output: None,
            keep: None,
            page: crate::cli::experiment::PagePlan {
                report: None,
                force: false,
                redact: crate::cli::plan::RedactPlan::Keep,
            },
        };
        super::super::spec(&args, &crate::cli::plan::DeviceName::Name("esp32.local".to_owned())).unwrap()
    }

    fn open(path: &Path, seed: u64) -> Result<Results> {
        Results::open(named(Some(path)).unwrap(), spec(seed), None)
    }

    #[test]
    fn results_are_gone_on_with_and_are_not_another_experiments() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("proof.jsonl");
        let mut results = open(&path, 1).unwrap();
        assert_eq!(results.path(), path);
        assert_eq!((results.begin().unwrap(), results.begin().unwrap()), (0, 1));
        drop(results);
        let again = open(&path, 1).unwrap();
        assert_eq!(again.stored().next_turn, 2);
        let error = open(&path, 2).err().unwrap();
        assert!(error.to_string().contains("another experiment"), "{error}");
        assert!(earlier(&dir.path().join("proof.md")).is_err() && named(Some(dir.path())).is_err());
    }

    #[test]
    fn half_a_line_is_cut_off_before_the_next_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.jsonl");
        open(&path, 1).unwrap().begin().unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, whole.clone() + "{\"type\":\"block\",\"tu").unwrap();
        open(&path, 1).unwrap().begin().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), whole + "{\"type\":\"begin\",\"turn\":1}\n");
        fs::write(&path, "not ours\n").unwrap();
        assert!(open(&path, 1).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "not ours\n", "left as it was");
    }
}
