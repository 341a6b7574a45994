//! What the kernel says of the threads of a running program: who they are, and what they may still do.

use std::fs;
use std::time::{Duration, Instant};

/// `/proc/PID/task/*/status` of every thread of `pid`, once there are threads of all these `names`: until it runs, a
/// thread bears its maker's.
pub fn threads(pid: u32, names: &[&str]) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        // One that ends meanwhile is none.
        let threads: Vec<String> =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok()).collect();
        let named = |name: &&str| threads.iter().any(|status| field(status, "Name") == *name);
        if names.iter().all(named) {
            return threads;
        }
        let found: Vec<_> = threads.iter().map(|status| field(status, "Name")).collect();
        assert!(Instant::now() < deadline, "{names:?} are not all among {found:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim()
}

/// No thread has a capability, may get one, or may make any system call it likes.
pub fn assert_powerless(threads: &[String]) {
    for status in threads {
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(status, set), "0000000000000000", "{set} of {}", field(status, "Name"));
        }
        assert_eq!(field(status, "NoNewPrivs"), "1", "{}", field(status, "Name"));
        assert_eq!(field(status, "Seccomp"), "2", "{}", field(status, "Name"));
    }
}

/// The real, effective, saved and file-system id of every thread.
pub fn assert_ids(threads: &[String], id: u32) {
    for status in threads {
        assert_eq!(field(status, "Uid"), format!("{id}\t{id}\t{id}\t{id}"), "{}", field(status, "Name"));
    }
}
