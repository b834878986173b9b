//! Threads that own the connections, and the queue in front of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::domain::{Error, Result};

/// How many closures may wait; a further one waits in its own task.
const QUEUE: usize = 256;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A queue and the threads that serve it. Dropping it ends them, and waits until they have closed their connections: SQLite
/// writes to the file once more then.
pub(super) struct Lane {
    /// `None` while it is being dropped.
    queue: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    behavior: TransactionBehavior,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.queue = None;
        let here = std::thread::current().id();
        // The last one to let go may be a closure on such a thread; it cannot wait for itself.
        for thread in self.threads.drain(..).filter(|t| t.thread().id() != here) {
            // A panic was answered where it happened.
            let _ = thread.join();
        }
    }
}

impl Lane {
    /// One thread with the one connection that writes.
    pub(super) fn writing(connection: Connection) -> Result<Self> {
        Self::start("store-write", TransactionBehavior::Immediate, vec![connection])
    }

    /// A thread for each reading connection; the next free one takes the next closure.
    pub(super) fn reading(connections: Vec<Connection>) -> Result<Self> {
        Self::start("store-read", TransactionBehavior::Deferred, connections)
    }

    fn start(name: &str, behavior: TransactionBehavior, connections: Vec<Connection>) -> Result<Self> {
        let (queue, jobs) = mpsc::channel::<Job>(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::with_capacity(connections.len());
        for mut connection in connections {
            let jobs = jobs.clone();
            let thread = std::thread::Builder::new()
                .name(name.to_owned())
                .stack_size(1024 * 1024)
                .spawn(move || {
                    loop {
                        // The lock is held while waiting, so that exactly one idle thread waits for the queue.
                        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
                        match job {
                            Some(job) => job(&mut connection),
                            None => break,
                        }
                    }
                })
                .map_err(|e| Error::internal(e).context(format!("starting the thread {name}")))?;
            threads.push(thread);
        }
        Ok(Self { queue: Some(queue), threads, behavior })
    }

    /// Queues `f`, waits for its answer.
    pub(super) async fn run<T, F>(&self, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        self.run_synced(true, f).await
    }

    /// As [`Lane::run`]; without `sync` the commit is in the log, but the disk is not waited for.
    pub(super) async fn run_synced<T, F>(&self, sync: bool, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let behavior = self.behavior;
        let job: Job = Box::new(move |connection| {
            let result = catch_unwind(AssertUnwindSafe(|| {
                if !sync {
                    connection.pragma_update(None, "synchronous", "NORMAL")?;
                }
                transaction(connection, behavior, f)
            }));
            // Outside of what may panic: the next one must wait for the disk again.
            let restored = if sync { Ok(()) } else { connection.pragma_update(None, "synchronous", "FULL") };
            let result = result.map(|done| done.and_then(|value| restored.map(|()| value).map_err(Error::from)));
            // Whoever asked may be gone; the work is done all the same.
            let _gone = answer.send(result.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))));
        });
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        queue.send(job).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

/// One transaction; dropped unfinished (also by a panic) it is rolled back.
fn transaction<T>(
    connection: &mut Connection,
    behavior: TransactionBehavior,
    f: impl FnOnce(&Transaction<'_>) -> Result<T>,
) -> Result<T> {
    let tx = connection.transaction_with_behavior(behavior)?;
    let value = f(&tx)?;
    tx.commit()?;
    Ok(value)
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Error::internal(format!("a closure in the store panicked: {text}"))
}

fn closed() -> Error {
    Error::unavailable("store_closed", "The daemon is shutting down; nothing was changed.")
}
