//! Starts that fail, and the doors that a start opens.

use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::*;

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tls/tests/cert.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tls/tests/key.pem");

fn config(dir: &Path, settings: &[(&str, &str)]) -> Config {
    let data = dir.join("data").display().to_string();
    let mut env = vec![
        ("KALAMDB_SERVER__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
        ("KALAMDB_SERVER__DATA_DIR".to_owned(), data),
    ];
    env.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Config::load(["kalamdb-server".to_owned()], env).unwrap()
}

/// The whole answer to `GET path`.
async fn get(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_a_start_that_fails_does_not_use_up_the_password() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for setting in ["KALAMDB_SERVER__LISTEN", "KALAMDB_SERVER__ADMIN_LISTEN"] {
        let failed = Server::start(config(dir.path(), &[(setting, &address)])).await.unwrap_err();
        assert_eq!(failed.to_string(), format!("cannot listen on {address}"));
    }
    let server = Server::start(config(dir.path(), &[])).await.unwrap();
    assert!(server.greeting().contains("password"), "it is told by the first start that succeeds");
    server.stop().await;
    let server = Server::start(config(dir.path(), &[])).await.unwrap();
    assert!(!server.greeting().contains("password"), "and by no other");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_a_configured_password_is_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let password = ("KALAMDB_ROOT_PASSWORD", "correct horse battery staple");
    let server = Server::start(config(dir.path(), &[password])).await.unwrap();
    assert!(server.greeting().contains(&server.addr().to_string()), "{}", server.greeting());
    assert!(!server.greeting().contains("password") && !format!("{server:?}").contains("horse"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_do_not_share_their_data() {
    let dir = tempfile::tempdir().unwrap();
    let first = Server::start(config(dir.path(), &[])).await.unwrap();
    let refused = Server::start(config(dir.path(), &[])).await.unwrap_err();
    assert!(matches!(refused, StartError::Store(OpenError::Locked { .. })), "{refused}");
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s21_with_a_certificate_the_server_speaks_tls_only() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [("KALAMDB_SERVER__TLS_CERT_FILE", CERTIFICATE), ("KALAMDB_SERVER__TLS_KEY_FILE", KEY)];
    let server = Server::start(config(dir.path(), &settings)).await.unwrap();
    assert!(server.greeting().contains("https://"), "{}", server.greeting());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(CERTIFICATE).unwrap()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let plain = TcpStream::connect(server.addr()).await.unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), plain).await.unwrap();
    let answer = get(stream, "/health").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("healthy"), "{answer}");

    let mut plain = TcpStream::connect(server.addr()).await.unwrap();
    plain.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ended = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("healthy"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s22_the_address_for_operators_has_metrics_and_nothing_of_applications() {
    let dir = tempfile::tempdir().unwrap();
    let probe = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = probe.local_addr().unwrap();
    drop(probe);
    let setting = ("KALAMDB_SERVER__ADMIN_LISTEN", admin.to_string());
    let server = Server::start(config(dir.path(), &[(setting.0, &setting.1)])).await.unwrap();
    let ask = |path| async move { get(TcpStream::connect(admin).await.unwrap(), path).await };
    let metrics = ask("/metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("kalamdb_"), "{metrics}");
    assert!(ask("/health").await.starts_with("HTTP/1.1 200"));
    for path in ["/v1/api/auth/status", "/v1/api/sql"] {
        assert!(ask(path).await.starts_with("HTTP/1.1 404"), "{path}");
    }
    server.stop().await;
    assert!(TcpStream::connect(admin).await.is_err(), "it ends with the server");
}
