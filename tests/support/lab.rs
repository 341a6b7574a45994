//! For tests that run the demo: is there a twin, and what does it say it met?

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{is_root, not_run, of_type};

/// The twin, where the lab can work; otherwise says loudly that `test` did not run.
pub fn twin(test: &str) -> Option<String> {
    let named = std::env::var_os("ESP_TCPWATCH_TWIN").map(PathBuf::from);
    let beside =
        Path::new(super::PROGRAM).ancestors().nth(2).map(|target| target.join("twin/esp-tcpwatch-twin"));
    let Some(twin) = named.or(beside).filter(|path| path.exists()) else {
        not_run(test, "there is no twin; `make twin` builds it");
        return None;
    };
    if let Err(error) = OpenOptions::new().read(true).write(true).open("/dev/net/tun") {
        not_run(test, &format!("/dev/net/tun: {error}"));
        return None;
    }
    if !is_root()
        && std::fs::read_to_string("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
            .is_ok_and(|text| text.trim() == "1")
    {
        not_run(test, "user namespaces are restricted here; run the tests as root");
        return None;
    }
    Some(twin.to_str().unwrap().to_owned())
}

/// The SYNs and RSTs that the device itself counts.
pub fn account(all: &[Value]) -> (u64, u64) {
    let marker = of_type(all, "marker").pop().unwrap();
    let text = marker["text"].as_str().unwrap().to_owned();
    let number = |name: &str| -> u64 {
        let (_, rest) = text.split_once(name).unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    assert!(text.starts_with("twin account: "), "{text}");
    (number("syns="), number("rsts="))
}
