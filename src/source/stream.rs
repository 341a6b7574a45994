//! A capture that somebody is still writing: a pipe, as in `ssh router tcpdump -w - | esp-tcpwatch -r -`.
//!
//! Knows that a read may wait for ever and that a frame must not wait for the next one. It loses nothing: when the
//! engine is behind, the writer waits.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;

use super::{
    SourceError,
    feed::Feeder,
    file::{CaptureFile, Found},
};
use crate::analysis::input::Input;

/// How often the stop flag is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Reads until the end, the first damage, or until `stop` is set. Errors are told to the feed as well.
///
/// The reading is done on a thread of its own: one that waits for a silent writer cannot be called back, so on stop
/// it is left behind, and ends with the process or with the next octet.
pub fn run(
    reader: Box<dyn Read + Send>,
    name: &str,
    feeder: Feeder,
    stop: &AtomicBool,
) -> Result<(), SourceError> {
    let closer = feeder.closer();
    let left_behind = Arc::new(AtomicBool::new(false));
    let (tell, told) = sync_channel(1);
    let reading = thread::Builder::new().name("stream".into()).spawn({
        let name = name.to_owned();
        let left_behind = Arc::clone(&left_behind);
        move || {
            let mut feeder = feeder;
            let outcome = read(reader, &name, &mut feeder, &left_behind);
            feeder.finish(&outcome);
            // Nobody listens any more once the reader was left behind.
            tell.send(outcome).ok();
        }
    });
    if let Err(error) = reading {
        return Err(SourceError::Thread { name: name.to_owned(), error: Arc::new(error) });
    }
    loop {
        match told.recv_timeout(LOOK) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if left_behind.load(Ordering::Relaxed) => {
                closer.close();
                return Ok(());
            }
            // It has one more look's time to hand over what it has read.
            Err(RecvTimeoutError::Timeout) => {
                left_behind.store(stop.load(Ordering::Relaxed), Ordering::Relaxed)
            }
        }
    }
}

fn read(
    reader: Box<dyn Read + Send>,
    name: &str,
    feeder: &mut Feeder,
    left_behind: &AtomicBool,
) -> Result<(), SourceError> {
    let mut capture = CaptureFile::from_reader(reader, name)?;
    loop {
        let need = match capture.find()? {
            Found::Input(Input::Frame(frame)) => {
                if !feeder.send(&frame) {
                    return Ok(());
                }
                continue;
            }
            Found::Input(Input::Gap(gap)) => {
                feeder.gap(gap);
                continue;
            }
            Found::Input(Input::Tick(_) | Input::Marker(_) | Input::Account(_) | Input::Progress(_)) => {
                continue;
            }
            Found::Input(Input::End) | Found::Nothing => return Ok(()),
            Found::Read(need) => need,
        };
        // The read may wait: what has arrived goes first.
        if !feeder.flush_waiting() || left_behind.load(Ordering::Relaxed) {
            return Ok(());
        }
        capture.read(need)?;
    }
}
