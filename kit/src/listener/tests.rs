use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
    time::Instant,
};

use super::{begun::PREFACE, *};
use crate::tls;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// A server that answers every request after a while.
struct Server {
    address: SocketAddr,
    stop: Stop,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(limits: Limits, work: Duration) -> Self {
        Self::on(None, limits, work).await
    }

    async fn over_tls(tls: &ServerTls, limits: Limits) -> Self {
        Self::on(Some(tls.clone()), limits, Duration::ZERO).await
    }

    async fn on(tls: Option<ServerTls>, limits: Limits, work: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = tower::service_fn(move |_: Request<Received>| async move {
            tokio::time::sleep(work).await;
            Ok::<_, Infallible>(Response::new("done".to_owned()))
        });
        let stop = Stop::default();
        let task = tokio::spawn(serve_within(listener, tls, service, stop.clone(), limits));
        Self {
            address,
            stop,
            task,
        }
    }

    async fn connect(&self, first: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(first).await.unwrap();
        stream
    }
}

fn limits(head: u64) -> Limits {
    Limits {
        connections: 2,
        head: Duration::from_millis(head),
        // Hyper is let go of wherever that is possible.
        held: 0,
        linger: Duration::from_millis(500),
        drain: Duration::from_secs(5),
    }
}

/// All that the server sends till it closes, and how long that took.
async fn to_the_end(mut stream: TcpStream) -> (String, Duration) {
    let begun = Instant::now();
    let mut text = Vec::new();
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut text)).await;
    // Closing in the middle of what a client sends is a reset.
    let _ = read.expect("the server closes the connection");
    (String::from_utf8_lossy(&text).into_owned(), begun.elapsed())
}

async fn one_answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"done") {
        let read = timeout(Duration::from_secs(5), stream.read_buf(&mut text)).await;
        assert_ne!(read.unwrap().unwrap(), 0, "no answer");
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn who_does_not_send_a_head_loses_the_place() {
    let server = Server::start(limits(200), Duration::ZERO).await;
    let beginnings: [&[u8]; 5] = [
        b"",
        &PREFACE[..1],
        &PREFACE[..20],
        b"GET / HTTP/1.1\r\nHost:",
        // One request, and then nothing more.
        REQUEST,
    ];
    for beginning in beginnings {
        let stream = server.connect(beginning).await;
        let (answer, took) = to_the_end(stream).await;
        assert_eq!(answer.ends_with("done"), beginning == REQUEST, "{answer}");
        assert!(
            took >= Duration::from_millis(150),
            "{beginning:?}: {took:?}"
        );
    }
}

#[tokio::test]
async fn who_does_not_shake_hands_loses_the_place() {
    let tls = tls::tests::server();
    let server = Server::over_tls(&tls, limits(200)).await;
    for beginning in [&b""[..], &[22, 3, 1], &[22, 3, 1, 2, 0, 1]] {
        let (answer, took) = to_the_end(server.connect(beginning).await).await;
        assert_eq!(answer, "");
        assert!(took >= Duration::from_millis(150), "{took:?}");
    }
    // And who is done with that and silent then.
    let stream = server.connect(b"").await;
    let mut stream = tls::tests::connect(&tls, stream, b"h2").await;
    let mut nothing = Vec::new();
    let read = stream.read_to_end(&mut nothing);
    let _ = timeout(Duration::from_secs(5), read).await.unwrap();
    // What is no TLS at all is not served.
    let (answer, _) = to_the_end(server.connect(REQUEST).await).await;
    assert!(!answer.contains("done"), "{answer}");
}

#[tokio::test]
async fn the_protocol_is_agreed_upon_in_the_handshake() {
    let tls = tls::tests::server();
    let server = Server::over_tls(&tls, limits(2_000)).await;
    for protocol in [&b"h2"[..], b"http/1.1"] {
        let stream = server.connect(b"").await;
        let stream = tls::tests::connect(&tls, stream, protocol).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
    }
}

#[tokio::test]
async fn the_silent_do_not_keep_others_out() {
    let server = Server::start(limits(200), Duration::ZERO).await;
    let silent = [server.connect(b"").await, server.connect(b"PRI").await];
    // Both places are taken; this one waits for the first to be free again.
    let mut stream = server.connect(REQUEST).await;
    assert!(one_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    drop(silent);
}

#[tokio::test]
async fn a_head_in_pieces_is_one_head() {
    let server = Server::start(limits(2_000), Duration::ZERO).await;
    // "P" may still become the preface of HTTP/2.
    let whole = b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut stream = server.connect(b"").await;
    for byte in whole {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(one_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_closing_server_serves_the_connections_that_it_has() {
    let server = Server::start(limits(2_000), Duration::from_millis(100)).await;
    let mut old = server.connect(REQUEST).await;
    one_answer(&mut old).await;
    server.stop.closing.cancel();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    old.write_all(REQUEST).await.unwrap();
    assert!(one_answer(&mut old).await.starts_with("HTTP/1.1 200"));
    assert!(!server.task.is_finished());
    server.stop.ending.cancel();
    assert_eq!(to_the_end(old).await.0, "");
    server.task.await.unwrap();
}

#[tokio::test]
async fn an_ending_server_answers_the_request_that_was_just_being_sent() {
    let server = Server::start(limits(4_000), Duration::ZERO).await;
    let mut kept = server.connect(REQUEST).await;
    assert!(!one_answer(&mut kept).await.contains("close"));
    let idle = server.connect(REQUEST).await;
    server.stop.at_once();
    tokio::time::sleep(Duration::from_millis(100)).await;
    kept.write_all(REQUEST).await.unwrap();
    let (answer, _) = to_the_end(kept).await;
    assert!(answer.ends_with("done"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    // And who sends nothing is not waited for much longer.
    let (_, took) = to_the_end(idle).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    server.task.await.unwrap();
}

#[tokio::test]
async fn who_has_connected_before_the_end_is_served() {
    let server = Server::start(limits(4_000), Duration::ZERO).await;
    // Of these the server has accepted none when the end comes: it runs on
    // the same thread, and std's streams do not wait for it.
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(server.address).unwrap();
            std::io::Write::write_all(&mut stream, REQUEST).unwrap();
            stream.set_nonblocking(true).unwrap();
            TcpStream::from_std(stream).unwrap()
        })
        .collect();
    server.stop.at_once();
    for stream in waiting {
        let (answer, _) = to_the_end(stream).await;
        assert!(answer.ends_with("done"), "{answer}");
    }
    server.task.await.unwrap();
}

#[tokio::test]
async fn an_ending_server_answers_what_it_has_taken_and_drops_the_silent() {
    let server = Server::start(limits(4_000), Duration::from_millis(300)).await;
    let silent = server.connect(b"").await;
    let busy = server.connect(REQUEST).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    server.stop.at_once();
    let (answer, _) = to_the_end(busy).await;
    assert!(answer.ends_with("done"), "{answer}");
    to_the_end(silent).await;
    server.task.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
}
