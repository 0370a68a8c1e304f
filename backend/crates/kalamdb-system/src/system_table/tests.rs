use std::collections::BTreeSet;

use kalamdb_commons::{Role, UserId};

use super::*;

#[test]
fn every_system_table_has_a_key_and_names_that_are_told_once() {
    let mut names = BTreeSet::new();
    for table in system_tables() {
        assert!(names.insert(table.name), "{}", table.name);
        assert!(!table.doc.is_empty(), "{}", table.name);
        assert!(table.columns.iter().any(|column| column.pk), "{}", table.name);
        let mut columns = BTreeSet::new();
        for column in table.columns {
            assert!(columns.insert(column.name), "{}.{}", table.name, column.name);
            assert!(!column.doc.is_empty(), "{}.{}", table.name, column.name);
            assert!(!column.pk || column.not_null, "{}.{}", table.name, column.name);
        }
    }
}

#[test]
fn the_tables_of_the_protocol_are_there_with_their_columns() {
    let wanted = [
        (
            "live_queries",
            "live_id connection_id subscription_id user_id namespace_id table_name query options status strategy \
             created_at last_update changes last_seq_id node_id",
        ),
        (
            "connections",
            "connection_id user_id role client_addr opened_at last_activity_at expires_at subscriptions queued_bytes \
             node_id",
        ),
        ("users", "user_id role"),
        ("namespaces", "namespace_id"),
        ("tables", "namespace_id table_name"),
        ("columns", "namespace_id table_name column_name"),
        ("settings", "name value"),
        ("grants", "namespace_id table_name grantee_type grantee privilege"),
        ("audit_log", "audit_id at user_id acting_as kind action object outcome client_addr"),
    ];
    for (name, columns) in wanted {
        let table = system_table(name).unwrap_or_else(|| panic!("{name}"));
        for column in columns.split_whitespace() {
            assert!(table.position(column).is_some(), "{name}.{column}");
        }
    }
    assert_eq!(system_tables().len(), wanted.len());
    assert!(system_table("no_such").is_none());
}

#[test]
fn s09_no_system_table_has_a_column_for_a_password() {
    let columns = system_tables().iter().flat_map(|table| table.columns);
    assert!(columns.clone().all(|column| !column.name.contains("password") && !column.name.contains("hash")));
    assert!(columns.clone().count() > 0);
}

#[test]
fn s11_each_role_sees_what_its_audience_says() {
    let (anna, ben) = (UserId::new("anna").unwrap(), UserId::new("ben").unwrap());
    for role in [Role::User, Role::Service, Role::Dba, Role::System] {
        assert_eq!(Audience::Admin.admits(role), role.is_admin());
        assert!(Audience::OwnRows.admits(role) && Audience::Visible.admits(role));
        assert!(Audience::OwnRows.shows(role, &anna, &anna));
        assert_eq!(Audience::OwnRows.shows(role, &anna, &ben), role.is_admin());
        assert_eq!(Audience::Admin.shows(role, &anna, &anna), role.is_admin());
    }
    for name in ["users", "settings", "audit_log"] {
        assert_eq!(system_table(name).unwrap().audience, Audience::Admin);
    }
    for name in ["live_queries", "connections"] {
        assert_eq!(system_table(name).unwrap().audience, Audience::OwnRows);
    }
}
