//! The report model with stand-ins: field by field, so that a new field does not compile before it is thought about.

use std::collections::BTreeMap;

use super::stand_ins::Redactor;
use crate::analysis::{
    detect::EvidenceSegment,
    event::{MarkerEvent, Start, Summary},
    host::{Delay, DelayFacts, DeviceFacts},
    rule::Alert,
};
use crate::report::{
    check::file_name,
    episode::{Episode, Tally},
    model::{Attachment, EvidenceFile, Loss, Report},
};

/// `report` for the public. Numbers, times and words of our own stay; so do ports.
pub fn redacted(report: &Report, redactor: &mut Redactor) -> Report {
    let Report {
        start,
        summary,
        first,
        last,
        findings,
        alerts,
        alerts_omitted,
        episodes,
        findings_elsewhere,
        devices,
        devices_omitted,
        capture,
        losses,
        losses_omitted,
        markers,
        markers_omitted,
        series,
        attached,
        system,
        evidence,
        experiment,
    } = report;
    // Devices first: they get the first stand-ins.
    let devices =
        devices.values().map(|facts| device(facts, redactor)).map(|facts| (facts.address, facts)).collect();
    Report {
        devices,
        start: start.as_ref().map(|start| self::start(start, redactor)),
        summary: summary.as_ref().map(|summary| self::summary(summary, redactor)),
        first: *first,
        last: *last,
        findings: tallies(findings, redactor),
        alerts: alerts.iter().map(|(id, alert)| (*id, self::alert(alert, redactor))).collect(),
        alerts_omitted: *alerts_omitted,
        episodes: episodes.iter().map(|episode| self::episode(episode, redactor)).collect(),
        findings_elsewhere: *findings_elsewhere,
        devices_omitted: *devices_omitted,
        capture: *capture,
        losses: losses
            .iter()
            .map(|Loss { epoch, text }| Loss { epoch: *epoch, text: redactor.text(text) })
            .collect(),
        losses_omitted: *losses_omitted,
        markers: markers.iter().map(|marker| self::marker(marker, redactor)).collect(),
        markers_omitted: *markers_omitted,
        // It knows addresses only for folding on.
        series: series.ended(),
        attached: attached.iter().map(|file| attachment(file, redactor)).collect(),
        system: system.as_ref().map(|system| redactor.text(system)),
        evidence: evidence.as_ref().map(|EvidenceFile { name, frames }| EvidenceFile {
            name: redactor.text(file_name(name)),
            frames: frames.clone(),
        }),
        experiment: experiment.as_ref().map(|experiment| super::experiment::experiment(experiment, redactor)),
    }
}

fn attachment(file: &Attachment, redactor: &mut Redactor) -> Attachment {
    let Attachment { name, what, octets, sha256 } = file;
    Attachment {
        name: redactor.text(file_name(name)),
        what: redactor.text(what),
        octets: *octets,
        sha256: sha256.clone(),
    }
}

fn start(start: &Start, redactor: &mut Redactor) -> Start {
    let Start { schema, tool, source, name, filter, devices, rules, snaplen } = start;
    Start {
        schema: *schema,
        tool: redactor.text(tool),
        source: redactor.text(source),
        name: if source == "live" { redactor.interface(name) } else { redactor.text(file_name(name)) },
        filter: filter.as_ref().map(|filter| redactor.text(filter)),
        devices: devices.iter().map(|device| redactor.address(*device)).collect(),
        rules: texts(rules, redactor),
        snaplen: *snaplen,
    }
}

fn summary(summary: &Summary, redactor: &mut Redactor) -> Summary {
    let Summary {
        when,
        frames,
        segments,
        skipped,
        flows,
        incarnations,
        findings,
        alerts,
        unevaluated,
        devices,
        devices_omitted,
        capture,
        duration_s,
        verdict,
    } = summary;
    Summary {
        when: *when,
        frames: *frames,
        segments: *segments,
        skipped: named(skipped, redactor),
        flows: *flows,
        incarnations: *incarnations,
        findings: named(findings, redactor),
        alerts: named(alerts, redactor),
        unevaluated: named(unevaluated, redactor),
        devices: devices.iter().map(|facts| device(facts, redactor)).collect(),
        devices_omitted: *devices_omitted,
        capture: *capture,
        duration_s: *duration_s,
        verdict: redactor.text(verdict),
    }
}

fn device(facts: &DeviceFacts, redactor: &mut Redactor) -> DeviceFacts {
    let DeviceFacts {
        address,
        mac,
        formerly,
        stack,
        stack_certainty,
        time_wait,
        msl_s,
        pcb_cap,
        rst_in_time_wait,
        syn_in_time_wait,
        behaves_as,
        accepted,
        delays,
        note,
        mode,
        own_account,
    } = facts;
    let DelayFacts { waiting, delayed, reset, unfinished, waited_s, longest } = delays;
    DeviceFacts {
        address: redactor.address(*address),
        mac: mac.as_ref().map(|mac| redactor.text(mac)),
        formerly: formerly.map(|formerly| redactor.address(formerly)),
        stack: *stack,
        stack_certainty: *stack_certainty,
        time_wait: *time_wait,
        msl_s: *msl_s,
        pcb_cap: *pcb_cap,
        rst_in_time_wait: *rst_in_time_wait,
        syn_in_time_wait: *syn_in_time_wait,
        behaves_as: *behaves_as,
        accepted: *accepted,
        delays: DelayFacts {
            waiting: *waiting,
            delayed: *delayed,
            reset: *reset,
            unfinished: *unfinished,
            waited_s: *waited_s,
            longest: longest.as_ref().map(|longest| delay(longest, redactor)),
        },
        note: note.as_ref().map(|note| redactor.text(note)),
        mode: mode.as_ref().map(|mode| redactor.text(mode)),
        own_account: *own_account,
    }
}

fn delay(delay: &Delay, redactor: &mut Redactor) -> Delay {
    let Delay {
        client,
        server,
        incarnation,
        syns,
        refused,
        first_frame,
        last_frame,
        waited_s,
        outcome,
        blocked_by,
    } = delay;
    Delay {
        client: redactor.socket(*client),
        server: redactor.socket(*server),
        incarnation: *incarnation,
        syns: *syns,
        refused: *refused,
        first_frame: *first_frame,
        last_frame: *last_frame,
        waited_s: *waited_s,
        outcome: *outcome,
        blocked_by: *blocked_by,
    }
}

fn alert(alert: &Alert, redactor: &mut Redactor) -> Alert {
    let Alert {
        id,
        rule,
        severity,
        phase,
        certainty,
        count,
        when,
        first,
        last,
        device,
        mode,
        client,
        server,
        findings,
        frames,
        frames_omitted,
        title,
        why,
        remedies,
        references,
    } = alert;
    Alert {
        id: *id,
        rule: redactor.text(rule),
        severity: *severity,
        phase: *phase,
        certainty: *certainty,
        count: *count,
        when: *when,
        first: *first,
        last: *last,
        device: redactor.address(*device),
        mode: mode.as_ref().map(|mode| redactor.text(mode)),
        client: client.map(|client| redactor.socket(client)),
        server: redactor.socket(*server),
        findings: findings.clone(),
        frames: frames.clone(),
        frames_omitted: *frames_omitted,
        title: redactor.text(title),
        why: redactor.text(why),
        remedies: texts(remedies, redactor),
        references: texts(references, redactor),
    }
}

fn episode(episode: &Episode, redactor: &mut Redactor) -> Episode {
    let Episode { device, client, server, incarnation, certainty, rules, rows, established } = episode;
    Episode {
        device: redactor.address(*device),
        client: redactor.socket(*client),
        server: redactor.socket(*server),
        incarnation: *incarnation,
        certainty: *certainty,
        rules: tallies(rules, redactor),
        rows: rows.mapped(|row| self::row(row, redactor)),
        established: *established,
    }
}

fn row(row: &EvidenceSegment, redactor: &mut Redactor) -> EvidenceSegment {
    let EvidenceSegment { frame, epoch, from_client, flags, seq, ack, len, window, role } = row;
    EvidenceSegment {
        frame: *frame,
        epoch: *epoch,
        from_client: *from_client,
        flags: redactor.text(flags).into(),
        seq: *seq,
        ack: *ack,
        len: *len,
        window: *window,
        role: redactor.text(role).into(),
    }
}

fn tallies(tallies: &BTreeMap<String, Tally>, redactor: &mut Redactor) -> BTreeMap<String, Tally> {
    let tally = |(rule, tally): (&String, &Tally)| {
        let Tally { count, certainty, first, last, first_frames, last_frames, text, quantities } = tally;
        let tally = Tally {
            count: *count,
            certainty: *certainty,
            first: *first,
            last: *last,
            first_frames: first_frames.clone(),
            last_frames: last_frames.clone(),
            text: redactor.text(text),
            quantities: quantities.iter().map(|(name, value)| (redactor.text(name), *value)).collect(),
        };
        (redactor.text(rule), tally)
    };
    tallies.iter().map(tally).collect()
}

fn marker(marker: &MarkerEvent, redactor: &mut Redactor) -> MarkerEvent {
    let MarkerEvent { when, text, mode_changed, device, mode, formerly, frame } = marker;
    MarkerEvent {
        when: *when,
        text: redactor.text(text),
        mode_changed: *mode_changed,
        device: device.map(|device| redactor.address(device)),
        mode: mode.as_ref().map(|mode| redactor.text(mode)),
        formerly: formerly.map(|formerly| redactor.address(formerly)),
        frame: *frame,
    }
}

fn texts(texts: &[String], redactor: &mut Redactor) -> Vec<String> {
    texts.iter().map(|text| redactor.text(text)).collect()
}

fn named(counts: &BTreeMap<String, u64>, redactor: &mut Redactor) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| (redactor.text(name), *count)).collect()
}
