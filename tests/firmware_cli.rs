//! The `firmware` command as a person meets it: what it writes is the repository's own, the key in both places is one,
//! and a board has what was sent.
//!
//! The board is MicroPython's Unix port, at the other end of a pseudo-terminal in the place of a serial port; the tool
//! that speaks to it is mpremote itself. `make micropython` installs both.

#[path = "firmware_cli/board.rs"]
mod board;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use board::Board;
use support::{code, is_root, not_run, program, run, stderr, stdout};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under `folder`, by its path from there.
fn files(folder: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(folder, "", &mut found);
    found
}

/// What the repository has under `firmware/FOLDER` that is meant for a board, by its path from `firmware/`.
fn meant_for_boards(folder: &str) -> BTreeSet<String> {
    let folder_here = root().join("firmware").join(folder);
    let git = Command::new("git").args(["ls-files", "-z", "."]).current_dir(&folder_here).output();
    let listed = git.ok().filter(|output| output.status.success() && !output.stdout.is_empty());
    let all: BTreeSet<String> = match listed {
        Some(output) => {
            let names = String::from_utf8(output.stdout).unwrap();
            names.split_terminator('\0').map(str::to_owned).collect()
        }
        // A source archive holds nothing else.
        None => files(&folder_here),
    };
    let is_for_tests = |name: &String| {
        name.starts_with("check/") || name.starts_with("test.") || name.starts_with("requirements")
    };
    all.into_iter().filter(|name| !is_for_tests(name)).collect()
}

fn key_in(path: &Path) -> String {
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    let key = fs::read_to_string(path).unwrap();
    let key = key.strip_suffix('\n').unwrap();
    assert!(key.len() == 64 && key.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{key}");
    key.to_owned()
}

fn install(words: &[&str]) -> Output {
    run(&[&["firmware", "install"], words].concat())
}

fn same(written: &Path, from: &Path) {
    assert_eq!(fs::read(written).unwrap(), fs::read(from).unwrap(), "{}", written.display());
}

#[test]
fn list_tells_version_boards_and_what_each_can_switch() {
    let output = run(&["firmware", "list"]);
    assert_eq!(code(&output), 0);
    for told in ["esp-idf 0.1.0", "esp32c3", "pcb_cap", "micropython 0.1.0", "mpremote"] {
        assert!(stdout(&output).contains(told), "{told}: {}", stdout(&output));
    }
}

#[test]
fn path_leads_to_the_repository_or_says_how_to_have_the_sources() {
    let output = run(&["firmware", "path", "micropython"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let found = PathBuf::from(stdout(&output).trim());
    assert_eq!(found.canonicalize().unwrap(), root().join("firmware/micropython").canonicalize().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let alone = support::program_for_everybody(dir.path());
    let output = Command::new(alone).args(["firmware", "path", "esp-idf"]).output().unwrap();
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("firmware install esp-idf DIR"), "{}", stderr(&output));
}

#[test]
fn the_esp_idf_project_is_the_repositorys_with_a_key_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("my board");
    let output = install(&["esp-idf", to.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let mut expected: BTreeSet<String> =
        ["control.key".to_owned(), "esp-idf/sdkconfig.own".to_owned()].into();
    for folder in ["app", "esp-idf"] {
        for name in meant_for_boards(folder) {
            same(&to.join(folder).join(&name), &root().join("firmware").join(folder).join(&name));
            expected.insert(format!("{folder}/{name}"));
        }
    }
    assert_eq!(files(&to), expected);
    let key = key_in(&to.join("control.key"));
    let own = to.join("esp-idf/sdkconfig.own");
    assert_eq!(fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o600);
    let own = fs::read_to_string(own).unwrap();
    assert!(own.contains(&format!("CONFIG_TCPWATCH_CONTROL_KEY=\"{key}\"\n")), "{own}");
    assert!(own.contains("CONFIG_TCPWATCH_WIFI_SSID=\"\"\n"), "{own}");
    for told in ["idf.py build flash monitor", "esp-idf", "control.key"] {
        assert!(stdout(&output).contains(told), "{told}");
    }
    assert!(!stdout(&output).contains(&key) && !stderr(&output).contains(&key), "the key is not shown");
}

/// Kconfig names in `sdkconfig.own` are the project's, and the project reads that file.
#[test]
fn what_is_written_for_the_build_is_what_the_build_takes() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(code(&install(&["esp-idf", dir.path().join("b").to_str().unwrap()])), 0);
    let project = dir.path().join("b/esp-idf");
    let kconfig = fs::read_to_string(project.join("main/Kconfig.projbuild")).unwrap();
    let own = fs::read_to_string(project.join("sdkconfig.own")).unwrap();
    let mut names = 0;
    for line in own.lines().filter(|line| !line.starts_with('#')) {
        let name = line.strip_prefix("CONFIG_").unwrap().split('=').next().unwrap();
        assert!(kconfig.contains(&format!("config {name}\n")), "{name}");
        names += 1;
    }
    assert_eq!(names, 3);
    let cmake = fs::read_to_string(project.join("CMakeLists.txt")).unwrap();
    let (sets, includes) =
        (cmake.find("set(SDKCONFIG_DEFAULTS").unwrap(), cmake.find("include($ENV{IDF_PATH}").unwrap());
    assert!(sets < includes && cmake.contains("sdkconfig.own"), "{cmake}");
}

/// `make firmware-rv32`, on what was written: the check and the twin are beside it as in the repository.
#[test]
fn the_written_project_passes_the_repositorys_own_check() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("b");
    assert_eq!(code(&install(&["esp-idf", to.to_str().unwrap()])), 0);
    let firmware = root().join("firmware");
    let check = [firmware.join("esp-idf/check"), to.join("esp-idf/check")];
    assert!(Command::new("cp").arg("-r").args(check).status().unwrap().success());
    std::os::unix::fs::symlink(firmware.join("twin"), to.join("twin")).unwrap();
    let agree = |to: &Path| {
        Command::new("python3")
            .args(["-B", "project.py", "agree"])
            .current_dir(to.join("esp-idf/check"))
            .output()
            .unwrap()
    };
    let output = agree(&to);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    // It looks at what was written, and at nothing else.
    fs::remove_file(to.join("app/hmac.c")).unwrap();
    let output = agree(&to);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("hmac.c, which does not exist"), "{}", stderr(&output));
    assert_eq!(code(&install(&["esp-idf", to.to_str().unwrap(), "--force"])), 0);

    let compiler = "riscv64-unknown-elf-gcc";
    if Command::new(compiler).arg("--version").output().is_err() {
        return not_run(
            "the_written_project_passes_the_repositorys_own_check",
            "the half that compiles it needs riscv64-unknown-elf-gcc",
        );
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let make = Command::new("make")
        .args(["-s", "-C"])
        .arg(to.join("esp-idf/check"))
        .arg(format!("OUT={}", dir.path().join("out").display()))
        .arg(format!("TWIN_OUT={}", target.join("twin").display()))
        // Ours alone: lwIP is the same wherever we are.
        .arg("-j2")
        .arg(dir.path().join("out/libmain.a"))
        .env_remove("MAKEFLAGS")
        .output()
        .unwrap();
    assert_eq!(code(&make), 0, "{}{}", stdout(&make), stderr(&make));
    assert!(dir.path().join("out/app/hmac.o").is_file());
}

#[test]
fn the_micropython_files_are_the_repositorys_with_a_key_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("b");
    let output = install(&["micropython", to.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let mut expected = meant_for_boards("micropython");
    for name in &expected {
        same(&to.join(name), &root().join("firmware/micropython").join(name));
    }
    expected.extend(["config.py".to_owned(), "control.key".to_owned()]);
    assert_eq!(files(&to), expected);
    let key = key_in(&to.join("control.key"));
    let config = fs::read_to_string(to.join("config.py")).unwrap();
    assert!(
        config.contains(&format!("KEY = \"{key}\"\n")) && config.contains("SSID = \"\"  # <- yours"),
        "{config}"
    );
    assert_eq!(fs::metadata(to.join("config.py")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn nothing_of_the_users_is_written_over() {
    for (name, own) in [("esp-idf", "esp-idf/sdkconfig.own"), ("micropython", "config.py")] {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("b");
        let to_word = to.to_str().unwrap();
        assert_eq!(code(&install(&[name, to_word])), 0);
        let key = key_in(&to.join("control.key"));
        let source = to.join(if name == "esp-idf" { "app/app.c" } else { "main.py" });
        fs::write(&source, "mine").unwrap();
        let edited = fs::read_to_string(to.join(own)).unwrap().replacen("\"\"", "\"my net\"", 1);
        fs::write(to.join(own), &edited).unwrap();

        let output = install(&[name, to_word]);
        assert_eq!(code(&output), 4);
        assert!(stderr(&output).contains("--force"), "{}", stderr(&output));
        assert_eq!(fs::read_to_string(&source).unwrap(), "mine");

        let output = install(&[name, to_word, "--force"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert_ne!(fs::read_to_string(&source).unwrap(), "mine");
        assert_eq!(fs::read_to_string(to.join(own)).unwrap(), edited, "the network stays");
        assert_eq!(key_in(&to.join("control.key")), key, "boards have this key already");

        // Another key on the host would lock it out of what is built from there.
        fs::remove_file(to.join("control.key")).unwrap();
        let output = install(&[name, to_word, "--force"]);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains("the key in it is not the one"), "{}", stderr(&output));
    }
}

#[test]
fn one_key_can_be_for_several_boards_and_a_damaged_one_is_for_none() {
    let dir = tempfile::tempdir().unwrap();
    let name = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let key_file = name("key");
    for board in ["a", "b"] {
        assert_eq!(code(&install(&["micropython", &name(board), "--key-file", &key_file])), 0);
    }
    let key = key_in(Path::new(&key_file));
    for board in ["a", "b"] {
        assert!(fs::read_to_string(dir.path().join(board).join("config.py")).unwrap().contains(&key));
        assert!(!dir.path().join(board).join("control.key").exists());
    }
    fs::write(&key_file, "0011").unwrap();
    let output = install(&["micropython", &name("c"), "--key-file", &key_file]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("64 hexadecimal digits"), "{}", stderr(&output));
}

#[test]
fn under_sudo_all_of_it_is_the_users() {
    use std::os::unix::fs::{MetadataExt, chown};
    if !is_root() {
        return not_run("under_sudo_all_of_it_is_the_users", "only root has sudo's part");
    }
    let dir = tempfile::tempdir().unwrap();
    chown(dir.path(), Some(65_534), Some(65_534)).unwrap();
    let to = dir.path().join("b");
    let output = program(&["firmware", "install", "esp-idf", to.to_str().unwrap()])
        .envs([("SUDO_UID", "65534"), ("SUDO_GID", "65534")])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for name in files(&to).iter().map(|name| to.join(name)).chain([to.clone(), to.join("esp-idf/main")]) {
        assert_eq!(fs::metadata(&name).unwrap().uid(), 65_534, "{}", name.display());
    }
}

/// mpremote and MicroPython, where `make micropython` puts them.
fn tools() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("micropython/venv/bin");
    ["mpremote", "micropython"].iter().all(|name| folder.join(name).exists()).then_some(folder)
}

const NO_TOOLS: &str = "mpremote and MicroPython are not there (make micropython installs them)";

/// The program, run where its files may lie, with these tools alone.
fn on_a_board(tools: &Path, here: &Path, words: &[&str]) -> Output {
    let path = format!("{}:/usr/bin:/bin", tools.display());
    program(&[&["firmware", "install", "micropython"], words].concat())
        .current_dir(here)
        .env("PATH", path)
        .env("TMPDIR", here)
        .output()
        .unwrap()
}

#[test]
fn a_board_has_what_was_sent_and_the_key_of_this_computer() {
    let Some(tools) = tools() else {
        return not_run("a_board_has_what_was_sent_and_the_key_of_this_computer", NO_TOOLS);
    };
    let here = tempfile::tempdir().unwrap();
    let board = Board::plug_in(&tools.join("micropython"));
    let output = on_a_board(&tools, here.path(), &["--port", &board.port]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let sent = ["board.py", "control.py", "control_auth.py", "http_server.py", "json_read.py", "main.py"];
    for name in sent {
        same(&board.flash.path().join(name), &root().join("firmware/micropython").join(name));
    }
    assert_eq!(files(board.flash.path()).len(), sent.len() + 1);
    let key = key_in(&here.path().join("control.key"));
    let config = fs::read_to_string(board.flash.path().join("config.py")).unwrap();
    assert!(config.contains(&format!("KEY = \"{key}\"\n")), "{config}");
    assert!(stdout(&output).contains("Wi-Fi: blank"), "{}", stdout(&output));
    assert!(!stdout(&output).contains(&key));
    assert_eq!(
        files(here.path()).into_iter().collect::<Vec<_>>(),
        ["control.key"],
        "no copy of the key lies about"
    );

    // Once more: the board is in use, and stays as it is until that is meant.
    fs::write(board.flash.path().join("main.py"), "mine = 1\n").unwrap();
    let output = on_a_board(&tools, here.path(), &["--port", &board.port]);
    assert_eq!(code(&output), 4);
    assert!(
        stderr(&output).contains("--force") && stderr(&output).contains("main.py"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read_to_string(board.flash.path().join("main.py")).unwrap(), "mine = 1\n");
    let output = on_a_board(&tools, here.path(), &["--port", &board.port, "--force"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    same(&board.flash.path().join("main.py"), &root().join("firmware/micropython/main.py"));
    assert_eq!(key_in(&here.path().join("control.key")), key);
}

#[test]
fn what_keeps_a_board_from_it_is_told_in_plain_words() {
    let Some(tools) = tools() else {
        return not_run("what_keeps_a_board_from_it_is_told_in_plain_words", NO_TOOLS);
    };
    let here = tempfile::tempdir().unwrap();
    let output = on_a_board(&tools, here.path(), &["--port", "/dev/no-such-port"]);
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("mpremote connect list"), "{}", stderr(&output));
    let nothing = tempfile::tempdir().unwrap();
    let output = on_a_board(nothing.path(), here.path(), &["--port", "auto"]);
    assert_eq!(code(&output), 4);
    assert!(stderr(&output).contains("pipx install mpremote"), "{}", stderr(&output));
    assert!(files(here.path()).is_empty(), "no key for a board that was not reached");
}
