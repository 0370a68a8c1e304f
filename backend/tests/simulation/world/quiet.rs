//! A quiet point: nobody writes, and everything is checked.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use kalamdb_testkit::PATIENCE;
use serde_json::{Value as Json, json};

use super::{Breach, Fault, ROOT, USERS, World, breach, first_cells, password};
use crate::checkers::live_queries_true::Expected;
use crate::checkers::{acknowledged_kept, no_change_lost, order_kept, silent_after_end};
use crate::door::{Answer, seq_of};
use crate::history::Image;
use crate::query::{QUERIES, texts};
use crate::statement::{Table, row_of};

impl World {
    /// Checks everything.
    pub(super) async fn quiet(&mut self) -> Result<(), Breach> {
        self.server.faults().heal();
        self.log_in_again().await?;
        let told = self.storm.ledger().largest.max(self.storm.largest_seen());
        let seq = self.tick_or_start_over().await?;
        order_kept::grows(seq, told)?;
        self.look_at_queues().await?;
        self.settle(seq).await?;
        self.clients.iter().try_for_each(|client| silent_after_end::still_served(&self.storm, client))?;
        if let Some(breach) = self.storm.ledger().breaches.pop() {
            return Err(breach);
        }
        self.look_at_tables(seq).await?;
        for client in &mut self.clients {
            for seen in &client.seen {
                silent_after_end::check(&self.storm, seen)?;
            }
            let keep = client.seen.len().saturating_sub(1);
            client.seen.drain(..keep);
            self.tally.points += no_change_lost::in_history(&self.history, client, self.plan.feed_secs < 3_600)?;
        }
        self.compare_afresh().await?;
        self.look_at_live_queries().await
    }

    async fn log_in_again(&mut self) -> Result<(), Breach> {
        let mut users = std::mem::take(&mut self.logged_out);
        users.sort_unstable();
        users.dedup();
        for user in users {
            match self.storm.door.login(USERS[user], &password(user)).await {
                Some(token) => self.storm.set_token(user, token),
                None => return breach("acknowledged_kept", format!("{} cannot log in", USERS[user])),
            }
        }
        Ok(())
    }

    /// Writes something that nobody looks at, and gives its SeqId.
    pub(super) async fn tick(&mut self) -> Result<u64, Breach> {
        match self.root("UPDATE sim.ticks SET n = n + 1 WHERE id = 1").await {
            Answer::Done(results) => Ok(seq_of(&results[0]["seq"]).unwrap_or_default()),
            other => breach("acknowledged_kept", format!("the tick failed: {other:?}")),
        }
    }

    /// A disk that has failed for good is a reason to start the server again.
    async fn tick_or_start_over(&mut self) -> Result<u64, Breach> {
        if let Ok(seq) = self.tick().await {
            return Ok(seq);
        }
        if !self.storm.is_shaken() {
            return breach("acknowledged_kept", "a write is refused, and nothing has failed");
        }
        self.start_over(Fault::Crash).await;
        self.tick().await
    }

    async fn look_at_queues(&mut self) -> Result<(), Breach> {
        let rows = self.rows(ROOT, "SELECT queued_bytes FROM system.connections", &[]).await?;
        let most = rows.iter().filter_map(|row| seq_of(&row[0])).max();
        self.queued = self.queued.max(most.unwrap_or_default());
        Ok(())
    }

    /// Every client that reads is brought to `seq`.
    async fn settle(&mut self, seq: u64) -> Result<(), Breach> {
        let dropped = self.dropped_users().await?;
        let clients = std::mem::take(&mut self.clients).into_iter().map(|mut client| {
            client.banned |= dropped.contains(&client.user);
            tokio::spawn(async move {
                let outcome = client.settle(seq).await;
                (client, outcome)
            })
        });
        let clients: Vec<_> = clients.collect();
        let mut first = Ok(());
        for client in clients {
            let (client, outcome) =
                client.await.map_err(|panic| Breach { checker: "client", what: panic.to_string() })?;
            self.clients.push(client);
            first = first.and(outcome);
        }
        first
    }

    async fn dropped_users(&self) -> Result<Vec<usize>, Breach> {
        let rows = self.rows(ROOT, "SELECT user_id FROM system.users", &[]).await?;
        let known = first_cells(&rows);
        Ok((0..USERS.len()).filter(|&user| !known.iter().any(|name| name == USERS[user])).collect())
    }

    pub(super) async fn rows(&self, user: usize, sql: &str, params: &[Json]) -> Result<Vec<Vec<Json>>, Breach> {
        match self.storm.door.rows(&self.storm.token(user), sql, params).await {
            Ok(rows) => Ok(rows),
            Err(answer) => breach("acknowledged_kept", format!("{} asks {sql}: {answer:?}", USERS[user])),
        }
    }

    /// Reads what there is, and holds it against what the writers were told.
    async fn look_at_tables(&mut self, seq: u64) -> Result<(), Breach> {
        let (commits, unknown) = self.storm.ledger().close();
        self.tally.unknown += unknown.len();
        let before = self.history.last().seq;
        for (seq, done) in &commits {
            self.history.commit(*seq, done);
        }
        let dropped = self.dropped_users().await?;
        let actual = self.read_image(&dropped).await?;
        let mut expected = Image::clone(&self.history.last().image);
        forget(&mut expected, &dropped, self.plan.feed_secs < 3_600);
        if std::mem::take(&mut self.lossy) {
            let feed = self.plan.feed_secs < 3_600;
            let left = acknowledged_kept::prefix(&self.history, self.durable, &actual, |image| {
                forget(image, &dropped, feed);
            })?;
            self.storm.say(|| format!("the power loss left what there was at {left}"));
            self.history.clear_up(left, seq, actual);
            self.durable = seq;
            return Ok(());
        }
        acknowledged_kept::check(&expected, &commits, &unknown, &actual)?;
        if unknown.is_empty() {
            self.history.quiet(seq);
        } else {
            self.history.clear_up(before, seq, actual);
        }
        if self.plan.sync {
            self.durable = seq;
        }
        Ok(())
    }

    async fn read_image(&self, dropped: &[usize]) -> Result<Image, Breach> {
        let mut image = Image::default();
        let columns = |table: Table| format!("SELECT id, {}, n, tag, stamp, pad FROM {}", table.owner(), table.name());
        let mut take = |table: Table, scope: &str, rows: Vec<Vec<Json>>| {
            for cells in rows {
                let key = (table, scope.to_owned(), cells[0].as_i64().unwrap_or_default());
                image.rows.insert(key, row_of(&cells[1..]));
            }
        };
        take(Table::Board, "", self.rows(ROOT, &columns(Table::Board), &[]).await?);
        for (user, name) in USERS.iter().enumerate().filter(|(user, _)| !dropped.contains(user)) {
            take(Table::Own, name, self.rows(user, &columns(Table::Own), &[]).await?);
            if self.plan.feed_secs == 3_600 {
                take(Table::Feed, name, self.rows(user, &columns(Table::Feed), &[]).await?);
            }
        }
        let number = |cell: &Json| cell.as_i64().or_else(|| cell.as_str()?.parse().ok()).unwrap_or_default();
        let sql = "SELECT batch, COUNT(*) AS c, MAX(size) AS size FROM sim.marks GROUP BY batch";
        for row in self.rows(ROOT, sql, &[]).await? {
            if number(&row[1]) != number(&row[2]) {
                return breach("acknowledged_kept", format!("a batch of markers is torn: {row:?}"));
            }
            image.marks.insert(number(&row[0]), number(&row[2]));
        }
        for row in self.rows(ROOT, "SELECT id, n FROM sim.tally", &[]).await? {
            if number(&row[1]) > 0 {
                image.counts.insert(row[0].as_str().unwrap_or_default().to_owned(), number(&row[1]));
            }
        }
        Ok(image)
    }

    /// Every result that a client holds against the query run afresh by the same user.
    async fn compare_afresh(&mut self) -> Result<(), Breach> {
        let mut known: HashMap<(usize, usize), Option<Vec<String>>> = HashMap::new();
        for client in self.clients.iter().filter(|client| client.is_present()) {
            for (id, subscription) in &client.subscriptions {
                let query = &QUERIES[subscription.query];
                if self.plan.feed_secs < 3_600 && query.modelled() == Some(Table::Feed) {
                    continue;
                }
                let fresh = match known.entry((client.user, subscription.query)) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(unknown) => {
                        let token = self.storm.token(client.user);
                        let fresh = match self.storm.door.rows(&token, query.sql, &(query.params)()).await {
                            Ok(rows) => Some(texts(rows, query.ordered())),
                            Err(Answer::Refused(refusal)) if refusal.status < 500 && query.shaky => None,
                            Err(answer) => {
                                return breach("no_change_lost", format!("{} afresh: {answer:?}", query.sql));
                            }
                        };
                        unknown.insert(fresh)
                    }
                };
                self.tally.results += 1;
                no_change_lost::fresh(client, id, subscription, fresh.as_ref())?;
            }
        }
        Ok(())
    }

    async fn look_at_live_queries(&mut self) -> Result<(), Breach> {
        let expected = Expected::of(self.clients.iter());
        let mut outcome = Ok(());
        let asking = async {
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            loop {
                let listed = first_cells(&self.rows(ROOT, "SELECT live_id FROM system.live_queries", &[]).await?);
                outcome = expected.check(&listed);
                if outcome.is_ok() {
                    return Ok::<(), Breach>(());
                }
                tick.tick().await;
            }
        };
        match tokio::time::timeout(PATIENCE / 3, asking).await {
            Ok(done) => done,
            Err(_) => outcome,
        }
    }

    /// Rows of the table whose rows leave by themselves are all gone in the end, on every side.
    pub(super) async fn outlive_feed(&mut self) -> Result<(), Breach> {
        if self.plan.feed_secs == 3_600 {
            return Ok(());
        }
        let left = async {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            loop {
                let mut rows = BTreeMap::new();
                for user in 0..USERS.len() {
                    if !self.dropped_users().await?.contains(&user) {
                        rows.insert(user, self.rows(user, "SELECT id FROM sim.feed", &[]).await?.len());
                    }
                }
                if rows.values().all(|count| *count == 0) {
                    return Ok::<(), Breach>(());
                }
                tick.tick().await;
            }
        };
        if tokio::time::timeout(PATIENCE, left).await.is_err() {
            return breach("no_change_lost", "rows of a STREAM table outlive their time");
        }
        let seq = self.tick().await?;
        self.settle(seq).await?;
        for subscription in self.clients.iter().flat_map(|client| client.subscriptions.values()) {
            let of_feed = QUERIES[subscription.query].modelled() == Some(Table::Feed);
            if of_feed && subscription.rows().is_some_and(|rows| json!(rows) != json!([])) {
                return breach(
                    "no_change_lost",
                    format!("a client holds rows whose time is up: {:?}", subscription.rows()),
                );
            }
        }
        Ok(())
    }
}

/// Leaves out what cannot be read: rows of users who are gone, and those that leave by themselves.
fn forget(image: &mut Image, dropped: &[usize], feed: bool) {
    let gone = |scope: &str| dropped.iter().any(|&user| USERS[user] == scope);
    image.rows.retain(|(table, scope, _), _| !(gone(scope) || (feed && *table == Table::Feed)));
}
