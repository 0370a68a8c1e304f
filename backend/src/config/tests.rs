//! Settings as a whole: what is refused, and what is said of it.

mod pages;

use super::*;

fn load(args: &[&str], env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let args = ["kalamdb-server"].iter().chain(args).map(|arg| (*arg).to_owned());
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(args, env.collect::<Vec<_>>())
}

#[track_caller]
fn refused(args: &[&str], env: &[(&str, &str)]) -> String {
    load(args, env).expect_err("it is refused").to_string()
}

#[test]
fn nothing_has_to_be_set() {
    let config = load(&[], &[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:2900");
    assert_eq!(config.live.history_max_bytes, 1 << 30);
}

#[test]
fn a_wrong_value_is_named_with_where_it_stands_and_what_it_must_be() {
    for (variable, value, name, must) in [
        ("KALAMDB_WEBSOCKET__IDLE_TIMEOUT_SECS", "soon", "websocket.idle_timeout_secs", "from 1 to 86400"),
        ("KALAMDB_AUTH__ACCESS_TOKEN_TTL_SECS", "0", "auth.access_token_ttl_secs", "from 1 to"),
        ("KALAMDB_LIVE__BATCH_ROWS", "0", "live.batch_rows", "from 1 to"),
        ("KALAMDB_STORAGE__DURABILITY", "maybe", "storage.durability", "\"sync\" or \"interval\""),
        ("KALAMDB_SERVER__LISTEN", "nowhere", "server.listen", "127.0.0.1:2900"),
        ("KALAMDB_SERVER__LOG", "kalamdb=loud", "server.log", "filter"),
        ("KALAMDB_SERVER__NODE_ID", "", "server.node_id", "printable"),
        ("KALAMDB_SERVER__TLS_CERT_FILE", "cert.pem", "server.tls_key_file", "server.tls_cert_file"),
        ("KALAMDB_WEBSOCKET__ALLOWED_ORIGINS", "app.example.com", "websocket.allowed_origins", "https://"),
        ("KALAMDB_SERVER__TRUSTED_PROXIES", "proxy", "server.trusted_proxies", "10.0.0.0/8"),
    ] {
        let said = refused(&[], &[(variable, value)]);
        assert!(said.contains(&format!("\"{name}\"")) && said.contains(must), "{variable}: {said}");
    }
    assert!(refused(&["--listen", "here"], &[]).contains("--listen"));
}

#[test]
fn s01_a_short_secret_is_refused_and_not_repeated() {
    let said = refused(&[], &[("KALAMDB_AUTH__JWT_SECRET", "too-short-a-secret")]);
    assert!(said.contains("auth.jwt_secret") && said.contains("32"), "{said}");
    assert!(!said.contains("too-short-a-secret"), "{said}");
    assert!(refused(&[], &[("KALAMDB_AUTH__JWT_SECRET", "")]).contains("32"));
}

#[test]
fn s02_a_short_or_empty_root_password_is_refused_and_not_repeated() {
    for password in ["", "letmein"] {
        let said = refused(&[], &[("KALAMDB_ROOT_PASSWORD", password)]);
        assert!(said.contains("auth.root_password") && said.contains("8 to 1024"), "{said}");
        assert!(password.is_empty() || !said.contains(password), "{said}");
    }
}

#[test]
fn s21_an_address_of_the_outside_in_plain_text_needs_to_be_said() {
    let insecure = ("KALAMDB_SERVER__ALLOW_INSECURE", "true");
    for address in ["0.0.0.0:2900", "[::]:2900", "192.0.2.1:2900"] {
        let said = refused(&["--listen", address], &[]);
        assert!(said.contains("server.listen") && said.contains("server.allow_insecure"), "{said}");
        assert!(load(&["--listen", address], &[insecure]).is_ok());
        let tls = [("KALAMDB_SERVER__TLS_CERT_FILE", "c"), ("KALAMDB_SERVER__TLS_KEY_FILE", "k")];
        assert!(load(&["--listen", address], &tls).is_ok());
        let said = refused(&[], &[("KALAMDB_SERVER__ADMIN_LISTEN", address)]);
        assert!(said.contains("server.admin_listen"), "{said}");
    }
    for address in ["127.0.0.1:0", "127.9.9.9:2900", "[::1]:2900"] {
        assert!(load(&["--listen", address], &[("KALAMDB_SERVER__ADMIN_LISTEN", address)]).is_ok());
    }
}

#[test]
fn s09_the_configuration_shows_no_secret() {
    let env = [
        ("KALAMDB_AUTH__JWT_SECRET", "a secret that nobody sees at all"),
        ("KALAMDB_ROOT_PASSWORD", "a password nobody sees"),
    ];
    let config = load(&[], &env).unwrap();
    assert!(!format!("{config:?}").contains("nobody sees"), "{config:?}");
}
