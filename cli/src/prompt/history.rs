//! What was typed before, kept in a file of the user's alone. Lines that name a password are not kept.

use std::fs;
use std::io;
use std::path::Path;

use reedline::{FileBackedHistory, History, HistoryItem, HistoryItemId, HistorySessionId, Result, SearchQuery};

use crate::sql_text::names_password;

/// Older lines are forgotten.
const LINES_MAX: usize = 5_000;

/// The history in its file, without lines that name a password.
pub struct DiscreetHistory(FileBackedHistory);

impl DiscreetHistory {
    /// Opens the file, makes it if need be, and closes it to others.
    ///
    /// # Errors
    /// The file cannot be made or read.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = fs::OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
        drop(file);
        Ok(DiscreetHistory(FileBackedHistory::with_file(LINES_MAX, path.to_owned())?))
    }
}

impl History for DiscreetHistory {
    fn save(&mut self, item: HistoryItem) -> Result<HistoryItem> {
        if names_password(&item.command_line) {
            return Ok(HistoryItem { id: None, ..item });
        }
        self.0.save(item)
    }

    fn load(&self, id: HistoryItemId) -> Result<HistoryItem> {
        self.0.load(id)
    }

    fn count(&self, query: SearchQuery) -> Result<i64> {
        self.0.count(query)
    }

    fn search(&self, query: SearchQuery) -> Result<Vec<HistoryItem>> {
        self.0.search(query)
    }

    fn update(&mut self, id: HistoryItemId, updater: &dyn Fn(HistoryItem) -> HistoryItem) -> Result<()> {
        self.0.update(id, updater)
    }

    fn clear(&mut self) -> Result<()> {
        self.0.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> Result<()> {
        self.0.delete(id)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.0.session()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn lines_are_kept_in_a_file_of_its_owner_alone_and_passwords_are_not() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/kalam/history");
        let mut history = DiscreetHistory::open(&path).unwrap();
        for line in ["SELECT 1;", "CREATE USER 'anna' WITH PASSWORD 'secret12' ROLE user;", "SELECT\n2;"] {
            history.save(HistoryItem::from_command_line(line)).unwrap();
        }
        drop(history);
        let kept = fs::read_to_string(&path).unwrap();
        assert!(kept.contains("SELECT 1;") && kept.contains('2') && !kept.contains("secret12"), "{kept}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = DiscreetHistory::open(&path).unwrap();
        assert_eq!(again.count_all().unwrap(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_open_to_others_is_closed_to_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        fs::write(&path, "SELECT 1;\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        drop(DiscreetHistory::open(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
