//! What a run has beside its source, where it may go on for days: files, sockets, recorder, and what can be asked of it.
//!
//! Opened while we may, together with what of it must stay open to the sandbox; the same for a capture and for a stream.

use anyhow::Result;

use super::{
    duty::Duty,
    files::Files,
    flight::FlightRecorder,
    log,
    metrics::Listening,
    pieces::Pieces,
    privilege::Invoker,
    sandbox::Needs,
    session::Shown,
    shutdown::{self, Stop},
    socket, terminal,
};
use crate::cli::plan::WatchPlan;

pub struct Beside {
    pub files: Files,
    pub metrics: Option<Listening>,
    pub socket: Option<socket::Listening>,
    pub recorder: Option<FlightRecorder>,
    pub events: Option<Pieces>,
    /// Where there is no screen.
    pub duty: Option<Duty>,
    /// This process has a terminal that can hang up.
    pub has_terminal: bool,
}

impl Beside {
    /// Opens all that `plan` asks for, and begins the log where there is no screen.
    pub fn open(plan: &WatchPlan, successor: Option<Invoker>) -> Result<Beside> {
        let files = Files::open(&plan.output, &plan.devices, successor, None)?;
        let metrics = plan.metrics.map(Listening::on).transpose()?;
        let socket = plan.socket.as_ref().map(|plan| socket::Listening::on(plan, successor)).transpose()?;
        let recorder =
            plan.recorder.as_ref().map(|plan| FlightRecorder::open(plan, successor)).transpose()?;
        let events = plan.events.as_ref().map(|plan| Pieces::open(plan, successor)).transpose()?;
        let is_shown = Shown::of(plan.output.view) == Shown::Screen;
        let duty = (!is_shown).then(|| Duty::new(plan.output.rules.clone()));
        if duty.is_some() {
            log::begin()?;
        }
        let has_terminal = terminal::is_controlling();
        Ok(Beside { files, metrics, socket, recorder, events, duty, has_terminal })
    }

    pub fn needs(&self, plan: &WatchPlan) -> Needs {
        let mut needs = self.files.needs(Shown::of(plan.output.view), true);
        needs = needs.and_pieces_in(self.events.as_ref().map(Pieces::folder));
        needs = needs.and_recordings(self.recorder.as_ref().map(FlightRecorder::folder));
        if self.duty.is_some() {
            needs = needs.and_a_duty(plan.output.rules.as_deref());
        }
        if self.metrics.is_some() {
            needs = needs.and_metrics();
        }
        match &self.socket {
            Some(socket) => needs.and_a_socket(socket.folder()),
            None => needs,
        }
    }

    /// Listens for signals: those that end the run, and without a screen those that ask something of it.
    pub fn listen(&self, plan: &WatchPlan, stop: &Stop) -> Result<()> {
        match &self.duty {
            None => shutdown::listen(stop, plan.duration, terminal::restore),
            Some(duty) => shutdown::listen_for_wishes(stop, plan.duration, duty.asks(), self.has_terminal),
        }
    }
}
