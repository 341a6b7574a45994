//! The experiment at a terminal: the screens show its traffic as it comes, and how far it is.
//!
//! They have a capture and an engine of their own, so that nothing that is shown, or asked for there, reaches what is
//! measured. Refuses to run a block.

use core::net::IpAddr;

use anyhow::{Result, anyhow};

use super::progress::Telling;
use crate::analysis::{event::Start, host::DeviceScope};
use crate::app::{
    files::Files,
    look,
    moves::Moves,
    pipeline::WhenStopped,
    privilege::Invoker,
    rules,
    sandbox::Needs,
    session::{Session, Shown},
    shutdown::Stop,
    watch,
};
use crate::cli::plan::{DeviceName, OutputPlan};
use crate::experiment::store::Stored;
use crate::source::{feed, filter, live::LiveCapture};
use crate::tui::TuiOptions;

/// Opened while the privileges were there.
pub struct OnScreen {
    capture: LiveCapture,
    look: TuiOptions,
    files: Files,
    device: IpAddr,
}

impl OnScreen {
    /// `None` where stdout is no terminal, or was wanted for something else.
    ///
    /// # Errors
    /// What the configuration says of the screen means nothing, or the capture cannot be opened.
    pub fn open(
        output: &OutputPlan,
        interface: &str,
        device: IpAddr,
        invoker: Option<Invoker>,
    ) -> Result<Option<OnScreen>> {
        if Shown::of(output.view) != Shown::Screen {
            return Ok(None);
        }
        let look = look::of(output)?;
        let filter = filter::for_devices(&[device]);
        let capture = watch::open(interface.to_owned(), Some(filter), None, Shown::Screen)?;
        let files = Files::open(output, &[DeviceName::Address(device)], invoker, None)?;
        Ok(Some(OnScreen { capture, look, files, device }))
    }

    /// What the screens still make and open.
    pub fn needs(&self) -> Needs {
        self.files.needs(Shown::Screen, true)
    }

    /// Runs `experiment` on a thread of its own while the screens are shown: until the person leaves them, which raises
    /// `stop`, or until it fails. Once it is over, what came of it stays in sight.
    pub fn show(
        self,
        stored: &Stored,
        stop: &Stop,
        experiment: impl FnOnce(&Telling) -> Result<()> + Send,
    ) -> Result<()> {
        let start = Start {
            tool: crate::app::TOOL.to_owned(),
            source: "live".to_owned(),
            name: self.capture.interface().to_owned(),
            filter: Some(filter::for_devices(&[self.device])),
            snaplen: Some(watch::DEFAULT_SNAPLEN),
            ..Start::default()
        };
        let (feeder, feed) = feed::feed(watch::FEED_BATCHES);
        let capturing = watch::spawn(self.capture, feeder, stop)?;
        let session = Session {
            title: "experiment".to_owned(),
            shown: Shown::Screen,
            look: self.look,
            flow_events: false,
            segment_events: false,
            memory: None,
            files: self.files,
            metrics: None,
            socket: None,
            duty: None,
            events: None,
            recorder: None,
            // Told on stderr already, before the screens came up.
            remarks: Vec::new(),
            rules: rules::load(None)?,
            devices: DeviceScope::Named(vec![self.device]),
            start,
            moves: Moves::default(),
            stop: stop.clone(),
            when_stopped: WhenStopped::AtEnd,
        };
        let running = session.start(feed)?;
        let telling = Telling::new(self.device, stored, Some(running.asides()));
        let (ran, shown) = std::thread::scope(|scope| {
            let experiment = scope.spawn(|| {
                let ran = experiment(&telling);
                if ran.is_err() {
                    stop.raise();
                }
                ran
            });
            let shown = running.finish();
            stop.raise();
            let ran = experiment.join();
            (ran.unwrap_or_else(|_| Err(anyhow!("the experiment stopped with a programming error"))), shown)
        });
        let captured = watch::joined(capturing)?;
        ran?;
        captured?;
        shown?.error.map_or(Ok(()), Err)
    }
}
