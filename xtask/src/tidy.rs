//! The house rules that a program can check.
//!
//! Each rule looks at one file or at the whole set and says what it objects to, as
//! `path:line: objection`. There are no exceptions by list: a rule that is wrong is changed.

mod pages;
mod rust;
mod text;

use std::path::Path;

use anyhow::Result;

use crate::source::{self, SourceFile};

/// Everything that breaks a rule.
pub fn check(root: &Path) -> Result<Vec<String>> {
    Ok(check_files(&source::files(root)?))
}

fn check_files(files: &[SourceFile]) -> Vec<String> {
    let mut broken = Vec::new();
    for file in files {
        broken.extend(text::check(file));
        if file.is_rust() {
            broken.extend(rust::check(file));
        }
    }
    broken.extend(pages::check(files));
    broken
}

#[cfg(test)]
mod tests;
