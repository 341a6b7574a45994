//! The sources as a directory that can be built, or copied to a board.
//!
//! Knows which files are the user's own, with network and key in them: those are made once and never written over.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{self, Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::{files, key, wifi::Network};
use crate::app::{exit::usage, privilege::quoted};
use crate::cli::firmware::FirmwareName;
use crate::firmware::bundle::{Bundled, MICROPYTHON, ON_THE_BOARD};

/// Paths told where some are in the way.
const TOLD: usize = 3;

/// Writes `name` into `directory`, its key into `key_file`; what to do next.
pub fn install(name: FirmwareName, directory: &Path, key_file: &Path, force: bool) -> Result<String> {
    let files: Vec<(PathBuf, &str)> =
        files(name).iter().map(|file| (directory.join(place(name, file)), file.text)).collect();
    let there: Vec<&Path> =
        files.iter().map(|(path, _)| path.as_path()).filter(|path| path.symlink_metadata().is_ok()).collect();
    if !there.is_empty() && !force {
        let told: Vec<_> = there.iter().take(TOLD).map(|path| path.display().to_string()).collect();
        return Err(anyhow!(
            "{} of the files are there already: {}{}\n  --force replaces them; or name another directory",
            there.len(),
            told.join(", "),
            if there.len() > TOLD { ", …" } else { "" }
        ));
    }
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    let (key, was_there) = key::in_file(key_file)?;
    let own = own_file(name, directory);
    for (path, text) in &files {
        write(path, text)?;
    }
    write_own(&own, &own_text(name, &key)?, &key, key_file)?;
    Ok(next_steps(name, directory, &own, key_file, was_there))
}

/// Where a bundled file lies in the directory: an ESP-IDF project keeps the server's C beside it, a script is flat.
fn place(name: FirmwareName, file: &Bundled) -> &'static str {
    match name {
        FirmwareName::EspIdf => file.path,
        FirmwareName::Micropython => file.path.strip_prefix("micropython/").unwrap_or(file.path),
    }
}

fn own_file(name: FirmwareName, directory: &Path) -> PathBuf {
    directory.join(match name {
        FirmwareName::EspIdf => "esp-idf/sdkconfig.own",
        FirmwareName::Micropython => "config.py",
    })
}

fn own_text(name: FirmwareName, key: &str) -> Result<String> {
    match name {
        FirmwareName::EspIdf => Ok(format!(
            "# Yours alone: keep this file to yourself. It is read when there is no sdkconfig yet (idf.py set-target makes a\n\
             # new one), over sdkconfig.defaults.\n\
             # Your Wi-Fi. Left empty, the console asks for it (README.md).\n\
             CONFIG_TCPWATCH_WIFI_SSID=\"\"\n\
             CONFIG_TCPWATCH_WIFI_PASSWORD=\"\"\n\
             CONFIG_TCPWATCH_CONTROL_KEY=\"{key}\"\n"
        )),
        FirmwareName::Micropython => config_py(key, &Network::default()),
    }
}

/// `config.py`: the example with this key and this network in it, an empty one marked as such.
pub fn config_py(key: &str, network: &Network) -> Result<String> {
    let example = MICROPYTHON.iter().find(|file| file.path.ends_with("config.example.py"));
    let mut text = example.context("config.example.py is not bundled")?.text.to_owned();
    // Whoever reads the copy has copied it already.
    text = text.replacen("Copy this to config.py and put in what is yours. ", "", 1);
    let mark = |written: String, blank: bool| if blank { written + "  # <- yours" } else { written };
    let blank = network.name.is_empty();
    // A JSON string is a Python string too.
    let lines = [
        ("SSID = \"my network\"", mark(format!("SSID = {}", serde_json::to_string(&network.name)?), blank)),
        (
            "PASSWORD = \"my password\"",
            mark(format!("PASSWORD = {}", serde_json::to_string(&network.password)?), blank),
        ),
        ("KEY = \"\"", format!("KEY = \"{key}\"")),
    ];
    for (example, own) in lines {
        if !text.contains(example) {
            return Err(anyhow!("config.example.py has no line {example}"));
        }
        text = text.replacen(example, &own, 1);
    }
    Ok(text)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// One that is there stays, if the key in it is the one that this computer has.
fn write_own(path: &Path, text: &str, key: &str, key_file: &Path) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    match key::private(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).with_context(cannot),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let there =
                fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            if there.to_ascii_lowercase().contains(key) {
                return Ok(());
            }
            Err(usage(format!(
                "{} is yours and stays as it is, but the key in it is not the one in {}\n  \
                 put the same key into both, or move one of them away",
                path.display(),
                key_file.display()
            )))
        }
        Err(error) => Err(error).with_context(cannot),
    }
}

fn next_steps(
    name: FirmwareName,
    directory: &Path,
    own: &Path,
    key_file: &Path,
    key_was_there: bool,
) -> String {
    // Whole, since the steps lead to another folder.
    let whole = |path: &Path| path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let in_shell = |path: &Path| quoted(&whole(path).to_string_lossy());
    let (project, own, key_in_shell) = (in_shell(&directory.join("esp-idf")), whole(own), in_shell(key_file));
    let (script, directory, own, key_file) =
        (in_shell(directory), directory.display(), own.display(), key_file.display());
    let whose = if key_was_there { "the key that was there" } else { "a fresh key" };
    let steps = match name {
        FirmwareName::EspIdf => format!(
            "  . ~/esp/esp-idf/export.sh                 wherever your ESP-IDF is\n  \
             cd {project}\n  \
             idf.py set-target esp32c3                 or esp32, esp32s3\n  \
             idf.py build flash monitor\n\
             Wi-Fi: blank in {own}; fill it in before set-target, or type it on the console later (README.md).\n"
        ),
        FirmwareName::Micropython => format!(
            "  pipx install mpremote                     where it is missing\n  \
             cd {script}\n  \
             mpremote cp {} config.py :\n  \
             mpremote reset\n\
             Wi-Fi: blank in {own}; fill it in before you copy it.\n",
            ON_THE_BOARD.join(" ")
        ),
    };
    format!(
        "Written: {} into {directory}; {whose} in {key_file}, and in {own}.\nNext:\n{steps}\
         Then: esp-tcpwatch mode fixed -d ADDRESS --key-file {key_in_shell}\n",
        name.word()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_quotes_stays_one_string() {
        let network =
            Network { name: "a \"b\" \\ ü\n".to_owned(), password: "'; import os #\u{1}".to_owned() };
        let text = config_py("00", &network).unwrap();
        assert!(text.contains("SSID = \"a \\\"b\\\" \\\\ ü\\n\"\n"), "{text}");
        assert!(text.contains("PASSWORD = \"'; import os #\\u0001\"\n"), "{text}");
        assert!(!text.contains("<- yours") && text.contains("KEY = \"00\""), "{text}");
    }
}
