//! What every test server is started with, in the words of its environment.

/// Password of `root` on every test server.
pub const ROOT_PASSWORD: &str = "correct horse battery staple";

/// `websocket.idle_timeout_secs` as the environment writes it.
pub(crate) fn environment_name(key: &str) -> String {
    format!("KALAMDB_{}", key.replace('.', "__").to_uppercase())
}
