//! Which crate may name which: the arrows of ARCHITECTURE.md, defended.
//!
//! The server's crates stand on a ladder and may name only lower rungs; so do the client's, on a ladder of their
//! own that begins at the same foot. A heavy library has one owner, so that what it drags in stays in one room. Only
//! tests may name the testkit.

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

/// The client's side, likewise: it knows the server by the wire only.
const CLIENT_LADDER: [&str; 3] = ["kalamdb-commons", "kalam-link", "kalam-cli"];

/// A library, and the one crate that may name it.
const OWNER: [(&str, &str); 9] = [
    ("rocksdb", "kalamdb-store"),
    ("datafusion", "kalamdb-core"),
    ("jsonwebtoken", "kalamdb-auth"),
    ("argon2", "kalamdb-auth"),
    ("axum", "kalamdb-api"),
    ("tokio-tungstenite", "kalam-link"),
    ("wasm-bindgen", "kalam-link"),
    ("web-sys", "kalam-link"),
    ("toml", "kalamdb-server"),
];

/// Small libraries that a second crate may name too.
const SHARED: [(&str, &str); 1] = [("toml", "kalam-cli")];

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

fn rung(ladder: &[&str], name: &str) -> Option<usize> {
    ladder.iter().position(|step| *step == name)
}

/// Is `to` on a ladder that `from` may not climb?
fn points_up(from: &str, to: &str) -> bool {
    let ladders: [&[&str]; 2] = [&LADDER, &CLIENT_LADDER];
    let climbed = ladders.iter().find(|ladder| rung(ladder, from).is_some());
    let Some(climbed) = climbed else { return false };
    match (rung(climbed, from), rung(climbed, to)) {
        (Some(from), Some(to)) => to >= from,
        // One of ours that is on the other ladder only.
        _ => ladders.iter().any(|ladder| rung(ladder, to).is_some()),
    }
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
        if points_up(from, to) {
            return Some(format!("{from}: may not name {to}, which stands above it or on the other side of the wire"));
        }
        if SHARED.contains(&(to.as_str(), from.as_str())) {
            return None;
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
        assert!(arrow("kalam-link", "kalamdb-core", false).is_some());
        assert!(arrow("kalamdb-api", "kalam-link", false).is_some());
        assert!(arrow("kalam-link", "kalam-cli", false).is_some());
        assert!(arrow("kalam-cli", "tokio-tungstenite", false).is_some());
    }

    #[test]
    fn a_right_arrow_is_let_through() {
        assert!(arrow("kalamdb-core", "kalamdb-store", false).is_none());
        assert!(arrow("kalamdb-core", "datafusion", false).is_none());
        assert!(arrow("kalamdb-server", "kalamdb-testkit", true).is_none());
        assert!(arrow("kalamdb-bench", "kalamdb-testkit", false).is_none());
        assert!(arrow("kalam-cli", "kalam-link", false).is_none());
        assert!(arrow("kalam-link", "kalamdb-commons", false).is_none());
        assert!(arrow("kalam-cli", "toml", false).is_none());
    }
}
