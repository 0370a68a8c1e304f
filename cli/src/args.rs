//! The command line itself: every flag and subcommand, and the help that people read.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::render::Format;

/// Below every page of help.
const EXIT_CODES: &str = "\
Exit codes: 0 done · 1 a statement failed · 2 wrong usage, file or configuration · 3 server not reached ·
4 not authenticated or not permitted · 5 ended by an administrator · 130 interrupted";

const EXAMPLES: &str = "\
Examples:
  kalam                                                   a prompt; \\? lists its commands
  kalam -c 'SELECT * FROM chat.messages'                  one statement
  kalam -c 'SELECT * FROM t WHERE id = $1' --param 7      with a parameter
  kalam -c 'SELECT * FROM t' --format csv > t.csv         an export
  kalam -f schema.sql                                     a script; -f - or a pipe reads standard input
  kalam subscribe 'SELECT * FROM chat.messages' --watch   a result that keeps itself current
  kalam import people.csv INTO app.people                 a CSV file into a table
  kalam connections; kalam kill 0123456789abcdef          who is here, and an end to it

Credentials, first found first used: flags; KALAM_URL, KALAM_USER, KALAM_PASSWORD, KALAM_TOKEN; a profile of
~/.config/kalam/config.toml (mode 0600); asked for, on a terminal.";

/// The command line of KalamDB.
#[derive(Debug, Parser)]
#[command(
    name = "kalam",
    version,
    about = "SQL and live queries on a KalamDB server",
    long_about = "SQL and live queries on a KalamDB server. Without a command it opens a prompt, or runs the script on its standard input.",
    after_help = EXIT_CODES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"),
    max_term_width = 100
)]
pub struct Cli {
    /// Where and who.
    #[command(flatten)]
    pub connect: ConnectArgs,

    /// How results are written.
    #[command(flatten)]
    pub output: OutputArgs,

    /// What to run.
    #[command(flatten)]
    pub run: RunArgs,

    /// A subcommand.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where the server is and who asks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectArgs {
    /// The server, http:// or https:// [env: KALAM_URL] [default: http://127.0.0.1:2900]
    #[arg(long, short = 'H', global = true, value_name = "URL")]
    pub url: Option<String>,

    /// Name of the user [env: KALAM_USER]
    #[arg(long, short = 'U', global = true, value_name = "NAME")]
    pub user: Option<String>,

    /// A file (mode 0600, or a pipe) whose first line is the password. There is no --password: other users of
    /// the machine could read it in the list of processes
    #[arg(long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// An access token instead of user and password [env: KALAM_TOKEN]. Other users of the machine can see it here;
    /// they cannot see the environment
    #[arg(long, global = true, value_name = "TOKEN")]
    pub token: Option<String>,

    /// A profile of the configuration file
    #[arg(long, short = 'P', global = true, env = "KALAM_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,

    /// The configuration file [default: ~/.config/kalam/config.toml]
    #[arg(long, global = true, env = "KALAM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Namespace of table names that are written without one
    #[arg(long, short = 'n', global = true, value_name = "NAME")]
    pub namespace: Option<String>,

    /// Longest wait for an answer, in seconds
    #[arg(long, global = true, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub request_timeout: u64,
}

/// How results are written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How rows are written [default: table]
    #[arg(long, short = 'o', global = true, value_name = "FORMAT")]
    pub format: Option<Format>,

    /// What stands for NULL in CSV
    #[arg(long = "csv-null", global = true, default_value = "", value_name = "TEXT")]
    pub csv_null: String,

    /// When to use colours; NO_COLOR is heeded
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub color: Colour,

    /// Tell only of failures
    #[arg(long, short = 'q', global = true)]
    pub quiet: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Statements and scripts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Statements")]
pub struct RunArgs {
    /// Run this SQL and end; may be given several times. BEGIN; …; COMMIT; stands in one -c
    #[arg(long = "command", short = 'c', value_name = "SQL")]
    pub commands: Vec<String>,

    /// Run the statements of a file and end; - is standard input
    #[arg(long = "file", short = 'f', value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The value of $1, then of $2 …: a number, true, false, null, or JSON; anything else is a text ('"7"' is the text 7)
    #[arg(long = "param", short = 'p', value_name = "VALUE", allow_hyphen_values = true)]
    pub params: Vec<String>,

    /// Go on after a statement that failed; the exit code still says so
    #[arg(long)]
    pub keep_going: bool,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Keep a query live and write its changes as they come
    Subscribe(SubscribeArgs),
    /// Write the rows of a CSV file into a table
    Import(ImportArgs),
    /// List the open connections
    Connections(ConnectionsArgs),
    /// End a connection, or one live query
    Kill(KillArgs),
    /// Ask whether the server is there, and who we are to it
    #[command(visible_alias = "ping")]
    Status,
    /// Write the completions of a shell
    ///
    /// For bash: kalam completions bash > ~/.local/share/bash-completion/completions/kalam
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// `kalam subscribe`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Each changed row is a line: + a row that is new in the result, ~ one that changed, - one that left. With --format ndjson
(or json) each line is an object: {\"change\":\"snapshot\"|\"insert\"|\"update\"|\"delete\",\"seq\":…,\"row\":{…},\"old\":{…}},
and {\"change\":\"reset\"} says that what came before is void.
Lost connections come back by themselves, and nothing is missed or told twice. Ctrl-C ends it, with exit code 0.

Examples:
  kalam subscribe \"SELECT * FROM chat.messages WHERE room = 'lobby'\"
  kalam subscribe 'SELECT room, COUNT(*) AS n FROM chat.messages GROUP BY room ORDER BY n DESC' --watch
  kalam subscribe 'SELECT * FROM app.orders' --no-snapshot --format ndjson | jq .row
  kalam subscribe 'SELECT * FROM app.orders WHERE store = $1' --param 7 --from 123456")]
pub struct SubscribeArgs {
    /// The query
    pub sql: String,

    /// The value of $1, then of $2 …, as for -c
    #[arg(long = "param", short = 'p', value_name = "VALUE", allow_hyphen_values = true)]
    pub params: Vec<String>,

    /// Begin with the changes after this SeqId, instead of with the rows there are
    #[arg(long, value_name = "SEQ", conflicts_with_all = ["last_rows", "no_snapshot"])]
    pub from: Option<u64>,

    /// Begin with this many of the rows written last
    #[arg(long, value_name = "N", conflicts_with = "no_snapshot")]
    pub last_rows: Option<u32>,

    /// Begin with the next change
    #[arg(long)]
    pub no_snapshot: bool,

    /// Draw the result and keep it current, changed rows marked; needs a terminal
    #[arg(long, conflicts_with_all = ["from", "last_rows", "no_snapshot"])]
    pub watch: bool,

    /// End after so many lines
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,

    /// End after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

/// `kalam import`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The header names the columns; values are read as the columns' types. Rows are inserted in batches, each a commit of its own.
When a row is refused, the import stops behind the rows before it and says with which --from-line to go on;
with --keep-going it tells of the row and goes on.

Examples:
  kalam import people.csv INTO app.people
  kalam import people.csv --into app.people --columns name,born --delimiter ';' --null NA
  gunzip -c people.csv.gz | kalam import - INTO app.people --on-conflict update")]
pub struct ImportArgs {
    /// The CSV file; - is standard input
    pub file: PathBuf,

    /// INTO and the table
    #[arg(value_name = "INTO TABLE", num_args = 0..=2, required_unless_present = "into")]
    pub destination: Vec<String>,

    /// The table, if it is not named after INTO
    #[arg(long, value_name = "TABLE", conflicts_with = "destination")]
    pub into: Option<String>,

    /// The columns of the table that the file's columns are, in the file's order, comma-separated; - skips one.
    /// Without it the header names them
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,

    /// The file has no header; needs --columns
    #[arg(long, requires = "columns")]
    pub no_header: bool,

    /// What separates values; \t is a tabulator
    #[arg(long, default_value = ",", value_name = "CHARACTER")]
    pub delimiter: String,

    /// The value that stands for NULL; empty texts are texts then. Without it an empty value is NULL, but in a TEXT
    /// column that is NOT NULL it is an empty text
    #[arg(long, value_name = "TEXT")]
    pub null: Option<String>,

    /// Rows per batch; fewer when the statement would have more than 1000 parameters
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub batch_rows: u16,

    /// What happens to a row whose key is there already
    #[arg(long, default_value = "fail", value_name = "WHAT")]
    pub on_conflict: OnConflict,

    /// Begin at this line of the file, to go on with an import
    #[arg(long, value_name = "LINE")]
    pub from_line: Option<u64>,

    /// Go on after a row that was refused
    #[arg(long = "skip-bad-rows", visible_alias = "keep-going")]
    pub skip_bad_rows: bool,
}

/// What happens to a row whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnConflict {
    /// The import fails.
    Fail,
    /// The row is left out.
    Skip,
    /// The row there gets the file's values.
    Update,
}

/// `kalam connections`.
#[derive(Debug, Args)]
pub struct ConnectionsArgs {
    /// Only those of this user (--user is who asks)
    #[arg(long = "of", value_name = "NAME")]
    pub of: Option<String>,
}

/// `kalam kill`.
#[derive(Debug, Args)]
pub struct KillArgs {
    /// The connection, as `kalam connections` shows it
    #[arg(value_name = "CONNECTION_ID", required_unless_present = "live_query")]
    pub connection: Option<String>,

    /// A live query instead, by its live_id of system.live_queries
    #[arg(long, value_name = "LIVE_ID", conflicts_with = "connection", allow_hyphen_values = true)]
    pub live_query: Option<String>,
}

/// Where rows come from when the file is `-`.
#[must_use]
pub fn is_stdin(path: &std::path::Path) -> bool {
    path.as_os_str() == "-"
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn values_may_begin_with_a_dash() {
        let cli = Cli::parse_from(["kalam", "-c", "SELECT $1", "-p", "-5"]);
        assert_eq!(cli.run.params, ["-5"]);
    }

    #[test]
    fn import_names_its_table_either_way() {
        for words in [["INTO", "a.b"], ["--into", "a.b"]] {
            let cli = Cli::parse_from(["kalam", "import", "x.csv"].into_iter().chain(words));
            let Some(Command::Import(import)) = cli.command else { panic!("import") };
            assert!(import.into.as_deref().or(import.destination.last().map(String::as_str)) == Some("a.b"));
        }
    }
}
