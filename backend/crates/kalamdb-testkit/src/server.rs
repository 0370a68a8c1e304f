//! The server, inside the test.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use kalamdb_server::{Config, Server};
use kalamdb_store::faults::{Faults, Tear};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::PATIENCE;
use crate::http::{Http, Session};
use crate::settings::{ROOT_PASSWORD, environment_name};

/// A server with a data directory of its own, on a port of its own.
pub struct TestServer {
    dir: TempDir,
    settings: Vec<(String, String)>,
    faults: Faults,
    running: Option<Running>,
    addr: SocketAddr,
}

/// A server on threads of its own, so that all of it can be ended at once.
struct Running {
    server: Server,
    runtime: Runtime,
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
        Self::with_faults(settings, Faults::new()).await
    }

    /// Starts a server with further settings, on a disk that fails as `faults` says.
    pub async fn with_faults(settings: &[(&str, &str)], faults: Faults) -> Self {
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
        let mut server = TestServer { dir, settings: all, faults, running: None, addr: ([127, 0, 0, 1], 0).into() };
        server.start_again().await;
        server
    }

    /// Starts the server on its data, on another port, after [`TestServer::stop`], [`TestServer::crash`]
    /// or [`TestServer::lose_power`].
    pub async fn start_again(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        self.faults.restore_power();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let starting = runtime.spawn(Server::start_with_faults(self.config(), self.faults.clone()));
        let server = starting.await.expect("starting does not panic").expect("the server starts");
        self.addr = server.addr();
        self.running = Some(Running { server, runtime });
    }

    fn config(&self) -> Config {
        let env = self.settings.iter().map(|(key, value)| (environment_name(key), value.clone()));
        let args = ["kalamdb-server".to_owned()];
        Config::load(args, env.collect::<Vec<_>>()).expect("the settings are valid")
    }

    /// Stops the server cleanly; its data stays.
    pub async fn stop(&mut self) {
        if let Some(Running { server, runtime }) = self.running.take() {
            runtime.spawn(server.stop()).await.expect("stopping does not panic");
            runtime.shutdown_background();
            self.closed().await;
        }
    }

    /// Waits until the data is let go of: a statement that was running may take a moment.
    async fn closed(&self) {
        let closed = async {
            let mut tick = tokio::time::interval(Duration::from_millis(2));
            while self.faults.is_open() {
                tick.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, closed).await.expect("the data is let go of in time");
    }

    /// Ends the server as `kill -9` does: nothing more is written, nobody is told, sockets just end.
    /// [`TestServer::start_again`] opens what is there.
    pub async fn crash(&mut self) {
        self.faults.cut_power();
        if let Some(Running { server, runtime }) = self.running.take() {
            runtime.shutdown_background();
            server.abandon().await;
            self.closed().await;
        }
    }

    /// Ends the server as a power loss does: [`TestServer::crash`], and of what was not synced only
    /// that is left which `tear` leaves (see [`Faults::lose_unsynced`]). [`Tear::from_seed`] makes one up.
    pub async fn lose_power(&mut self, mut tear: impl FnMut(Range<u64>) -> Tear) {
        self.crash().await;
        self.faults.lose_unsynced(&self.data_dir(), &mut tear).expect("the logs can be changed");
    }

    /// Stops the server and starts it again on the same data, on another port.
    pub async fn restart(&mut self) {
        self.restart_with(&[]).await;
    }

    /// Stops the server and starts it again with changed settings.
    pub async fn restart_with(&mut self, settings: &[(&str, &str)]) {
        self.stop().await;
        set(&mut self.settings, settings);
        self.start_again().await;
    }

    /// What is to go wrong with its disk.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
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

    fn data_dir(&self) -> PathBuf {
        let configured = self.settings.iter().find(|(key, _)| key == "server.data_dir");
        configured.map(|(_, dir)| PathBuf::from(dir)).expect("every server has a data directory")
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

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(Running { runtime, .. }) = self.running.take() {
            // A runtime must not be waited for where async code runs.
            runtime.shutdown_background();
        }
    }
}

fn set(settings: &mut Vec<(String, String)>, changed: &[(&str, &str)]) {
    for (key, value) in changed {
        settings.retain(|(old, _)| old != key);
        settings.push(((*key).to_owned(), (*value).to_owned()));
    }
}
