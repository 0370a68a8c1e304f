//! Certificates that go with their keys, and files that do not.

use super::*;

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tls/tests/cert.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tls/tests/key.pem");
const ANOTHER_KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tls/tests/other_key.pem");

fn error(certificate: &str, key: &str) -> String {
    match load(Path::new(certificate), Path::new(key)) {
        Ok(_) => panic!("{certificate} and {key} are taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_certificate_and_its_key_are_taken() {
    assert!(load(Path::new(CERTIFICATE), Path::new(KEY)).is_ok());
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    assert!(error(CERTIFICATE, ANOTHER_KEY).contains("cannot be used"));
}

#[test]
fn files_that_are_not_there_or_hold_something_else_are_named() {
    assert!(error("no-such.pem", KEY).contains("no-such.pem"));
    assert!(error(CERTIFICATE, "no-such.pem").contains("no-such.pem"));
    assert!(error(KEY, KEY).contains("no certificate"));
    assert!(error(CERTIFICATE, CERTIFICATE).contains("cert.pem"));
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_can_talk() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};
    let acceptor = load(Path::new(CERTIFICATE), Path::new(KEY)).unwrap();
    let (near, far) = tokio::io::duplex(4096);
    let server = tokio::spawn(async move {
        let mut stream = acceptor.accept(far).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(CERTIFICATE).unwrap()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), near).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "hello");
    server.await.unwrap();
}
