//! What the numbers of a device cannot say by themselves, in plain words.

use super::Device;

/// `None` where the numbers say it all.
pub fn note(device: &Device) -> Option<String> {
    let (bracket, evictions) = (&device.bracket, &device.evictions);
    let mut said = Vec::new();
    if let Some(address) = device.left_for {
        said.push(format!("It has another address since: {address}."));
    }
    if bracket.contradicts_itself() {
        said.push(
            "The refusals and expiries seen cannot come from one length of TIME-WAIT: the device was changed \
             or restarted meanwhile, or tuples were evicted."
                .to_owned(),
        );
    }
    if evictions.contradicts_itself(bracket.refused_until_s()) {
        said.push(
            "What it held and what it dropped cannot come from one number of connection blocks: it has connections \
             that were not seen here, or it was changed or restarted meanwhile."
                .to_owned(),
        );
    }
    if let Some((syns, room)) =
        evictions.undecided(device.behaviours.refused_a_syn, device.behaviours.accepted_a_syn)
    {
        said.push(format!(
            "{} let in on a port that was closed shortly before, after other connections had been made: the device \
             accepts newer SYNs in TIME-WAIT, or it has room for {room} connections or fewer and drops the oldest \
             TIME-WAIT. Using again the port that was closed last would tell.",
            were(syns)
        ));
    }
    if evictions.unclear() > 0 && device.pcb_cap().at_most.is_none() {
        said.push(format!(
            "After refusals {} let in when other connections had been made meanwhile: TIME-WAIT was over, or the \
             oldest gave way. Nothing is concluded from that.",
            were(evictions.unclear())
        ));
    }
    if device.fingerprint.contradicts_itself() {
        said.push(
            "Its segments bear the marks of two TCP stacks: perhaps a router passes some ports on to another host."
                .to_owned(),
        );
    }
    (!said.is_empty()).then(|| said.join(" "))
}

fn were(syns: u64) -> String {
    if syns == 1 { "1 SYN was".to_owned() } else { format!("{syns} SYNs were") }
}
