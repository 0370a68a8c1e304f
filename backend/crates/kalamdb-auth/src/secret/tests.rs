//! Where the secret comes from, and who can see it.

use super::*;

#[test]
fn s01_a_secret_is_made_once_and_kept_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwt_secret");
    let made = Secret::load_or_create(&path).unwrap();
    assert_eq!(made.as_bytes().len(), 32);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert!(Secret::load_or_create(&path).unwrap() == made);
    let another = Secret::load_or_create(&dir.path().join("another_secret")).unwrap();
    assert!(another != made);
}

#[test]
fn s01_a_secret_file_that_others_can_read_is_closed_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwt_secret");
    let made = Secret::load_or_create(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(Secret::load_or_create(&path).unwrap() == made);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_damaged_secret_file_is_an_error_and_not_a_new_secret() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwt_secret");
    for text in ["", "c2hvcnQ", "not base64!", &"A".repeat(10_000)] {
        fs::write(&path, text).unwrap();
        let error = Secret::load_or_create(&path).unwrap_err();
        assert!(matches!(error, SecretError::Damaged { .. }), "{error}");
    }
    fs::write(&path, [0xff; 64]).unwrap();
    assert!(matches!(Secret::load_or_create(&path), Err(SecretError::Damaged { .. })));
}

#[test]
fn a_half_written_secret_of_a_crash_is_in_nobodys_way() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwt_secret");
    fs::write(path.with_extension("new"), "half").unwrap();
    Secret::load_or_create(&path).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn s01_a_short_secret_is_refused_and_not_repeated() {
    let error = Secret::new("thirty-one bytes, one too few..").unwrap_err();
    assert!(error.to_string().contains("32") && !error.to_string().contains("thirty"), "{error}");
    assert!(Secret::new("thirty-two bytes, exactly enough").is_ok());
}

#[test]
fn s09_a_secret_is_not_shown() {
    let secret = Secret::new("thirty-two bytes, exactly enough").unwrap();
    assert_eq!(format!("{secret:?}"), "Secret");
}
