//! The program on a terminal: util-linux's `script` gives it one, and the test reads and types.

use std::process::Stdio;

use kalamdb_testkit::PATIENCE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::program::World;

/// What a program sends to learn where the cursor is, and an answer to it.
const WHERE_IS_THE_CURSOR: &str = "\x1b[6n";
const AT_THE_TOP: &[u8] = b"\x1b[1;1R";

/// A terminal with the program on it.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    /// What was written and not yet waited for.
    seen: String,
    /// The end of what was read last, too short to hold a question of its own.
    tail: String,
}

impl Terminal {
    /// Starts the program on a terminal of 24 lines and 120 columns.
    pub async fn start(world: &World, args: &[&str]) -> Self {
        let quoted: Vec<String> = args.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
        let line = format!("stty rows 24 cols 120; exec '{}' {}", env!("CARGO_BIN_EXE_kalam"), quoted.join(" "));
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let kalam = world.kalam(&[]);
        command.env_clear();
        for (key, value) in kalam.as_std().get_envs() {
            if let Some(value) = value {
                command.env(key, value);
            }
        }
        command.env("SHELL", "/bin/sh").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("util-linux has script");
        let (keys, screen) = (child.stdin.take().expect("keys"), child.stdout.take().expect("screen"));
        Terminal { child, keys, screen, seen: String::new(), tail: String::new() }
    }

    /// Waits until `text` is written, and forgets what came before it.
    pub async fn wait(&mut self, text: &str) {
        loop {
            let plain = without_escapes(&self.seen);
            if let Some(at) = plain.find(text) {
                self.seen = plain[at + text.len()..].to_owned();
                return;
            }
            assert!(self.read(text).await, "the program ended before it wrote {text:?}; it wrote {plain:?}");
        }
    }

    /// Waits until all of the texts are written, in any order, and forgets what came before.
    pub async fn wait_all(&mut self, texts: &[String]) {
        loop {
            let plain = without_escapes(&self.seen);
            let end = |text: &String| plain.find(text.as_str()).map(|at| at + text.len());
            let ends: Option<Vec<usize>> = texts.iter().map(end).collect();
            if let Some(last) = ends.and_then(|ends| ends.into_iter().max()) {
                self.seen = plain[last..].to_owned();
                return;
            }
            let wanted = texts.join(" … ");
            assert!(self.read(&wanted).await, "the program ended before it wrote {texts:?}; it wrote {plain:?}");
        }
    }

    /// Reads what is there while waiting for something, and says where the cursor is when asked. `false` at the end.
    async fn read(&mut self, wanted: &str) -> bool {
        let mut bytes = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, self.screen.read(&mut bytes)).await;
        let Ok(read) = read else {
            panic!("{wanted:?} is not written; last was {:?}", without_escapes(&self.seen));
        };
        // A terminal whose program ended may be an error to read.
        let count = read.unwrap_or(0);
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        let joined = format!("{}{text}", self.tail);
        let short = joined.char_indices().rev().nth(WHERE_IS_THE_CURSOR.len() - 2).map_or(0, |(at, _)| at);
        self.tail = joined[short..].to_owned();
        for _ in joined.matches(WHERE_IS_THE_CURSOR) {
            self.keys.write_all(AT_THE_TOP).await.expect("the terminal takes keys");
        }
        self.seen.push_str(&text);
        count > 0
    }

    /// Types a text.
    pub async fn type_text(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).await.expect("the terminal takes keys");
        self.keys.flush().await.expect("the terminal takes keys");
    }

    /// Types a line and Enter.
    pub async fn type_line(&mut self, line: &str) {
        self.type_text(&format!("{line}\r")).await;
    }

    /// Waits for the program's end; its exit code.
    pub async fn end(mut self) -> i32 {
        while self.read("the end").await {}
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends in time");
        status.expect("it ends").code().unwrap_or(-1)
    }
}

/// The text without the sequences that move the cursor and choose colours.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\x1b' {
            plain.push(c);
            continue;
        }
        match rest.next() {
            Some('[') => while rest.next().is_some_and(|c| !('\x40'..='\x7e').contains(&c)) {},
            Some(']') => while rest.next().is_some_and(|c| c != '\x07' && c != '\x1b') {},
            _ => {}
        }
    }
    plain
}
