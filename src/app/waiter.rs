//! A thread for what waits on sockets: a current-thread tokio runtime of its own, with a blocking face.
//!
//! Knows how such a thread begins and ends. Refuses to know what it waits for.

use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use tokio::{runtime::Builder, sync::oneshot, task::LocalSet};

/// A thread that waits, and what came of it.
pub struct Waiter<T> {
    name: &'static str,
    /// Dropped: the work is given up, whatever it waits for.
    goes_on: oneshot::Sender<()>,
    thread: JoinHandle<Option<T>>,
}

impl<T: Send + 'static> Waiter<T> {
    /// Begins `work` on a thread called `name`. Call it after the privileges went.
    ///
    /// # Errors
    /// A runtime or a thread cannot be made.
    pub fn begin<F: Future<Output = T>>(
        name: &'static str,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Waiter<T>> {
        let (goes_on, ended) = oneshot::channel();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .with_context(|| format!("cannot make the runtime of the {name} thread"))?;
        let wait = async move || {
            tokio::select! {
                _ = ended => None,
                came = work() => Some(came),
            }
        };
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || LocalSet::new().block_on(&runtime, wait()))
            .with_context(|| format!("cannot make the {name} thread"))?;
        Ok(Waiter { name, goes_on, thread })
    }

    /// Gives the work up, at once; what came of it if it had ended before.
    pub fn give_up(self) -> Result<Option<T>> {
        drop(self.goes_on);
        joined(self.name, self.thread)
    }

    /// Waits until the work has ended by itself.
    pub fn until_ended(self) -> Result<Option<T>> {
        joined(self.name, self.thread)
    }
}

fn joined<T>(name: &str, thread: JoinHandle<T>) -> Result<T> {
    thread.join().map_err(|_| anyhow!("the {name} thread stopped with a programming error; please report it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_waited_for_or_given_up() {
        let done = Waiter::begin("done", || async { std::thread::current().name().map(str::to_owned) });
        assert_eq!(done.unwrap().until_ended().unwrap(), Some(Some("done".to_owned())));
        let endless = Waiter::begin("endless", core::future::pending::<()>).unwrap();
        assert_eq!(endless.give_up().unwrap(), None);
    }

    #[test]
    fn a_panic_is_told_with_the_name_of_its_thread() {
        let failed = Waiter::<()>::begin("failed", || async { panic!("on purpose") }).unwrap();
        let error = failed.until_ended().unwrap_err();
        assert!(error.to_string().starts_with("the failed thread stopped with a programming error"));
    }
}
