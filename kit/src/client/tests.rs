mod names;

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use http::Response;
use tokio::{net::TcpListener, task::JoinHandle};

use super::*;
use crate::{
    listener::{self, Received},
    stop::Stop,
};

/// A call that may be repeated, and one that may not.
const ASKS: &str = "/grpc.health.v1.Health/Check";
const CHANGES: &str = "/auth.v1.AuthService/VerifyCode";

/// A replica that keeps the ids of the calls that it took.
struct Server {
    address: SocketAddr,
    stop: Stop,
    task: JoinHandle<()>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap()).await
    }

    async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken: Arc<Mutex<Vec<String>>> = Arc::default();
        let calls = taken.clone();
        let service = tower::service_fn(move |request: Request<Received>| {
            let id = request.headers()["id"].to_str().unwrap().to_owned();
            calls.lock().unwrap().push(id);
            async {
                tokio::time::sleep(Duration::from_millis(2)).await;
                Ok::<_, Infallible>(Response::new(String::new()))
            }
        });
        let stop = Stop::default();
        let task = tokio::spawn(listener::serve(listener, None, service, stop.clone()));
        Self {
            address,
            stop,
            task,
            taken,
        }
    }

    fn taken(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    /// Ends it gently; the calls that it took.
    async fn end(&mut self) -> Vec<String> {
        self.stop.at_once();
        (&mut self.task).await.unwrap();
        self.taken.lock().unwrap().clone()
    }
}

fn channel_to(addresses: &[SocketAddr]) -> ServiceChannel {
    let urls = addresses.iter().map(|address| format!("http://{address}"));
    let urls = urls.collect::<Vec<_>>().join(",").parse().unwrap();
    channel("the service", &urls, Outgoing::default())
}

async fn call(channel: &ServiceChannel, path: &str, id: usize) -> Result<(), Status> {
    let request = Request::post(path)
        .header("id", id.to_string())
        .body(Body::empty())
        .unwrap();
    channel.clone().call(request).await.map(|_| ())
}

/// An address where nobody listens.
async fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn replicas_share_the_calls_and_a_dead_one_is_passed_over() {
    let servers = [Server::start().await, Server::start().await];
    let mut addresses = servers.each_ref().map(|server| server.address).to_vec();
    addresses.push(nowhere().await);
    let channel = channel_to(&addresses);
    // The second one is connected to while the first one is called.
    while servers.iter().any(|server| server.taken() == 0) {
        call(&channel, CHANGES, 0).await.unwrap();
    }
    let before = servers.each_ref().map(Server::taken);
    for id in 0..40 {
        call(&channel, CHANGES, id).await.unwrap();
    }
    for (server, before) in servers.iter().zip(before) {
        assert_eq!(server.taken() - before, 20);
    }
}

#[tokio::test]
async fn whoever_hangs_is_not_called() {
    let server = Server::start().await;
    // The kernel connects, and nobody ever reads.
    let hung = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel_to(&[hung.local_addr().unwrap(), server.address]);
    for id in 0..40 {
        call(&channel, CHANGES, id).await.unwrap();
    }
    assert_eq!(server.taken(), 40);
}

#[tokio::test]
async fn whoever_comes_back_is_called_again() {
    let (stays, mut leaves) = (Server::start().await, Server::start().await);
    let address = leaves.address;
    let channel = channel_to(&[stays.address, address]);
    leaves.end().await;
    for id in 0..20 {
        call(&channel, CHANGES, id).await.unwrap();
    }
    let back = Server::at(address).await;
    for id in 0..2_000 {
        call(&channel, CHANGES, id).await.unwrap();
        if back.taken() > 0 {
            return;
        }
    }
    panic!("it is not called");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restarts_lose_no_call_and_double_none() {
    let mut servers = [Server::start().await, Server::start().await];
    let channel = channel_to(&servers.each_ref().map(|server| server.address));
    let next = Arc::new(AtomicUsize::new(0));
    let stop = Stop::default();
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (channel, next, stop) = (channel.clone(), next.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.ending.is_cancelled() {
                    let id = next.fetch_add(1, Ordering::SeqCst);
                    call(&channel, CHANGES, id).await.unwrap();
                }
            })
        })
        .collect();
    let mut taken = Vec::new();
    for round in 0..10 {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let server = &mut servers[round % 2];
        taken.extend(server.end().await);
        *server = Server::at(server.address).await;
        // Before the other one goes, this one is back.
        while server.taken() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    stop.at_once();
    for caller in callers {
        caller.await.unwrap();
    }
    for server in &mut servers {
        taken.extend(server.end().await);
    }
    assert_eq!(taken.len(), next.load(Ordering::SeqCst));
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), next.load(Ordering::SeqCst), "one came twice");
}

/// A server that takes a call and then breaks the connection; it counts those.
async fn breaking() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let broken = Arc::new(AtomicUsize::new(0));
    let count = broken.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let taken = connection.accept().await;
            count.fetch_add(usize::from(taken.is_some()), Ordering::SeqCst);
        }
    });
    (address, broken)
}

#[tokio::test]
async fn what_broke_off_is_repeated_once_and_only_if_it_may_be() {
    for (path, attempts) in [(ASKS, 2), (CHANGES, 1)] {
        let (address, broken) = breaking().await;
        let channel = channel_to(&[address]);
        let status = call(&channel, path, 0).await.unwrap_err();
        assert_eq!(Reason::of(&status), Some(Reason::DependencyUnavailable));
        assert_eq!(broken.load(Ordering::SeqCst), attempts, "{path}");
    }
}

#[tokio::test]
async fn calls_are_counted_by_what_came_of_them() {
    let metrics = Metrics::default();
    let counted = |service, addresses: &[SocketAddr]| {
        let urls = addresses.iter().map(|address| format!("http://{address}"));
        let urls = urls.collect::<Vec<_>>().join(",").parse().unwrap();
        counted_channel("the caller", service, &urls, Outgoing::default(), &metrics)
    };
    let server = Server::start().await;
    let good = counted("good", &[server.address, nowhere().await]);
    for id in 0..3 {
        call(&good, CHANGES, id).await.unwrap();
    }
    let (address, _) = breaking().await;
    let bad = counted("bad", &[address]);
    assert!(call(&bad, ASKS, 0).await.is_err());
    let text = metrics.render();
    for line in [
        r#"customauth_client_calls_total{code="OK",method="VerifyCode",service="the caller",to="good"} 3"#,
        r#"customauth_client_calls_total{code="UNAVAILABLE",method="Check",service="the caller",to="bad"} 1"#,
        r#"customauth_client_resends_total{service="the caller",to="good"} 0"#,
        r#"customauth_client_resends_total{service="the caller",to="bad"} 1"#,
        r#"customauth_client_replicas{service="the caller",to="good"} 2"#,
        r#"customauth_client_replicas_connected{service="the caller",to="good"} 1"#,
    ] {
        assert!(text.lines().any(|each| each == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_told_as_unavailable() {
    let channel = channel_to(&[nowhere().await, nowhere().await]);
    let status = call(&channel, ASKS, 0).await.unwrap_err();
    assert_eq!(Reason::of(&status), Some(Reason::DependencyUnavailable));
    assert!(status.message().contains("the service"));
}

/// A replica in a thread of its own, which it blocks for a moment when it is told
/// to: meanwhile it reads nothing.
fn busy_server() -> (SocketAddr, Arc<AtomicBool>) {
    let (tell, told) = std::sync::mpsc::channel();
    let busy = Arc::new(AtomicBool::new(false));
    let signal = busy.clone();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async move {
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    if signal.swap(false, Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(50));
                    }
                }
            });
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let service = tower::service_fn(|_: Request<Received>| async {
                tokio::time::sleep(Duration::from_millis(500)).await;
                Ok::<_, Infallible>(Response::new(String::new()))
            });
            listener::serve(listener, None, service, Stop::default()).await;
        });
    });
    (told.recv().unwrap(), busy)
}

#[tokio::test]
async fn calls_that_are_given_up_together_do_not_end_the_others() {
    let (address, busy) = busy_server();
    let channel = channel_to(&[address]);
    let calling = |id| {
        let channel = channel.clone();
        tokio::spawn(async move { call(&channel, CHANGES, id).await })
    };
    let waiting = calling(0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    busy.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let given_up: Vec<_> = (1..200).map(calling).collect();
    tokio::time::sleep(Duration::from_millis(15)).await;
    given_up.iter().for_each(JoinHandle::abort);
    waiting.await.unwrap().unwrap();
}

/// A replica that answers so, after a while; how many calls it took.
async fn answering(status: &'static str, after: u64) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let service = tower::service_fn(move |_: Request<Received>| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(Duration::from_millis(after)).await;
            let answer = Response::builder().header("grpc-status", status);
            Ok::<_, Infallible>(answer.body(String::new()).unwrap())
        }
    });
    tokio::spawn(listener::serve(listener, None, service, Stop::default()));
    (address, taken)
}

#[tokio::test]
async fn whoever_is_quick_to_say_no_is_not_preferred() {
    let (sick, refused) = answering("14", 0).await;
    let (well, answered) = answering("0", 30).await;
    let channel = channel_to(&[sick, well]);
    while answered.load(Ordering::SeqCst) == 0 {
        call(&channel, CHANGES, 0).await.unwrap();
    }
    refused.store(0, Ordering::SeqCst);
    let mut calls = Vec::new();
    for id in 0..100 {
        let channel = channel.clone();
        calls.push(tokio::spawn(
            async move { call(&channel, CHANGES, id).await },
        ));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for one in calls {
        one.await.unwrap().unwrap();
    }
    // It is asked again now and then whether it is well.
    let refused = refused.load(Ordering::SeqCst);
    assert!(refused < 20, "{refused} of 100");
}

#[test]
fn a_list_of_urls_is_read() {
    let two = "http://a:1, https://b:2".parse::<ServiceUrls>().unwrap();
    assert_eq!(two.0.len(), 2);
    for bad in ["", " , ", "http://a:1,b:2"] {
        assert!(bad.parse::<ServiceUrls>().is_err(), "{bad}");
    }
}
