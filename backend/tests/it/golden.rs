//! The SQL dialect, as files that a person can read: `backend/tests/sql/*.slt`.
//!
//! Each file runs on a server of its own, as `root`. `UPDATE_EXPECT=1` writes the files anew.

use std::path::PathBuf;

use async_trait::async_trait;
use kalamdb_testkit::{Session, SqlFailure, TestServer};
use serde_json::Value as Json;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

struct OverHttp(Session);

#[async_trait]
impl AsyncDB for OverHttp {
    type Error = SqlFailure;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, SqlFailure> {
        let result = self.0.try_sql(sql).await?;
        if result.columns().is_empty() {
            return Ok(DBOutput::StatementComplete(result.row_count()));
        }
        let types = result.types().iter().map(column_type).collect();
        let rows = result.rows().iter().map(|row| row.iter().map(cell).collect()).collect();
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "kalamdb"
    }

    async fn sleep(_: std::time::Duration) {
        panic!("a test waits for what happens");
    }
}

fn column_type(data_type: &Json) -> DefaultColumnType {
    match data_type.as_str() {
        Some("SmallInt" | "Int" | "BigInt") => DefaultColumnType::Integer,
        Some("Float" | "Double") => DefaultColumnType::FloatingPoint,
        Some("Text") => DefaultColumnType::Text,
        _ => DefaultColumnType::Any,
    }
}

fn cell(cell: &Json) -> String {
    match cell {
        Json::Null => "NULL".to_owned(),
        Json::String(text) if text.is_empty() => "(empty)".to_owned(),
        Json::String(text) => text.replace('\n', "\\n"),
        other => other.to_string(),
    }
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sql").join(format!("{name}.slt"))
}

async fn golden(name: &str) {
    let server = TestServer::start().await;
    let root = server.root().await;
    let mut runner = Runner::new(|| async { Ok(OverHttp(root.clone())) });
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let validator = sqllogictest::runner::default_validator;
        let normalizer = sqllogictest::runner::default_normalizer;
        let columns = sqllogictest::runner::strict_column_validator;
        runner.update_test_file(file(name), " ", validator, normalizer, columns).await.unwrap();
        return;
    }
    runner.with_column_validator(sqllogictest::strict_column_validator);
    if let Err(error) = runner.run_file_async(file(name)).await {
        panic!("{}", error.display(false));
    }
}

macro_rules! golden_files {
    ($($name:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                golden(stringify!($name)).await;
            }
        )*

        #[test]
        fn every_golden_file_is_run() {
            let mut run = vec![$(concat!(stringify!($name), ".slt").to_owned()),*];
            let entries = std::fs::read_dir(file("x").parent().unwrap()).unwrap();
            let mut there: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            run.sort();
            there.sort();
            assert_eq!(run, there);
        }
    };
}

golden_files!(
    aggregates,
    constraints,
    ctes,
    ddl,
    defaults,
    dml,
    expressions,
    joins,
    json,
    names,
    subqueries,
    types,
    windows
);
