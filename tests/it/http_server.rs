//! Connections over real sockets: deadlines, limits, and an orderly end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use silverback::api::ApiOptions;
use silverback::server::connection::{ConnectionOptions, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::http_support::Fixture;

const GET: &str = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// Deadlines short enough for a test.
fn options() -> ConnectionOptions {
    ConnectionOptions {
        connections_max: 4,
        head_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(600),
        stall_timeout: Duration::from_millis(300),
    }
}

async fn start(fixture: &Fixture) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move {
        let _ = stopped.await;
    };
    let router = fixture.router.clone();
    let serving = tokio::spawn(serve(listener, router, options(), stopped, Duration::from_secs(5)));
    Server { address, stop, serving }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Everything until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut out = Vec::new();
    // A reset is an end as well.
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut out))
        .await
        .expect("the server closes");
    String::from_utf8_lossy(&out).into_owned()
}

/// One answer of the health check.
async fn healthy(stream: &mut TcpStream) -> bool {
    stream.write_all(GET.as_bytes()).await.unwrap();
    let mut out = Vec::new();
    while !out.ends_with(b"Healthy.\n") {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(n) => out.extend_from_slice(&buffer[..n]),
        }
    }
    out.starts_with(b"HTTP/1.1 200 OK\r\n")
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_idles_for_its_time() {
    let server = start(&Fixture::new()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        assert!(healthy(&mut stream).await);
        // Longer than a head may take, shorter than a connection may idle.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let begun = Instant::now();
    assert_eq!(rest(&mut stream).await, "");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_off() {
    let server = start(&Fixture::new()).await;
    let mut stream = server.connect().await;
    let begun = Instant::now();
    for byte in GET.bytes().cycle() {
        if stream.write_all(&[byte]).await.is_err() || begun.elapsed() > Duration::from_secs(3) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = start(&Fixture::new()).await;
    let mut stream = server.connect().await;
    let begun = Instant::now();
    rest(&mut stream).await;
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_large_head_is_refused() {
    let server = start(&Fixture::new()).await;
    let mut stream = server.connect().await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(20 << 10));
    let _ = stream.write_all(long.as_bytes()).await;
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 414"), "{answer}");
    let mut stream = server.connect().await;
    let many: String = (0..100).map(|i| format!("a{i}: x\r\n")).collect();
    let _ = stream.write_all(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()).await;
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let server = start(&Fixture::new()).await;
    let mut open = Vec::new();
    for _ in 0..options().connections_max {
        let mut stream = server.connect().await;
        assert!(healthy(&mut stream).await);
        open.push(stream);
    }
    let mut waiting = server.connect().await;
    let early = tokio::time::timeout(Duration::from_millis(100), healthy(&mut waiting)).await;
    assert!(early.is_err());
    drop(open.pop());
    let mut buffer = [0; 1024];
    let read = tokio::time::timeout(Duration::from_secs(2), waiting.read(&mut buffer)).await;
    assert!(read.unwrap().unwrap() > 0);
}

#[tokio::test]
async fn a_begun_request_is_finished_at_shutdown() {
    let fixture = Fixture::new();
    let server = start(&fixture).await;
    let mut idle = server.connect().await;
    assert!(healthy(&mut idle).await);
    let mut begun = server.connect().await;
    let body = "query=1%2B1&time=7";
    let head = format!(
        "POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        body.len()
    );
    begun.write_all(head.as_bytes()).await.unwrap();
    begun.write_all(&body.as_bytes()[..5]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, "", "an idle connection is closed at once");
    assert!(TcpStream::connect(server.address).await.is_err(), "no new connections");
    begun.write_all(&body.as_bytes()[5..]).await.unwrap();
    let answer = rest(&mut begun).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains(r#""result":[7,"2"]"#), "{answer}");
    server.serving.await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_slot() {
    let no_slots = ApiOptions { query_concurrency_max: 0, ..ApiOptions::default() };
    let fixture = Fixture::with(no_slots);
    let server = start(&fixture).await;
    for _ in 0..options().connections_max + 1 {
        let mut stream = server.connect().await;
        let query = "GET /api/v1/query?query=1 HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(query.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut stream = server.connect().await;
    let answered = tokio::time::timeout(Duration::from_secs(5), healthy(&mut stream)).await;
    assert!(answered.unwrap(), "the waiting queries of clients that left hold no connection");
}

#[tokio::test]
async fn a_refused_sender_gets_to_see_the_answer() {
    let server = start(&Fixture::new()).await;
    for (encoding, len, status) in [("snappy", 9 << 20, "413"), ("gzip", 3 << 20, "415")] {
        let mut stream = server.connect().await;
        let head = format!(
            "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Encoding: {encoding}\r\nContent-Length: {len}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![0; len]).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let fixture = Fixture::new();
    let server = start(&fixture).await;
    let mut stream = server.connect().await;
    // Some 20 MB: more than the sockets' buffers hold.
    let subquery = "GET /api/v1/query?query=vector(1)%5B1000000s:1s%5D&time=1000000 HTTP/1.1\r\n\
                    Host: x\r\n\r\n";
    stream.write_all(subquery.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{:.300}", answer);
    assert!(!answer.ends_with("]}]}}"), "the answer was cut off");
}
