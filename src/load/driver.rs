//! Working a plan off: lanes side by side on one thread, outcomes to the caller as they come, an end for certain.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, sleep_until};

use super::LoadError;
use super::attempt::attempt;
use super::outcome::{Attempt, Failure, Outcome, Totals};
use super::schedule::{ReusePlan, Turn};

/// How soon a stop is noticed.
const STOP_LOOK: Duration = Duration::from_millis(20);

/// Works `plan` off on this thread. Ends by itself, or soon after `stop` is set: then ports on their way are given up
/// and reported as far as they came.
pub fn run(
    plan: ReusePlan,
    stop: &AtomicBool,
    on_outcome: &mut dyn FnMut(Outcome),
) -> Result<Totals, LoadError> {
    plan.check()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::Runtime)?;
    Ok(runtime.block_on(drive(plan, stop, on_outcome)))
}

async fn drive(plan: ReusePlan, stop: &AtomicBool, on_outcome: &mut dyn FnMut(Outcome)) -> Totals {
    let (tell, mut outcomes) = mpsc::unbounded_channel();
    let (halt, halt_heard) = watch::channel(false);
    let began = Instant::now();
    let mut lanes = JoinSet::new();
    for turns in plan.lanes() {
        lanes.spawn(lane(plan, turns, began, halt_heard.clone(), tell.clone()));
    }
    drop(tell); // the lanes hold the rest: when the last is done the channel ends

    let mut totals = Totals::default();
    let mut look = interval(STOP_LOOK);
    loop {
        tokio::select! {
            outcome = outcomes.recv() => match outcome {
                Some(outcome) => {
                    totals.count(&outcome);
                    on_outcome(outcome);
                }
                None => return totals,
            },
            _ = look.tick() => {
                if stop.load(Ordering::Relaxed) && !totals.stopped {
                    totals.stopped = true;
                    let _heard = halt.send(true);
                }
            }
        }
    }
}

async fn lane(
    plan: ReusePlan,
    turns: Vec<Turn>,
    began: Instant,
    halt: watch::Receiver<bool>,
    tell: mpsc::UnboundedSender<Outcome>,
) {
    for turn in turns {
        tokio::select! {
            () = sleep_until(began + turn.not_before) => {}
            () = halted(&halt) => return,
        }
        let outcome = reuse(&plan, turn.port, &halt).await;
        let stopped = outcome.first.connect == Err(Failure::Stopped);
        if stopped || tell.send(outcome).is_err() {
            return;
        }
    }
}

/// The same port, twice.
async fn reuse(plan: &ReusePlan, port: u16, halt: &watch::Receiver<bool>) -> Outcome {
    let first = unless_halted(plan, port, halt).await;
    let none = |failure| Attempt::without_connection(failure);
    let second = if first.answer.is_err() {
        none(Failure::NotTried)
    } else if tokio::select! { () = sleep(plan.pause()) => true, () = halted(halt) => false } {
        unless_halted(plan, port, halt).await
    } else {
        none(Failure::Stopped)
    };
    Outcome { port, first, second }
}

async fn unless_halted(plan: &ReusePlan, port: u16, halt: &watch::Receiver<bool>) -> Attempt {
    tokio::select! {
        attempt = attempt(plan.target, port, plan.connect_timeout) => attempt,
        () = halted(halt) => Attempt::without_connection(Failure::Stopped),
    }
}

/// Returns once it is time to stop, which includes that nobody is left to say so.
async fn halted(halt: &watch::Receiver<bool>) {
    let mut halt = halt.clone();
    let _said_or_gone = halt.wait_for(|&halted| halted).await;
}
