//! One live query of the demo: its rows, and how often they changed.

use anyhow::{Result, ensure};
use kalam_link::{Client, LiveRows, Row, Rows, SeqId};
use serde_json::Value as Json;

/// A live query that is followed commit by commit.
pub struct Followed {
    title: &'static str,
    sql: &'static str,
    live: LiveRows,
    rows: Rows,
    changes: u64,
}

impl Followed {
    /// Begins it.
    pub async fn start(client: &Client, title: &'static str, sql: &'static str) -> Result<Self> {
        let live = client.live(sql).start().await?;
        let rows = live.rows();
        Ok(Followed { title, sql, live, rows, changes: 0 })
    }

    /// What it is about.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// How often a commit changed its rows.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Its rows, cells as they travel.
    pub fn cells(&self) -> Vec<&[Json]> {
        self.rows.iter().map(Row::cells).collect()
    }

    /// Waits until the rows hold the commit `seq`.
    pub async fn wait_for(&mut self, seq: SeqId) -> Result<()> {
        self.live.wait_for(seq).await?;
        let rows = self.live.rows();
        self.changes += u64::from(!rows.is_same(&self.rows));
        self.rows = rows;
        Ok(())
    }

    /// Runs the query afresh and compares.
    pub async fn compare(&self, client: &Client) -> Result<()> {
        let afresh = client.query(self.sql, ()).await?;
        let mut afresh: Vec<&[Json]> = afresh.rows.iter().map(Row::cells).collect();
        let mut live = self.cells();
        if !self.sql.contains("ORDER BY") {
            afresh.sort_by_key(|cells| Json::from(cells.to_vec()).to_string());
            live.sort_by_key(|cells| Json::from(cells.to_vec()).to_string());
        }
        ensure!(live == afresh, "{}: the rows are not those of the query", self.title);
        Ok(())
    }
}
