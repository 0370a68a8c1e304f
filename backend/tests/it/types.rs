//! The types table: what each type looks like as a cell, and what it takes as input.

use kalamdb_testkit::TestServer;
use serde_json::{Value as Json, json};

/// Type, literal, cell.
fn samples() -> Vec<(&'static str, &'static str, Json)> {
    vec![
        ("BOOLEAN", "true", json!(true)),
        ("SMALLINT", "-32768", json!(-32768)),
        ("INT", "2147483647", json!(2_147_483_647)),
        ("BIGINT", "9223372036854775807", json!("9223372036854775807")),
        ("BIGINT", "1", json!("1")),
        ("FLOAT", "1.5", json!(1.5)),
        ("DOUBLE", "-0.25", json!(-0.25)),
        ("DOUBLE", "907.3038322028689", json!(907.303_832_202_868_9)),
        ("DECIMAL(10,2)", "12.5", json!("12.50")),
        ("DECIMAL(38,0)", "12345678901234567890", json!("12345678901234567890")),
        ("TEXT", "'gr''üße'", json!("gr'üße")),
        ("TIMESTAMP", "'2013-01-01T00:00:01.5'", json!(1_356_998_401_500_000_i64)),
        ("DATETIME", "'2013-01-01T02:00:00+02:00'", json!(1_356_998_400_000_000_i64)),
        ("DATE", "'1970-01-11'", json!(10)),
        ("TIME", "'00:01:00'", json!(60_000_000)),
        ("JSON", r#"'{"a":[1,2]}'"#, json!(r#"{"a":[1,2]}"#)),
        ("BYTES", "X'00ff'", json!("AP8=")),
        ("UUID", "'0195F2C0-0000-7000-8000-00000000000A'", json!("0195f2c0-0000-7000-8000-00000000000a")),
    ]
}

fn wire_type(sql: &str) -> Json {
    match sql {
        "DECIMAL(10,2)" => json!({"Decimal": {"precision": 10, "scale": 2}}),
        "DECIMAL(38,0)" => json!({"Decimal": {"precision": 38, "scale": 0}}),
        "BOOLEAN" => json!("Boolean"),
        "SMALLINT" => json!("SmallInt"),
        "INT" => json!("Int"),
        "BIGINT" => json!("BigInt"),
        "FLOAT" => json!("Float"),
        "DOUBLE" => json!("Double"),
        "TEXT" => json!("Text"),
        "TIMESTAMP" => json!("Timestamp"),
        "DATETIME" => json!("DateTime"),
        "DATE" => json!("Date"),
        "TIME" => json!("Time"),
        "JSON" => json!("Json"),
        "BYTES" => json!("Bytes"),
        "UUID" => json!("Uuid"),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_travels_as_the_contract_says_by_query_snapshot_and_change() {
    let server = TestServer::start().await;
    let root = server.root().await;
    for (n, (sql_type, literal, cell)) in samples().into_iter().enumerate() {
        root.sql(&format!("CREATE TABLE t{n} (id INT PRIMARY KEY, v {sql_type})")).await;
        root.sql(&format!("INSERT INTO t{n} VALUES (1, {literal}), (2, NULL)")).await;
        let result = root.sql(&format!("SELECT v FROM t{n} ORDER BY id")).await;
        assert_eq!(result.types(), [wire_type(sql_type)], "{sql_type}");
        assert_eq!(result.rows(), [[cell.clone()], [Json::Null]], "{sql_type}");

        let mut socket = root.connect().await;
        let mut live = socket.subscribe("s", &format!("SELECT id, v FROM t{n}")).await;
        live.assert_equals(&[vec![json!(1), cell.clone()], vec![json!(2), Json::Null]]);
        let seq = root.sql(&format!("UPDATE t{n} SET v = {literal} WHERE id = 2")).await.seq();
        socket.follow(&mut live, seq).await;
        live.assert_equals(&[vec![json!(1), cell.clone()], vec![json!(2), cell.clone()]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_reads_back_the_cell_it_wrote_as_a_parameter() {
    let server = TestServer::start().await;
    let root = server.root().await;
    for (n, (sql_type, literal, cell)) in samples().into_iter().enumerate() {
        root.sql(&format!("CREATE TABLE t{n} (id INT PRIMARY KEY, v {sql_type})")).await;
        root.sql(&format!("INSERT INTO t{n} VALUES (1, {literal})")).await;
        root.sql_with(&format!("INSERT INTO t{n} VALUES (2, $1), (3, $2)"), &[cell.clone(), Json::Null]).await;
        let rows = root.rows(&format!("SELECT v FROM t{n} ORDER BY id")).await;
        assert_eq!(rows, [[cell.clone()], [cell], [Json::Null]], "{sql_type}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_are_lenient_where_it_is_safe() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, big BIGINT, dec DECIMAL(10,2), at TIMESTAMP, doc JSON)").await;
    let insert = "INSERT INTO t VALUES ($1, $2, $3, $4, $5)";
    root.sql_with(insert, &[json!(1), json!(5), json!(1.5), json!(1_000_000), json!({"a": 1})]).await;
    root.sql_with(insert, &[json!(2), json!("5"), json!("1.5"), json!("1970-01-01T00:00:01Z"), json!([1])]).await;
    let rows = root.rows("SELECT big, dec, at, doc FROM t ORDER BY id").await;
    assert_eq!(rows[0], [json!("5"), json!("1.50"), json!(1_000_000), json!(r#"{"a":1}"#)]);
    assert_eq!(rows[1], [json!("5"), json!("1.50"), json!(1_000_000), json!("[1]")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nan_and_the_infinities_travel_as_null() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let rows = root.rows("SELECT CAST('NaN' AS DOUBLE), CAST('inf' AS DOUBLE), CAST('-inf' AS FLOAT)").await;
    assert_eq!(rows, [[Json::Null, Json::Null, Json::Null]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_expression_maps_to_a_type_of_the_contract() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT, at TIMESTAMP)").await;
    root.sql("INSERT INTO t VALUES (1, 'x', '2013-01-01T00:00:00')").await;
    let result = root
        .sql(
            "SELECT COUNT(*), SUM(id), AVG(id), MIN(a), NULL, upper(a), length(a), [1, 2], now(), \
             INTERVAL '1 day', id IS NULL, row_number() OVER (ORDER BY id), CURRENT_USER(), 1.25, \
             array_agg(a), date_trunc('day', at), extract(year FROM at) FROM t GROUP BY id, a, at",
        )
        .await;
    let known = [
        "Boolean",
        "SmallInt",
        "Int",
        "BigInt",
        "Float",
        "Double",
        "Text",
        "Timestamp",
        "DateTime",
        "Date",
        "Time",
        "Json",
        "Bytes",
        "Uuid",
    ];
    for (column, data_type) in result.columns().iter().zip(result.types()) {
        let simple = data_type.as_str().is_some_and(|name| known.contains(&name));
        let decimal = data_type["Decimal"]["precision"].is_u64() && data_type["Decimal"]["scale"].is_u64();
        assert!(simple || decimal, "{column}: {data_type}");
    }
    assert_eq!(result.types()[0], "BigInt");
    assert_eq!(result.rows()[0][0], json!("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_tells_index_and_flags() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, a TEXT NOT NULL, b INT)").await;
    let result = root.sql("SELECT * FROM t").await;
    let schema = &result.json["schema"];
    for (n, name) in ["id", "a", "b"].iter().enumerate() {
        assert_eq!((&schema[n]["name"], &schema[n]["index"]), (&json!(name), &json!(n)));
    }
    let flags = |n: usize| schema[n]["flags"].as_array().cloned().unwrap_or_default();
    assert!(flags(0).contains(&json!("pk")) && flags(0).contains(&json!("nn")), "{schema}");
    assert_eq!((flags(1), flags(2)), (vec![json!("nn")], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seq_is_a_hidden_column_that_can_be_selected() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let seq = root.sql("INSERT INTO t VALUES (1)").await.seq();
    assert_eq!(root.sql("SELECT * FROM t").await.columns(), ["id"]);
    assert_eq!(root.cell("SELECT _seq FROM t").await, json!(seq.to_string()));
}
