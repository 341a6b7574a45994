//! What clap can write of the command line: completion scripts and the manual page.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use super::{exit, print::print};
use crate::cli::args::Cli;

pub fn completions(shell: Shell) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "esp-tcpwatch", &mut script);
    print(script)?;
    Ok(exit::CLEAN)
}

/// The page of the whole command, then a section for each subcommand.
pub fn man() -> Result<u8> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        page.extend_from_slice(format!(".SH {}\n", sub.get_name().to_uppercase()).as_bytes());
        let man = clap_mangen::Man::new(sub.clone());
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
    }
    print(page)?;
    Ok(exit::CLEAN)
}
