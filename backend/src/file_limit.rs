//! How many files and sockets the system lets the process have open: as many as it will give.
//!
//! Each socket takes one. Systems hand out a low limit that a process may raise by itself up to a second one,
//! which only the operator can raise.

/// A server with fewer cannot hold many clients beside the files of its data.
const FEW: u64 = 4_096;

/// Raises the limit as far as the process may, and says so where it stays low.
pub fn raise_file_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < FEW => {
            tracing::warn!(
                limit,
                "few files and sockets can be open at one time; raise the limit of open files (ulimit -n)"
            );
        }
        Ok(limit) => tracing::info!(limit, "limit of open files and sockets"),
        Err(error) => tracing::warn!(%error, "the limit of open files and sockets cannot be raised"),
    }
}
