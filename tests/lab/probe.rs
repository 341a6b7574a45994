//! The lab and the load driver in one small process, for `tests/lab.rs`: a lab cannot be entered inside a test harness.
//!
//! Knows how to enter, to ask twice from one port, to say on standard output what it saw (JSON, one object a line) and
//! to end in the way it is told. Judges nothing.
//!
//!     lab_probe --seed N [--twin PATH] [--twin-user ID] [--thread-first] [--child]
//!               [--ports N] [--parallel N] [--connect-ms MS] [--stop-after MS] [--ipv6]
//!               [--run "PROGRAM ARGUMENTS" [--power-cycle-when TEXT --of FILE]] [--end normal|drop|error|panic|wait] [-- TWIN ARGUMENTS]
//!
//! `--run` runs another program in the lab, and tells what it said and the twin's own account afterwards. A second after FILE
//! has TEXT in it, the twin loses its power for as long as it takes to start again.

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the lab is made of Linux's namespaces");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::Read;
    use std::path::PathBuf;
    use std::process::{Command, Stdio};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use anyhow::{Context, Result, bail};
    use esp_tcpwatch::lab::{Lab, LabConfig, find_twin};
    use esp_tcpwatch::load::{self, Attempt, ReusePlan};
    use serde_json::{Value, json};

    #[derive(Default)]
    struct Asked {
        seed: u64,
        twin: Option<PathBuf>,
        twin_user: Option<(u32, u32)>,
        ports: u16,
        parallel: usize,
        connect_ms: u64,
        stop_after: Option<u64>,
        end: String,
        thread_first: bool,
        child: bool,
        ipv6: bool,
        run: Option<String>,
        cycle: Option<String>,
        of: PathBuf,
        twin_args: Vec<String>,
    }

    pub fn main() -> Result<()> {
        let asked = read_arguments()?;
        if asked.thread_first {
            std::thread::spawn(|| std::thread::sleep(Duration::from_secs(60)));
        }
        let began = Instant::now();
        let mut lab = Lab::enter(&LabConfig {
            twin: find_twin(asked.twin.as_deref())?,
            twin_args: asked.twin_args.clone(),
            seed: asked.seed,
            twin_user: asked.twin_user,
            has_power_switch: asked.cycle.is_some(),
        })?;
        say(json!({
            "entered": true,
            "ready_ms": began.elapsed().as_millis() as u64,
            "interface": lab.interface(),
            "device": lab.device().to_string(),
            "client": lab.client().to_string(),
            "control": lab.control().to_string(),
            "stack": lab.stack(),
            "has_other_users": lab.has_other_users(),
            "uid": nix::unistd::geteuid().as_raw(),
            "interfaces": interfaces()?,
        }));
        if asked.child {
            // Outlives this process, as a pager or a browser might.
            let mut child = Command::new("sleep");
            child.arg("30").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            say(json!({ "child": child.spawn()?.id() }));
        }
        if asked.ports > 0 {
            drive(&lab, &asked)?;
        }
        if let Some(words) = &asked.run {
            run(words, &mut lab, &asked)?;
        }
        match asked.end.as_str() {
            "normal" => lab.finish().context("at the end")?,
            "drop" => drop(lab),
            "error" => bail!("the error that was asked for"),
            "panic" => come_to_grief(),
            // Until a signal, or the end of standard input.
            "wait" => {
                std::io::stdin().read_to_end(&mut Vec::new())?;
                lab.finish()?;
            }
            other => bail!("--end {other}?"),
        }
        say(json!({ "finished": true, "interfaces": interfaces()? }));
        Ok(())
    }

    fn drive(lab: &Lab, asked: &Asked) -> Result<()> {
        let stop = AtomicBool::new(false);
        let target = match lab.device6() {
            Some(device) if asked.ipv6 => (device, 80).into(),
            _ => lab.server(),
        };
        let plan = ReusePlan {
            target,
            first_port: 40000,
            ports: asked.ports,
            pause: Duration::from_millis(30),
            connect_timeout: Duration::from_millis(asked.connect_ms),
            parallel: asked.parallel,
        };
        let began = Instant::now();
        let totals = std::thread::scope(|scope| {
            if let Some(ms) = asked.stop_after {
                let stop = &stop;
                scope.spawn(move || {
                    std::thread::sleep(Duration::from_millis(ms));
                    stop.store(true, Ordering::Relaxed);
                });
            }
            load::run(plan, &stop, &mut |outcome| {
                say(json!({
                    "port": outcome.port,
                    "first": attempt(&outcome.first),
                    "second": attempt(&outcome.second),
                }));
            })
        })?;
        say(json!({
            "ports": totals.ports,
            "first_answered": totals.first_answered,
            "reuse_connected": totals.reuse_connected,
            "reuse_answered": totals.reuse_answered,
            "reuse_refused": totals.reuse_refused(),
            "stopped": totals.stopped,
            "took_ms": began.elapsed().as_millis() as u64,
        }));
        Ok(())
    }

    /// A child lives in the namespaces of its parent.
    fn run(words: &str, lab: &mut Lab, asked: &Asked) -> Result<()> {
        let mut words = words.split_whitespace();
        let program = words.next().context("--run needs a program")?;
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = command.spawn()?;
        if let Some(text) = &asked.cycle {
            while !std::fs::read_to_string(&asked.of).is_ok_and(|found| found.contains(text)) {
                if running.try_wait()?.is_some() {
                    bail!("the program ended before {} had {text} in it", asked.of.display());
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            std::thread::sleep(Duration::from_secs(1));
            lab.turn_off()?;
            lab.turn_on()?;
        }
        let ended = running.wait_with_output()?;
        say(json!({
            "ran": ended.status.code(),
            "stdout": String::from_utf8_lossy(&ended.stdout),
            "stderr": String::from_utf8_lossy(&ended.stderr),
            "account": serde_json::to_value(esp_tcpwatch::firmware::status_blocking(lab.control())?)?,
        }));
        Ok(())
    }

    fn attempt(attempt: &Attempt) -> Value {
        json!({
            "connect_ms": attempt.connect.as_ref().ok().map(|time| time.as_secs_f64() * 1000.0),
            "failed": attempt.connect.as_ref().err().map(ToString::to_string),
            "bytes": attempt.bytes,
            "answered": attempt.answer.is_ok(),
        })
    }

    /// The names in /proc/net/dev: the interfaces of the namespace this process is in.
    fn interfaces() -> Result<Vec<String>> {
        let table = std::fs::read_to_string("/proc/net/dev")?;
        Ok(table.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect())
    }

    #[expect(clippy::panic, reason = "what a panic leaves behind is what the test asks")]
    fn come_to_grief() {
        panic!("the panic that was asked for");
    }

    fn say(line: Value) {
        println!("{line}");
    }

    fn read_arguments() -> Result<Asked> {
        let mut asked = Asked { end: "normal".to_owned(), parallel: 1, connect_ms: 1500, ..Asked::default() };
        let mut words = std::env::args().skip(1);
        while let Some(option) = words.next() {
            if option == "--" {
                asked.twin_args = words.collect();
                break;
            }
            let mut value = || words.next().with_context(|| format!("{option} needs a value"));
            match option.as_str() {
                "--seed" => asked.seed = value()?.parse()?,
                "--twin" => asked.twin = Some(value()?.into()),
                "--twin-user" => {
                    let id = value()?.parse()?;
                    asked.twin_user = Some((id, id));
                }
                "--ports" => asked.ports = value()?.parse()?,
                "--parallel" => asked.parallel = value()?.parse()?,
                "--connect-ms" => asked.connect_ms = value()?.parse()?,
                "--stop-after" => asked.stop_after = Some(value()?.parse()?),
                "--end" => asked.end = value()?,
                "--thread-first" => asked.thread_first = true,
                "--child" => asked.child = true,
                "--ipv6" => asked.ipv6 = true,
                "--power-cycle-when" => asked.cycle = Some(value()?),
                "--of" => asked.of = value()?.into(),
                "--run" => asked.run = Some(value()?),
                _ => bail!("no option {option}"),
            }
        }
        Ok(asked)
    }
}
