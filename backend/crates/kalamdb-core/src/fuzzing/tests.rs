use kalamdb_commons::fuzzing::{Edit, mutated};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const SEEDS: &[&str] = &[
    "CREATE SHARED TABLE n.t (id BIGINT DEFAULT SNOWFLAKE_ID() PRIMARY KEY, d DECIMAL(9,2) NOT NULL, PRIMARY KEY (id, d)) WITH (ACCESS_LEVEL='PUBLIC', TTL_SECONDS=5)",
    "INSERT INTO t (a, b) VALUES ($1, 'it''s'), (E'\\n', $$x$$) ON CONFLICT (a) DO UPDATE SET b = EXCLUDED.b RETURNING *, _seq",
    "WITH RECURSIVE c AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT DISTINCT a, SUM(b) OVER (PARTITION BY c ORDER BY d ROWS 3 PRECEDING) FROM t LEFT JOIN u USING (id) WHERE x IN (1, 2) AND y LIKE '%\\_a%' ESCAPE '\\' GROUP BY ROLLUP (a) HAVING COUNT(*) > 1 ORDER BY 1 NULLS FIRST LIMIT 3 OFFSET 1;",
    "BEGIN; UPDATE t SET a = CASE WHEN b BETWEEN 1 AND 2 THEN -a ELSE CAST(c AS INT) END WHERE NOT EXISTS (SELECT 1); COMMIT",
    "GRANT SELECT, INSERT ON TABLE n.t TO USER 'anna'; REVOKE ALL ON n.t FROM ROLE user; SHOW GRANTS FOR USER 'anna'",
    "CREATE USER 'anna' WITH PASSWORD 'secret word' ROLE user EMAIL 'a@b.c'; EXECUTE AS USER 'anna' (DELETE FROM t)",
    "KILL LIVE QUERY 'anna-0123456789abcdef0123456789abcdef-s'; EXPLAIN LIVE SELECT CURRENT_USER(), ULID() -- end\n/* x */",
    "((((((((((SELECT ((((((((((1))))))))))))))))))))",
];

/// Pieces that nest or chain.
const PIECES: &[&str] = &[
    "(",
    ")",
    "NOT ",
    "-",
    "CASE WHEN ",
    " END",
    "SELECT ",
    " UNION ALL ",
    " AND ",
    "[",
    "]",
    "'",
    "$$",
    "/*",
    "--",
    "a.",
    ".b(",
];

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let tampered = (prop::sample::select(SEEDS), vec(any::<Edit>(), 0..6));
    let piled = (vec((prop::sample::select(PIECES), 1_usize..400), 1..6), prop::sample::select(SEEDS));
    prop_oneof![
        1 => any::<String>().prop_map(String::into_bytes),
        4 => tampered.prop_map(|(seed, edits)| mutated(seed.as_bytes(), &edits)),
        2 => piled.prop_map(|(pieces, seed)| {
            let pile: String = pieces.into_iter().map(|(piece, times)| piece.repeat(times)).collect();
            format!("{pile}{seed}").into_bytes()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s23_sql_texts_are_parsed_or_refused(data in hostile()) {
        sql(&data);
    }
}
