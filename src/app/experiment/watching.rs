//! The engine over the frames of one block, on a thread of its own. The capture goes on from block to block: its feed is
//! lent to one engine after the other.

use std::fs::File;
use std::io::BufWriter;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};

use super::super::{
    moves::Moves,
    pipeline::{Finished, Pipeline, WhenStopped},
    rules,
    shutdown::Stop,
};
use crate::analysis::{
    engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig},
    event::{Start, Summary},
    host::DeviceScope,
    rule::RuleSet,
};
use crate::sink::{Wanted, record::Recorder};
use crate::source::feed::Feed;

use super::holding::ByTheWire;

/// What is the same for all blocks.
pub struct Watcher {
    rules: RuleSet,
    devices: DeviceScope,
}

/// An engine that runs.
pub struct Watching {
    stop: Stop,
    thread: JoinHandle<(Feed, Finished)>,
    held: ByTheWire,
}

/// What came of it.
pub struct Watched {
    pub feed: Feed,
    pub summary: Summary,
    pub held: ByTheWire,
    /// The recording, where one was asked for, holds every frame.
    pub is_recorded: bool,
}

impl Watcher {
    pub fn new(device: core::net::IpAddr) -> Result<Watcher> {
        Ok(Watcher { rules: rules::load(None)?, devices: DeviceScope::Named(vec![device]) })
    }

    pub fn start(&self, mut feed: Feed, recorder: Option<Recorder<BufWriter<File>>>) -> Result<Watching> {
        // Nothing is said into it: what the device says of itself stands beside what the wire shows, not in it.
        let (_, asides) = channel();
        let (stop, held) = (Stop::default(), ByTheWire::default());
        let pipeline = Pipeline {
            attached: None,
            metrics: None,
            engine: Engine::new(EngineConfig {
                devices: self.devices.clone(),
                rules: self.rules.clone(),
                flow_events: true,
                segment_events: false,
                start: Start { source: "live".to_owned(), ..Start::default() },
                max_flows: DEFAULT_MAX_FLOWS,
            }),
            sink: Some(Box::new(held.clone())),
            events: None,
            wanted: Wanted { flows: true, segments: false },
            screen: None,
            report: None,
            ring: None,
            excerpt: None,
            flight: None,
            recorder,
            asides,
            orders: None,
            moves: Moves::default(),
            stop: stop.clone(),
            // The feed is wanted again, and it holds nothing of the block any more: the block has settled.
            when_stopped: WhenStopped::AtOnce,
        };
        let thread = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || {
                let finished = pipeline.run(&mut feed);
                (feed, finished)
            })
            .context("cannot make the engine's thread")?;
        Ok(Watching { stop, thread, held })
    }
}

impl Watching {
    /// The feed comes back, with the engine's last word.
    pub fn finish(self) -> Result<Watched> {
        self.stop.raise();
        let (feed, finished) =
            self.thread.join().map_err(|_| anyhow!("the analysis stopped with a programming error"))?;
        if let Some(error) = finished.source {
            return Err(anyhow!(error).context("the capture ended inside a block"));
        }
        Ok(Watched {
            feed,
            summary: finished.summary.unwrap_or_default(),
            held: self.held,
            is_recorded: finished.recording.is_none(),
        })
    }
}
