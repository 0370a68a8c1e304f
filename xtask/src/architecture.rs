//! Which crate may name which: the arrows of ARCHITECTURE.md, defended.
//!
//! The server's crates stand on a ladder and may name only lower rungs. A heavy library has one
//! owner, so that what it drags in stays in one room. Only tests may name the testkit.

use std::path::Path;

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Each may name only earlier ones.
const LADDER: [&str; 7] = [
    "kalamdb-commons",
    "kalamdb-store",
    "kalamdb-system",
    "kalamdb-auth",
    "kalamdb-core",
    "kalamdb-api",
    "kalamdb-server",
];

/// A library, and the one crate that may name it.
const OWNER: [(&str, &str); 6] = [
    ("rocksdb", "kalamdb-store"),
    ("datafusion", "kalamdb-core"),
    ("jsonwebtoken", "kalamdb-auth"),
    ("argon2", "kalamdb-auth"),
    ("axum", "kalamdb-api"),
    ("toml", "kalamdb-server"),
];

/// Crates that are never shipped and may see everything.
const WORKSHOP: [&str; 3] = ["kalamdb-testkit", "kalamdb-bench", "xtask"];

/// Every arrow that points the wrong way, as a line for people.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("asking cargo for the workspace")?;
    let arrows = arrows(&metadata);
    Ok(arrows.iter().filter_map(|arrow| arrow.objection()).collect())
}

/// One crate names another.
#[derive(Debug, Clone)]
struct Arrow {
    from: String,
    to: String,
    only_for_tests: bool,
}

fn arrows(metadata: &Metadata) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for package in &metadata.packages {
        for dependency in &package.dependencies {
            arrows.push(Arrow {
                from: package.name.to_string(),
                to: dependency.name.clone(),
                only_for_tests: dependency.kind == DependencyKind::Development,
            });
        }
    }
    arrows
}

fn rung(name: &str) -> Option<usize> {
    LADDER.iter().position(|step| *step == name)
}

impl Arrow {
    fn objection(&self) -> Option<String> {
        let Arrow { from, to, only_for_tests } = self;
        if *only_for_tests || WORKSHOP.contains(&from.as_str()) {
            return None;
        }
        if to == "kalamdb-testkit" {
            return Some(format!("{from}: the testkit may be named only as a dev-dependency"));
        }
        if let (Some(from_rung), Some(to_rung)) = (rung(from), rung(to))
            && to_rung >= from_rung
        {
            return Some(format!("{from}: may not name {to}, which stands above it"));
        }
        let owner = OWNER.iter().find(|(library, _)| library == to).map(|(_, owner)| *owner)?;
        (owner != from).then(|| format!("{from}: may not name {to}, which is {owner}'s alone"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(from: &str, to: &str, only_for_tests: bool) -> Option<String> {
        Arrow { from: from.to_owned(), to: to.to_owned(), only_for_tests }.objection()
    }

    #[test]
    fn no_crate_looks_up_and_every_heavy_library_has_one_owner() {
        let broken = check(&crate::source::project_root()).unwrap();
        assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    }

    #[test]
    fn a_wrong_arrow_is_refused() {
        assert!(arrow("kalamdb-store", "kalamdb-core", false).is_some());
        assert!(arrow("kalamdb-api", "datafusion", false).is_some());
        assert!(arrow("kalamdb-api", "kalamdb-testkit", false).is_some());
    }

    #[test]
    fn a_right_arrow_is_let_through() {
        assert!(arrow("kalamdb-core", "kalamdb-store", false).is_none());
        assert!(arrow("kalamdb-core", "datafusion", false).is_none());
        assert!(arrow("kalamdb-server", "kalamdb-testkit", true).is_none());
        assert!(arrow("kalamdb-bench", "kalamdb-testkit", false).is_none());
    }
}
