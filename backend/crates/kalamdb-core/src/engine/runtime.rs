//! The threads on which SQL runs, apart from those that serve sockets.
//!
//! Their stacks are large, because parsing and planning follow a statement's nesting, which is
//! bounded by [`crate::options::Limits`] with these stacks in mind.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, JoinHandle};

const STACK_BYTES: usize = 16 << 20;

/// A runtime that can be dropped anywhere.
#[derive(Debug)]
pub(super) struct SqlRuntime(Option<Runtime>, Handle);

impl SqlRuntime {
    /// Starts the threads, one per core and at least two.
    pub fn start() -> io::Result<SqlRuntime> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name_fn(|| format!("sql-{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build()?;
        let handle = runtime.handle().clone();
        Ok(SqlRuntime(Some(runtime), handle))
    }

    /// The runtime, for those who start tasks of their own.
    pub fn handle(&self) -> &Handle {
        &self.1
    }

    /// Runs `work` on these threads; it ends early, at its next wait, if whoever waits here goes away.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, JoinError> {
        let mut task = AbortOnDrop(self.1.spawn(work));
        (&mut task.0).await
    }
}

impl Drop for SqlRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
