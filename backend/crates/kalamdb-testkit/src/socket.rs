//! One WebSocket, spoken by hand.

use std::collections::VecDeque;
use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value as Json, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async_with_config};

use crate::PATIENCE;
use crate::http::seq_of;
use crate::live_rows::LiveRows;

/// One WebSocket. Frames that one call does not want are kept for the next that does.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    kept: VecDeque<Json>,
    progress: u64,
    /// The `auth_success` that opened it; null before.
    pub welcome: Json,
}

/// Room of a narrow socket. With less than a few units of TCP's window (which are of 1 KiB where windows may grow
/// large) the window can look shut for ever, and then one segment comes with each probe, five in a second.
const NARROW_BYTES: u32 = 16 << 10;

/// How a socket ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Close code; 1006 if the stream just ended.
    pub code: u16,
    /// Text for people.
    pub reason: String,
}

enum Incoming {
    Frame(Json),
    Closed(Closed),
}

impl Socket {
    /// The upgrade request, for headers and query parameters of one's own.
    #[must_use]
    pub fn request(addr: SocketAddr, query: &str) -> Request {
        format!("ws://{addr}/v1/ws{query}").into_client_request().expect("a request")
    }

    /// Opens a socket with a bearer token and waits for the welcome.
    pub async fn connect(addr: SocketAddr, token: &str) -> Self {
        let mut request = Self::request(addr, "");
        let bearer = format!("Bearer {token}").parse().expect("a header");
        request.headers_mut().insert("authorization", bearer);
        let mut socket = Self::try_open(request).await.expect("the upgrade is granted");
        let welcome = socket.next().await;
        assert_eq!(welcome["type"], "auth_success", "{welcome}");
        socket.welcome = welcome;
        socket
    }

    /// Opens a socket that has yet to authenticate.
    pub async fn open(addr: SocketAddr) -> Self {
        Self::try_open(Self::request(addr, "")).await.expect("the upgrade is granted")
    }

    /// Sends the upgrade request.
    ///
    /// # Errors
    /// HTTP status of a refusal, or 0 if there was no answer at all.
    pub async fn try_open(request: Request) -> Result<Self, u16> {
        use tokio_tungstenite::tungstenite::Error;
        // The buffer that is usual is large where there are thousands of sockets.
        let config = WebSocketConfig::default().read_buffer_size(8 << 10);
        let opening = connect_async_with_config(request, Some(config), false);
        match timeout(PATIENCE, opening).await.expect("the server answers in time") {
            Ok((stream, _)) => Ok(Socket { stream, kept: VecDeque::new(), progress: 0, welcome: Json::Null }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(_) => Err(0),
        }
    }

    /// The same as [`Socket::try_open`], with little room for what is not read yet, so that a client which does
    /// not read is felt by the server soon.
    ///
    /// # Errors
    /// As there.
    pub async fn try_open_narrow(addr: SocketAddr, request: Request) -> Result<Self, u16> {
        use tokio_tungstenite::tungstenite::Error;
        let tcp = TcpSocket::new_v4().map_err(|_| 0_u16)?;
        tcp.set_recv_buffer_size(NARROW_BYTES).map_err(|_| 0_u16)?;
        let stream =
            timeout(PATIENCE, tcp.connect(addr)).await.expect("the server accepts in time").map_err(|_| 0_u16)?;
        let upgrade = client_async(request, MaybeTlsStream::Plain(stream));
        match timeout(PATIENCE, upgrade).await.expect("the server answers in time") {
            Ok((stream, _)) => Ok(Socket { stream, kept: VecDeque::new(), progress: 0, welcome: Json::Null }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(_) => Err(0),
        }
    }

    /// The next frame as it comes, whatever it is, or how the socket ended. May be dropped and called again
    /// without losing anything.
    ///
    /// # Errors
    /// [`Closed`] when nothing comes any more.
    pub async fn frame(&mut self) -> Result<Json, Closed> {
        if let Some(frame) = self.kept.pop_front() {
            return Ok(frame);
        }
        match self.receive().await {
            Incoming::Frame(frame) => Ok(frame),
            Incoming::Closed(closed) => Err(closed),
        }
    }

    /// Name of the connection.
    #[must_use]
    pub fn connection_id(&self) -> String {
        self.welcome["connection_id"].as_str().expect("an authenticated socket").to_owned()
    }

    /// Sends an `authenticate` frame and gives the answer.
    pub async fn authenticate(&mut self, token: &str) -> Json {
        self.send(&json!({ "type": "authenticate", "method": "jwt", "token": token })).await;
        let answer = self.next_where(|frame| matches!(kind(frame), "auth_success" | "auth_error" | "error")).await;
        if answer["type"] == "auth_success" {
            self.welcome = answer.clone();
        }
        answer
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Json) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends any text. A socket that the server has closed takes it silently.
    pub async fn send_text(&mut self, text: &str) {
        let _ = timeout(PATIENCE, self.stream.send(Message::text(text))).await.expect("the server reads");
    }

    /// Sends bytes.
    pub async fn send_binary(&mut self, bytes: Vec<u8>) {
        let _ = timeout(PATIENCE, self.stream.send(Message::binary(bytes))).await.expect("the server reads");
    }

    /// Closes from this side and waits for the server's answer.
    pub async fn close(mut self) -> Closed {
        let _ = self.stream.close(None).await;
        self.closed().await
    }

    async fn receive(&mut self) -> Incoming {
        let gone = Closed { code: 1006, reason: String::new() };
        loop {
            let message = timeout(PATIENCE, self.stream.next()).await.expect("a frame comes in time");
            match message {
                Some(Ok(Message::Text(text))) => {
                    let frame: Json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"));
                    if frame["type"] == "progress" {
                        self.progress = seq_of(&frame["seq"]).expect("progress has a seq");
                    }
                    if frame["type"] == "subscription_ack" {
                        // What was told before did not count the subscription that begins here.
                        self.progress = 0;
                    }
                    return Incoming::Frame(frame);
                }
                Some(Ok(Message::Close(close))) => {
                    let close = close.map(|c| Closed { code: c.code.into(), reason: c.reason.to_string() });
                    return Incoming::Closed(close.unwrap_or(Closed { code: 1005, reason: String::new() }));
                }
                Some(Ok(Message::Binary(_))) => panic!("a binary frame nobody asked for"),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Incoming::Closed(gone),
            }
        }
    }

    /// The next frame that `wanted` takes, kept ones first.
    pub async fn next_where(&mut self, wanted: impl Fn(&Json) -> bool) -> Json {
        if let Some(at) = self.kept.iter().position(&wanted) {
            return self.kept.remove(at).expect("the position is inside");
        }
        loop {
            match self.receive().await {
                Incoming::Frame(frame) if wanted(&frame) => return frame,
                Incoming::Frame(frame) if frame["type"] == "progress" => {}
                Incoming::Frame(frame) => self.kept.push_back(frame),
                Incoming::Closed(closed) => panic!("the socket closed: {closed:?}, kept {:?}", self.kept),
            }
        }
    }

    /// The next frame that is not `progress`.
    pub async fn next(&mut self) -> Json {
        self.next_where(|frame| frame["type"] != "progress").await
    }

    /// The next frame of one subscription.
    pub async fn next_of(&mut self, id: &str) -> Json {
        self.next_where(|frame| frame["subscription_id"] == id).await
    }

    /// Waits until everything up to `seq` that concerns this connection is here.
    pub async fn until(&mut self, seq: u64) {
        while self.progress < seq {
            match self.receive().await {
                Incoming::Frame(frame) if frame["type"] == "progress" => {}
                Incoming::Frame(frame) => self.kept.push_back(frame),
                Incoming::Closed(closed) => panic!("the socket closed: {closed:?}"),
            }
        }
    }

    /// The highest `seq` of a `progress` frame so far.
    #[must_use]
    pub fn progress(&self) -> u64 {
        self.progress
    }

    /// Takes the kept frames of one subscription.
    pub fn take_of(&mut self, id: &str) -> Vec<Json> {
        let (of, rest): (Vec<Json>, Vec<Json>) = self.kept.drain(..).partition(|frame| frame["subscription_id"] == id);
        self.kept = rest.into();
        of
    }

    /// Reads on until the socket is closed, and tells how it was.
    pub async fn closed(&mut self) -> Closed {
        loop {
            match self.receive().await {
                Incoming::Frame(frame) if frame["type"] == "progress" => {}
                Incoming::Frame(frame) => self.kept.push_back(frame),
                Incoming::Closed(closed) => return closed,
            }
        }
    }

    /// Sends `subscribe`; `options` is left out if it is `{}`.
    pub async fn send_subscribe(&mut self, id: &str, sql: &str, params: &[Json], options: Json) {
        let mut subscription = json!({ "id": id, "sql": sql });
        if !params.is_empty() {
            subscription["params"] = json!(params);
        }
        if options != json!({}) {
            subscription["options"] = options;
        }
        self.send(&json!({ "type": "subscribe", "subscription": subscription })).await;
    }

    /// Subscribes and reads the whole snapshot.
    pub async fn subscribe(&mut self, id: &str, sql: &str) -> LiveRows {
        self.subscribe_with(id, sql, &[], json!({})).await
    }

    /// Subscribes with parameters and options, and reads all there is to read at once.
    pub async fn subscribe_with(&mut self, id: &str, sql: &str, params: &[Json], options: Json) -> LiveRows {
        let partial = options.is_null() || options["without_initial"] == true || !options["last_rows"].is_null();
        self.send_subscribe(id, sql, params, options).await;
        let ack = self.next_of(id).await;
        let mut rows = LiveRows::new(&ack);
        if partial {
            rows = rows.partial();
        }
        self.load(&mut rows).await;
        rows
    }

    /// Subscribes again where `rows` stands, and reads what there is to read at once.
    pub async fn resume(&mut self, rows: &mut LiveRows, sql: &str) -> Json {
        let id = rows.id.clone();
        self.send_subscribe(&id, sql, &[], json!({ "from": rows.seq() })).await;
        let ack = self.next_of(&id).await;
        rows.resumed(&ack);
        self.load(rows).await;
        ack
    }

    /// Reads pages until the snapshot is whole.
    pub async fn load(&mut self, rows: &mut LiveRows) {
        while !rows.ready() {
            let frame = self.next_of(&rows.id).await;
            if rows.apply(&frame) {
                let next = json!({ "type": "next_batch", "subscription_id": rows.id, "last_seq_id": frame["batch_control"]["last_seq_id"] });
                self.send(&next).await;
            }
        }
    }

    /// Brings `rows` to where everything up to `seq` has been applied.
    pub async fn follow(&mut self, rows: &mut LiveRows, seq: u64) {
        self.until(seq).await;
        for frame in self.take_of(&rows.id) {
            rows.apply(&frame);
        }
        self.load(rows).await;
    }

    /// Ends a subscription and gives the answer's `status`.
    pub async fn unsubscribe(&mut self, id: &str) -> String {
        self.send(&json!({ "type": "unsubscribe", "subscription_id": id })).await;
        let is_ack = |frame: &Json| frame["type"] == "unsubscribe_ack" && frame["subscription_id"] == id;
        let ack = self.next_where(is_ack).await;
        ack["status"].as_str().expect("an unsubscribe_ack has a status").to_owned()
    }
}

fn kind(frame: &Json) -> &str {
    frame["type"].as_str().unwrap_or_default()
}
