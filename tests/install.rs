//! `make install-files`, which `make install` puts its files with: what lies where, and that it is what it should be.
//!
//! Of the program that the tests are of; what `make install` does besides is to build it optimised.
#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use support::{PROGRAM, not_run};

const TWIN: &str = "no program, but as good as one to lie somewhere";
const UNIT: &str = "lib/systemd/system/esp-tcpwatch.service";
const MAN: &str = "share/man/man1/esp-tcpwatch.1";
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/esp-tcpwatch"),
    ("zsh", "share/zsh/site-functions/_esp-tcpwatch"),
    ("fish", "share/fish/vendor_completions.d/esp-tcpwatch.fish"),
];

/// Puts the files; what make said.
fn install(scene: &Path, variables: &[String]) -> String {
    let twin = scene.join("twin");
    fs::write(&twin, TWIN).unwrap();
    let mut make = Command::new("make");
    // Another make may have started the tests, with flags and targets of its own.
    make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").env_remove("DESTDIR").env_remove("PREFIX");
    make.current_dir(env!("CARGO_MANIFEST_DIR")).args(["-s", "install-files"]);
    make.arg(format!("BIN={PROGRAM}")).arg(format!("TWIN={}", twin.display())).args(variables);
    let output = make.output().expect("make");
    assert!(output.status.success(), "{}{}", support::stdout(&output), support::stderr(&output));
    support::stdout(&output)
}

/// Every file below `at`, by its path from there, and its mode.
fn files(at: &Path) -> BTreeMap<String, u32> {
    let mut files = BTreeMap::new();
    let mut folders = vec![at.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
                files.insert(path.strip_prefix(at).unwrap().to_str().unwrap().to_owned(), mode);
            }
        }
    }
    files
}

#[test]
fn every_file_lies_where_it_is_looked_for_and_none_elsewhere() {
    let scene = tempfile::tempdir().unwrap();
    let staged = scene.path().join("staged");
    let said = install(scene.path(), &[format!("DESTDIR={}", staged.display()), "PREFIX=/usr".to_owned()]);
    let mut expected = BTreeMap::from([("bin/esp-tcpwatch", 0o755), ("bin/esp-tcpwatch-twin", 0o755)]);
    expected.extend([(MAN, 0o644), (UNIT, 0o644)]);
    expected.extend(COMPLETIONS.map(|(_, file)| (file, 0o644)));
    let expected: BTreeMap<String, u32> =
        expected.into_iter().map(|(file, mode)| (format!("usr/{file}"), mode)).collect();
    assert_eq!(files(&staged), expected);
    for file in expected.keys() {
        assert!(said.contains(&staged.join(file).display().to_string()), "{file} is not told: {said}");
    }

    let usr = staged.join("usr");
    let read = |file: &str| fs::read_to_string(usr.join(file)).unwrap();
    assert!(fs::read(usr.join("bin/esp-tcpwatch")).unwrap() == fs::read(PROGRAM).unwrap());
    assert_eq!(read("bin/esp-tcpwatch-twin"), TWIN);
    let unit = read(UNIT);
    // Of the place where it will lie, not of the one where it was put for now.
    assert!(unit.contains("\nExecStart=/usr/bin/esp-tcpwatch --headless "), "{unit}");
    assert!(!unit.contains("@PREFIX@"), "{unit}");
    let man = read(MAN);
    assert!(man.contains(".TH esp-tcpwatch 1 ") && man.contains(".SH SYNOPSIS"), "{man}");
    for option in ["\\-\\-headless", "\\-\\-socket", "\\-\\-recorder"] {
        assert!(man.contains(option), "{option} is not in the manual page");
    }
    for (shell, file) in COMPLETIONS {
        let text = read(file);
        for word in ["esp-tcpwatch", "headless", "experiment"] {
            assert!(text.contains(word), "{word} is not completed by {shell}");
        }
        // A shell that is not here cannot judge.
        if let Ok(judged) = Command::new(shell).arg("-n").arg(usr.join(file)).output() {
            let said = support::stderr(&judged);
            assert!(judged.status.success() && said.is_empty(), "{shell}: {said}");
        }
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    const NAME: &str = "systemd_finds_nothing_wrong_with_the_unit";
    let verify =
        |unit: &Path| Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(unit).output();
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return not_run(NAME, "it needs systemd-analyze (Debian, Ubuntu: systemd)");
    }
    let scene = tempfile::tempdir().unwrap();
    let prefix = scene.path().join("prefix");
    // Where it is told to start lies what it starts, so that this is verified as well.
    install(scene.path(), &[format!("PREFIX={}", prefix.display())]);
    let unit = prefix.join(UNIT);
    let output = verify(&unit).unwrap();
    let said = support::stdout(&output) + &support::stderr(&output);
    assert!(output.status.success() && said.is_empty(), "{said}");

    // It would have told.
    let wrong = scene.path().join("wrong.service");
    fs::write(&wrong, fs::read_to_string(&unit).unwrap().replace("WatchdogSec=", "WatchdogSecs=")).unwrap();
    assert!(support::stderr(&verify(&wrong).unwrap()).contains("WatchdogSecs"));
}
