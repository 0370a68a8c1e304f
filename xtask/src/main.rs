//! Chores of the project, run as `cargo xtask <chore>`.
//!
//! `tidy` checks the house rules; the same checks run as tests, so `make test` is enough to
//! know that a change keeps them. What a rule is for stands in ARCHITECTURE.md.

#![forbid(unsafe_code)]

mod architecture;
mod bindings;
mod source;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["wasm-bindgen", input, folder] => {
            bindings::generate(Path::new(input), Path::new(folder))?;
            Ok(ExitCode::SUCCESS)
        }
        ["tidy"] => {
            let root = source::project_root();
            let mut broken = tidy::check(&root)?;
            broken.extend(architecture::check(&root)?);
            for line in &broken {
                eprintln!("{line}");
            }
            Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        _ => {
            if !arguments.is_empty() {
                eprintln!("there is no chore \"{}\"", arguments.join(" "));
            }
            eprintln!("cargo xtask tidy                        check the house rules");
            eprintln!("cargo xtask wasm-bindgen INPUT FOLDER   make the JavaScript side of a compiled WASM");
            Ok(ExitCode::FAILURE)
        }
    }
}
