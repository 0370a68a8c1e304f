//! Rules for every text file: nothing of the machine it was written on.

use crate::source::SourceFile;

/// Folders that exist on the writer's machine and not on the reader's.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "farm/"), concat!("/", "home/")];

/// What the file's text breaks.
pub fn check(file: &SourceFile) -> Vec<String> {
    if file.path.ends_with(".lock") {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        if MACHINE_PATHS.iter().any(|path| names_path(line, path)) {
            broken.push(format!("{}:{}: a path of one machine", file.path, number + 1));
        }
    }
    broken
}

/// Does `line` hold `path` as an absolute path, not as the middle of a longer one?
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '*'))
    })
}
