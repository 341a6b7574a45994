//! The `firmware` commands: what comes with the program, where it lies, and the two ways of a board to it.
//!
//! Knows the steps and what to say after them. What is written where is [`project`]'s, the serial port [`board`]'s.

mod board;
mod key;
mod project;
mod wifi;

use core::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

use super::{exit, print::print, privilege};
use crate::cli::firmware::{FirmwareName, FirmwarePlan, InstallPlan, InstallTo};
use crate::firmware::bundle::{self, Bundled};

pub fn run(plan: FirmwarePlan) -> Result<u8> {
    // What is written is the invoking user's, and nothing here needs root.
    privilege::drop_all(privilege::invoker()?)?;
    match plan {
        FirmwarePlan::List => print(list())?,
        FirmwarePlan::Path(name) => print(paths(name)?)?,
        FirmwarePlan::Install(InstallPlan { to: InstallTo::Directory(name, directory), key_file, force }) => {
            print(project::install(name, &directory, &key_file, force)?)?;
        }
        FirmwarePlan::Install(InstallPlan { to: InstallTo::Board(port), key_file, force }) => {
            print(board::install(&port, &key_file, force)?)?;
        }
    }
    Ok(exit::CLEAN)
}

const ALL: [FirmwareName; 2] = [FirmwareName::EspIdf, FirmwareName::Micropython];

fn files(name: FirmwareName) -> &'static [Bundled] {
    match name {
        FirmwareName::EspIdf => bundle::ESP_IDF,
        FirmwareName::Micropython => bundle::MICROPYTHON,
    }
}

fn list() -> String {
    let mut text = String::new();
    for name in ALL {
        let (boards, needs, switches) = match name {
            FirmwareName::EspIdf => (
                "esp32, esp32s3, esp32c3",
                "ESP-IDF 5.0 or later, to build it",
                "msl_ms, rst_in_time_wait, syn_in_time_wait, close, pcb_cap",
            ),
            FirmwareName::Micropython => (
                "any with MicroPython 1.21 or later and Wi-Fi",
                "nothing to build; mpremote copies it",
                "close (the rest lies inside lwIP, out of a script's reach)",
            ),
        };
        let version = version(name).unwrap_or("?");
        for (what, told) in [("boards", boards), ("needs", needs), ("switches", switches)] {
            let head = if what == "boards" { format!("{} {version}", name.word()) } else { String::new() };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{head:<18}{what:<10}{told}");
        }
    }
    text.push_str(
        "Neither was run on a board by us yet. To have one: esp-tcpwatch firmware install NAME DIR\n",
    );
    text
}

/// As the sources themselves have it.
fn version(name: FirmwareName) -> Option<&'static str> {
    let (path, before) = match name {
        FirmwareName::EspIdf => ("app/app.h", "#define APP_FIRMWARE_VERSION \""),
        FirmwareName::Micropython => ("micropython/main.py", "FIRMWARE = \""),
    };
    let file = files(name).iter().find(|file| file.path == path)?;
    file.text.lines().find_map(|line| line.strip_prefix(before)?.split('"').next())
}

fn paths(name: Option<FirmwareName>) -> Result<String> {
    let program = std::env::current_exe().unwrap_or_default();
    let asked = name.map_or(ALL.to_vec(), |name| vec![name]);
    let found: Vec<_> = asked.iter().filter_map(|name| lies_at(*name, &program)).collect();
    if found.is_empty() {
        let name = name.map_or("NAME", FirmwareName::word);
        return Err(anyhow!(
            "the sources do not lie on this computer as files; they are in the program\n  \
             esp-tcpwatch firmware install {name} DIR writes them"
        ));
    }
    Ok(found.iter().map(|path| format!("{}\n", path.display())).collect())
}

/// Beside the program: in the repository that it was built in, or where it was installed.
fn lies_at(name: FirmwareName, program: &Path) -> Option<PathBuf> {
    let has = match name {
        FirmwareName::EspIdf => "main/Kconfig.projbuild",
        FirmwareName::Micropython => "config.example.py",
    };
    let mut folders = program.ancestors().skip(1);
    folders.find_map(|folder| {
        let places = [folder.join("firmware"), folder.join("share/esp-tcpwatch/firmware")];
        places.into_iter().map(|place| place.join(name.word())).find(|place| place.join(has).is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_the_sources_own() {
        for name in ALL {
            assert!(version(name).unwrap().split('.').count() == 3, "{name:?}");
        }
    }

    #[test]
    fn sources_are_found_beside_the_program() {
        let place = tempfile::tempdir().unwrap();
        let share = place.path().join("share/esp-tcpwatch/firmware/micropython");
        std::fs::create_dir_all(&share).unwrap();
        let program = place.path().join("bin/esp-tcpwatch");
        assert_eq!(lies_at(FirmwareName::Micropython, &program), None);
        std::fs::write(share.join("config.example.py"), "").unwrap();
        assert_eq!(lies_at(FirmwareName::Micropython, &program), Some(share));
        assert_eq!(lies_at(FirmwareName::EspIdf, &program), None);
    }
}
