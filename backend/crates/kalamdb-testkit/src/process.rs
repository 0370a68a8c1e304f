//! The server as a program, so that it can be killed, and measured from outside.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, Command};

use crate::PATIENCE;
use crate::http::{Http, Session};
use crate::settings::{ROOT_PASSWORD, environment_name};

/// A running server program. Killed when dropped.
#[derive(Debug)]
pub struct ServerProcess {
    program: PathBuf,
    settings: Vec<(String, String)>,
    addr: SocketAddr,
    child: Child,
}

impl ServerProcess {
    /// Starts `program` on the data in `data_dir` and waits until it answers.
    pub async fn start(program: &Path, data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut all = vec![
            ("server.data_dir".to_owned(), data_dir.display().to_string()),
            ("auth.root_password".to_owned(), ROOT_PASSWORD.to_owned()),
            ("auth.login_attempts_per_minute".to_owned(), "0".to_owned()),
        ];
        all.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let (addr, child) = launch(program, &all);
        let mut process = ServerProcess { program: program.to_owned(), settings: all, addr, child };
        process.answers().await;
        process
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Logs in as `root`.
    pub async fn root(&self) -> Session {
        Http::new(self.addr).login("root", ROOT_PASSWORD).await
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("the process can be killed");
    }

    /// Asks it to stop, as an operator would, and waits until it has.
    pub async fn terminate(&mut self) -> ExitStatus {
        let id = self.child.id().expect("the process runs").to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().await.expect("kill runs");
        assert!(asked.success(), "the process can be signalled");
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("it stops in time")
            .expect("it can be waited for")
    }

    /// From now on no file of the process can grow beyond so many bytes, or all can: writing more gives it an
    /// I/O error of the system, as a full disk or a used up quota does.
    pub async fn limit_files(&self, bytes: Option<u64>) {
        let id = self.child.id().expect("the process runs").to_string();
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let limit = format!("--fsize={limit}:unlimited");
        let set = Command::new("prlimit").args(["--pid", &id, &limit]).status().await.expect("prlimit runs");
        assert!(set.success(), "the limit can be set");
    }

    /// Starts the program again on the same data, on another port.
    pub async fn start_again(&mut self) {
        (self.addr, self.child) = launch(&self.program, &self.settings);
        self.answers().await;
    }

    async fn answers(&mut self) {
        let tries = async {
            let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
            while tokio::net::TcpStream::connect(self.addr).await.is_err() {
                if let Ok(Some(status)) = self.child.try_wait() {
                    panic!("the server stopped at once: {status}");
                }
                tick.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, tries).await.expect("the server answers in time");
    }
}

fn launch(program: &Path, settings: &[(String, String)]) -> (SocketAddr, Child) {
    let addr = free_port();
    let mut command = Command::new("sh");
    // A file that reaches its limit gives an error and no signal (see `ServerProcess::limit_files`).
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program);
    command.args(["--listen", &addr.to_string()]).stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for (key, value) in settings {
        command.env(environment_name(key), value);
    }
    (addr, command.spawn().expect("the program starts"))
}

/// A port nobody listens on right now.
fn free_port() -> SocketAddr {
    let probe = TcpListener::bind("127.0.0.1:0").expect("a free port");
    probe.local_addr().expect("its address")
}
