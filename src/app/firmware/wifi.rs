//! Name and password of a Wi-Fi, asked for on the terminal: on a command line anybody on this computer could read them.

use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// Empty where it is not known.
#[derive(Clone, Default)]
pub struct Network {
    pub name: String,
    pub password: String,
}

/// Asks whoever sits at the terminal; where nobody does, the network stays empty.
pub fn ask() -> Result<Network> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(Network::default());
    }
    let name = answer("Wi-Fi network (empty: filled in later): ")?;
    if name.is_empty() {
        return Ok(Network::default());
    }
    let silent = Silent::begin()?;
    let password = answer("Its password (not shown; empty for an open network): ");
    drop(silent);
    eprintln!();
    Ok(Network { name, password: password? })
}

fn answer(question: &str) -> Result<String> {
    eprint!("{question}");
    let mut line = String::new();
    let asked = io::stderr().flush().and_then(|()| io::stdin().lock().read_line(&mut line));
    asked.context("cannot read from the terminal")?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// While it lives, the terminal does not show what is typed.
struct Silent(Termios);

impl Silent {
    fn begin() -> Result<Silent> {
        let cannot = "cannot keep the terminal from showing the password";
        let before = tcgetattr(io::stdin().as_fd()).context(cannot)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(io::stdin().as_fd(), SetArg::TCSAFLUSH, &silent).context(cannot)?;
        Ok(Silent(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // Nothing better can be done about a terminal that went away.
        let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, &self.0);
    }
}
