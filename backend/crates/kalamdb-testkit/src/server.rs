//! The server, inside the test.

use std::net::SocketAddr;

use kalamdb_server::{Config, Server};
use tempfile::TempDir;

use crate::http::{Http, Session};
use crate::settings::{ROOT_PASSWORD, environment_name};

/// A server with a data directory of its own, on a port of its own.
pub struct TestServer {
    dir: TempDir,
    settings: Vec<(String, String)>,
    running: Option<Server>,
    addr: SocketAddr,
}

impl std::fmt::Debug for TestServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestServer").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl TestServer {
    /// Starts a server with the settings tests want: no login limit, quick progress frames.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a server with further settings, such as `("live.batch_rows", "10")`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let mut all = vec![
            ("server.listen".to_owned(), "127.0.0.1:0".to_owned()),
            ("server.data_dir".to_owned(), dir.path().join("data").display().to_string()),
            ("auth.root_password".to_owned(), ROOT_PASSWORD.to_owned()),
            ("auth.login_attempts_per_minute".to_owned(), "0".to_owned()),
            ("websocket.progress_interval_ms".to_owned(), "20".to_owned()),
            ("websocket.max_messages_per_sec".to_owned(), "100000".to_owned()),
        ];
        set(&mut all, settings);
        let mut server = TestServer { dir, settings: all, running: None, addr: ([127, 0, 0, 1], 0).into() };
        server.begin().await;
        server
    }

    async fn begin(&mut self) {
        let env = self.settings.iter().map(|(key, value)| (environment_name(key), value.clone()));
        let args = ["kalamdb-server".to_owned()];
        let config = Config::load(args, env.collect::<Vec<_>>()).expect("the settings are valid");
        let server = Server::start(config).await.expect("the server starts");
        self.addr = server.addr();
        self.running = Some(server);
    }

    /// Stops the server cleanly; its data stays.
    pub async fn stop(&mut self) {
        if let Some(server) = self.running.take() {
            server.stop().await;
        }
    }

    /// Stops the server and starts it again on the same data, on another port.
    pub async fn restart(&mut self) {
        self.restart_with(&[]).await;
    }

    /// Stops the server and starts it again with changed settings.
    pub async fn restart_with(&mut self, settings: &[(&str, &str)]) {
        self.stop().await;
        set(&mut self.settings, settings);
        self.begin().await;
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The directory that holds its data directory.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// An HTTP client.
    #[must_use]
    pub fn http(&self) -> Http {
        Http::new(self.addr)
    }

    /// Logs in as `root`.
    pub async fn root(&self) -> Session {
        self.http().login("root", ROOT_PASSWORD).await
    }

    /// Creates a user of this role and logs in as it. Its password is `password of {name}`.
    pub async fn user(&self, name: &str, role: &str) -> Session {
        let root = self.root().await;
        root.sql(&format!("CREATE USER '{name}' WITH PASSWORD 'password of {name}' ROLE {role}")).await;
        self.http().login(name, &format!("password of {name}")).await
    }
}

fn set(settings: &mut Vec<(String, String)>, changed: &[(&str, &str)]) {
    for (key, value) in changed {
        settings.retain(|(old, _)| old != key);
        settings.push(((*key).to_owned(), (*value).to_owned()));
    }
}
