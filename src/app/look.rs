//! How the screen is to look: what was typed and what the configuration sets for it.
//!
//! Knows where each setting was written, so that whoever must mend it finds it. Which themes, commands and keys there are is
//! the screen's to know.

use anyhow::Result;

use super::exit::usage;
use crate::cli::{config::TuiSettings, plan::OutputPlan};
use crate::tui::{Keymap, ThemeName, TuiOptions};

/// Without a title yet.
///
/// # Errors
/// A theme, a command or a key that is not there, or a key that would mean two things; with the place to mend.
pub fn of(plan: &OutputPlan) -> Result<TuiOptions> {
    Ok(TuiOptions {
        theme: theme(&plan.tui)?,
        keys: keys(&plan.tui)?,
        ascii: plan.ascii,
        no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        keep_open_at_end: true,
        ..TuiOptions::default()
    })
}

fn theme(settings: &TuiSettings) -> Result<ThemeName> {
    let Some(set) = &settings.theme else { return Ok(ThemeName::default()) };
    set.value.parse().map_err(|error| usage(format!("{}: {error}", set.origin)))
}

fn keys(settings: &TuiSettings) -> Result<Keymap> {
    let changes = || settings.keys.iter().map(|(command, set)| (command, set.value.clone()));
    Keymap::with(changes()).map_err(|error| {
        // The one that is wrong by itself; of two that are wrong together, either will do.
        let alone = changes().position(|change| Keymap::with([change]).is_err());
        match settings.keys.values().nth(alone.unwrap_or(0)) {
            Some(set) => usage(format!("{}: {error}", set.origin)),
            None => usage(error),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::config_file;

    fn settings(text: &str) -> TuiSettings {
        let settings = config_file::read(text, Path::new("/c.toml")).unwrap();
        TuiSettings { theme: settings.theme, keys: settings.keys }
    }

    #[test]
    fn what_the_configuration_sets_is_taken() {
        let settings = settings("[tui]\ntheme = \"colour-blind\"\n[tui.keys]\nfreeze = [\"F5\", \"f\"]\n");
        assert_eq!(theme(&settings).unwrap(), ThemeName::ColourBlind);
        assert_ne!(format!("{:?}", keys(&settings).unwrap()), format!("{:?}", Keymap::default()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let table = [
            ("[tui]\ntheme = \"pink\"\n", "/c.toml:2: there is no theme `pink`"),
            ("[tui.keys]\nfreeze = \"f\"\nfreese = \"x\"\n", "/c.toml:3: there is no command `freese`"),
            ("[tui.keys]\nfreeze = \"q\"\n", "/c.toml:2: q is bound to"),
            ("[tui.keys]\nsort = \"Hyper\"\n", "/c.toml:2: `Hyper`, for `sort`, is no key"),
        ];
        for (text, told) in table {
            let settings = settings(text);
            let error = theme(&settings).map(drop).and_then(|()| keys(&settings).map(drop)).unwrap_err();
            assert!(error.to_string().starts_with(told), "{error}");
        }
    }
}
