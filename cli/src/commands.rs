//! The subcommands, one module each: what `main` runs once the command line is read.

pub mod connections;
pub mod import;
pub mod run;
pub mod status;
pub mod subscribe;
