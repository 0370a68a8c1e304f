//! The running server: builds every part once, hands it to the next, and takes them down again in turn.
//!
//! The addresses are taken when the data is ready, and `root` is made last of all, so that a password that
//! was made up is never lost to an error behind it.

use std::fmt;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kalamdb_api::{ApiState, InvalidOrigin};
use kalamdb_auth::{Auth, AuthError, RootOutcome};
use kalamdb_core::Engine;
use kalamdb_core::engine::EngineOpenError;
use kalamdb_store::{OpenError, ReadError, Store, StoreOptions};
use kalamdb_system::{AuditLog, Catalog, StateError, Users};
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::config::{AuthOptionsError, Config};
use crate::tls::{self, TlsError};

/// Time between two looks at what the metrics no longer need.
const METRICS_UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Time between two looks at whether the keys of other issuers are to be fetched again.
const KEYS_UPKEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Time between two looks at what the audit log has to write and to delete.
const AUDIT_UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// A server that runs. Dropping it leaves it running; [`Server::stop`] ends it.
pub struct Server {
    addr: SocketAddr,
    greeting: String,
    engine: Engine,
    store: Store,
    shutdown: CancellationToken,
    api: Option<JoinHandle<io::Result<()>>>,
    others: Vec<JoinHandle<()>>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The list of origins holds something else.
    #[error(transparent)]
    Origins(#[from] InvalidOrigin),
    /// The address is taken, or not one of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The data cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The catalog or the users cannot be read.
    #[error("the catalog cannot be read")]
    State(#[from] StateError),
    /// The audit log cannot be read.
    #[error("the audit log cannot be read")]
    Audit(#[source] ReadError),
    /// There is no key to sign tokens with, or to check those of another issuer.
    #[error(transparent)]
    Auth(#[from] AuthOptionsError),
    /// The engine cannot be opened.
    #[error(transparent)]
    Engine(#[from] EngineOpenError),
    /// The first user cannot be made.
    #[error("the user \"root\" could not be made")]
    Root(#[source] AuthError),
    /// A part broke while it was opened.
    #[error("a part of the server broke while it was opened")]
    Broke(#[from] JoinError),
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The greeting may hold a password.
        f.debug_struct("Server").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Server {
    /// Starts a server. When this returns it answers.
    ///
    /// # Errors
    /// [`StartError`]; then nothing runs.
    pub async fn start(config: Config) -> Result<Server, StartError> {
        let store = config.store_options();
        Server::start_on(config, store).await
    }

    /// [`Server::start`], with a store that fails on purpose.
    ///
    /// # Errors
    /// [`StartError`]; then nothing runs.
    #[cfg(feature = "faults")]
    pub async fn start_with_faults(
        config: Config,
        faults: kalamdb_store::faults::Faults,
    ) -> Result<Server, StartError> {
        let store = StoreOptions { faults: Some(faults), ..config.store_options() };
        Server::start_on(config, store).await
    }

    async fn start_on(config: Config, store: StoreOptions) -> Result<Server, StartError> {
        kalamdb_api::metrics::install();
        let tls = match (&config.server.tls_cert_file, &config.server.tls_key_file) {
            (Some(certificate), Some(key)) => Some(tls::load(certificate, key)?),
            _ => None,
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let options = config.api_options(tls)?;
        let (listen, admin_listen) = (config.server.listen, config.server.admin_listen);
        for setting in config.insecure() {
            tracing::warn!(setting, "other machines can connect in plain text");
        }

        let root_password = config.auth.root_password.clone().map(|hidden| hidden.0);
        let Parts { store, users, auth, engine } =
            tokio::task::spawn_blocking(move || Parts::open(&config, store)).await??;
        let ready = async {
            let (listener, addr) = bind(listen).await?;
            let admin = match admin_listen {
                Some(address) => Some(bind(address).await?),
                None => None,
            };
            let outcome = auth.ensure_root(root_password).await.map_err(StartError::Root)?;
            Ok((outcome, listener, addr, admin))
        };
        let (outcome, listener, addr, admin) = match ready.await {
            Ok(ready) => ready,
            Err(error) => {
                take_down(engine, store).await;
                return Err(error);
            }
        };

        let shutdown = CancellationToken::new();
        let keys = tokio::spawn(keep_issuer_keys(Arc::clone(&auth), shutdown.clone()));
        let state = ApiState { engine: engine.clone(), auth, users, options: Arc::new(options) };
        let api = tokio::spawn(kalamdb_api::serve(listener, state, shutdown.clone()));
        let mut others = vec![
            keys,
            tokio::spawn(keep_metrics_up(shutdown.clone())),
            tokio::spawn(keep_audit_log(engine.audit().clone(), shutdown.clone())),
        ];
        if let Some((listener, address)) = admin {
            tracing::info!(%address, "operators are answered");
            others.push(tokio::spawn(serve_operators(listener, shutdown.clone())));
        }
        tracing::info!(%addr, "the server is up");
        let greeting = greeting(&outcome, scheme, addr);
        Ok(Server { addr, greeting, engine, store, shutdown, api: Some(api), others })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What an operator wants to read at the start: the address and, at the first start, the password
    /// of `root` where one was made up.
    #[must_use]
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Returns when the server can no longer accept connections, which it never does by itself.
    pub async fn failed(&mut self) -> io::Error {
        let Some(api) = &mut self.api else { return pending().await };
        let ended = api.await;
        self.api = None;
        match ended {
            Ok(Ok(())) => io::Error::other("it ended"),
            Ok(Err(error)) => error,
            Err(broke) => io::Error::other(broke),
        }
    }

    /// Stops the server: sockets are told, running statements end, the data is closed.
    pub async fn stop(self) {
        let Server { engine, store, shutdown, api, others, .. } = self;
        tracing::info!("the server is stopping");
        shutdown.cancel();
        if let Some(api) = api {
            match api.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "accepting connections failed"),
                Err(error) => tracing::error!(%error, "accepting connections broke"),
            }
        }
        for task in others {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task broke");
            }
        }
        take_down(engine, store).await;
        tracing::info!("the server has stopped");
    }

    /// Lets go of everything behind the doors, without a word to anybody. For a test that has cut the
    /// power and ended the runtime the server was started on, as the end of a process does.
    #[cfg(feature = "faults")]
    pub async fn abandon(self) {
        let Server { engine, store, shutdown, .. } = self;
        shutdown.cancel();
        take_down(engine, store).await;
    }
}

/// Everything behind the doors.
struct Parts {
    store: Store,
    users: Arc<Users>,
    auth: Arc<Auth>,
    engine: Engine,
}

impl Parts {
    /// Opens the data and what works on it. Takes a while; not for async threads.
    fn open(config: &Config, store: StoreOptions) -> Result<Parts, StartError> {
        let store = Store::open(store)?;
        let catalog = Arc::new(Catalog::load(&store)?);
        let users = Arc::new(Users::load(&store)?);
        let audit = AuditLog::open(store.clone(), config.audit_options()).map_err(StartError::Audit)?;
        let auth = Arc::new(Auth::new(store.clone(), Arc::clone(&users), audit.clone(), config.auth_options()?)?);
        let settings = config.setting_rows(store.epoch());
        let options = config.engine_options(settings);
        let engine = Engine::open(store.clone(), catalog, Arc::clone(&users), Arc::clone(&auth), audit, options)?;
        Ok(Parts { store, users, auth, engine })
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Ends what stands behind the doors. Their threads are waited for where waiting is allowed.
async fn take_down(engine: Engine, store: Store) {
    engine.shutdown().await;
    let closed = tokio::task::spawn_blocking(move || {
        drop(engine);
        store.close();
    });
    if let Err(error) = closed.await {
        tracing::error!(%error, "closing the data broke");
    }
}

async fn serve_operators(listener: TcpListener, shutdown: CancellationToken) {
    if let Err(error) = kalamdb_api::serve_admin(listener, shutdown).await {
        tracing::error!(%error, "operators are no longer answered");
    }
}

async fn keep_metrics_up(shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(METRICS_UPKEEP_INTERVAL);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => kalamdb_api::metrics::upkeep(),
        }
    }
}

/// Keeps the keys of other issuers fresh.
async fn keep_issuer_keys(auth: Arc<Auth>, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(KEYS_UPKEEP_INTERVAL);
    let keeping = async {
        loop {
            tick.tick().await;
            auth.upkeep().await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = keeping => {}
    }
}

/// Keeps the audit log within its bounds, and at the end writes what it has only counted.
async fn keep_audit_log(audit: AuditLog, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(AUDIT_UPKEEP_INTERVAL);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = tick.tick() => audit.upkeep().await,
        }
    }
    audit.flush().await;
}

fn greeting(root: &RootOutcome, scheme: &str, addr: SocketAddr) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let address = format!("KalamDB {version} listening on {scheme}://{addr}\n");
    match root {
        RootOutcome::Created { password: Some(password) } => {
            format!(
                "First start: the administrator was made. This password is shown only once.\n\n    user      root\n    \
                 password  {password}\n\n{address}"
            )
        }
        RootOutcome::Created { password: None } | RootOutcome::Present => address,
    }
}

#[cfg(test)]
mod tests;
