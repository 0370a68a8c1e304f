//! Chores of the project, run as `cargo xtask <chore>`.
//!
//! `tidy` checks the house rules; the same checks run as tests, so `make test` is enough to
//! know that a change keeps them. What a rule is for stands in ARCHITECTURE.md.

#![forbid(unsafe_code)]

mod architecture;
mod source;
mod tidy;

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => {
            let root = source::project_root();
            let mut broken = tidy::check(&root)?;
            broken.extend(architecture::check(&root)?);
            for line in &broken {
                eprintln!("{line}");
            }
            Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        other => {
            if let Some(other) = other {
                eprintln!("there is no chore called \"{other}\"");
            }
            eprintln!("cargo xtask tidy    check the house rules");
            Ok(ExitCode::FAILURE)
        }
    }
}
