//! One run: a server, its writers and its clients, storm after storm, and the checks in between.

mod quiet;
mod template;

use std::path::PathBuf;
use std::sync::Arc;

use kalamdb_store::faults::{Faults, Tear, WriteFault};
use kalamdb_testkit::TestServer;
use serde_json::Value as Json;
use tempfile::TempDir;

use super::checkers::{Breach, breach};
use super::client::Client;
use super::door::Answer;
use super::history::{History, Image};
use super::plan::{Cut, Ddl, Fault, PLAIN, Plan, ROOT, Round, USERS};
use super::storm::{Storm, password};
use super::writer;
pub use template::Template;

/// What a run amounted to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Steps of the plan.
    pub steps: usize,
    /// Points at which a client was compared with the history.
    pub points: usize,
    /// Results compared with the query run afresh.
    pub results: usize,
    /// Writes whose fate was not known.
    pub unknown: usize,
}

/// A run that is under way.
pub struct World {
    plan: Arc<Plan>,
    server: TestServer,
    storm: Arc<Storm>,
    clients: Vec<Client>,
    history: History,
    /// Up to here everything is on the disk, whatever the durability.
    durable: u64,
    /// A power loss took what it may of commits that were not synced.
    lossy: bool,
    /// Users who must log in anew.
    logged_out: Vec<usize>,
    /// The most that was seen to wait for one socket.
    queued: u64,
    tally: Tally,
    _data: TempDir,
}

/// Runs a plan from its beginning to its end.
///
/// # Errors
/// The first promise that is found broken.
pub async fn run(plan: Arc<Plan>, storm: Arc<Storm>, template: &Template) -> Result<Tally, Breach> {
    let mut world = World::begin(plan.clone(), storm.clone(), template).await?;
    for (at, round) in plan.rounds.iter().enumerate() {
        storm.say(|| format!("-- round {at}: {:?}", round.cut));
        world.round(at, round).await?;
    }
    world.finish().await
}

impl World {
    async fn begin(plan: Arc<Plan>, storm: Arc<Storm>, template: &Template) -> Result<World, Breach> {
        let data = template.copy();
        let dir: PathBuf = data.path().join("data");
        let dir = dir.display().to_string();
        let mut settings: Vec<(&str, &str)> = plan.settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        settings.push(("server.data_dir", &dir));
        let server = TestServer::with_faults(&settings, Faults::new()).await;
        storm.door.moved(server.addr());
        let mut world = World {
            server,
            clients: Vec::new(),
            history: History::new(0, Image::default()),
            durable: 0,
            lossy: false,
            logged_out: Vec::new(),
            queued: 0,
            tally: Tally { steps: plan.steps(), ..Tally::default() },
            plan: plan.clone(),
            storm,
            _data: data,
        };
        if plan.feed_secs < 3_600 {
            let secs = plan.feed_secs;
            let sql = format!(
                "DROP TABLE sim.feed; CREATE STREAM TABLE sim.feed {} WITH (TTL_SECONDS = {secs})",
                template::OWNED
            );
            world.must(&sql).await?;
        }
        let seq = world.tick().await?;
        world.history.quiet(seq);
        for (at, (user, queries)) in plan.connections.iter().enumerate() {
            let strict = plan.sync && !plan.forgetful;
            let mut client = Client::new(world.storm.clone(), at, *user, plan.fat, strict);
            if !client.come_back().await? {
                return breach("no_change_lost", format!("{} is not let in", USERS[*user]));
            }
            for &query in queries {
                client.subscribe(query).await;
            }
            world.clients.push(client);
        }
        Ok(world)
    }

    async fn round(&mut self, at: usize, round: &Round) -> Result<(), Breach> {
        let shaken = round.cut.is_some_and(|cut| {
            matches!(cut.fault, Fault::Restart | Fault::Crash | Fault::LosePower(_) | Fault::FailWrites(..))
        });
        self.storm.begin(shaken);
        let writers: Vec<_> = round
            .writers
            .iter()
            .enumerate()
            .map(|(w, (user, writes))| {
                let name = format!("r{at}w{w}");
                tokio::spawn(writer::write_all(self.storm.clone(), name, *user, writes.clone()))
            })
            .collect();
        let clients: Vec<_> = std::mem::take(&mut self.clients)
            .into_iter()
            .map(|mut client| {
                let acts: Vec<_> = round.acts.iter().copied().filter(|act| act.connection == client.at).collect();
                let modes = round.modes.clone();
                tokio::spawn(async move {
                    let outcome = client.storm(&acts, &modes).await;
                    (client, outcome)
                })
            })
            .collect();
        let struck = match round.cut {
            Some(cut) => self.strike(cut).await,
            None => Ok(()),
        };
        for writer in writers {
            writer.await.map_err(|panic| Breach { checker: "writer", what: panic.to_string() })?;
        }
        self.storm.end();
        let mut outcomes = vec![struck];
        for client in clients {
            let (client, outcome) =
                client.await.map_err(|panic| Breach { checker: "client", what: panic.to_string() })?;
            self.clients.push(client);
            outcomes.push(outcome);
        }
        outcomes.into_iter().collect::<Result<(), Breach>>()?;
        self.quiet().await
    }

    /// Lets something break.
    async fn strike(&mut self, cut: Cut) -> Result<(), Breach> {
        self.storm.until_answered(cut.after).await;
        self.storm.say(|| format!("strikes: {:?}", cut.fault));
        match cut.fault {
            Fault::KillConnection(client) => {
                if let Some(id) = self.storm.connection(client) {
                    self.end_connections(&format!("KILL CONNECTION '{id}'"), vec![id]).await?;
                }
                Ok(())
            }
            Fault::KillLiveQuery(client, at) => self.kill_live_query(client, at).await,
            Fault::RevokeTokens(user) => {
                self.logged_out.push(user);
                let theirs = self.connections_of(user);
                self.end_connections(&format!("REVOKE TOKENS FOR USER '{}'", USERS[user]), theirs).await
            }
            Fault::DropUser(user) => {
                let theirs = self.connections_of(user);
                self.end_connections(&format!("DROP USER '{}'", USERS[user]), theirs).await
            }
            Fault::ChangeRole(user, higher) => {
                self.logged_out.push(user);
                let roles = if user == PLAIN { ["user", "service"] } else { ["service", "dba"] };
                let role = roles[usize::from(higher)];
                // The role may be the same as before, and then nothing ends.
                self.must(&format!("ALTER USER '{}' SET ROLE {role}", USERS[user])).await
            }
            Fault::Restart | Fault::Crash | Fault::LosePower(_) => {
                self.start_over(cut.fault).await;
                Ok(())
            }
            Fault::FailWrites(kind, times) => {
                let kinds = [
                    WriteFault::NotWritten,
                    WriteFault::NoSpace,
                    WriteFault::WrittenButReported,
                    WriteFault::NotWrittenAndStuck,
                    WriteFault::SyncFailed,
                ];
                self.server.faults().fail_writes(kinds[kind % kinds.len()], times);
                Ok(())
            }
            Fault::Ddl(ddl) => self.ddl(ddl).await,
        }
    }

    async fn start_over(&mut self, fault: Fault) {
        self.storm.set_up(false);
        match fault {
            Fault::Restart => self.server.stop().await,
            Fault::LosePower(seed) => {
                if !self.plan.sync {
                    self.lossy = true;
                    // What ended a token may be lost, and the token that followed it counts no more.
                    self.logged_out.extend([0, PLAIN]);
                }
                let storm = self.storm.clone();
                let tear = |unsynced: std::ops::Range<u64>| {
                    let tear = Tear::from_seed(seed, unsynced.clone());
                    storm.say(|| format!("the power loss: {unsynced:?} of a log was not synced, {tear:?}"));
                    tear
                };
                self.server.lose_power(tear).await;
            }
            _ => self.server.crash().await,
        }
        self.server.start_again().await;
        self.storm.door.moved(self.server.addr());
        self.storm.set_up(true);
    }

    /// Connections whose user this is, as far as they have come.
    fn connections_of(&self, user: usize) -> Vec<String> {
        let theirs = self.plan.connections.iter().enumerate().filter(|(_, (of, _))| *of == user);
        theirs.filter_map(|(at, _)| self.storm.connection(at)).collect()
    }

    /// Says something that ends connections; after the answer no row may reach them.
    async fn end_connections(&mut self, sql: &str, connections: Vec<String>) -> Result<(), Breach> {
        connections.iter().for_each(|id| self.storm.intend(id));
        match self.root(sql).await {
            Answer::Done(_) => {
                let at = self.storm.now();
                connections.iter().for_each(|id| self.storm.killed(id, at));
                Ok(())
            }
            // It was gone already.
            Answer::Refused(refusal) if refusal.code == "NOT_FOUND" => Ok(()),
            other => breach("silent_after_end", format!("{sql}: {other:?}")),
        }
    }

    async fn kill_live_query(&mut self, client: usize, at: usize) -> Result<(), Breach> {
        let Some(connection) = self.storm.connection(client) else { return Ok(()) };
        let user = USERS[self.plan.connections[client].0];
        let live_id = format!("{user}-{connection}-s{at}");
        self.storm.intend(&live_id);
        match self.root(&format!("KILL LIVE QUERY '{live_id}'")).await {
            Answer::Done(_) => Ok(()),
            Answer::Refused(refusal) if refusal.code == "NOT_FOUND" => Ok(()),
            other => breach("live_queries_true", format!("killing {live_id}: {other:?}")),
        }
    }

    async fn ddl(&mut self, ddl: Ddl) -> Result<(), Breach> {
        let sql = match ddl {
            Ddl::AddColumn => "ALTER TABLE sim.shape ADD COLUMN b INT DEFAULT 7",
            Ddl::DropColumn => "ALTER TABLE sim.shape DROP COLUMN b",
            Ddl::CreateIndex => "CREATE INDEX by_tag ON sim.board (tag)",
            Ddl::DropIndex => "DROP INDEX by_tag ON sim.board",
            Ddl::Remake => template::REMAKE_SHAPE,
            Ddl::DropPit => "DROP NAMESPACE IF EXISTS pit CASCADE",
            Ddl::MakePit => template::MAKE_PIT,
            Ddl::Hide => "ALTER TABLE sim.shape SET (ACCESS_LEVEL = 'PRIVATE')",
            Ddl::Show => "ALTER TABLE sim.shape SET (ACCESS_LEVEL = 'PUBLIC')",
        };
        match self.root(sql).await {
            Answer::Refused(refusal) if refusal.status >= 500 => {
                breach("acknowledged_kept", format!("{sql}: {refusal:?}"))
            }
            // What is there already, or gone already, is refused.
            Answer::Done(_) | Answer::Refused(_) => Ok(()),
            other => breach("acknowledged_kept", format!("{sql}: {other:?}")),
        }
    }

    async fn root(&self, sql: &str) -> Answer {
        let answer = self.storm.door.sql(&self.storm.token(ROOT), sql, &[]).await;
        self.storm.say(|| format!("root: {sql} -> {answer:.200?}"));
        answer
    }

    async fn must(&self, sql: &str) -> Result<(), Breach> {
        match self.root(sql).await {
            Answer::Done(_) => Ok(()),
            other => breach("acknowledged_kept", format!("{sql}: {other:?}")),
        }
    }

    /// The last storm is over: everybody comes back.
    async fn finish(mut self) -> Result<Tally, Breach> {
        for client in &mut self.clients {
            (client.away, client.paused) = (false, false);
        }
        self.storm.say(|| "-- the end".to_owned());
        self.storm.begin(false);
        self.quiet().await?;
        self.outlive_feed().await?;
        super::checkers::bounded::check(&self.plan, self.queued, self.storm.largest_frame())?;
        self.server.stop().await;
        Ok(self.tally)
    }
}

/// The first cell of each row, as text.
fn first_cells(rows: &[Vec<Json>]) -> Vec<String> {
    rows.iter().filter_map(|row| row[0].as_str().map(str::to_owned)).collect()
}
