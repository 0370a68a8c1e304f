//! Waiting for a future on a thread that has nothing else to do.
//!
//! Unlike a runtime's own ways of blocking this may be used anywhere, also while a server starts
//! on a runtime's thread.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs the future to its end.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    // On a runtime's thread a future would be asked to yield now and then, to a runtime that waits here.
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
