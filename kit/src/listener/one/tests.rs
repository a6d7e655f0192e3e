use std::{convert::Infallible, sync::atomic::AtomicBool};

use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use super::*;
use crate::listener::begun::begin;

/// How long an answer takes, so that hyper is waiting for it.
const WORK: Duration = Duration::from_millis(10);

/// Tells that it is gone.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Serves one client, who says what `say` says; what it was told, without dates.
/// Hyper may wait on so many connections.
async fn exchange(most: usize, pieces: &[&[u8]]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let serving = async move {
        let (stream, _) = begin(stream, None).await.unwrap();
        let one = One::new(Duration::from_millis(300), most);
        let ending = std::pin::pin!(std::future::pending());
        // A client that breaks off is no news.
        let _ = one.serve(stream, answer, ending).await;
        assert_eq!(one.held.load(Ordering::SeqCst), 0);
    };
    let saying = async {
        for piece in pieces {
            client.write_all(piece).await.unwrap();
            sleep(2 * WORK).await;
        }
        let mut told = Vec::new();
        // Whoever is told that it was wrong may find the connection reset.
        let _ = client.read_to_end(&mut told).await;
        String::from_utf8(told).unwrap()
    };
    let ((), told) = tokio::join!(serving, saying);
    let lines = told.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("date: ")).collect()
}

async fn answer(request: Request<Received>) -> Result<Response<String>, Infallible> {
    let (head, body) = request.into_parts();
    let read = match head.uri.path() {
        "/unread" => 0,
        _ => body.collect().await.map_or(0, |body| body.to_bytes().len()),
    };
    sleep(WORK).await;
    let said = format!("{} {} of {read} bytes", head.method, head.uri);
    Ok(Response::new(said))
}

#[tokio::test]
async fn a_client_is_told_the_same_whether_hyper_is_let_go_of_or_not() {
    let long = [
        &b"POST /long HTTP/1.1\r\ncontent-length: 100000\r\n\r\n"[..],
        &b"a".repeat(100_000),
    ]
    .concat();
    let large = [
        b"GET /large HTTP/1.1\r\nx: ",
        &[b'a'; 5_000][..],
        b"\r\n\r\nGET /next HTTP/1.1\r\n\r\n",
    ]
    .concat();
    let rows: &[(&[&[u8]], usize)] = &[
        (&[b"GET /a HTTP/1.1\r\n\r\n"], 1),
        (&[b"GET /a HTTP/1.1\r\n\r\n", b"HEAD /b HTTP/1.1\r\n\r\n", b"GET /c HTTP/1.1\r\n\r\n"], 3),
        (&[b"POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello"], 1),
        // The body comes later and in pieces, and the next head with its end.
        (
            &[
                b"POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\n",
                b"he",
                b"lloGET /b HTTP/1.1\r\n",
                b"\r\n",
            ],
            2,
        ),
        // In chunks, with trailers.
        (
            &[
                b"POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n",
                b"3\r\nllo\r\n0\r\nx: y\r\n\r\n",
                b"POST /b HTTP/1.1\r\ncontent-length: 1\r\n\r\n!",
            ],
            2,
        ),
        // All at once, and while the first is being answered.
        (&[b"GET /a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\ncontent-length: 1\r\n\r\n!GET /c HTTP/1.1\r\n\r\n"], 3),
        (&[b"GET /a HTTP/1.1\r\n\r\nGET /b HT", b"TP/1.1\r\n\r\n"], 2),
        (&[b"GET /a HTTP/1.0\r\n\r\n"], 1),
        (&[b"GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", b"GET /b HTTP/1.0\r\n\r\n"], 2),
        (&[b"GET /a HTTP/1.1\r\nconnection: close\r\n\r\n", b"GET /b HTTP/1.1\r\n\r\n"], 1),
        (&[b"POST /a HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n", b"!"], 1),
        (&[b"POST /unread HTTP/1.1\r\ncontent-length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n\r\n"], 2),
        (&[b"POST /unread HTTP/1.1\r\ncontent-length: 5\r\n\r\nhe", b"llo"], 1),
        (&[b"GET /a HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n"], 1),
        (&[&long], 1),
        (&[&large], 2),
    ];
    for (pieces, answers) in rows {
        let kept = exchange(usize::MAX, pieces).await;
        assert_eq!(kept.matches(" 200 OK\r\n").count(), *answers, "{kept}");
        assert_eq!(exchange(0, pieces).await, kept);
    }
}

#[tokio::test]
async fn who_hangs_up_is_not_answered_any_further() {
    for most in [0, usize::MAX] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let gone = Arc::new(AtomicBool::new(false));
        let (begun, has_begun) = tokio::sync::watch::channel(());
        let told = gone.clone();
        let one = Arc::new(One::new(Duration::from_secs(10), most));
        let on = one.clone();
        let serving = tokio::spawn(async move {
            let (stream, _) = begin(stream, None).await.unwrap();
            let ending = std::pin::pin!(std::future::pending());
            let answer = |_| {
                let (gone, begun) = (Gone(told.clone()), begun.clone());
                async move {
                    begun.send_replace(());
                    std::future::pending::<()>().await;
                    drop(gone);
                    Ok(Response::new(String::new()))
                }
            };
            // Hyper calls it an error.
            let _ = on.serve(stream, answer, ending).await;
        });
        let mut has_begun = has_begun;
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        has_begun.changed().await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(one.held.load(Ordering::SeqCst), usize::from(most > 0));
        assert!(!gone.load(Ordering::SeqCst));
        drop(client);
        let ended = tokio::time::timeout(Duration::from_secs(5), serving).await;
        ended.expect("it ends").unwrap();
        assert!(gone.load(Ordering::SeqCst));
    }
}
