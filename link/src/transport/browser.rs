//! The world outside as a browser has it, and Node: `WebSocket`, `fetch`, timers, `Math.random`.
//!
//! Nothing is decided here. Which WebSocket is used is handed in, because Node before 22 has none of its
//! own; another one's events need not be instances of the browser's classes, so they are taken by shape.
//! A browser's WebSocket cannot be told to stop reading: what arrives between two turns of the driver waits
//! here, and the state machine bounds what is kept after that.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::poll_fn;
use js_sys::{Array, Function, Math, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, CloseEvent, MessageEvent, ReadableStreamDefaultReader, Response, WebSocket};

use super::{BoxFuture, HttpRequest, HttpResponse, Incoming, NetworkError, Socket, Transport};

/// Close code of a socket that ended without a close frame.
const ABNORMAL: u16 = 1006;

/// Longest time that one timer of JavaScript can take.
const TIMER_MAX: Duration = Duration::from_millis(i32::MAX as u64);

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = fetch)]
    fn fetch(url: &str, request: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, millis: i32) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);

    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn monotonic_millis() -> f64;
}

/// The transport of browsers and of Node.
#[derive(Debug, Clone, Default)]
pub struct Browser {
    web_socket: Option<Function>,
}

impl Browser {
    /// Opens its sockets with the global `WebSocket`.
    #[must_use]
    pub fn new() -> Self {
        Browser::default()
    }

    /// Opens its sockets with `web_socket`, a constructor with the interface of the browser's.
    #[must_use]
    pub fn with_web_socket(web_socket: Function) -> Self {
        Browser { web_socket: Some(web_socket) }
    }

    fn connect(&self, url: &str) -> Result<BrowserSocket, NetworkError> {
        let socket = match &self.web_socket {
            Some(constructor) => Reflect::construct(constructor, &Array::of1(&url.into())).map(JsValue::unchecked_into),
            None => WebSocket::new(url),
        };
        Ok(BrowserSocket::listening(socket.map_err(|error| network_error(&error))?))
    }
}

impl Transport for Browser {
    fn open(&self, url: &str) -> BoxFuture<'static, Result<Box<dyn Socket>, NetworkError>> {
        let socket = self.connect(url);
        Box::pin(async move {
            let socket = socket?;
            poll_fn(|cx| socket.poll_open(cx)).await?;
            Ok(Box::new(socket) as Box<dyn Socket>)
        })
    }

    fn post(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, NetworkError>> {
        Box::pin(async move { post(&request).await.map_err(|error| network_error(&error)) })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut left = duration;
            while !left.is_zero() {
                let step = left.min(TIMER_MAX);
                Timer::start(step).await;
                left = left.saturating_sub(step);
            }
        })
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        spawn_local(task);
    }

    fn now(&self) -> Duration {
        millis(monotonic_millis())
    }

    fn unix_now(&self) -> Duration {
        millis(js_sys::Date::now())
    }

    fn random(&self) -> f64 {
        Math::random()
    }
}

fn millis(count: f64) -> Duration {
    Duration::try_from_secs_f64(count / 1000.0).unwrap_or_default()
}

/// What JavaScript threw, as text, with its cause, where Node says what happened. It knows the address at most, never the
/// bearer or the body.
fn network_error(thrown: &JsValue) -> NetworkError {
    let message = message_of(thrown).or_else(|| thrown.as_string());
    let cause = Reflect::get(thrown, &"cause".into()).ok().and_then(|cause| message_of(&cause));
    let told: Vec<String> = message.into_iter().chain(cause).filter(|text| !text.is_empty()).collect();
    NetworkError(if told.is_empty() { "the request failed".to_owned() } else { told.join(": ") })
}

fn message_of(thrown: &JsValue) -> Option<String> {
    Reflect::get(thrown, &"message".into()).ok()?.as_string()
}

thread_local! {
    /// Listens to errors of all sockets. A close event follows each and tells what can be told, but without a
    /// listener the sockets of Node throw.
    static IGNORE: Closure<dyn FnMut(JsValue)> = Closure::new(|_: JsValue| {});
}

/// What the socket's events have left for the driver.
#[derive(Debug, Default)]
struct Inbox {
    open: bool,
    frames: VecDeque<String>,
    closed: Option<(u16, String)>,
    waker: Option<Waker>,
}

impl Inbox {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

struct BrowserSocket {
    socket: WebSocket,
    inbox: Rc<RefCell<Inbox>>,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

impl BrowserSocket {
    fn listening(socket: WebSocket) -> Self {
        let inbox = Rc::new(RefCell::new(Inbox::default()));
        let on_open = Closure::new({
            let inbox = Rc::clone(&inbox);
            move || {
                let mut inbox = inbox.borrow_mut();
                inbox.open = true;
                inbox.wake();
            }
        });
        let on_message = Closure::new({
            let inbox = Rc::clone(&inbox);
            // Binary frames are never asked for.
            move |event: MessageEvent| {
                if let Some(text) = event.data().as_string() {
                    let mut inbox = inbox.borrow_mut();
                    inbox.frames.push_back(text);
                    inbox.wake();
                }
            }
        });
        let on_close = Closure::new({
            let inbox = Rc::clone(&inbox);
            move |event: CloseEvent| {
                let mut inbox = inbox.borrow_mut();
                inbox.closed = Some((event.code(), event.reason()));
                inbox.wake();
            }
        });
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        IGNORE.with(|ignore| socket.set_onerror(Some(ignore.as_ref().unchecked_ref())));
        BrowserSocket { socket, inbox, _on_open: on_open, _on_message: on_message, _on_close: on_close }
    }

    fn poll_open(&self, cx: &mut Context<'_>) -> Poll<Result<(), NetworkError>> {
        let mut inbox = self.inbox.borrow_mut();
        if let Some((code, reason)) = &inbox.closed {
            return Poll::Ready(Err(could_not_open(*code, reason)));
        }
        if inbox.open {
            return Poll::Ready(Ok(()));
        }
        inbox.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn alive(&self) -> Result<(), NetworkError> {
        match &self.inbox.borrow().closed {
            Some((code, _)) => Err(NetworkError(format!("the socket was closed with {code}"))),
            None => Ok(()),
        }
    }
}

fn could_not_open(code: u16, reason: &str) -> NetworkError {
    let mut text = format!("the socket did not open ({code})");
    if !reason.is_empty() {
        text.push_str(": ");
        text.push_str(reason);
    }
    NetworkError(text)
}

impl Socket for BrowserSocket {
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        let mut inbox = self.inbox.borrow_mut();
        if let Some(text) = inbox.frames.pop_front() {
            return Poll::Ready(Incoming::Text(text));
        }
        if let Some((code, reason)) = inbox.closed.clone() {
            // 1005 says that the close frame had no code.
            let code = if code == 1005 { 1000 } else { code };
            return Poll::Ready(Incoming::Closed { code, reason });
        }
        inbox.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NetworkError>> {
        // The browser queues by itself and never says when it has sent: frames of a client are few and small.
        Poll::Ready(self.alive())
    }

    fn send(&mut self, text: String) -> Result<(), NetworkError> {
        self.alive()?;
        self.socket.send_with_str(&text).map_err(|error| network_error(&error))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NetworkError>> {
        Poll::Ready(self.alive())
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.inbox.borrow().closed.is_some() {
            return Poll::Ready(());
        }
        if self.socket.close_with_code(1000).is_err() {
            self.inbox.borrow_mut().closed = Some((ABNORMAL, String::new()));
            return Poll::Ready(());
        }
        self.inbox.borrow_mut().waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for BrowserSocket {
    fn drop(&mut self) {
        // The closures are about to go; an event that came later would call what is not there any more. Only errors are
        // still listened to: closing a socket that connects is one.
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        if self.inbox.borrow().closed.is_none() {
            let _ = self.socket.close_with_code(1000);
        }
    }
}

/// Stops a request when it is dropped before it is done.
struct Abort(AbortController);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn post(request: &HttpRequest) -> Result<HttpResponse, JsValue> {
    let abort = Abort(AbortController::new()?);
    let headers = Object::new();
    Reflect::set(&headers, &"content-type".into(), &"application/json".into())?;
    if let Some(bearer) = &request.bearer {
        Reflect::set(&headers, &"authorization".into(), &format!("Bearer {bearer}").into())?;
    }
    let options = Object::new();
    for (name, value) in [
        ("method", "POST".into()),
        ("headers", headers.into()),
        ("body", request.body.as_str().into()),
        ("signal", abort.0.signal().into()),
        ("credentials", "omit".into()),
        ("cache", "no-store".into()),
    ] {
        Reflect::set(&options, &name.into(), &value)?;
    }
    let response: Response = JsFuture::from(fetch(&request.url, &options)?).await?.unchecked_into();
    let body = read(&response, request.response_max_bytes).await?;
    Ok(HttpResponse { status: response.status(), body })
}

/// The body as text, given up once it is larger than it may be.
async fn read(response: &Response, bytes_max: usize) -> Result<String, JsValue> {
    let mut bytes = Vec::new();
    if let Some(body) = response.body() {
        let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
        loop {
            let step = JsFuture::from(reader.read()).await?;
            if Reflect::get(&step, &"done".into())?.is_truthy() {
                break;
            }
            let chunk: Uint8Array = Reflect::get(&step, &"value".into())?.unchecked_into();
            let start = bytes.len();
            let end = start.saturating_add(usize::try_from(chunk.length()).unwrap_or(usize::MAX));
            if end > bytes_max {
                return Err(format!("the answer is larger than {bytes_max} bytes").into());
            }
            bytes.resize(end, 0);
            if let Some(room) = bytes.get_mut(start..) {
                chunk.copy_to(room);
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| "the answer is not text".into())
}

#[derive(Default)]
struct Alarm {
    fired: bool,
    waker: Option<Waker>,
}

/// A timer of JavaScript; stopped when dropped.
struct Timer {
    alarm: Rc<RefCell<Alarm>>,
    timer: JsValue,
    _callback: Closure<dyn FnMut()>,
}

impl Timer {
    fn start(duration: Duration) -> Self {
        let alarm = Rc::new(RefCell::new(Alarm::default()));
        let callback = Closure::once({
            let alarm = Rc::clone(&alarm);
            move || {
                let mut alarm = alarm.borrow_mut();
                alarm.fired = true;
                if let Some(waker) = alarm.waker.take() {
                    waker.wake();
                }
            }
        });
        // Rounded up, so that no timer fires early.
        let millis = duration.as_micros().div_ceil(1000);
        let timer = set_timeout(callback.as_ref().unchecked_ref(), i32::try_from(millis).unwrap_or(i32::MAX));
        Timer { alarm, timer, _callback: callback }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.alarm.borrow_mut();
        if alarm.fired {
            return Poll::Ready(());
        }
        alarm.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(&self.timer);
    }
}
