//! A data directory with users and tables, made once and copied for every run, because hashing passwords takes
//! longer than all the rest of a run.

use std::fs;
use std::path::Path;

use kalamdb_testkit::TestServer;
use tempfile::TempDir;

use super::{USERS, password};
use crate::plan::{PLAIN, ROOT};

/// Columns of the tables in which rows have owners.
pub const OWNED: &str = "(id INT PRIMARY KEY, mine TEXT NOT NULL, n INT, tag TEXT, stamp TEXT, pad TEXT)";

/// Drops `shape` and makes it again.
pub const REMAKE_SHAPE: &str = "DROP TABLE IF EXISTS sim.shape; \
     CREATE SHARED TABLE sim.shape (id INT PRIMARY KEY, a INT, b TEXT) WITH (ACCESS_LEVEL = 'PUBLIC'); \
     INSERT INTO sim.shape VALUES (1, 1, 'x'), (2, 2, NULL), (3, 3, 'y')";

/// Makes the namespace that is dropped now and then.
pub const MAKE_PIT: &str = "CREATE NAMESPACE IF NOT EXISTS pit; \
     CREATE SHARED TABLE IF NOT EXISTS pit.t (id INT PRIMARY KEY) WITH (ACCESS_LEVEL = 'PUBLIC'); \
     INSERT INTO pit.t VALUES (1), (2) ON CONFLICT (id) DO NOTHING";

/// A server's data, and tokens that count there.
#[derive(Debug)]
pub struct Template {
    data: TempDir,
    /// Access tokens of the users.
    pub tokens: Vec<String>,
}

impl Template {
    /// Makes one.
    pub async fn new() -> Template {
        let data = TempDir::new().expect("a temporary directory");
        let dir = data.path().join("data").display().to_string();
        let mut server = TestServer::with(&[("server.data_dir", &dir)]).await;
        let root = server.root().await;
        let mut tokens = Vec::new();
        for (user, name) in USERS.iter().enumerate() {
            if user == ROOT {
                tokens.push(root.access_token.clone());
                continue;
            }
            let role = if user == PLAIN { "user" } else { "service" };
            root.sql(&format!("CREATE USER '{name}' WITH PASSWORD '{}' ROLE {role}", password(user))).await;
            tokens.push(server.http().login(name, &password(user)).await.access_token);
        }
        root.sql("CREATE NAMESPACE sim").await;
        root.sql(
            "CREATE SHARED TABLE sim.board (id INT PRIMARY KEY, who TEXT NOT NULL, n INT, tag TEXT, stamp TEXT, pad TEXT) \
             WITH (ACCESS_LEVEL = 'PUBLIC')",
        )
        .await;
        root.sql(&format!("CREATE TABLE sim.own {OWNED}")).await;
        root.sql(&format!("CREATE STREAM TABLE sim.feed {OWNED} WITH (TTL_SECONDS = 3600)")).await;
        root.sql("CREATE SHARED TABLE sim.marks (id INT PRIMARY KEY, batch INT, size INT, stamp TEXT) WITH (ACCESS_LEVEL = 'PUBLIC')").await;
        root.sql("CREATE SHARED TABLE sim.tally (id TEXT PRIMARY KEY, n BIGINT) WITH (ACCESS_LEVEL = 'PUBLIC')").await;
        root.sql("CREATE SHARED TABLE sim.ticks (id INT PRIMARY KEY, n BIGINT)").await;
        root.sql("INSERT INTO sim.ticks VALUES (1, 0)").await;
        root.sql("INSERT INTO sim.tally VALUES ('all', 0), ('anna', 0), ('ben', 0), ('carl', 0), ('root', 0)").await;
        root.sql(REMAKE_SHAPE).await;
        root.sql(MAKE_PIT).await;
        server.stop().await;
        Template { data, tokens }
    }

    /// A copy of the data, in `data` of the directory.
    pub fn copy(&self) -> TempDir {
        let copy = TempDir::new().expect("a temporary directory");
        copy_dir(&self.data.path().join("data"), &copy.path().join("data"));
        copy
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("the directory can be read") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("its kind").is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}
