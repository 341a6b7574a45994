//! Makes a capture of the bench, and says what is true of it (JSON, on standard output):
//!
//!     bench_traffic many|bulk|synflood|esp32|flooded FILE [SCALE [SEED]]
//!
//! The same words give the same octets.

#[path = "mod.rs"]
mod traffic;

use std::fs::File;
use std::io::BufWriter;

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [kind, path, more @ ..] = words.as_slice() else {
        bail!("bench_traffic many|bulk|synflood|esp32|flooded FILE [SCALE [SEED]]")
    };
    let kind = traffic::Kind::ALL.into_iter().find(|known| known.name() == kind);
    let kind = kind.context("the kind is one of many, bulk, synflood, esp32 and flooded")?;
    let scale: f64 =
        more.first().map_or(Ok(1.0), |word| word.parse()).context("SCALE is a number, as 0.1")?;
    let seed: u64 = more.get(1).map_or(Ok(1), |word| word.parse()).context("SEED is a whole number")?;

    let file = File::create(path).with_context(|| format!("cannot write {path}"))?;
    let mut pcap = traffic::pcap::Pcap::begin(BufWriter::with_capacity(1 << 20, file), kind.snaplen())?;
    let truth = traffic::make(kind, scale, seed, &mut |sent| pcap.add(sent))
        .with_context(|| format!("cannot write {path}"))?;
    pcap.finish().with_context(|| format!("cannot write {path}"))?;
    let devices: Vec<String> = kind.devices().iter().map(ToString::to_string).collect();
    let told = serde_json::json!({
        "packets": truth.packets,
        "collisions": truth.collisions,
        "ignored_rsts": truth.ignored_rsts,
        "devices": devices,
    });
    println!("{told}");
    Ok(())
}
