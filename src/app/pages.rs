//! What clap can write of the command line: completion scripts and the manual page.

use std::io::Write;

use anyhow::Result;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use super::{exit, print::print};
use crate::cli::args::Cli;

pub fn completions(shell: Shell) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "esp-tcpwatch", &mut script);
    print(script)?;
    Ok(exit::CLEAN)
}

/// The page of the whole command, then a section for each subcommand, and for theirs.
pub fn man() -> Result<u8> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    notes(&command, &mut page)?;
    man.render_version_section(&mut page)?;
    subcommands(&command, "", &mut page)?;
    print(page)?;
    Ok(exit::CLEAN)
}

fn subcommands(command: &Command, of: &str, page: &mut Vec<u8>) -> Result<()> {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = format!("{of} {}", sub.get_name().to_uppercase()).trim_start().to_owned();
        writeln!(page, ".SH \"{name}\"")?;
        let man = Man::new(sub.clone());
        man.render_synopsis_section(page)?;
        man.render_description_section(page)?;
        man.render_options_section(page)?;
        notes(sub, page)?;
        subcommands(sub, &name, page)?;
    }
    Ok(())
}

/// What `--help` says at its end, line by line as it stands there: it has tables and examples.
fn notes(command: &Command, page: &mut Vec<u8>) -> Result<()> {
    let Some(text) = command.get_after_help() else { return Ok(()) };
    let mut notes = Roff::new();
    notes.control("SH", ["NOTES"]).control("nf", []);
    for line in text.to_string().lines() {
        notes.text([roman(line)]);
    }
    notes.control("fi", []).to_writer(page)?;
    Ok(())
}
