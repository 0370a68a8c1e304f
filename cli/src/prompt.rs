//! The prompt: statements and backslash commands, line by line, until Ctrl-D.
//!
//! The line editor blocks, so it works on a thread of its own while the rest is asynchronous.
//! Ctrl-C empties the line, or gives up waiting for a statement or a live query; it never ends the prompt.

mod backslash;
mod catalog;
mod completion;
mod editor;
mod history;
mod live;
mod words;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use reedline::{ExternalPrinter, Reedline, Signal};

use self::backslash::Backslash;
use self::catalog::Catalog;
use self::editor::Who;
use self::live::Background;
use crate::commands::connections::{kill_connection, list, show};
use crate::commands::run;
use crate::commands::subscribe::lines::LineStyle;
use crate::commands::subscribe::{Wanted, follow};
use crate::exit::Failure;
use crate::render::cell::harmless;
use crate::render::{Expanded, Format};
use crate::session::Session;
use crate::sql_text::{first_words, quoted_name, units};

/// Lines of live queries that wait for the terminal.
const PRINTER_LINES: usize = 256;
/// Where names without a namespace look at first.
const DEFAULT_NAMESPACE: &str = "default";

/// Runs the prompt to its end.
///
/// # Errors
/// The server does not know us, or the terminal fails.
pub async fn run_prompt(session: &mut Session) -> Result<(), Failure> {
    let mut prompt = Prompt::new(session).await?;
    println!("kalam {}: \\? lists commands, Ctrl-D leaves", env!("CARGO_PKG_VERSION"));
    loop {
        prompt.fit_to_terminal();
        let leaves = match prompt.read().await? {
            Signal::CtrlD => true,
            Signal::Success(line) => prompt.line(&line).await,
            _ => false,
        };
        if leaves {
            return Ok(());
        }
    }
}

struct Prompt<'a> {
    session: &'a mut Session,
    editor: Option<Reedline>,
    printer: SyncSender<String>,
    catalog: Arc<RwLock<Catalog>>,
    live: Background,
    user: String,
    timing: bool,
    last_query: Option<String>,
}

impl<'a> Prompt<'a> {
    async fn new(session: &'a mut Session) -> Result<Self, Failure> {
        let who = session.execute("SELECT CURRENT_USER() AS who", Vec::new()).await?;
        let row = who.last().and_then(|outcome| outcome.result.first());
        let user = row.and_then(|row| row.get("who")).and_then(|cell| cell.as_str()).unwrap_or_default().to_owned();
        let catalog = Arc::new(RwLock::new(Catalog::default()));
        let history = crate::config::history_path(|name| std::env::var_os(name).map(PathBuf::from));
        let external = ExternalPrinter::new(PRINTER_LINES);
        let printer = external.sender();
        let editor = editor::editor(history.as_deref(), Arc::clone(&catalog), external, session.style.colour);
        let live = Background::default();
        let prompt =
            Prompt { session, editor: Some(editor), printer, catalog, live, user, timing: false, last_query: None };
        prompt.renew_catalog().await;
        Ok(prompt)
    }

    /// Reads a line on a thread of its own.
    async fn read(&mut self) -> Result<Signal, Failure> {
        let Some(mut editor) = self.editor.take() else {
            return Err(Failure::usage("the terminal is lost"));
        };
        let who = Who::new(&self.user, self.session.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE));
        let read = tokio::task::spawn_blocking(move || {
            let signal = editor.read_line(&who);
            // Other prompts of the user see the line at once. That it cannot be kept was told at the start.
            let _ = editor.sync_history();
            (editor, signal)
        });
        let (editor, signal) = read.await.map_err(|_| Failure::usage("the terminal is lost"))?;
        self.editor = Some(editor);
        Ok(signal?)
    }

    fn fit_to_terminal(&mut self) {
        if self.session.style.terminal {
            self.session.style.width = crate::session::terminal_width();
        }
    }

    /// Does what a line asks for, and tells what goes wrong. `true` when it asks to leave.
    async fn line(&mut self, line: &str) -> bool {
        let begun = Instant::now();
        let command = editor::is_command(line);
        let done = tokio::select! {
            done = self.obey(line, command) => done,
            _ = tokio::signal::ctrl_c() => {
                println!();
                if !command {
                    eprintln!("no longer waited for; the statement may still be carried out");
                }
                return false;
            }
        };
        match done {
            Ok(leaves) => {
                if self.timing && !line.trim().is_empty() {
                    println!("{:.1} ms", begun.elapsed().as_secs_f64() * 1_000.0);
                }
                leaves
            }
            Err(failure) => {
                eprintln!("{}", failure.text);
                false
            }
        }
    }

    async fn obey(&mut self, line: &str, command: bool) -> Result<bool, Failure> {
        if command {
            let asked = backslash::parse(line).map_err(|text| Failure::usage(harmless(&text)))?;
            return self.command(asked).await;
        }
        let mut changes_names = false;
        let mut done = Ok(());
        for unit in units(line) {
            let word = first_words(unit.sql, 1).pop().unwrap_or_default();
            changes_names |=
                matches!(word.as_str(), "CREATE" | "DROP" | "ALTER" | "USE" | "BEGIN" | "GRANT" | "REVOKE");
            if matches!(word.as_str(), "SELECT" | "WITH" | "VALUES") {
                self.last_query = Some(unit.sql.to_owned());
            }
            done = self.statement(unit.sql).await;
            if done.is_err() {
                break;
            }
        }
        if changes_names {
            self.renew_catalog().await;
        }
        done.map(|()| false)
    }

    async fn statement(&mut self, sql: &str) -> Result<(), Failure> {
        for outcome in self.session.execute(sql, Vec::new()).await? {
            self.session.write(&mut io::stdout().lock(), &outcome)?;
        }
        Ok(())
    }

    /// Does a backslash command. `true` when it asks to leave.
    async fn command(&mut self, asked: Backslash) -> Result<bool, Failure> {
        match asked {
            Backslash::Quit => return Ok(true),
            Backslash::Help => print!("{}", backslash::help()),
            Backslash::SqlHelp(word) => sql_help(word.as_deref()),
            Backslash::Namespaces => {
                show(
                    self.session,
                    "SELECT namespace_id, table_count, created_at FROM system.namespaces ORDER BY namespace_id",
                    Vec::new(),
                )
                .await?
            }
            Backslash::Tables | Backslash::Describe(None) => self.tables().await?,
            Backslash::Describe(Some(table)) => self.describe(&table).await?,
            Backslash::Users => {
                show(
                    self.session,
                    "SELECT user_id, role, email, created_at FROM system.users ORDER BY user_id",
                    Vec::new(),
                )
                .await?
            }
            Backslash::Connections => list(self.session, &crate::args::ConnectionsArgs { of: None }).await?,
            Backslash::Kill(id) => kill_connection(self.session, id.trim_matches('\'')).await?,
            Backslash::Use(name) => self.use_namespace(&name).await?,
            Backslash::Include(file) => {
                let done = run::include(self.session, &file).await;
                self.renew_catalog().await;
                done?;
            }
            Backslash::Live(sql) => self.follow(sql).await?,
            Backslash::Subscribe(sql) => {
                let style = self.line_style();
                let id = self.live.subscribe(self.session, &sql, style, self.printer.clone()).await?;
                println!("{id} is live; \\unsubscribe {id} ends it");
            }
            Backslash::Unsubscribe(id) => {
                self.live.unsubscribe(&id).await?;
                println!("{} has ended", harmless(&id));
            }
            Backslash::Subscriptions => {
                for (id, sql) in self.live.list() {
                    println!("{id}  {}", harmless(&sql));
                }
            }
            Backslash::Timing(_) | Backslash::Format(_) | Backslash::Expanded(_) => self.choose(&asked),
        }
        Ok(false)
    }

    /// The commands that change how answers look.
    fn choose(&mut self, asked: &Backslash) {
        match asked {
            Backslash::Timing(on) => {
                self.timing = on.unwrap_or(!self.timing);
                println!("timing is {}", if self.timing { "on" } else { "off" });
            }
            Backslash::Format(format) => {
                self.session.style.format = format.unwrap_or(self.session.style.format);
                println!("format is {}", self.session.style.format.name());
            }
            Backslash::Expanded(wanted) => {
                let other = if self.session.style.expanded == Expanded::On { Expanded::Off } else { Expanded::On };
                self.session.style.expanded = wanted.unwrap_or(other);
                let word = match self.session.style.expanded {
                    Expanded::On => "on",
                    Expanded::Off => "off",
                    Expanded::Auto => "auto",
                };
                println!("one value a line is {word}");
            }
            _ => {}
        }
    }

    fn line_style(&self) -> LineStyle {
        let json = matches!(self.session.style.format, Format::Json | Format::Ndjson);
        LineStyle { json, colour: self.session.style.colour }
    }

    async fn follow(&mut self, sql: Option<String>) -> Result<(), Failure> {
        let sql = sql.or_else(|| self.last_query.clone());
        let Some(sql) = sql else {
            return Err(Failure::usage("\\live wants a query, as in: \\live SELECT * FROM chat.messages"));
        };
        let wanted = Wanted { sql, ..Wanted::default() };
        follow(self.session, &wanted, self.line_style(), None).await
    }

    async fn tables(&mut self) -> Result<(), Failure> {
        let sql = "SELECT namespace_id, table_name, table_type, access_level, primary_key, column_count \
                   FROM system.tables WHERE namespace_id <> 'system' ORDER BY namespace_id, table_name";
        show(self.session, sql, Vec::new()).await
    }

    async fn describe(&mut self, table: &str) -> Result<(), Failure> {
        show(self.session, &format!("DESCRIBE TABLE {table}"), Vec::new()).await
    }

    async fn use_namespace(&mut self, name: &str) -> Result<(), Failure> {
        // The statement is the check that there is such a namespace; the session keeps it.
        let name = if name.starts_with('"') { name.to_owned() } else { quoted_name(&name.to_lowercase()) };
        self.session.execute(&format!("USE {name}"), Vec::new()).await?;
        self.renew_catalog().await;
        Ok(())
    }

    /// Asks what there is to name. Completion is a convenience: when it fails, what was known stays.
    async fn renew_catalog(&self) {
        const COLUMNS: &str = "SELECT namespace_id, table_name, column_name, data_type FROM system.columns \
                               ORDER BY namespace_id, table_name, ordinal_position";
        let namespaces =
            self.session.client.query("SELECT namespace_id FROM system.namespaces ORDER BY namespace_id", ()).await;
        let columns = self.session.client.query(COLUMNS, ()).await;
        let (Ok(namespaces), Ok(columns)) = (namespaces, columns) else { return };
        let (Ok(namespaces), Ok(columns)) = (namespaces.rows_as::<String>(), columns.rows_as::<[String; 4]>()) else {
            return;
        };
        let current = self.session.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        if let Ok(mut catalog) = self.catalog.write() {
            *catalog = Catalog::new(namespaces, columns, current);
        }
    }
}

/// Prints SQL in short: all of it, or the lines that have the word.
fn sql_help(word: Option<&str>) {
    let word = word.unwrap_or_default().to_uppercase();
    let mut out = io::stdout().lock();
    for line in words::STATEMENTS.iter().filter(|line| line.to_uppercase().contains(&word)) {
        // A terminal that is gone shows itself at the next read.
        let _ = writeln!(out, "  {line}");
    }
}
