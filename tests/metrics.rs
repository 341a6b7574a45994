//! What `--metrics` serves: the same numbers as the summary's, under the names of docs/metrics.md, to whoever asks and
//! however they ask.

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{code, not_run, program, refused, run, stderr, summary};

/// A run over a stream that was fed and goes on.
struct Run {
    child: Child,
    address: SocketAddr,
    /// What stderr said before the address.
    said: String,
}

impl Run {
    /// With metrics at `place`.
    fn begin(place: &str) -> Run {
        let mut command = program(&["-r", "-", "--json", "--metrics", place]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let address = loop {
            let line = errors.next().unwrap_or_else(|| panic!("no address: {said}")).unwrap();
            match line.strip_prefix("metrics: http://") {
                Some(rest) => break rest.trim_end_matches("/metrics").parse().unwrap(),
                None => said.push_str(&line),
            }
        };
        Run { child, address, said }
    }

    fn feed(&mut self, octets: &[u8]) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(octets).unwrap();
        input.flush().unwrap();
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn metrics(&self) -> String {
        let answer = self.ask("GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        body.to_owned()
    }

    /// The metrics, once `wanted` is among their lines and all that is told of the same frames has come: they are set one by one.
    fn metrics_with(&self, wanted: &str) -> String {
        let began = Instant::now();
        let mut last = String::new();
        loop {
            let text = self.metrics();
            let counts: String = text
                .lines()
                .filter(|line| line.starts_with("esp_tcpwatch_") && !line.contains("lag"))
                .collect();
            if counts == last && text.lines().any(|line| line == wanted) {
                return text;
            }
            last = counts;
            assert!(began.elapsed() < Duration::from_secs(30), "never `{wanted}`:\n{text}");
            // Longer than a tick.
            std::thread::sleep(Duration::from_millis(150));
        }
    }

    /// Ends the stream; what was written to stdout.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.child.wait().unwrap();
        text
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of a series, by its name and labels.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

/// Frames in a pcap of little endian.
fn frames(pcap: &[u8]) -> usize {
    let (mut at, mut count) = (24, 0);
    while let Some(length) = pcap.get(at + 8..at + 12) {
        at += 16 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        count += 1;
    }
    count
}

#[test]
fn the_numbers_are_those_of_the_summary() {
    let mut run = Run::begin("0");
    assert!(run.address.ip().is_loopback(), "{}", run.address);
    assert!(!run.said.contains("everyone"), "{}", run.said);
    let capture = refused();
    run.feed(&capture);
    let text = run.metrics_with(&format!("esp_tcpwatch_frames_total {}", frames(&capture)));
    let pid = run.child.id();
    let started = value(&text, "process_start_time_seconds");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - started).abs() < 120.0, "process {pid} started at {started}, and it is {now}");
    assert!(value(&text, "process_resident_memory_bytes") > 1e6);
    assert!(value(&text, "process_open_fds") > 3.0);
    assert!(value(&text, "esp_tcpwatch_engine_lag_seconds") > 1e6, "the capture is years old");

    let told = summary(&run.end());
    let counted = |series: &str| value(&text, &format!("esp_tcpwatch_{series}"));
    for (series, field) in [
        ("frames_total", &told["frames"]),
        ("segments_total", &told["segments"]),
        ("flows_total", &told["flows"]),
        ("incarnations_total", &told["incarnations"]),
        ("capture_dropped_frames_total", &told["capture"]["dropped"]),
        ("capture_gaps_total", &told["capture"]["gaps"]),
    ] {
        assert_eq!(Some(counted(series)), field.as_f64(), "{series}");
    }
    let facts = &told["devices"][0];
    let of_device = |name: &str| {
        let device = facts["address"].as_str().unwrap();
        counted(&format!("device_{name}{{device=\"{device}\"}}"))
    };
    let collisions = told["findings"]["time-wait-collision"].as_f64();
    assert_eq!(Some(of_device("time_wait_collisions_total")), collisions);
    assert_eq!(Some(of_device("ignored_rsts_total")), told["findings"]["ignored-rst"].as_f64());
    let raised: f64 = text
        .lines()
        .filter(|line| line.starts_with("esp_tcpwatch_alerts_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    let alerts: u64 = told["alerts"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(raised, alerts as f64);
}

#[test]
fn however_it_is_asked_it_answers_and_goes_on() {
    let mut run = Run::begin("0");
    run.feed(&refused());
    for (request, begins) in [
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 "),
        ("GET /nowhere HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "),
        ("POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 "),
        ("\u{16}\u{3}\u{1}", "HTTP/1.1 400 "),
    ] {
        let answer = run.ask(request);
        assert!(answer.starts_with(begins), "{request:?}: {answer}");
    }
    let head = run.ask("HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    let long = run.ask(&format!("GET /metrics HTTP/1.1\r\nX: {}", "a".repeat(8192 - 26)));
    assert!(long.starts_with("HTTP/1.1 431 "), "{long}");

    // Whoever says nothing holds one place of eight, and not for long.
    let silent: Vec<TcpStream> = (0..8).map(|_| run.connect()).collect();
    run.metrics();
    drop(silent);
    let asked: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = run.connect();
            stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
            stream
        })
        .collect();
    for mut stream in asked {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert!(summary(&run.end())["frames"].as_u64() > Some(0));
}

#[test]
fn what_others_can_reach_is_told_so() {
    let run = Run::begin("0.0.0.0:0");
    assert!(run.said.contains("to everyone who can reach it"), "{}", run.said);
    let taken = run.address.port().to_string();
    let output = support::run(&["-r", "-", "--json", "--metrics", &taken]);
    // Stdin is no capture either; the port is tried first.
    assert_ne!(code(&output), 0);
    assert!(stderr(&output).contains("cannot serve metrics on 127.0.0.1:"), "{}", stderr(&output));
}

#[test]
fn a_file_is_over_before_anybody_asks() {
    let output = run(&["-r", "tests/captures/refused.pcap", "--metrics", "0"]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("--metrics is for live capture and streams"), "{}", stderr(&output));
}

/// Names in the table of docs/metrics.md.
fn documented() -> BTreeSet<String> {
    let page = std::fs::read_to_string("docs/metrics.md").unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `esp_tcpwatch_"));
    rows.map(|row| format!("esp_tcpwatch_{}", row.split('`').next().unwrap())).collect()
}

#[test]
fn the_page_names_what_there_is() {
    let page = std::fs::read_to_string("docs/metrics.md").unwrap();
    let room = std::fs::read_to_string("src/sink/metrics.rs").unwrap();
    for name in documented() {
        let written = format!("\"{}\"", name.trim_start_matches("esp_tcpwatch_"));
        assert!(room.contains(&written), "docs/metrics.md names {name}, which there is not");
    }
    let mut run = Run::begin("0");
    run.feed(&refused());
    let text =
        run.metrics_with("esp_tcpwatch_findings_total{certainty=\"suspected\",rule=\"ignored-rst\"} 1");
    for line in text.lines().filter_map(|line| line.strip_prefix("# HELP esp_tcpwatch_")) {
        let (name, help) = line.split_once(' ').unwrap();
        let kind = text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE esp_tcpwatch_{name} ")));
        let row = format!("| `esp_tcpwatch_{name}` | {} |", kind.unwrap());
        let row = page.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no row {row}"));
        assert!(row.contains(help), "docs/metrics.md says otherwise: {row}\n{help}");
        let sample = text.lines().find(|line| line.starts_with(&format!("esp_tcpwatch_{name}"))).unwrap();
        for label in sample.split(['{', ',', '}']).filter_map(|part| Some(part.split_once("=\"")?.0)) {
            assert!(row.contains(&format!("`{label}`")), "no label {label}: {row}");
        }
    }
}

/// Where `make promtool` puts it, or wherever it is installed.
fn promtool() -> Option<PathBuf> {
    let target = PathBuf::from(support::PROGRAM).parent()?.parent()?.join("tools/promtool");
    [target, "promtool".into()]
        .into_iter()
        .find(|path| Command::new(path).arg("--version").output().is_ok_and(|output| output.status.success()))
}

#[test]
fn promtool_has_nothing_to_say_against_them() {
    let Some(promtool) = promtool() else {
        let why = "there is no promtool: `make promtool`, or install Prometheus";
        return not_run("promtool_has_nothing_to_say_against_them", why);
    };
    let mut run = Run::begin("0");
    run.feed(&refused());
    let text =
        run.metrics_with("esp_tcpwatch_findings_total{certainty=\"suspected\",rule=\"ignored-rst\"} 1");
    let mut checking = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    checking.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = checking.wait_with_output().unwrap();
    let said = format!("{}{}", support::stdout(&checked), stderr(&checked));
    assert!(checked.status.success() && said.is_empty(), "{said}\n{text}");
}
