//! From flags to a client: joins what flags, environment and file say, and asks for what is missing.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use kalam_link::Client;

use crate::args::ConnectArgs;
use crate::config::{ConfigFile, DEFAULT_URL, Settings, default_path, environment, read_password};
use crate::exit::Failure;

/// What was found out.
pub struct Connection {
    /// The client. It has not spoken to the server yet.
    pub client: Client,
    /// Where it will look for the server.
    pub url: String,
    /// Namespace of table names that are written without one.
    pub namespace: Option<String>,
}

/// Makes the client, asking on the terminal for a user and a password that nothing else gave.
///
/// # Errors
/// The configuration cannot be used, or a credential is missing and there is nobody to ask.
pub fn connect(args: &ConnectArgs) -> Result<Connection, Failure> {
    let settings = settings(args)?;
    let url = settings.url.clone().unwrap_or_else(|| DEFAULT_URL.to_owned());
    let builder = Client::builder(&url).request_timeout(Duration::from_secs(args.request_timeout));
    let builder = match (settings.token, settings.password, settings.password_file) {
        (Some(token), ..) => builder.token(token),
        (None, password, file) => {
            let user = match settings.user {
                Some(user) => user,
                None => ask_user()?,
            };
            let password = match (password, file) {
                (Some(password), _) => password,
                (None, Some(file)) => read_password(&file)?,
                (None, None) => ask_password(&user)?,
            };
            builder.password(user, password)
        }
    };
    let client = builder.build()?;
    Ok(Connection { client, url, namespace: settings.namespace })
}

fn settings(args: &ConnectArgs) -> Result<Settings, Failure> {
    let path = args.config.clone().or_else(|| default_path(|name| std::env::var_os(name).map(PathBuf::from)));
    let file = match &path {
        Some(path) if args.config.is_some() && !path.exists() => {
            return Err(Failure::usage(format!("{}: there is no such file", path.display())));
        }
        Some(path) => ConfigFile::read(path)?,
        None => ConfigFile::default(),
    };
    let flags = Settings {
        url: args.url.clone(),
        user: args.user.clone(),
        password: None,
        password_file: args.password_file.clone(),
        token: args.token.clone(),
        namespace: args.namespace.clone(),
    };
    let environment = environment(|name| std::env::var(name).ok());
    Ok(flags.or(environment).or(file.profile(args.profile.as_deref())?))
}

fn may_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn ask_user() -> Result<String, Failure> {
    if !may_ask() {
        return Err(Failure::usage(
            "no user: give --user, KALAM_USER, KALAM_TOKEN or a profile of the configuration file",
        ));
    }
    eprint!("User: ");
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    match line.trim() {
        "" => Err(Failure::usage("no user given")),
        user => Ok(user.to_owned()),
    }
}

fn ask_password(user: &str) -> Result<String, Failure> {
    if !may_ask() {
        return Err(Failure::usage(
            "no password: give --password-file, KALAM_PASSWORD or a profile of the configuration file",
        ));
    }
    Ok(rpassword::prompt_password(format!("Password of {user}: "))?)
}
