//! What was captured, where, and how well; and what a capture from there cannot prove.

use super::{
    model::Report,
    page::{Text, text},
    safe::shown,
};
use crate::text::counted;

/// Sentences for a list.
pub fn sentences(report: &Report) -> Vec<Text> {
    let mut said = match &report.start {
        None => vec![text!("Where this was captured is not recorded in the event stream.")],
        Some(start) => {
            let name = || shown(&start.name, 120);
            vec![
                match start.source.as_str() {
                    "live" => text!(
                        "Captured live on interface `{}` of the host that ran this tool.",
                        shown(&start.name, 60)
                    ),
                    "file" => text!(
                        "Read from the capture file `{}`. A file does not say where it was taken; whoever took it \
                         should.",
                        name()
                    ),
                    "stream" => text!("Read from a stream (`{}`).", name()),
                    _ => text!("Read from `{}`.", name()),
                },
                match &start.filter {
                    Some(filter) => text!("Capture filter: `{}`.", shown(filter, 300)),
                    None => text!("No capture filter was set by this tool."),
                },
            ]
        }
    };
    if let Some(snaplen) = report.start.as_ref().and_then(|start| start.snaplen) {
        said.push(text!("Of each frame the first {} were kept.", counted(u64::from(snaplen), "octet")));
    }
    let capture = report.capture;
    said.push(if capture.dropped == 0 && capture.gaps == 0 {
        text!("No frame is known to be lost between the interface and this tool.")
    } else {
        text!(
            "**{} lost** in {}: what follows from frames before a gap is less certain after it.",
            counted(capture.dropped, "frame"),
            counted(capture.gaps, "gap")
        )
    });
    said.push(text!(
        "A capture taken on a host shows what that host sent and received. It does not prove that the access point \
         delivered a frame over the air; what the device *answered*, it has received."
    ));
    said
}
