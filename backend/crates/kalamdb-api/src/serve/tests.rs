use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// An entrance to the operators' routes.
fn entrance(header_timeout: Duration, connections_per_address_max: usize) -> Entrance {
    Entrance {
        routes: admin_routes(),
        tls: None,
        trusted_proxies: Vec::new(),
        header_timeout,
        write_timeout: PATIENCE,
        all: Gate::new(0, 0),
        by_address: Gate::new(0, connections_per_address_max),
        shutdown: CancellationToken::new(),
    }
}

/// Opens it; gives its address, what shuts it, and its end.
async fn open(entrance: Entrance) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), entrance.shutdown.clone());
    let (_, rest) = mpsc::channel(1);
    (address, shutdown, tokio::spawn(keep_open(listener, entrance, rest, PATIENCE)))
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the stream ends in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn s19_a_head_that_comes_slowly_or_never_is_not_waited_for() {
    let (address, ..) = open(entrance(Duration::from_millis(100), 0)).await;
    for beginning in ["", "G", "GET /health HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        assert!(!read_to_end(&mut stream).await.contains("200 OK"), "{beginning:?}");
    }
}

#[tokio::test]
async fn s19_a_tls_handshake_that_stays_half_open_is_cut_off() {
    let config = tokio_rustls::rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(tokio_rustls::rustls::server::ResolvesServerCertUsingSni::new()));
    let tls = Some(TlsAcceptor::from(Arc::new(config)));
    let (address, ..) = open(Entrance { tls, ..entrance(Duration::from_millis(100), 0) }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
    read_to_end(&mut stream).await;
}

#[tokio::test]
async fn s15_connections_of_one_address_are_limited_and_leave_room_when_they_end() {
    let (address, ..) = open(entrance(PATIENCE, 1)).await;
    let ask = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    let _ = second.write_all(ask).await;
    assert_eq!(read_to_end(&mut second).await, "");
    first.write_all(ask).await.unwrap();
    assert!(read_to_end(&mut first).await.contains("healthy"));
    let again = async {
        loop {
            let mut third = TcpStream::connect(address).await.unwrap();
            let _ = third.write_all(ask).await;
            if read_to_end(&mut third).await.contains("healthy") {
                return;
            }
        }
    };
    timeout(PATIENCE, again).await.expect("there is room again");
}

#[tokio::test]
async fn a_shutdown_ends_idle_connections_at_once_and_takes_no_new_ones() {
    let (address, shutdown, end) = open(entrance(PATIENCE, 0)).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut read = [0; 12];
    idle.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"HTTP/1.1 200");
    shutdown.cancel();
    read_to_end(&mut idle).await;
    timeout(PATIENCE, end).await.expect("it ends in time").unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
