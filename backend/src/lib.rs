//! The KalamDB server: joins the parts, and has no logic of its own.
//!
//! [`Config`] is what it is told, [`Server`] is what runs. The program in `main.rs` does nothing that
//! a test could not do with these two.

#![forbid(unsafe_code)]

mod config;
mod file_limit;
mod jwks;
mod logging;
mod server;
mod tls;

pub use config::{Config, ConfigError};
pub use file_limit::raise_file_limit;
pub use logging::start_logging;
pub use server::{Server, StartError};
pub use tls::TlsError;
