//! The configuration file as a person meets it: which one is read, what it changes, and when it is refused.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Output;

use support::{code, is_root, not_run, program, run, stderr, stdout, summary};

const NOBODY: u32 = 65_534;

/// A folder as `$XDG_CONFIG_HOME` names it, with the configuration `text` in it.
struct Home {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Home {
    fn with(text: &str) -> Home {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file = folder.path().join("esp-tcpwatch/config.toml");
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        set_mode(&file, 0o644);
        Home { folder, file }
    }

    fn run(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = program(words);
        command.env("XDG_CONFIG_HOME", self.folder.path()).envs(variables.iter().copied());
        command.output().unwrap()
    }

    fn name(&self) -> &str {
        self.file.to_str().unwrap()
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Value and origin of a setting, as `config show` lists them.
fn shown(output: &Output, name: &str) -> (String, String) {
    assert_eq!(code(output), 0, "{}", stderr(output));
    let text = stdout(output);
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    let mut parts = line.split("  ").map(str::trim).filter(|part| !part.is_empty()).skip(1);
    (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned())
}

#[test]
fn show_tells_each_value_and_where_it_was_written() {
    let home = Home::with(
        "\niface = \"eth7\"\nsnaplen = 200\nkey_file = \"key\"\n[tui.keys]\nfreeze = [\"f\", \"F\"]\n",
    );
    let output = home.run(&["config", "show"], &[("ESP_TCPWATCH_IFACE", "wlan7")]);
    let own = |value: &str, line: u32| (value.to_owned(), format!("{}:{line}", home.name()));
    assert_eq!(shown(&output, "iface"), ("wlan7".into(), "ESP_TCPWATCH_IFACE".into()));
    assert_eq!(shown(&output, "snaplen"), own("200", 3));
    assert_eq!(shown(&output, "key_file"), own(home.file.with_file_name("key").to_str().unwrap(), 4));
    assert_eq!(shown(&output, "tui.keys.freeze"), own("f, F", 6));
    assert_eq!(shown(&output, "control_port"), ("7777".into(), "built in".into()));
}

#[test]
fn the_key_itself_is_never_printed() {
    let home = Home::with("key_file = \"key\"\n");
    let key = "00112233445566778899aabbccddeeff".repeat(2);
    fs::write(home.file.with_file_name("key"), &key).unwrap();
    let output = home.run(&["config", "show"], &[]);
    assert_eq!(code(&output), 0);
    assert!(!stdout(&output).contains("0011"));
    // Nor where somebody put it in the place of the file's name.
    for text in
        [format!("key_file = [\"{key}\", 1]"), format!("key_file = {key}"), format!("control = \"{key}\"")]
    {
        let output = Home::with(&text).run(&["config", "show"], &[]);
        assert_eq!(code(&output), 2, "{text}");
        assert!(!stderr(&output).contains("0011"), "{}", stderr(&output));
    }
}

#[test]
fn the_command_line_is_over_the_environment_and_that_over_the_file() {
    // Which rules are read is told by what is complained about.
    let home = Home::with("rules = \"/no/file\"\n");
    for (words, variables, told) in [
        (&["rules", "list"][..], &[][..], "/no/file"),
        (&["rules", "list"], &[("ESP_TCPWATCH_RULES", "/no/environment")], "/no/environment"),
        (
            &["rules", "list", "--rules", "/no/typed"],
            &[("ESP_TCPWATCH_RULES", "/no/environment")],
            "/no/typed",
        ),
    ] {
        let output = home.run(words, variables);
        assert_eq!(code(&output), 4);
        assert!(stderr(&output).contains(told), "{words:?}: {}", stderr(&output));
    }
}

#[test]
fn a_named_file_is_over_the_one_that_is_looked_for_and_must_be_there() {
    let (home, other) = (Home::with("iface = \"eth7\"\n"), Home::with("iface = \"eth8\"\n"));
    let value = |words: &[&str], variables: &[(&str, &str)]| shown(&home.run(words, variables), "iface").0;
    assert_eq!(value(&["config", "show"], &[]), "eth7");
    assert_eq!(value(&["config", "show"], &[("ESP_TCPWATCH_CONFIG", other.name())]), "eth8");
    let named = ["config", "show", "--config", home.name()];
    assert_eq!(value(&named, &[("ESP_TCPWATCH_CONFIG", other.name())]), "eth7");
    let output = run(&["mode", "--config", "/no/such.toml"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("/no/such.toml"), "{}", stderr(&output));
    let output = run(&["config", "show"]);
    assert!(stdout(&output).contains("does not exist"), "without a file everything is built in");
}

#[test]
fn a_capture_is_read_whatever_device_is_set() {
    let home = Home::with("device = \"10.9.9.9\"\niface = \"nowhere0\"\n");
    let capture = home.folder.path().join("run.pcap");
    fs::write(&capture, support::refused()).unwrap();
    let output = home.run(&["-r", capture.to_str().unwrap(), "--json"], &[]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert_eq!(summary(&stdout(&output))["findings"]["time-wait-collision"], 2);
    // And live, the setting does what it says.
    if !is_root() {
        return not_run("a_capture_is_read_whatever_device_is_set", "the live half needs root");
    }
    let output = home.run(&["--json"], &[]);
    assert!(stderr(&output).contains("nowhere0"), "{}", stderr(&output));
}

#[test]
fn what_is_wrong_in_it_is_told_with_its_line() {
    for (text, told) in [
        ("\ndevise = \"10.0.0.1\"", "config.toml:2: `devise` is no setting (did you mean `device`?)"),
        ("ascii = 1", "config.toml:1: `ascii`: expected true or false, found a number"),
        ("\n\nsnaplen = 5", "config.toml:3: `snaplen`: expected a number from 96 to 262144"),
        ("device = \"10.0.0.0/24\"", "config.toml:1: `device`: --device `10.0.0.0/24`"),
    ] {
        let home = Home::with(text);
        for words in [&["config", "show"][..], &["-r", "x"], &["drive", "-d", "127.0.0.1"]] {
            let output = home.run(words, &[]);
            assert_eq!(code(&output), 2, "{words:?}");
            assert!(stderr(&output).contains(told), "{words:?}: {}", stderr(&output));
        }
        // What has nothing to do with it goes on.
        assert_eq!(code(&home.run(&["config", "path"], &[])), 0);
        assert_eq!(code(&home.run(&["completions", "bash"], &[])), 0);
    }
    let output = Home::with("").run(&["config", "show"], &[("ESP_TCPWATCH_SNAPLEN", "x")]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("ESP_TCPWATCH_SNAPLEN expected a number"), "{}", stderr(&output));
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    let home = Home::with("ascii = true\n");
    for mode in [0o666, 0o664, 0o646] {
        set_mode(&home.file, mode);
        let output = home.run(&["config", "show"], &[]);
        assert_eq!(code(&output), 2, "{mode:o}");
        assert!(stderr(&output).contains("chmod go-w"), "{}", stderr(&output));
    }
    set_mode(&home.file, 0o600);
    assert_eq!(shown(&home.run(&["config", "show"], &[]), "ascii").0, "true");
    // A folder, a pipe or a device in its place is not read, and nobody waits for it.
    let output = run(&["config", "show", "--config", "/dev/null"]);
    assert!(stderr(&output).contains("regular file"), "{}", stderr(&output));
    let output = run(&["config", "show", "--config", "/"]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    let pipe = home.folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let output = run(&["config", "show", "--config", pipe.to_str().unwrap()]);
    assert!(stderr(&output).contains("regular file"), "{}", stderr(&output));
}

#[test]
fn a_stranger_s_file_is_refused() {
    if !is_root() {
        return not_run("a_stranger_s_file_is_refused", "only root may give files away");
    }
    let home = Home::with("ascii = true\n");
    chown(&home.file, Some(NOBODY), None).unwrap();
    let output = home.run(&["config", "show"], &[]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("belongs to uid 65534"), "{}", stderr(&output));
}

#[test]
fn ones_own_file_that_cannot_be_read_is_told_and_anothers_folder_is_not_looked_into() {
    use std::os::unix::process::CommandExt;
    if !is_root() {
        return not_run("ones_own_file_that_cannot_be_read_is_told", "only root may become somebody");
    }
    let home = Home::with("ascii = true\n");
    let place = tempfile::tempdir().unwrap();
    let alone = support::program_for_everybody(place.path());
    let show = || {
        let mut command = std::process::Command::new(&alone);
        command.args(["config", "show"]).env("XDG_CONFIG_HOME", home.folder.path()).uid(NOBODY).gid(NOBODY);
        command.output().unwrap()
    };
    set_mode(&home.file, 0o600);
    assert!(stderr(&show()).contains("Permission denied"), "it is there, and root's");
    set_mode(home.folder.path(), 0o700);
    assert_eq!(shown(&show(), "ascii").1, "built in");
}

const SUDO: [(&str, &str); 2] = [("SUDO_UID", "65534"), ("SUDO_GID", "65534")];

#[test]
fn under_sudo_it_is_the_users_own_file_read_with_the_users_own_rights() {
    if !is_root() {
        return not_run(
            "under_sudo_it_is_the_users_own_file_read_with_the_users_own_rights",
            "only root has sudo's part",
        );
    }
    let home = Home::with("filter = \"tcp port 9\"\nsnaplen = 99\n");
    // $XDG_CONFIG_HOME may be root's: passwd knows better.
    let user = nix::unistd::User::from_uid(NOBODY.into()).unwrap().expect("nobody is in passwd");
    let path = user.dir.join(".config/esp-tcpwatch/config.toml");
    assert_eq!(stdout(&home.run(&["config", "path"], &SUDO)).trim(), path.to_str().unwrap());

    // Root's file is believed where the user may read it, and not read to a user who may not.
    let named = ["config", "show", "--config", home.name()];
    assert_eq!(shown(&home.run(&named, &SUDO), "snaplen").0, "99");
    set_mode(&home.file, 0o600);
    let output = home.run(&named, &SUDO);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("Permission denied"), "{}", stderr(&output));
    chown(&home.file, Some(NOBODY), Some(NOBODY)).unwrap();
    assert_eq!(shown(&home.run(&named, &SUDO), "snaplen").0, "99");

    // Root's rights are back for what needs them: the capture.
    let output = home.run(&["-i", "lo", "--json", "--duration", "200ms", "--config", home.name()], &SUDO);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let start = &support::events(&stdout(&output))[0];
    assert_eq!((&start["filter"], &start["snaplen"]), (&"tcp port 9".into(), &99.into()));
}

#[test]
fn the_example_is_sound_and_has_every_setting() {
    let home = Home::with(include_str!("../packaging/config.example.toml"));
    let output = home.run(&["config", "show"], &[]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(!stdout(&output).contains("built in"), "an example for each:\n{}", stdout(&output));
    let page = include_str!("../docs/configuration.md");
    for line in stdout(&output).lines().skip(1) {
        let name = line.split_whitespace().next().unwrap().rsplit('.').next().unwrap();
        assert!(
            page.contains(&format!("`{name}`")) || name == "freeze",
            "docs/configuration.md lacks {name}"
        );
    }
}
