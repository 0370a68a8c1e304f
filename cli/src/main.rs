//! The command line of KalamDB.

fn main() {}
