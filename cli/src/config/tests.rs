use super::*;

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

#[test]
fn what_stands_first_wins_and_the_rest_is_filled_up() {
    let flags = Settings { url: text("http://a"), ..Settings::default() };
    let file = Settings {
        url: text("http://b"),
        user: text("anna"),
        password: text("secret12"),
        namespace: text("chat"),
        ..Settings::default()
    };
    let joined = flags.or(file.clone());
    assert_eq!(joined, Settings { url: text("http://a"), ..file });
}

#[test]
fn a_password_is_never_sent_for_another_user() {
    let file = Settings { user: text("anna"), password: text("secret12"), token: text("t"), ..Settings::default() };
    let other = Settings { user: text("bert"), ..Settings::default() }.or(file.clone());
    assert_eq!((other.password, other.token), (None, None));
    let same = Settings { user: text("anna"), ..Settings::default() }.or(file.clone());
    assert_eq!((same.password, same.token), (text("secret12"), None));
    let token = Settings { token: text("mine"), ..Settings::default() }.or(file);
    assert_eq!((token.password, token.token), (None, text("mine")));
}

#[test]
fn the_password_of_the_environment_is_for_its_user_or_for_whoever_is_named() {
    let variables = |name: &str| match name {
        "KALAM_USER" => text("anna"),
        "KALAM_PASSWORD" => text("secret12"),
        "KALAM_TOKEN" => text(""),
        _ => None,
    };
    let bert = || Settings { user: text("bert"), ..Settings::default() };
    assert_eq!(bert().or(environment(variables)).password, None);
    let alone = |name: &str| variables(name).filter(|_| name != "KALAM_USER");
    let named = bert().or(environment(alone));
    assert_eq!((named.user, named.password, named.token), (text("bert"), text("secret12"), None));
}

#[test]
fn profiles_are_read_and_a_wrong_word_is_named() {
    let file = ConfigFile::parse(
        "default_profile = 'work'\n[profiles.work]\nurl = 'https://db.example.org'\nuser = 'anna'\n[profiles.home]\n",
    )
    .unwrap();
    assert_eq!(file.profile(None).unwrap().user, text("anna"));
    assert_eq!(file.profile(Some("home")).unwrap(), Settings::default());
    let missing = file.profile(Some("away")).unwrap_err();
    assert!(missing.text.contains("\"away\"") && missing.text.contains("home, work"), "{}", missing.text);
    for (wrong, named) in [
        ("urls = 1", "\"urls\""),
        ("[profiles.a]\nuser = 1", "profiles.a: user"),
        ("[profiles.a]\npasswort = 'x'", "\"passwort\""),
        ("profiles = 3", "profiles"),
    ] {
        let error = ConfigFile::parse(wrong).unwrap_err();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn without_a_file_there_are_no_settings() {
    let folder = tempfile::tempdir().unwrap();
    let file = ConfigFile::read(&folder.path().join("config.toml")).unwrap();
    assert_eq!(file.profile(None).unwrap(), Settings::default());
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, "[profiles.default]\nuser = 'anna'\n").unwrap();
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = ConfigFile::read(&path).unwrap_err();
        assert!(refused.text.contains("chmod 600"), "{}", refused.text);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(ConfigFile::read(&path).unwrap().profile(None).unwrap().user, text("anna"));
}

#[cfg(unix)]
#[test]
fn a_password_is_the_first_line_of_its_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "two words \nand more\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(read_password(&path).unwrap(), "two words ");
    fs::write(&path, "\n").unwrap();
    assert!(read_password(&path).is_err());
    assert!(read_password(&folder.path().join("none")).is_err());
}

#[test]
fn settings_never_show_their_secrets() {
    let settings = Settings { password: text("secret12"), token: text("t0ken"), ..Settings::default() };
    let shown = format!("{settings:?}");
    assert!(!shown.contains("secret12") && !shown.contains("t0ken"), "{shown}");
}

#[test]
fn files_lie_where_the_desktop_rules_say() {
    let home = |variable: &str| (variable == "HOME").then(|| PathBuf::from("/a"));
    assert_eq!(default_path(home), Some("/a/.config/kalam/config.toml".into()));
    assert_eq!(history_path(home), Some("/a/.local/state/kalam/history".into()));
    let set = |variable: &str| variable.starts_with("XDG").then(|| PathBuf::from("/x"));
    assert_eq!(history_path(set), Some("/x/kalam/history".into()));
    assert_eq!(history_path(|_| None), None);
}
