//! The defaults are those of the parts, and what is shown is what was set.

use super::*;

#[test]
fn the_defaults_are_those_of_the_parts() {
    let config = Config::default();
    assert_eq!(config.limits(), Limits::default());
    assert_eq!(format!("{:?}", config.live_options()), format!("{:?}", LiveOptions::default()));
    assert_eq!(format!("{:?}", config.store_options()), format!("{:?}", StoreOptions::new("./data")));
}

#[test]
fn interval_durability_brings_its_interval() {
    let mut config = Config::default();
    config.storage.durability = DurabilityMode::Interval;
    config.storage.sync_interval_ms = 7;
    assert_eq!(config.store_options().durability, Durability::Interval { millis: 7 });
}

#[test]
fn s09_system_settings_show_values_and_no_secrets() {
    let mut config = Config::default();
    config.auth.root_password = Some(Hidden("a password nobody sees".to_owned()));
    config.auth.jwt_secret = Some(Hidden("a secret that nobody sees at all".to_owned()));
    let rows = config.setting_rows(7);
    assert!(!format!("{rows:?}").contains("nobody sees"));
    let value = |name: &str| rows.iter().find(|row| row.name == name).unwrap().value.clone();
    assert_eq!(value("auth.jwt_secret"), None);
    assert_eq!(value("server.listen").as_deref(), Some("127.0.0.1:2900"));
    assert_eq!(value("websocket.idle_timeout_secs").as_deref(), Some("30"));
    assert_eq!(value("websocket.allowed_origins").as_deref(), Some("[]"));
    assert_eq!(value("about.epoch").as_deref(), Some("7"));
    assert!(rows.iter().all(|row| row.description.ends_with('.') && !row.description.contains("  ")));
}

#[test]
fn s01_the_secret_is_the_configured_one_or_made_in_the_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.server.data_dir = dir.path().to_owned();
    let made = config.auth_options().unwrap().secret;
    assert!(config.auth_options().unwrap().secret == made);
    config.auth.jwt_secret = Some(Hidden("thirty-two bytes, exactly enough".to_owned()));
    assert!(config.auth_options().unwrap().secret != made);
}
