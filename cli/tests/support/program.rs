//! The program `kalam` and a server for it, for the tests of this folder.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use kalamdb_testkit::{PATIENCE, ROOT_PASSWORD, ServerProcess};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

/// A server of its own, and a home folder for the program.
pub struct World {
    /// The server.
    pub server: ServerProcess,
    /// Where the program keeps its files, and tests theirs.
    pub home: TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl World {
    /// Starts a server on fresh data.
    pub async fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let server = ServerProcess::start(&server_program(), &home.path().join("data"), &[]).await;
        World { server, home }
    }

    /// The program as `root` of this server, with nothing of the machine's own settings.
    pub fn kalam(&self, args: &[&str]) -> Command {
        let mut command = program(self.home.path(), args);
        command.env("KALAM_URL", format!("http://{}", self.server.addr()));
        command.env("KALAM_USER", "root").env("KALAM_PASSWORD", ROOT_PASSWORD);
        command
    }

    /// Runs it to its end.
    pub async fn run(&self, args: &[&str]) -> Ended {
        ended(self.kalam(args)).await
    }

    /// Runs it and expects success; gives its standard output.
    pub async fn ok(&self, args: &[&str]) -> String {
        let ended = self.run(args).await;
        assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
        ended.out
    }

    /// Writes a file below the home folder.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).expect("the file is written");
        path.display().to_string()
    }
}

/// The program with an environment of its own.
pub fn program(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kalam"));
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    command.env_clear().env("HOME", home).env("TERM", "xterm");
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Runs a command to its end.
pub async fn ended(mut command: Command) -> Ended {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends in time").expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs a command with `input` as its standard input.
pub async fn ended_with_input(mut command: Command, input: &str) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(input.as_bytes()).await.expect("it reads");
    drop(stdin);
    let output =
        tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends in time").expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// A run of the program that goes on while the test looks at what it writes.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Running { child, lines }
    }

    /// The next line of its standard output.
    pub async fn line(&mut self) -> String {
        let next = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time");
        match next.expect("it writes UTF-8") {
            Some(line) => line,
            None => panic!("it ended: {}", self.errors().await),
        }
    }

    /// Interrupts it, as Ctrl-C does.
    pub async fn interrupt(&self) {
        let id = self.child.id().expect("it runs").to_string();
        let asked = Command::new("kill").args(["-INT", &id]).status().await.expect("kill runs");
        assert!(asked.success(), "it can be signalled");
    }

    /// Waits for its end; exit code and standard error.
    pub async fn end(mut self) -> (i32, String) {
        let errors = self.errors().await;
        let status =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends in time").expect("it ends");
        (status.code().unwrap_or(-1), errors)
    }

    async fn errors(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            let read = tokio::time::timeout(PATIENCE, errors.read_to_string(&mut text)).await;
            read.expect("it ends in time").expect("it writes UTF-8");
        }
        text
    }
}

/// A door to a server that stays where it is while the server moves.
pub struct Door {
    addr: SocketAddr,
    behind: Arc<Mutex<SocketAddr>>,
}

impl Door {
    /// Opens one to `server`.
    pub async fn open(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("its address");
        let behind = Arc::new(Mutex::new(server));
        let target = Arc::clone(&behind);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let addr = *target.lock().expect("nobody panicked");
                tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(addr).await {
                        // However it ends, both sides see it.
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Door { addr, behind }
    }

    /// What clients call.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The server is somewhere else now.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.behind.lock().expect("nobody panicked") = server;
    }
}

/// The server's program, which lies beside `kalam`. The workspace's tests build it; for this
/// folder's tests alone it is built here if it is not there.
fn server_program() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_kalam"))
        .with_file_name(format!("kalamdb-server{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = std::process::Command::new(cargo).args(["build", "--package", "kalamdb-server"]).status();
        assert!(built.expect("cargo runs").success(), "the server is built");
    }
    path
}
