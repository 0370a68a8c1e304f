//! The client library of KalamDB.
