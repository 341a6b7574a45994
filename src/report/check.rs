//! How to check every claim in Wireshark, and how to see it happen again.
//!
//! Knows Wireshark's display filters and this tool's command line. Every filter is built from addresses, ports and
//! numbers; text from outside enters a command only as a quoted word.

use core::net::{IpAddr, SocketAddr};

use super::{
    episode::Episode,
    model::Report,
    page::{Text, text},
    safe::{shell_word, shown},
};

/// The steps of checking `episode`.
pub fn in_wireshark(report: &Report, episode: &Episode) -> Vec<Text> {
    let mut steps = Vec::new();
    let file = match report.start.as_ref().filter(|start| start.source == "file") {
        Some(start) => text!("Open `{}`.", shown(&start.name, 120)),
        None => match report.attached.iter().find(|attached| attached.name.ends_with(".pcapng")) {
            Some(recording) => text!("Open `{}`.", shown(&recording.name, 120)),
            None => text!(
                "Open the recording of this run (`-w FILE.pcapng`); its frame numbers are the ones cited here."
            ),
        },
    };
    if episode.is_of_device() {
        steps.push(text!("{} Frame numbers are the capture's own.", file));
        steps.push(text!("The frames cited: `{}`", cited(episode)));
        let everything = of_device(episode.device);
        steps.push(text!("Everything of the device, and whoever asks for it: `{}`", everything));
        return steps;
    }
    steps.push(text!(
        "{} Frame numbers are the capture's own. The numbers cited are raw: switch off *Relative sequence numbers* in \
         the TCP preferences, or compare `tcp.seq_raw` and `tcp.ack_raw`.",
        file
    ));
    let frames = (episode.rows.iter().next(), episode.rows.iter().next_back());
    let range = match frames {
        (Some(first), Some(last)) => {
            format!(" && frame.number >= {} && frame.number <= {}", first.frame, last.frame)
        }
        _ => String::new(),
    };
    steps.push(text!("The whole story: `{}{}`", conversation(episode.client, episode.server), range));
    if let Some(stale) = stale_ack_filter(episode) {
        let own = episode.row("device ACKs: TIME-WAIT begins");
        let original = own.map_or(String::new(), |own| format!("frame {} itself and ", own.frame));
        steps.push(text!(
            "Only the stale ACKs: `{}`. It shows {}its repetitions, one for each refused SYN ({} of this attempt).",
            stale,
            original,
            episode.count("time-wait-collision")
        ));
        steps.push(text!(
            "Wireshark marks the SYNs *TCP Port numbers reused* and *TCP Retransmission*, and the stale ACKs *TCP Dup \
             ACK*."
        ));
    }
    steps
}

/// Commands for a code block.
pub fn reproduce(report: &Report) -> String {
    let device = device(report);
    let mut lines = Vec::new();
    match &report.start {
        Some(start) if start.source == "file" => {
            lines.push("# the same findings from the same frames".to_owned());
            lines.push(format!("esp-tcpwatch -r {} -d {device}", shell_word(&start.name, 200)));
        }
        Some(start) if start.source == "live" => {
            lines.push("# watch the device again, and keep the frames".to_owned());
            lines.push(format!(
                "sudo esp-tcpwatch -i {} -d {device} -w run.pcapng",
                shell_word(&start.name, 60)
            ));
        }
        Some(_) | None => {
            lines.push("# from a recording of the run".to_owned());
            lines.push(format!("esp-tcpwatch -r run.pcapng -d {device}"));
        }
    }
    let web = report.episodes.iter().find(|episode| !episode.is_of_device()).map(|episode| episode.server);
    if let (true, Some(server)) = (super::advice::is_about_time_wait(report), web) {
        lines.push(
            "# on a Linux client: the same source port twice, at a web server that closes first".to_owned(),
        );
        for _ in 0..2 {
            lines.push(format!("curl --local-port 40000 http://{server}/"));
        }
        lines.push(
            "# (curl error 45: this time the client closed first and holds TIME-WAIT itself; try again)"
                .to_owned(),
        );
    }
    lines.push("# without any hardware: the same TCP code (lwIP) in a sandbox".to_owned());
    lines.push("esp-tcpwatch demo".to_owned());
    lines.join("\n")
}

fn device(report: &Report) -> String {
    let worst = report.worst().map(|alert| alert.device);
    let known = worst.or_else(|| report.devices.keys().next().copied());
    known.map_or_else(|| "DEVICE".to_owned(), |device| device.to_string())
}

fn conversation(client: SocketAddr, server: SocketAddr) -> String {
    let ip = protocol(client.ip());
    format!(
        "{ip}.addr == {} && {ip}.addr == {} && tcp.port == {} && tcp.port == {}",
        client.ip(),
        server.ip(),
        client.port(),
        server.port()
    )
}

fn cited(episode: &Episode) -> String {
    let mut frames: Vec<u64> = episode
        .rules
        .values()
        .flat_map(|tally| tally.first_frames.iter().chain(&tally.last_frames))
        .copied()
        .collect();
    frames.sort_unstable();
    frames.dedup();
    format!("frame.number in {{{}}}", super::words::list(&frames, frames.len()))
}

fn of_device(device: IpAddr) -> String {
    match device {
        IpAddr::V4(_) => {
            format!("ip.addr == {device} || arp.src.proto_ipv4 == {device} || arp.dst.proto_ipv4 == {device}")
        }
        IpAddr::V6(_) => format!(
            "ipv6.addr == {device} || icmpv6.nd.ns.target_address == {device} || icmpv6.nd.na.target_address == {device}"
        ),
    }
}

/// The device's pure ACKs that bear the old connection's numbers.
fn stale_ack_filter(episode: &Episode) -> Option<String> {
    let row = episode.row("stale ACK").or_else(|| episode.row("same stale ACK"))?;
    let ip = protocol(episode.server.ip());
    Some(format!(
        "{ip}.src == {} && tcp.dstport == {} && tcp.flags == 0x010 && tcp.len == 0 && tcp.seq_raw == {} && \
         tcp.ack_raw == {}",
        episode.server.ip(),
        episode.client.port(),
        row.seq,
        row.ack?
    ))
}

fn protocol(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "ip",
        IpAddr::V6(_) => "ipv6",
    }
}

/// The last part of a path: a report is for the public, a home directory is not.
pub fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(path)
}
