//! The events of a saved run, a line each, as `--json` writes them.

use core::net::IpAddr;

use esp_tcpwatch::analysis::event::Event;

/// Events of one input: more of them only take longer.
const MOST: usize = 400;

/// The events of `data`, up to the first line that is none, as a saved run is read.
pub fn of(data: &[u8]) -> Vec<Event> {
    let lines = data.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.map_while(|line| serde_json::from_slice(line).ok()).take(MOST).collect()
}

/// Every address that stands in a field of its own.
pub fn addresses(events: &[Event]) -> Vec<IpAddr> {
    let mut all = Vec::new();
    for event in events {
        match event {
            Event::Start(start) => all.extend(&start.devices),
            Event::Segment(_) | Event::Flow(_) | Event::Capture(_) => {}
            Event::Finding(finding) => {
                all.extend([finding.device, finding.client.ip(), finding.server.ip()]);
            }
            Event::Alert(alert) => {
                all.extend([alert.device, alert.server.ip()]);
                all.extend(alert.client.map(|client| client.ip()));
            }
            Event::Device(device) => all.push(device.facts.address),
            Event::Marker(marker) => all.extend(marker.device),
            Event::Progress(progress) => all.push(progress.progress.device),
            Event::Summary(summary) => all.extend(summary.devices.iter().map(|facts| facts.address)),
        }
    }
    all.sort();
    all.dedup();
    all
}
