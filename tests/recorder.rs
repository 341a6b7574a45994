//! The flight recorder: what an alert leaves on the disk, whatever the disk does meanwhile, and however the run ends.
#![cfg(unix)]

mod support;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use esp_tcpwatch::analysis::input::Input;
use esp_tcpwatch::source::{Source, file::CaptureFile};
use serde_json::Value;
use support::{
    PROGRAM, accepted, code, events, give_to_successor, not_run, of_type, pcap_of, program, refused, run,
    stderr, stdout, summary,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// What no rule has anything to say of: an EtherType for experiments, with a number in it.
const FILLER: [u8; 2] = [0x88, 0xb5];

/// Filler number `number`, `octets` long, a millisecond after the one before; the first comes a second after all that
/// [`refused`] holds.
fn filler(number: u32, octets: usize) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend(FILLER);
    frame.extend(number.to_le_bytes());
    frame.resize(octets.max(18), 0);
    static LAST: OnceLock<u64> = OnceLock::new();
    let last = LAST.get_or_init(|| last_time(&refused())) + 1_000_000 + u64::from(number) * 1_000;
    let length = frame.len() as u32;
    let mut record = Vec::new();
    for word in [(last / 1_000_000) as u32, (last % 1_000_000) as u32, length, length] {
        record.extend(word.to_le_bytes());
    }
    record.extend(frame);
    record
}

/// Microseconds of the last frame of a classic pcap.
fn last_time(pcap: &[u8]) -> u64 {
    let word = |at: usize| u32::from_le_bytes(pcap[at..at + 4].try_into().unwrap());
    let (mut at, mut last) = (24, 0);
    while at < pcap.len() {
        last = u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4));
        at += 16 + word(at + 8) as usize;
    }
    last
}

/// Moves the records of a classic pcap on by `seconds`.
fn shift(records: &mut [u8], seconds: u32) {
    let mut at = 0;
    while at < records.len() {
        let second = u32::from_le_bytes(records[at..at + 4].try_into().unwrap()) + seconds;
        records[at..at + 4].copy_from_slice(&second.to_le_bytes());
        at += 16 + u32::from_le_bytes(records[at + 8..at + 12].try_into().unwrap()) as usize;
    }
}

/// A run over a stream that goes on.
struct Run {
    child: Child,
    input: Option<ChildStdin>,
    out: Arc<Mutex<String>>,
    errors: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Run {
    fn begin(folder: &Path, more: &[&str]) -> Run {
        let mut words = vec!["-r", "-", "--json", "--recorder", folder.to_str().unwrap()];
        words.extend(more);
        Run::of(program(&words))
    }

    fn of(mut command: Command) -> Run {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let (out, errors) = (Arc::<Mutex<String>>::default(), Arc::<Mutex<String>>::default());
        let streams: [(Box<dyn Read + Send>, _); 2] = [
            (Box::new(child.stdout.take().unwrap()), out.clone()),
            (Box::new(child.stderr.take().unwrap()), errors.clone()),
        ];
        let read = |(mut from, to): (Box<dyn Read + Send>, Arc<Mutex<String>>)| {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = from.read(&mut buffer) {
                    to.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
                }
            })
        };
        let readers = streams.map(read).into();
        Run { child, input, out, errors, readers }
    }

    fn feed(&mut self, octets: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(octets).unwrap();
        input.flush().unwrap();
    }

    #[track_caller]
    fn wait_for(&self, where_: &Arc<Mutex<String>>, what: &str) {
        let begun = Instant::now();
        while !where_.lock().unwrap().contains(what) {
            assert!(
                begun.elapsed() < PATIENCE,
                "never said {what:?}\n{}\n{}",
                self.out.lock().unwrap(),
                self.errors.lock().unwrap()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the stream; how the run ended, and what it said.
    fn end(mut self) -> (ExitStatus, String, String) {
        drop(self.input.take());
        let status = self.child.wait().unwrap();
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        let said = (self.out.lock().unwrap().clone(), self.errors.lock().unwrap().clone());
        (status, said.0, said.1)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The one file in `folder`.
#[track_caller]
fn recording(folder: &Path) -> PathBuf {
    let files = files(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// The frames of `path`, and whether it ends as it should.
fn frames(path: &Path) -> (Vec<Vec<u8>>, bool) {
    let mut frames = Vec::new();
    let Ok(mut source) = CaptureFile::open(path) else { return (frames, false) };
    loop {
        match source.next_input() {
            Ok(Some(Input::Frame(frame))) => frames.push(frame.data.to_vec()),
            Ok(Some(_)) => {}
            Ok(None) => return (frames, true),
            Err(_) => return (frames, false),
        }
    }
}

/// Numbers of the fillers in `path`.
fn fillers(path: &Path) -> Vec<u32> {
    let (frames, _) = frames(path);
    let fillers = frames.iter().filter(|frame| frame[12..14] == FILLER);
    fillers.map(|frame| u32::from_le_bytes(frame[14..18].try_into().unwrap())).collect()
}

fn markers(text: &str) -> Vec<String> {
    let markers = of_type(&events(text), "marker");
    markers.iter().map(|marker| marker["text"].as_str().unwrap().to_owned()).collect()
}

fn tells(octets: &[u8], text: &str) -> bool {
    octets.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A folder for recordings in one that everybody may pass through.
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    give_to_successor(dir.path());
    let folder = dir.path().join("recordings");
    (dir, folder)
}

#[test]
fn an_alert_leaves_what_came_before_it_and_after_it() {
    let (_dir, folder) = place();
    let mut run = Run::begin(&folder, &[]);
    run.feed(&refused());
    (0..20).for_each(|number| run.feed(&filler(number, 60)));
    let (status, out, errors) = run.end();
    assert_eq!(status.code(), Some(1), "{errors}");
    assert!(errors.contains("recorder: 1 recording in "), "{errors}");
    let file = recording(&folder);
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("esp-tcpwatch-20231114T2213") && name.ends_with(".pcapng"), "{name}");

    // The first alert opened it, the others joined; the stream says so of each.
    let alerts: Vec<Value> =
        of_type(&events(&out), "alert").into_iter().filter(|alert| alert["count"] == 1).collect();
    assert!(alerts.len() >= 2, "{out}");
    for alert in &alerts {
        let said = format!("alert {} ({}) goes into {name}", alert["id"], alert["rule"].as_str().unwrap());
        assert!(markers(&out).iter().any(|marker| marker.contains(&said)), "no {said}: {out}");
    }
    assert!(
        name.contains(&format!("-{}-{}.", alerts[0]["rule"].as_str().unwrap(), alerts[0]["id"])),
        "{name}"
    );

    // Comments name rule and sentence, of findings and of alerts.
    let octets = fs::read(&file).unwrap();
    for finding in of_type(&events(&out), "finding") {
        let (rule, certainty) = (finding["rule"].as_str().unwrap(), finding["certainty"].as_str().unwrap());
        let said = format!("{rule} ({certainty}): {}", finding["text"].as_str().unwrap());
        assert!(tells(&octets, &said), "no comment {said}");
    }
    for alert in &alerts {
        let said = format!(
            "Alert {}, {} ({})",
            alert["id"],
            alert["rule"].as_str().unwrap(),
            alert["severity"].as_str().unwrap()
        );
        assert!(tells(&octets, &said), "no comment {said}");
    }

    // All that came before, and all that came after; and a replay tells the same again.
    assert_eq!(fillers(&file), (0..20).collect::<Vec<_>>());
    let again = support::run(&["-r", file.to_str().unwrap(), "--json"]);
    let (told, before) = (summary(&stdout(&again)), summary(&out));
    for field in ["frames", "segments", "findings", "alerts", "verdict"] {
        assert_eq!(told[field], before[field], "{field}");
    }
    assert_eq!(told["capture"]["dropped"], 0);
}

/// The commands of the page, word for word.
fn to_share() -> Vec<Vec<&'static str>> {
    let lines = include_str!("../docs/recorder.md").lines();
    let commands = lines.filter_map(|line| line.strip_prefix("    esp-tcpwatch report "));
    commands.map(|words| words.split_whitespace().collect()).collect()
}

#[test]
fn what_the_page_makes_of_a_recording_to_share_it_names_nobody() {
    let (dir, folder) = place();
    let mut run = Run::begin(&folder, &[]);
    // Of the real lwIP: with payload.
    run.feed(include_bytes!("captures/refused.pcapng"));
    let (_, out, errors) = run.end();
    let file = recording(&folder);
    let recorded = fs::read(&file).unwrap();
    let holds = |octets: &[u8], part: &[u8]| octets.windows(part.len()).any(|window| window == part);
    let first = frames(&file).0.into_iter().find(|frame| frame[12..14] == [0x08, 0x00]).unwrap();
    let secrets: [&[u8]; 7] =
        [&first[..6], &first[6..12], &[10, 77, 0, 1], &[10, 77, 0, 2], b"10.77.0.", b"GET /", b"HTTP/1."];
    for secret in secrets {
        assert!(holds(&recorded, secret), "{secret:02x?} is not in the recording: {errors}");
    }

    let commands = to_share();
    assert_eq!(commands.len(), 2, "{commands:?}");
    for words in commands {
        let words: Vec<&str> = words
            .into_iter()
            .map(|word| match word {
                "recordings/RECORDING.pcapng" => file.to_str().unwrap(),
                "192.168.4.1" => "10.77.0.2",
                as_it_is => as_it_is,
            })
            .collect();
        let output = program(&[&["report"], &words[..]].concat()).current_dir(dir.path()).output().unwrap();
        assert_eq!(code(&output), 0, "{words:?}: {}", stderr(&output));
    }
    for name in ["shared.pcapng", "shared.md"] {
        let shared = fs::read(dir.path().join(name)).unwrap();
        for secret in secrets {
            assert!(!holds(&shared, secret), "{secret:02x?} is in {name}");
        }
        assert!(tells(&shared, "time-wait-collision") && tells(&shared, "192.0.2.1"), "{name}");
    }
    let again = support::run(&["-r", dir.path().join("shared.pcapng").to_str().unwrap(), "--json"]);
    assert_eq!(summary(&stdout(&again))["findings"], summary(&out)["findings"]);
}

#[test]
fn without_an_alert_nothing_is_written() {
    let (_dir, folder) = place();
    let mut run = Run::begin(&folder, &[]);
    run.feed(&accepted());
    let (status, out, errors) = run.end();
    assert_eq!(status.code(), Some(0), "{out}\n{errors}");
    assert_eq!(of_type(&events(&out), "alert").len(), 0, "{out}");
    assert_eq!(files(&folder), Vec::<PathBuf>::new());
    assert!(!errors.contains("recorder:"), "{errors}");
}

#[test]
fn a_recording_ends_some_seconds_after_its_alert_and_the_next_alert_has_one_of_its_own() {
    let (_dir, folder) = place();
    // 20 s of fillers, in steps of a millisecond; ready beforehand, because a stream's time goes on while it is silent.
    let many: Vec<u8> = (0..20_000).flat_map(|number| filler(number, 18)).collect();
    let mut run = Run::begin(&folder, &["--recorder-age", "30s"]);
    run.feed(&refused());
    run.feed(&many);
    let mut later = pcap_of("ignored-rst", 0).split_off(24);
    shift(&mut later, 40);
    run.feed(&later);
    let (_, out, errors) = run.end();
    let files = files(&folder);
    assert_eq!(files.len(), 2, "{files:?}\n{out}\n{errors}");
    let (first, second) = (fillers(&files[0]), fillers(&files[1]));
    assert_eq!(first.first(), Some(&0), "{out}");
    let last = *first.last().unwrap();
    assert!((5_000..11_000).contains(&last), "{last}");
    assert!(first.len() == last as usize + 1, "none is missing");
    // Those that are older than half a minute are gone.
    let begin = *second.first().unwrap();
    assert!(begin > 0 && *second.last().unwrap() == 19_999, "{begin}");
    let (frames, sound) = frames(&files[1]);
    assert!(sound && frames.len() > second.len(), "with the alert's own");
}

#[test]
fn the_memory_is_bounded_and_what_it_forgot_is_not_there() {
    let (_dir, folder) = place();
    let mut run = Run::begin(&folder, &["--recorder-size", "64K"]);
    let capture = refused();
    run.feed(&capture[..24]);
    let early: Vec<u8> = (0..1_000).flat_map(|number| filler(number, 200)).collect();
    run.feed(&early);
    run.feed(&capture[24..]);
    let (status, _, errors) = run.end();
    assert_eq!(status.code(), Some(1), "{errors}");
    let kept = fillers(&recording(&folder));
    assert!(!kept.is_empty() && kept.len() <= (64 << 10) / 200, "{}", kept.len());
    assert_eq!(kept.last(), Some(&999));
}

#[test]
fn the_oldest_recordings_give_way_and_nothing_else_does() {
    let (_dir, folder) = place();
    let words = ["--disk-budget", "64K"];
    let first = Run::begin(&folder, &words);
    first.end();
    let notes = folder.join("esp-tcpwatch-20000101T000000.000Z-notes-1.pcapng");
    fs::write(&notes, "mine").unwrap();
    let other = folder.join("run.pcapng");
    fs::copy("tests/captures/refused.pcapng", &other).unwrap();
    let mut sizes = Vec::new();
    for _ in 0..12 {
        let mut run = Run::begin(&folder, &words);
        run.feed(&refused());
        (0..60).for_each(|number| run.feed(&filler(number, 120)));
        let (status, _, errors) = run.end();
        assert_eq!(status.code(), Some(1), "{errors}");
        let ours = files(&folder).into_iter().filter(|path| *path != notes && *path != other);
        sizes.push(ours.map(|path| fs::metadata(path).unwrap().len()).collect::<Vec<_>>());
    }
    let last = sizes.last().unwrap();
    assert!(sizes.iter().all(|files| files.iter().sum::<u64>() <= 64 << 10), "{sizes:?}");
    assert!(sizes[0].len() == 1 && last.len() > 2 && last.len() < 12, "{sizes:?}");
    assert_eq!(fs::read_to_string(&notes).unwrap(), "mine");
    assert!(other.exists());

    // One that is larger than the budget ends early, and is told to.
    let mut run = Run::begin(&folder, &words);
    run.feed(&refused());
    let many: Vec<u8> = (0..4_000).flat_map(|number| filler(number, 200)).collect();
    run.feed(&many);
    run.wait_for(&run.errors, "--disk-budget holds no more");
    let (status, out, errors) = run.end();
    assert_eq!(status.code(), Some(1), "{errors}");
    assert!(markers(&out).iter().any(|marker| marker.contains("--disk-budget holds no more")), "{out}");
    for file in files(&folder).iter().filter(|path| **path != notes) {
        assert!(frames(file).1, "{}", file.display());
    }
    let cut = files(&folder).into_iter().find(|path| *path != notes && *path != other).unwrap();
    assert!(fillers(&cut).len() > 100, "what there was room for is there");
}

/// What happens where `close` takes the folder away for a while and `open` gives it back: it is told once, the capture goes
/// on, and the recording is whole in the end.
#[track_caller]
fn trouble(mut run: Run, why: &str, close: impl FnOnce(&Run), open: impl FnOnce(&Run)) -> (String, String) {
    run.feed(&refused()[..24]);
    run.wait_for(&run.out, "\"type\":\"start\"");
    close(&run);
    run.feed(&refused()[24..]);
    run.feed(&filler(0, 60));
    run.wait_for(&run.errors, why);
    (1..50).for_each(|number| run.feed(&filler(number, 60)));
    run.wait_for(&run.out, "it is tried again");
    open(&run);
    run.wait_for(&run.errors, "recordings can be written again");
    (50..100).for_each(|number| run.feed(&filler(number, 60)));
    let (status, out, errors) = run.end();
    assert_eq!(status.code(), Some(1), "{errors}\n{out}");
    assert_eq!(errors.matches("Cannot write in").count(), 1, "{errors}");
    for said in [why, "recordings can be written again"] {
        assert!(markers(&out).iter().any(|marker| marker.contains(said)), "{said}: {out}");
    }
    let told = summary(&out);
    assert!(told["frames"].as_u64() > Some(100), "{told}");
    assert!(told["findings"]["time-wait-collision"].as_u64() > Some(0), "{told}");
    (out, errors)
}

fn is_whole(file: &Path) {
    assert!(file.extension().is_some_and(|ending| ending == "pcapng"), "{}", file.display());
    let (all, sound) = frames(file);
    assert!(sound && all.len() > 100, "{}", all.len());
    assert_eq!(fillers(file), (0..100).collect::<Vec<_>>());
}

#[test]
fn permission_that_is_lost_and_given_back() {
    let (_dir, folder) = place();
    let run = Run::begin(&folder, &[]);
    let mode = |mode| fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
    trouble(run, "Permission denied", |_| mode(0o555), |_| mode(0o755));
    is_whole(&recording(&folder));
}

#[test]
fn a_file_that_may_not_grow_is_no_end_of_the_run() {
    let (_dir, folder) = place();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -S -f 4; exec \"$0\" \"$@\"", PROGRAM, "-r", "-", "--json", "--recorder"]);
    command.arg(&folder).env_remove("SUDO_UID").env_remove("SUDO_GID").env("XDG_CONFIG_HOME", "/nonexistent");
    let allowed = |run: &Run| {
        let pid = run.child.id().to_string();
        let mut prlimit = Command::new("prlimit");
        prlimit.args(["--pid", &pid, "--fsize=unlimited"]);
        if support::is_root() {
            // As whoever the run went on as: root may not everywhere.
            let about = fs::metadata(&folder).unwrap();
            prlimit.uid(about.uid()).gid(about.gid());
        }
        let output = prlimit.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    };
    if Command::new("prlimit").arg("--version").output().is_err() {
        return not_run("a_file_that_may_not_grow_is_no_end_of_the_run", "there is no prlimit (util-linux)");
    }
    trouble(Run::of(command), "File too large", |_| {}, allowed);
    is_whole(&recording(&folder));
}

/// Mounts a small file system of its own, runs the program over it, does what a file of that name asks for, and copies out
/// what the program left.
#[cfg(target_os = "linux")]
const IN_A_SMALL_FILE_SYSTEM: &str = r#"
    program=$1 folder=$2 beside=$3 close=$4 open=$5
    mount -t tmpfs -o size=256k,mode=777 none "$folder" || exit 99
    (
        n=0
        while [ $n -lt 2000 ]; do
            n=$((n + 1))
            if [ -e "$beside/close" ]; then rm "$beside/close"; eval "$close"; touch "$beside/closed"; fi
            if [ -e "$beside/open" ]; then eval "$open"; break; fi
            sleep 0.05
        done
    ) >"$beside/log" 2>&1 &
    "$program" -r - --json --recorder "$folder"
    code=$?
    kill $! 2>/dev/null
    cp "$folder"/esp-tcpwatch-* "$beside/"
    exit $code
"#;

#[cfg(target_os = "linux")]
fn in_a_small_file_system(test: &str, why: &str, close: &str, open: &str) {
    let (dir, folder) = place();
    let beside = dir.path().join("beside");
    fs::create_dir(&folder).unwrap();
    fs::create_dir(&beside).unwrap();
    let mut unshare = Command::new("unshare");
    unshare.arg("--mount");
    if !support::is_root() {
        unshare.arg("--map-root-user");
    }
    let may = Command::new(unshare.get_program())
        .args(unshare.get_args())
        .args(["mount", "-t", "tmpfs", "none", folder.to_str().unwrap()])
        .output();
    match may {
        Ok(output) if output.status.success() => {}
        Ok(output) => return not_run(test, stderr(&output).trim()),
        Err(error) => return not_run(test, &format!("there is no unshare: {error}")),
    }
    unshare
        .args(["sh", "-c", IN_A_SMALL_FILE_SYSTEM, "sh", PROGRAM])
        .args([&folder, &beside])
        .args([close, open]);
    unshare.env_remove("SUDO_UID").env_remove("SUDO_GID").env("XDG_CONFIG_HOME", "/nonexistent");
    let ask = |name: &str| fs::write(beside.join(name), "").unwrap();
    let close = |_: &Run| {
        ask("close");
        let begun = Instant::now();
        while !beside.join("closed").exists() {
            assert!(begun.elapsed() < PATIENCE, "{:?}", fs::read_to_string(beside.join("log")));
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    trouble(Run::of(unshare), why, close, |_| ask("open"));
    let left = files(&beside).into_iter().filter(|path| path.to_str().unwrap().contains("esp-tcpwatch-"));
    let left: Vec<_> = left.collect();
    assert_eq!(left.len(), 1, "{left:?}");
    is_whole(&left[0]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_that_has_room_again() {
    in_a_small_file_system(
        "a_full_disk_that_has_room_again",
        "No space left on device",
        r#"cat /dev/zero >"$folder/much"; true"#,
        r#"rm "$folder/much""#,
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_that_is_read_only_for_a_while() {
    in_a_small_file_system(
        "a_file_system_that_is_read_only_for_a_while",
        "Read-only file system",
        r#"mount -o remount,ro "$folder""#,
        r#"mount -o remount,rw "$folder""#,
    );
}

#[test]
fn what_is_never_written_is_told_at_the_end() {
    let (_dir, folder) = place();
    let mut run = Run::begin(&folder, &[]);
    run.feed(&refused()[..24]);
    run.wait_for(&run.out, "\"type\":\"start\"");
    fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
    run.feed(&refused()[24..]);
    let (status, out, errors) = run.end();
    assert_eq!(status.code(), Some(4), "{errors}");
    assert!(errors.contains("the flight recorder lost something"), "{errors}");
    assert!(summary(&out)["frames"].as_u64() > Some(0));
    assert_eq!(files(&folder), Vec::<PathBuf>::new());
}

/// What Prometheus is told at `address`.
fn metrics(address: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn recordings_and_failures_are_counted() {
    let (_dir, folder) = place();
    let mut run = Run::begin(&folder, &["--metrics", "0"]);
    run.wait_for(&run.errors, "/metrics\n");
    let address = {
        let said = run.errors.lock().unwrap();
        let line = said.lines().find_map(|line| line.strip_prefix("metrics: http://")).unwrap();
        line.trim_end_matches("/metrics").to_owned()
    };
    let wait_for = |series: &str| {
        let begun = Instant::now();
        while !metrics(&address).contains(&format!("\nesp_tcpwatch_{series}\n")) {
            assert!(begun.elapsed() < PATIENCE, "no {series}: {}", metrics(&address));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for("recordings_total 0");
    run.feed(&refused());
    run.wait_for(&run.out, "goes into");
    // Half a minute later the recording is over.
    run.feed(&filler(30_000, 60));
    wait_for("recordings_total 1");
    let octets = fs::metadata(recording(&folder)).unwrap().len();
    wait_for(&format!("recordings_bytes {octets}"));
    wait_for("recording_failures_total 0");
    fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
    let mut later = pcap_of("ignored-rst", 0).split_off(24);
    shift(&mut later, 60);
    run.feed(&later);
    wait_for("recording_failures_total 1");
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    run.wait_for(&run.errors, "recordings can be written again");
    run.end();
    assert_eq!(files(&folder).len(), 2);
}

/// A run that is killed: when each filler was handed to it, and when it was killed.
fn killed(folder: &Path, after: Duration) -> (Vec<Instant>, Instant) {
    let mut run = Run::begin(folder, &[]);
    run.feed(&refused());
    run.wait_for(&run.out, "goes into");
    let begun = Instant::now();
    let mut fed = Vec::new();
    while begun.elapsed() < after {
        run.feed(&filler(fed.len() as u32, 100));
        fed.push(Instant::now());
        std::thread::sleep(Duration::from_millis(3));
    }
    let at = Instant::now();
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    (fed, at)
}

#[test]
fn a_kill_costs_at_most_the_last_second() {
    let dice = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    let lane = |lane: u32| {
        for turn in 0..5_u32 {
            let (_dir, folder) = place();
            let mixed = (dice ^ (lane * 5 + turn)).wrapping_mul(2_654_435_761) >> 8;
            let after = Duration::from_millis(u64::from(mixed % 2_500));
            let (fed, killed) = killed(&folder, after);
            let left = files(&folder);
            let kept = left.first().map(|path| fillers(path)).unwrap_or_default();
            let safe = fed.iter().filter(|at| killed.duration_since(**at) > Duration::from_secs(1)).count();
            assert!(kept.len() >= safe, "killed after {after:?}: {} of {safe} fillers are left", kept.len());
            assert!(kept.iter().copied().eq(0..kept.len() as u32), "none is missing between");
            // The next run finds it, whole, and gives it its name.
            Run::begin(&folder, &[]).end();
            let named = files(&folder);
            assert!(named.len() <= 1, "{named:?}");
            for path in named {
                assert!(path.extension().is_some_and(|ending| ending == "pcapng"), "{}", path.display());
                let (all, sound) = frames(&path);
                assert!(sound && all.len() >= kept.len(), "killed after {after:?}");
            }
        }
    };
    std::thread::scope(|scope| {
        (0..4).for_each(|number| drop(scope.spawn(move || lane(number))));
    });
}

#[test]
fn others_read_it_too() {
    let tshark = Command::new("tshark").arg("--version").output();
    if tshark.is_err() {
        return not_run("others_read_it_too", "there is no tshark");
    }
    let (_dir, folder) = place();
    let (_, _) = killed(&folder, Duration::from_millis(800));
    let part = recording(&folder);
    assert!(part.to_str().unwrap().ends_with(".pcapng.part"), "{}", part.display());
    let words = [
        "-Y",
        "frame.comment contains \"time-wait-collision (\"",
        "-T",
        "fields",
        "-e",
        "frame.number",
        "-r",
    ];
    let output = Command::new("tshark").args(words).arg(&part).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).lines().count() >= 2, "{}", stdout(&output));
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_before_anything_is_watched() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o500)).unwrap();
    for (path, says) in [(file.as_path(), "is a file"), (dir.path(), "may not write there")] {
        let output = run(&["-r", "-", "--recorder", path.to_str().unwrap()]);
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
}
