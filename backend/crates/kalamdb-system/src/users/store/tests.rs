use std::sync::Arc;

use kalamdb_commons::SeqId;
use kalamdb_store::{CommitError, Committed, ManualClock, StoreOptions};

use super::*;

/// A store whose commits the users follow, as in the server.
struct World {
    store: Store,
    users: Arc<Users>,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(1_000));
        let store = Store::open(StoreOptions { clock, ..StoreOptions::new(dir.path().join("db")) }).unwrap();
        let users = Arc::new(Users::load(&store).unwrap());
        let follower = Arc::clone(&users);
        store.listen(Arc::new(move |commit| follower.apply(commit)));
        World { store, users, _dir: dir }
    }

    fn with(names: &[&str]) -> World {
        let world = World::new();
        for name in names {
            world.commit(world.users.create(user(name), 1_000).unwrap()).unwrap();
        }
        world
    }

    fn commit(&self, writes: WriteSet) -> Result<Committed, CommitError> {
        self.store.commit_blocking(writes)
    }

    fn get(&self, name: &str) -> Arc<UserRecord> {
        self.users.get(&id(name)).unwrap()
    }
}

fn id(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn user(name: &str) -> NewUser {
    NewUser { id: id(name), role: Role::User, password_hash: format!("hash of {name}"), email: None }
}

fn role(role: Role) -> UserChange {
    UserChange { role: Some(role), ..UserChange::default() }
}

fn password(hash: &str) -> UserChange {
    UserChange { password_hash: Some(hash.to_owned()), ..UserChange::default() }
}

fn email(email: Option<&str>) -> UserChange {
    UserChange { email: Some(email.map(str::to_owned)), ..UserChange::default() }
}

#[test]
fn a_user_is_there_from_its_creation_to_its_end_and_after_a_restart() {
    let world = World::with(&["ben", "anna"]);
    let names = |users: &Users| users.list().iter().map(|user| user.id.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&world.users), ["anna", "ben"]);
    assert_eq!(world.get("anna").created_at, 1_000);
    let reloaded = Users::load(&world.store).unwrap();
    assert_eq!(names(&reloaded), ["anna", "ben"]);
    assert_eq!(reloaded.get(&id("anna")), world.users.get(&id("anna")));
    let writes = world.users.remove(&id("ben"), false).unwrap().unwrap();
    world.commit(writes).unwrap();
    assert_eq!(names(&world.users), ["anna"]);
    assert_eq!(names(&Users::load(&world.store).unwrap()), ["anna"]);
}

#[test]
fn i5_nobody_is_created_under_the_name_of_a_user_who_leaves() {
    let world = World::with(&["anna"]);
    let first = world.get("anna").since;
    let gone = world.commit(world.users.remove(&id("anna"), false).unwrap().unwrap()).unwrap();
    for users in [&Users::load(&world.store).unwrap(), world.users.as_ref()] {
        assert_eq!(users.leaving(), [id("anna")]);
        assert!(matches!(users.create(user("anna"), 0), Err(UserError::Leaving(_))));
    }
    world.commit(world.users.left(&id("anna"))).unwrap();
    assert_eq!((world.users.leaving(), Users::load(&world.store).unwrap().leaving()), (vec![], vec![]));
    world.commit(world.users.create(user("anna"), 0).unwrap()).unwrap();
    assert!(world.get("anna").since > gone.last && world.get("anna").since > first);
    assert_eq!(Users::load(&world.store).unwrap().get(&id("anna")), world.users.get(&id("anna")));
}

#[test]
fn a_user_stored_before_its_begin_was_has_all_of_the_history() {
    let stored =
        r#"{"role":"user","password_hash":"h","email":null,"created_at":1,"updated_at":1,"tokens_valid_after":1}"#;
    assert_eq!(UserRecord::decode(b"anna", stored.as_bytes()).unwrap().since, SeqId::ZERO);
}

#[test]
fn what_is_not_there_and_what_is_there_already_are_told_apart() {
    let world = World::with(&["anna"]);
    let users = &world.users;
    assert!(matches!(users.create(user("anna"), 0), Err(UserError::Exists(_))));
    assert!(matches!(users.alter(&id("ben"), role(Role::Dba), 0), Err(UserError::Unknown(_))));
    assert!(matches!(users.revoke_tokens(&id("ben"), 0), Err(UserError::Unknown(_))));
    assert!(matches!(users.remove(&id("ben"), false), Err(UserError::Unknown(_))));
    assert!(users.remove(&id("ben"), true).unwrap().is_none());
    assert_eq!(UserError::Unknown(id("ben")).code(), ErrorCode::NotFound);
    assert_eq!(UserError::Exists(id("ben")).code(), ErrorCode::AlreadyExists);
}

#[test]
fn of_two_racing_changes_to_one_user_only_one_goes_through() {
    let world = World::with(&["anna"]);
    let one = world.users.alter(&id("anna"), role(Role::Dba), 2_000).unwrap();
    let two = world.users.alter(&id("anna"), password("another"), 2_000).unwrap();
    let gone = world.users.remove(&id("anna"), false).unwrap().unwrap();
    let twice = (world.users.create(user("ben"), 1).unwrap(), world.users.create(user("ben"), 2).unwrap());
    world.commit(one).unwrap();
    assert!(matches!(world.commit(two), Err(CommitError::Conflict)));
    assert!(matches!(world.commit(gone), Err(CommitError::Conflict)));
    world.commit(twice.0).unwrap();
    assert!(matches!(world.commit(twice.1), Err(CommitError::Conflict)));
    assert_eq!((world.get("anna").role, world.get("anna").password_hash.as_str()), (Role::Dba, "hash of anna"));
}

#[test]
fn i8_a_new_password_or_role_and_a_revocation_end_the_tokens_and_an_address_does_not() {
    let world = World::with(&["anna"]);
    let mut before = world.get("anna").tokens_valid_after;
    let ends = |change: UserChange| {
        world.commit(world.users.alter(&id("anna"), change, 1_000).unwrap()).unwrap();
        world.get("anna").tokens_valid_after
    };
    // The clock stands still; the mark grows all the same.
    for change in [password("p2"), role(Role::Service)] {
        let after = ends(change);
        assert!(after > before, "{after} {before}");
        before = after;
    }
    assert_eq!(ends(role(Role::Service)), before, "the same role is no change");
    assert_eq!(ends(email(Some("anna@example.org"))), before);
    world.commit(world.users.revoke_tokens(&id("anna"), 1_000).unwrap()).unwrap();
    assert!(world.get("anna").tokens_valid_after > before);
    assert_eq!(world.get("anna").email.as_deref(), Some("anna@example.org"));
}

#[test]
fn the_first_administrator_stays_one() {
    let world = World::new();
    world.commit(world.users.create(NewUser { role: Role::System, ..user("root") }, 0).unwrap()).unwrap();
    let root = UserId::root();
    assert!(matches!(world.users.remove(&root, true), Err(UserError::RootStays)));
    assert!(matches!(world.users.alter(&root, role(Role::User), 0), Err(UserError::RootStays)));
    assert!(world.users.alter(&root, role(Role::System), 0).is_ok());
    assert!(world.users.alter(&root, password("another"), 0).is_ok());
}

#[test]
fn an_address_has_an_at_and_is_bounded() {
    let world = World::with(&["anna"]);
    let long = format!("{}@example.org", "x".repeat(400));
    for bad in ["", "anna", "an na@example.org", "anna@example.org\n", long.as_str()] {
        assert!(matches!(world.users.alter(&id("anna"), email(Some(bad)), 0), Err(UserError::MalformedEmail)), "{bad}");
        let new = NewUser { email: Some(bad.to_owned()), ..user("ben") };
        assert!(matches!(world.users.create(new, 0), Err(UserError::MalformedEmail)), "{bad}");
    }
    world.commit(world.users.alter(&id("anna"), email(Some("a@b")), 0).unwrap()).unwrap();
    world.commit(world.users.alter(&id("anna"), email(None), 0).unwrap()).unwrap();
    assert_eq!(world.get("anna").email, None);
}

#[test]
fn s09_nothing_shows_a_password_hash() {
    let world = World::with(&["anna"]);
    let shown = format!("{:?} {:?} {:?} {:?}", world.users, world.get("anna"), user("anna"), password("hash of anna"));
    assert!(!shown.contains("hash of anna"), "{shown}");
}

#[test]
fn records_of_other_kinds_and_damaged_ones_leave_the_users_as_they_are() {
    let world = World::with(&["anna"]);
    let record = |key, value: &[u8]| RecordWrite {
        space: RecordSpace::Auth,
        key,
        expect: Expect::Any,
        value: Some(value.to_vec()),
    };
    let records = vec![
        record(AuthKey::revoked_pair(1), b"1"),
        record(AuthKey::user(&id("anna")), b"not a user"),
        record(vec![99], b"another kind"),
    ];
    let commit = Commit {
        first: SeqId(9),
        last: SeqId(9),
        at_micros: 0,
        changes: Vec::new(),
        records,
        dropped_tables: Vec::new(),
    };
    world.users.apply(&commit);
    assert_eq!(world.users.list().len(), 1);
    assert_eq!(world.get("anna").password_hash, "hash of anna");
}
