use kalamdb_commons::{Name, TableId, TableName};

use super::*;

fn table(kind: TableKind, access: AccessLevel, grants: Vec<Grant>) -> TableDef {
    TableDef {
        id: TableId(1),
        name: TableName { namespace: Name::new("n").unwrap(), table: Name::new("t").unwrap() },
        kind,
        access,
        ttl_secs: None,
        columns: Vec::new(),
        primary_key: Vec::new(),
        indexes: Vec::new(),
        grants,
        next_slot: 0,
        version: 1,
        created_at: 0,
    }
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

#[test]
fn the_access_level_gives_what_the_protocol_says() {
    use AccessLevel::{Private, Public, Restricted};
    let anna = user("anna");
    let read = Rights::from(Right::Select);
    for (access, rights) in [
        (Public, [read, Rights::ALL, Rights::ALL, Rights::ALL]),
        (Restricted, [Rights::NONE, Rights::ALL, Rights::ALL, Rights::ALL]),
        (Private, [Rights::NONE, Rights::NONE, Rights::ALL, Rights::ALL]),
    ] {
        let table = table(TableKind::Shared, access, Vec::new());
        let found = [Role::User, Role::Service, Role::Dba, Role::System].map(|role| table.rights_of(&anna, role));
        assert_eq!(found, rights, "{access:?}");
    }
    for kind in [TableKind::User, TableKind::Stream] {
        assert_eq!(table(kind, Private, Vec::new()).rights_of(&anna, Role::User), Rights::ALL);
    }
}

#[test]
fn a_grant_reaches_its_user_or_its_role_and_those_above() {
    let granted = |grantee, right| Grant { grantee, rights: Rights::from(right) };
    let table = table(
        TableKind::Shared,
        AccessLevel::Private,
        vec![
            granted(Grantee::Role(Role::User), Right::Insert),
            granted(Grantee::Role(Role::Service), Right::Delete),
            granted(Grantee::User(user("anna")), Right::Select),
            granted(Grantee::User(user("ben")), Right::Insert),
        ],
    );
    let of = |name, role| table.rights_of(&user(name), role).to_string();
    assert_eq!(of("anna", Role::User), "SELECT, INSERT");
    assert_eq!(of("Anna", Role::User), "INSERT");
    assert_eq!(of("ann", Role::User), "INSERT");
    assert_eq!(of("robot", Role::Service), "INSERT, DELETE");
    assert_eq!(of("dora", Role::Dba), "SELECT, INSERT, UPDATE, DELETE");
    assert!(table.is_visible_to(&user("ben"), Role::User));
    assert!(!table.allows(&user("ben"), Role::User, Right::Select));
}

#[test]
fn sets_of_rights_are_sets() {
    let two: Rights = [Right::Delete, Right::Select, Right::Delete].into_iter().collect();
    assert_eq!(two.to_string(), "SELECT, DELETE");
    assert_eq!(two.without(Right::Select.into()), Right::Delete.into());
    assert_eq!(two.among(Right::Insert.into()), Rights::NONE);
    assert_eq!(Right::ALL.into_iter().collect::<Rights>(), Rights::ALL);
    assert!(Rights::NONE.is_empty() && !two.is_empty());
}
