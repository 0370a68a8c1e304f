//! Numbers about the catalog and the users.

/// So many tables and namespaces there are.
pub(crate) fn catalog(namespaces: usize, tables: usize) {
    metrics::gauge!("kalamdb_namespaces").set(namespaces as f64);
    metrics::gauge!("kalamdb_tables").set(tables as f64);
}

/// So many users there are.
pub(crate) fn users(count: usize) {
    metrics::gauge!("kalamdb_users").set(count as f64);
}
