//! What is told of a device's test firmware: each thing once, when it begins.
//!
//! Knows what was told before. Refuses to know when and how the device is asked.

use core::net::IpAddr;
use std::time::SystemTime;

use crate::analysis::{input::Marker, time::Timestamp};
use crate::app::account::timestamp;
use crate::firmware::{ClientError, protocol::Status};

/// Why the device was spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// It was asked, as about every second.
    Asked,
    /// It was switched from here.
    Switched,
}

/// What was told of one device so far.
#[derive(Debug)]
pub struct Told {
    device: IpAddr,
    /// Its last answer.
    last: Option<Answer>,
    is_silent: bool,
    is_without_list: bool,
}

#[derive(Debug)]
struct Answer {
    at: SystemTime,
    mode: String,
    boot: Option<u32>,
    uptime_ms: u64,
}

impl Told {
    pub fn new(device: IpAddr) -> Told {
        Told { device, last: None, is_silent: false, is_without_list: false }
    }

    /// It is the same device, and has another address.
    pub fn go_to(&mut self, device: IpAddr) {
        self.device = device;
    }

    /// The device answered at `at`; what is new.
    pub fn status(&mut self, status: &Status, at: SystemTime, occasion: Occasion) -> Option<Marker> {
        let mode = status.mode_in_words();
        let device = self.device;
        let answer = Answer { at, mode: mode.clone(), boot: status.boot, uptime_ms: status.uptime_ms };
        let last = self.last.replace(answer);
        let was_silent = core::mem::replace(&mut self.is_silent, false);
        let mode_changed = last.as_ref().is_some_and(|last| last.mode != mode);
        let text = match last {
            None => {
                format!("{device} runs the test firmware {} on {}, mode {mode}", status.firmware, status.chip)
            }
            Some(last) if last.is_before_a_start(status) => {
                let count = status.boots.map(|boots| format!(" (start {boots})")).unwrap_or_default();
                let before =
                    if mode_changed { format!("; it was {} before", last.mode) } else { String::new() };
                let up = status.uptime_ms as f64 / 1e3;
                format!("{device} has started again{count}, {up:.1} s ago, mode {mode}{before}")
            }
            Some(last) if mode_changed => match occasion {
                Occasion::Switched => format!("{device} was switched from {} to {mode}", last.mode),
                Occasion::Asked => {
                    let within = at.duration_since(last.at).unwrap_or_default().as_secs_f64();
                    format!("{device} is now in mode {mode}; {within:.1} s ago it was in {}", last.mode)
                }
            },
            Some(_) if occasion == Occasion::Switched => {
                format!("{device} was switched to {mode}, which it was already")
            }
            Some(_) if was_silent => format!("{device} tells of itself again, mode {mode}"),
            Some(_) => return None,
        };
        Some(Marker { at: timestamp(at), text, mode_changed, device: Some(device), mode: Some(mode) })
    }

    /// The device did not answer.
    pub fn silence(&mut self, error: &ClientError) -> Option<Marker> {
        let is_known = core::mem::replace(&mut self.is_silent, true);
        (!is_known).then(|| self.remark(format!("what {} says of itself is not known: {error}", self.device)))
    }

    /// It says what mode it is in, but not which connections it holds.
    pub fn no_list(&mut self, error: &ClientError) -> Option<Marker> {
        let is_known = core::mem::replace(&mut self.is_without_list, true);
        (!is_known).then(|| self.remark(format!("no account of the device's own: {error}")))
    }

    /// A switch that was asked for from here was not confirmed.
    pub fn not_switched(&self, to: &str, error: &ClientError) -> Marker {
        self.remark(format!("{} did not confirm the switch to {to}: {error}", self.device))
    }

    fn remark(&self, text: String) -> Marker {
        // Now, by the packets' clock.
        Marker { at: Timestamp::ZERO, text, mode_changed: false, device: Some(self.device), mode: None }
    }
}

impl Answer {
    /// Whether the device was started between this answer and `later`.
    fn is_before_a_start(&self, later: &Status) -> bool {
        let differ = self.boot.zip(later.boot).is_some_and(|(before, now)| before != now);
        differ || later.uptime_ms < self.uptime_ms
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::firmware::protocol::MODES;

    const DEVICE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(10, 77, 0, 2));

    fn status(mode: usize, boot: u32, uptime_ms: u64) -> Status {
        let (name, remedies) = MODES[mode];
        let status = serde_json::json!({
            "protocol": 1, "firmware": "0.1.0", "chip": "twin", "stack": "lwIP", "uptime_ms": uptime_ms, "boot": boot,
            "mode": name, "remedies": remedies,
        });
        serde_json::from_value(status).unwrap()
    }

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    fn silent() -> ClientError {
        ClientError::Silent { device: (DEVICE, 7777).into() }
    }

    #[test]
    fn the_mode_is_told_when_it_is_known_and_when_it_changes() {
        let mut told = Told::new(DEVICE);
        let first = told.status(&status(0, 7, 1_000), at(1), Occasion::Asked).unwrap();
        assert_eq!(first.text, "10.77.0.2 runs the test firmware 0.1.0 on twin, mode unfixed");
        assert_eq!((first.mode.as_deref(), first.mode_changed), (Some("unfixed"), false));
        assert_eq!((first.device, first.at.nanos()), (Some(DEVICE), 1_000_000_000));
        assert_eq!(told.status(&status(0, 7, 2_000), at(2), Occasion::Asked), None);
        let by_others = told.status(&status(1, 7, 3_000), at(3), Occasion::Asked).unwrap();
        assert_eq!(by_others.text, "10.77.0.2 is now in mode fixed; 1.0 s ago it was in unfixed");
        assert_eq!((by_others.mode.as_deref(), by_others.mode_changed), (Some("fixed"), true));
        let from_here = told.status(&status(0, 7, 4_000), at(4), Occasion::Switched).unwrap();
        assert_eq!(from_here.text, "10.77.0.2 was switched from fixed to unfixed");
        assert!(from_here.mode_changed);
        let again = told.status(&status(0, 7, 5_000), at(5), Occasion::Switched).unwrap();
        assert_eq!(again.text, "10.77.0.2 was switched to unfixed, which it was already");
        assert!(!again.mode_changed, "nothing changed: what was learned still binds");
    }

    #[test]
    fn a_start_is_told_by_another_number_or_by_a_younger_device() {
        for later in [status(0, 8, 900_000), status(0, 7, 300)] {
            let mut told = Told::new(DEVICE);
            told.status(&status(0, 7, 800_000), at(1), Occasion::Asked).unwrap();
            let start = told.status(&later, at(2), Occasion::Asked).unwrap();
            assert!(start.text.starts_with("10.77.0.2 has started again, "), "{}", start.text);
            assert!(!start.mode_changed);
        }
        let mut told = Told::new(DEVICE);
        told.status(&status(1, 7, 800_000), at(1), Occasion::Asked).unwrap();
        let counted = Status { boots: Some(12), ..status(0, 8, 300) };
        let start = told.status(&counted, at(2), Occasion::Asked).unwrap();
        assert_eq!(
            start.text,
            "10.77.0.2 has started again (start 12), 0.3 s ago, mode unfixed; it was fixed before"
        );
        assert!(start.mode_changed);
    }

    #[test]
    fn silence_is_told_when_it_begins_and_when_it_ends() {
        let mut told = Told::new(DEVICE);
        let first = told.silence(&silent()).unwrap();
        assert!(first.text.contains("is not known: "), "{}", first.text);
        assert_eq!((first.mode, first.device), (None, Some(DEVICE)));
        assert_eq!(told.silence(&silent()), None);
        told.status(&status(0, 7, 1_000), at(1), Occasion::Asked).unwrap();
        told.silence(&silent()).unwrap();
        let back = told.status(&status(0, 7, 2_000), at(2), Occasion::Asked).unwrap();
        assert_eq!(back.text, "10.77.0.2 tells of itself again, mode unfixed");
        assert_eq!(told.no_list(&silent()).map(|marker| marker.mode), Some(None));
        assert_eq!(told.no_list(&silent()), None);
    }
}
