//! The project's files, and what of a Rust file is test code.
//!
//! Reads what is on disk, not what git knows, so that a rule speaks before the commit does.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The folder that holds the workspace.
pub fn project_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// A file, with its path from the root, written with `/`.
#[derive(Debug)]
pub struct SourceFile {
    /// Path from the root.
    pub path: String,
    /// Its text; empty if it is not text.
    pub text: String,
}

impl SourceFile {
    /// Is it Rust?
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Name without folder and extension.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split('.').next().unwrap_or(name)
    }

    /// Is all of it test code: `tests.rs`, or anything in a folder `tests`?
    pub fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.split('/').any(|part| part == "tests")
    }

    /// Is it a module's own test file rather than a test program?
    pub fn is_unit_test(&self) -> bool {
        self.is_test() && self.path.contains("/src/")
    }
}

/// Folders that hold nothing a person wrote.
const SKIPPED: [&str; 7] = [".git", "target", "node_modules", "data", ".run", "dist", "pkg"];

/// Every file of the project.
pub fn files(root: &Path) -> Result<Vec<SourceFile>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
                folders.push(entry.path());
            } else if kind.is_file() && name != ".git" {
                let path = entry.path();
                let text = String::from_utf8(std::fs::read(&path)?).unwrap_or_default();
                let path = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
                found.push(SourceFile { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}
