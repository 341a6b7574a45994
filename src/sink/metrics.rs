//! The run as numbers that Prometheus collects: a fold of the event stream, and of what the engine counted.
//!
//! Knows names, units and labels; docs/metrics.md lists them, and `tests/metrics.rs` holds the two equal. Refuses to
//! know who asks, and when: whoever holds the [`Exposition`] may ask at any time and never keeps the engine waiting.
//! The number of series is bounded: by the rules in force, and by `MOST_DEVICES`.

use core::net::IpAddr;
use std::collections::BTreeMap;

use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    Result, TextEncoder, core::Collector,
};

use crate::analysis::{
    detect::Finding,
    event::{CaptureQuality, Event},
    host::DeviceFacts,
    rule::{Alert, AlertPhase},
    summary::Counts,
};

/// Devices with series of their own; those that come later are counted together, as `other`.
const MOST_DEVICES: usize = 64;
const OTHER: &str = "other";
/// The media type of what [`Exposition::text`] gives.
pub const MEDIA_TYPE: &str = prometheus::TEXT_FORMAT;

/// All series of a run, as they stand.
#[derive(Clone)]
pub struct Exposition(Registry);

impl Exposition {
    /// Prometheus's text format, version 0.0.4.
    ///
    /// # Errors
    /// A series without a name or a value, which would be ours to mend.
    pub fn text(&self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.0.gather())
    }
}

/// The engine's side of it.
pub struct Metrics {
    registry: Registry,
    frames: IntCounter,
    segments: IntCounter,
    skipped: IntCounterVec,
    flows: IntCounter,
    incarnations: IntCounter,
    tracked: IntGauge,
    dropped: IntCounter,
    gaps: IntCounter,
    lag: Gauge,
    findings: IntCounterVec,
    alerts: IntCounterVec,
    open_alerts: IntGaugeVec,
    recordings: Recordings,
    devices: Devices,
}

/// The flight recorder's; they stay at zero where there is none.
struct Recordings {
    written: IntCounter,
    failures: IntCounter,
    used: IntGauge,
}

/// What is told a device.
struct Devices {
    known: BTreeMap<IpAddr, Known>,
    info: IntGaugeVec,
    held: IntGaugeVec,
    entered: IntCounterVec,
    accepted: IntCounterVec,
    waiting: IntGaugeVec,
    delayed: IntCounterVec,
    waited: CounterVec,
    msl_least: GaugeVec,
    msl_most: GaugeVec,
    collisions: IntCounterVec,
    ignored: IntCounterVec,
    stalls: IntCounterVec,
}

/// How a device is labelled.
struct Known {
    label: String,
    /// The labels of its `info`: a change makes another series of it.
    info: [String; 4],
}

impl Metrics {
    /// # Errors
    /// A name that is taken, which would be ours to mend; or the system tells nothing of this process.
    pub fn new(version: &str) -> Result<Metrics> {
        let registry = Registry::new();
        let build = gauges(&registry, "build_info", "The program; its value is always 1.", &["version"])?;
        build.with_label_values(&[version]).set(1);
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let r = &registry;
        Ok(Metrics {
            frames: counter(r, "frames_total", "Frames that reached the analysis.")?,
            segments: counter(r, "segments_total", "TCP segments among them.")?,
            skipped: counters(
                r,
                "skipped_frames_total",
                "Frames that were no readable TCP segment.",
                &["reason"],
            )?,
            flows: counter(r, "flows_total", "Four-tuples that were seen.")?,
            incarnations: counter(r, "incarnations_total", "Connections: lives of those four-tuples.")?,
            tracked: gauge(r, "tracked_flows", "Four-tuples that are remembered now.")?,
            dropped: counter(
                r,
                "capture_dropped_frames_total",
                "Frames known to be lost before the analysis.",
            )?,
            gaps: counter(r, "capture_gaps_total", "Times at which frames were lost.")?,
            lag: registered(
                r,
                Gauge::new(
                    full("engine_lag_seconds"),
                    "From the time of the last frame that was looked at to when that was done.",
                )?,
            )?,
            findings: counters(
                r,
                "findings_total",
                "Findings, by rule and certainty.",
                &["rule", "certainty"],
            )?,
            alerts: counters(
                r,
                "alerts_total",
                "Alerts raised, by rule and severity.",
                &["rule", "severity"],
            )?,
            open_alerts: gauges(r, "open_alerts", "Alerts that have not ended.", &["rule", "severity"])?,
            recordings: Recordings {
                written: counter(r, "recordings_total", "Recordings that the flight recorder completed.")?,
                failures: counter(
                    r,
                    "recording_failures_total",
                    "Times that it could not write, or that a recording was cut short or given up.",
                )?,
                used: gauge(r, "recordings_bytes", "What all recordings in its folder take together.")?,
            },
            devices: Devices::new(r)?,
            registry,
        })
    }

    pub fn exposition(&self) -> Exposition {
        Exposition(self.registry.clone())
    }

    pub fn on_event(&mut self, event: &Event) {
        match event {
            Event::Finding(finding) => {
                self.findings
                    .with_label_values(&[finding.rule.as_ref(), &finding.certainty.to_string()])
                    .inc();
                self.devices.on_finding(finding);
            }
            Event::Alert(alert) => self.on_alert(alert),
            Event::Device(device) => self.devices.on_facts(&device.facts),
            Event::Start(_) | Event::Segment(_) | Event::Flow(_) => {}
            // What was lost is among the counts.
            Event::Capture(_) | Event::Marker(_) | Event::Progress(_) | Event::Summary(_) => {}
        }
    }

    /// What the engine counted so far. `tracked`: four-tuples that it remembers.
    pub fn on_counts(&mut self, counts: &Counts, tracked: usize) {
        raise(&self.frames, counts.frames);
        raise(&self.segments, counts.segments);
        raise(&self.flows, counts.flows);
        raise(&self.incarnations, counts.incarnations);
        for (reason, count) in counts.skipped.named() {
            raise(&self.skipped.with_label_values(&[&reason]), count);
        }
        let CaptureQuality { received: _, dropped, gaps } = counts.quality;
        raise(&self.dropped, dropped);
        raise(&self.gaps, gaps);
        self.tracked.set(whole(tracked as u64));
    }

    /// What the flight recorder did so far. `used`: octets of all recordings in its folder.
    pub fn on_recordings(&mut self, written: u64, failures: u64, used: u64) {
        raise(&self.recordings.written, written);
        raise(&self.recordings.failures, failures);
        self.recordings.used.set(whole(used));
    }

    /// How long after a frame's own time the analysis was done with it.
    pub fn on_lag(&mut self, seconds: f64) {
        self.lag.set(seconds);
    }

    fn on_alert(&mut self, alert: &Alert) {
        let labels = [alert.rule.as_str(), &alert.severity.to_string()];
        match alert.phase {
            AlertPhase::Raised => {
                self.alerts.with_label_values(&labels).inc();
                self.open_alerts.with_label_values(&labels).inc();
            }
            AlertPhase::Grown => {}
            AlertPhase::Ended => self.open_alerts.with_label_values(&labels).dec(),
        }
    }
}

impl Devices {
    fn new(r: &Registry) -> Result<Devices> {
        let device = &["device"][..];
        Ok(Devices {
            known: BTreeMap::new(),
            info: gauges(
                r,
                "device_info",
                "What is known of a device; its value is always 1.",
                &["device", "stack", "behaves_as", "mode", "mac"],
            )?,
            held: gauges(
                r,
                "device_time_wait_tuples",
                "Four-tuples that the device holds in TIME-WAIT.",
                device,
            )?,
            entered: counters(
                r,
                "device_time_wait_entered_total",
                "Times that a four-tuple of the device entered TIME-WAIT.",
                device,
            )?,
            accepted: counters(
                r,
                "device_connections_accepted_total",
                "Connections that it answered with SYN-ACK.",
                device,
            )?,
            waiting: gauges(r, "device_connects_waiting", "Attempts to connect that wait now.", device)?,
            delayed: counters(
                r,
                "device_connects_delayed_total",
                "Attempts to connect that did not come about at once and are over, by how they ended.",
                &["device", "outcome"],
            )?,
            waited: registered(
                r,
                CounterVec::new(
                    Opts::new(
                        full("device_connect_wait_seconds_total"),
                        "What those attempts waited in all.",
                    ),
                    device,
                )?,
            )?,
            msl_least: measured(r, "device_msl_at_least_seconds", "The least that its MSL must be.")?,
            msl_most: measured(r, "device_msl_at_most_seconds", "The most that its MSL can be.")?,
            collisions: counters(
                r,
                "device_time_wait_collisions_total",
                "SYNs that it answered with a stale ACK from TIME-WAIT.",
                device,
            )?,
            ignored: counters(
                r,
                "device_ignored_rsts_total",
                "RSTs that would have freed TIME-WAIT and did not.",
                device,
            )?,
            stalls: counters(
                r,
                "device_stalls_total",
                "Connections that stood still, by the rule that tells how.",
                &["device", "rule"],
            )?,
        })
    }

    fn on_finding(&mut self, finding: &Finding) {
        let label = self.label(finding.device);
        match finding.rule.as_ref() {
            "time-wait-collision" => self.collisions.with_label_values(&[label]).inc(),
            "ignored-rst" => self.ignored.with_label_values(&[label]).inc(),
            rule if rule.ends_with("-stall") => self.stalls.with_label_values(&[&label, rule]).inc(),
            _ => {}
        }
    }

    fn on_facts(&mut self, facts: &DeviceFacts) {
        let label = self.label(facts.address);
        // What many devices hold together would say nothing.
        if label == OTHER {
            return;
        }
        let device = [label.as_str()];
        self.tell_info(facts);
        self.held.with_label_values(&device).set(whole(facts.time_wait.held_now));
        raise(&self.entered.with_label_values(&device), facts.time_wait.entered);
        raise(&self.accepted.with_label_values(&device), facts.accepted);
        self.waiting.with_label_values(&device).set(whole(facts.delays.waiting));
        let outcomes = [
            ("accepted", facts.delays.delayed),
            ("reset", facts.delays.reset),
            ("unfinished", facts.delays.unfinished),
        ];
        for (outcome, count) in outcomes {
            raise(&self.delayed.with_label_values(&[label.as_str(), outcome]), count);
        }
        raise_seconds(&self.waited.with_label_values(&device), facts.delays.waited_s);
        let bracket = [(&self.msl_least, facts.msl_s.at_least), (&self.msl_most, facts.msl_s.at_most)];
        for (gauge, seconds) in bracket {
            match seconds {
                Some(seconds) => gauge.with_label_values(&device).set(seconds),
                // Not known any more, or never: then there is no series, and no error worth a word.
                None => drop(gauge.remove_label_values(&device)),
            }
        }
    }

    fn tell_info(&mut self, facts: &DeviceFacts) {
        let Some(known) = self.known.get_mut(&facts.address) else { return };
        let now = [
            facts.stack.to_string(),
            facts.behaves_as.to_string(),
            facts.mode.clone().unwrap_or_default(),
            facts.mac.clone().unwrap_or_default(),
        ];
        let labels = |info: &[String; 4]| {
            let [stack, behaves_as, mode, mac] = info.clone();
            [known.label.clone(), stack, behaves_as, mode, mac]
        };
        if known.info != now {
            // There is none to remove the first time.
            let _ = self.info.remove_label_values(&labels(&known.info));
        }
        self.info.with_label_values(&labels(&now)).set(1);
        known.info = now;
    }

    /// The value of a device's label: its address, as long as there are not too many.
    fn label(&mut self, address: IpAddr) -> String {
        if let Some(known) = self.known.get(&address) {
            return known.label.clone();
        }
        if self.known.len() >= MOST_DEVICES {
            return OTHER.to_owned();
        }
        let label = address.to_string();
        self.known.insert(address, Known { label: label.clone(), info: Default::default() });
        label
    }
}

fn full(name: &str) -> String {
    format!("esp_tcpwatch_{name}")
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter> {
    registered(registry, IntCounter::new(full(name), help)?)
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
    registered(registry, IntCounterVec::new(Opts::new(full(name), help), labels)?)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge> {
    registered(registry, IntGauge::new(full(name), help)?)
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
    registered(registry, IntGaugeVec::new(Opts::new(full(name), help), labels)?)
}

fn measured(registry: &Registry, name: &str, help: &str) -> Result<GaugeVec> {
    registered(registry, GaugeVec::new(Opts::new(full(name), help), &["device"])?)
}

/// A counter never falls: a device that was forgotten and came back counts on from where it was.
fn raise(counter: &IntCounter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}

fn raise_seconds(counter: &Counter, to: f64) {
    counter.inc_by((to - counter.get()).max(0.0));
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{
        certainty::Certainty,
        event::DeviceEvent,
        host::{Behaviour, TimeWaitFacts},
        time::{Timestamp, When},
    };

    fn facts(address: &str) -> DeviceFacts {
        let text = format!(
            r#"{{"address":"{address}","stack":"lwip","stack_certainty":null,"time_wait":{{"entered":0,"held_now":0,
            "refused_until_s":null,"accepted_from_s":null}},"msl_s":{{"at_least":null,"at_most":null}},
            "rst_in_time_wait":"unknown","syn_in_time_wait":"unknown","behaves_as":"unknown"}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn told(metrics: &mut Metrics, facts: DeviceFacts) -> String {
        metrics.on_event(&Event::Device(DeviceEvent { when: When(Timestamp::ZERO), facts }));
        metrics.exposition().text().unwrap()
    }

    #[test]
    fn what_a_device_holds_rises_and_falls_and_its_counters_only_rise() {
        let mut metrics = Metrics::new("1").unwrap();
        let held = |entered, held_now| DeviceFacts {
            time_wait: TimeWaitFacts { entered, held_now, ..TimeWaitFacts::default() },
            ..facts("10.0.0.2")
        };
        let text = told(&mut metrics, held(7, 5));
        assert!(text.contains("esp_tcpwatch_device_time_wait_tuples{device=\"10.0.0.2\"} 5\n"), "{text}");
        let text = told(&mut metrics, held(3, 1));
        assert!(text.contains("esp_tcpwatch_device_time_wait_tuples{device=\"10.0.0.2\"} 1\n"), "{text}");
        assert!(
            text.contains("esp_tcpwatch_device_time_wait_entered_total{device=\"10.0.0.2\"} 7\n"),
            "{text}"
        );
    }

    #[test]
    fn a_device_has_one_info_at_a_time() {
        let mut metrics = Metrics::new("1").unwrap();
        told(&mut metrics, facts("10.0.0.2"));
        let mut later = facts("10.0.0.2");
        later.behaves_as = Behaviour::Unfixed;
        later.mode = Some("a \"quoted\"\nmode".to_owned());
        let text = told(&mut metrics, later);
        let infos: Vec<_> =
            text.lines().filter(|line| line.starts_with("esp_tcpwatch_device_info")).collect();
        assert_eq!(infos.len(), 1, "{text}");
        assert!(infos[0].contains(r#"behaves_as="unfixed""#), "{text}");
        assert!(infos[0].contains(r#"mode="a \"quoted\"\nmode""#), "what a device says is escaped: {text}");
    }

    #[test]
    fn devices_without_end_have_an_end() {
        let mut metrics = Metrics::new("1").unwrap();
        for last in 0..=255_u8 {
            let device = IpAddr::from([10, 0, 0, last]);
            told(&mut metrics, facts(&device.to_string()));
            let text = String::new();
            let frames = vec![1];
            let at = Timestamp::ZERO;
            let finding =
                Finding::of_device("time-wait-collision", Certainty::Proven, at, device, frames, text);
            metrics.on_event(&Event::Finding(finding));
        }
        let text = metrics.exposition().text().unwrap();
        let series = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(series("esp_tcpwatch_device_time_wait_tuples{"), MOST_DEVICES, "{text}");
        assert_eq!(series("esp_tcpwatch_device_time_wait_collisions_total{"), MOST_DEVICES + 1, "{text}");
        assert!(text.contains("collisions_total{device=\"other\"} 192\n"), "{text}");
    }
}
