//! Both ends over real sockets.
#![allow(clippy::disallowed_methods)]

use super::api::*;
use super::client::{Client, Told};
use super::server::{Config, Server};
use super::*;
use crate::alert::{self, Filter, Follower, Found, Own, Writer};
use crate::metrics::Registry;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

struct Daemon {
    alerts: alert::Handle,
}

type Said<T> = Result<T, Fault>;

impl Answer for Daemon {
    async fn status(&self) -> Said<Status> {
        Ok(Status { version: "1".into(), events_per_second: 0.5, ..Status::default() })
    }
    async fn guests(&self) -> Said<Vec<Guest>> {
        Ok((0..2_000).map(|at| Guest { name: format!("web{at}"), ..Guest::default() }).collect())
    }
    async fn guest(&self, name: String) -> Said<GuestDetail> {
        Err(Fault::not_found("guest", &name))
    }
    async fn pause(&self, name: String, paused: bool, by: Peer) -> Said<Vec<Effect>> {
        let message = format!("{paused} by {}", by.uid);
        Ok(vec![Effect { subject: name, done: true, message, ..Effect::default() }])
    }
    async fn sources(&self, _: Option<String>) -> Said<Vec<Source>> {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        Ok(Vec::new())
    }
    async fn alerts(&self, filter: Filter, limit: usize) -> Said<Found> {
        let bounds = alert::Bounds { alerts: limit, bytes: 1 << 20 };
        self.alerts.find(&filter, bounds).map_err(|error| Fault::new(FaultKind::Failed, error.to_string()))
    }
    async fn follow(&self, filter: Filter) -> Said<Follower> {
        Ok(self.alerts.follow(filter))
    }
    async fn blocks(&self, _: BlockFilter) -> Said<Vec<Block>> {
        Ok(vec![Block { address: "192.0.2.1".into(), until: Some(Time(1_795_552_640)), ..Block::default() }])
    }
    async fn block(&self, order: BlockOrder, _: Peer) -> Said<Vec<Effect>> {
        Err(Fault::new(FaultKind::Refused, format!("{} is on the white list", order.address)))
    }
    async fn unblock(&self, _: String, _: Option<String>, _: Peer) -> Said<Vec<Effect>> {
        Ok(Vec::new())
    }
    async fn why(&self, address: String) -> Said<Why> {
        Ok(Why { address, ..Why::default() })
    }
    async fn sync(&self, _: Option<String>, _: Peer) -> Said<Vec<Effect>> {
        Ok(Vec::new())
    }
    async fn allow_list(&self) -> Said<Vec<Allowed>> {
        Ok(Vec::new())
    }
    async fn allow(&self, _: String, _: Option<String>, _: Peer) -> Said<Vec<Effect>> {
        Ok(Vec::new())
    }
    async fn disallow(&self, _: String, _: Peer) -> Said<Vec<Effect>> {
        Ok(Vec::new())
    }
    async fn reload(&self, _: Peer) -> Said<Vec<Effect>> {
        Ok(Vec::new())
    }
}

/// A running server in a folder of its own.
struct House {
    _dir: tempfile::TempDir,
    path: PathBuf,
    alerts: alert::Handle,
    stop: Option<oneshot::Sender<()>>,
    running: tokio::task::JoinHandle<()>,
}

impl House {
    fn open(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/hids.sock");
        let alerts = Writer::start(alert::Config::default(), &Registry::new()).unwrap();
        let mut config = Config::at(&path);
        change(&mut config);
        let server = Server::bind(config).unwrap();
        let (stop, stopped) = oneshot::channel();
        let daemon = Arc::new(Daemon { alerts: alerts.clone() });
        let running = tokio::spawn(server.run(daemon, async move {
            let _ = stopped.await;
        }));
        Self { _dir: dir, path, alerts, stop: Some(stop), running }
    }

    async fn asked<T: Send + 'static>(&self, ask: impl FnOnce(Client) -> T + Send + 'static) -> T {
        let client = Client::new(&self.path);
        tokio::task::spawn_blocking(move || ask(client)).await.unwrap()
    }
}

fn raw(path: &Path, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    let _ = stream.write_all(request);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_answered_and_the_socket_goes_with_the_daemon() {
    let mut house = House::open(|_| {});
    let mode = std::fs::metadata(&house.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    house
        .asked(|client| {
            assert_eq!(client.one::<Status>(&Question::Status).unwrap().version, "1");
            let guests = client.list::<Guest>(&Question::Guests).unwrap();
            assert_eq!((guests.items.len(), &*guests.items[1_999].name), (2_000, "web1999"));
            let blocks = client.texts(&Question::Blocks(BlockFilter::default())).unwrap();
            let keys: Vec<String> =
                serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&blocks.items[0])
                    .unwrap()
                    .into_iter()
                    .map(|(key, _)| key)
                    .collect();
            assert_eq!(keys.join(" "), "address gateway set state guest rule since until count reason");
            let guest = serde_json::to_value(&guests.items[0]).unwrap();
            let keys: Vec<&String> = guest.as_object().unwrap().keys().collect();
            assert_eq!(
                keys,
                ["name", "path", "state", "pid", "root", "sources", "events", "alerts", "last_event", "health"]
            );
            let effects = client.list::<Effect>(&Question::Pause { name: "web1".into() }).unwrap();
            assert!(effects.items[0].message.starts_with("true by "));
            let missing = client.one::<GuestDetail>(&Question::Guest { name: "web\u{1b}7".into() }).unwrap_err();
            assert_eq!((missing.kind(), missing.exit_code()), (Kind::Fault(FaultKind::NotFound), 1));
            let order = r#"{"address":"192.0.2.1"}"#;
            let order: BlockOrder = serde_json::from_str(order).unwrap();
            let refused = client.list::<Effect>(&Question::Block(order)).unwrap_err();
            assert_eq!(refused.to_string(), "192.0.2.1 is on the white list");
        })
        .await;
    house.stop.take();
    (&mut house.running).await.unwrap();
    assert!(!house.path.exists());
    let error = house.asked(|client| client.texts(&Question::Status).unwrap_err()).await;
    assert_eq!((error.kind(), error.exit_code()), (Kind::NotRunning, 69));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_are_listed_and_followed() {
    let house = House::open(|_| {});
    house.alerts.tell(None, Own::GatewayDown.facts(), "one");
    let mut incoming = house.asked(|client| client.ask(&Question::Follow { filter: Filter::default() }).unwrap()).await;
    let alerts = house.alerts.clone();
    house
        .asked(move |client| {
            let question = Question::Alerts { filter: Filter { level: Some(12), ..Filter::default() }, limit: 5 };
            let list = client.texts(&question).unwrap();
            assert!(list.items.len() == 1 && list.items[0].contains("\"full_log\":\"one\""));
            // The follower's question may still be on its way.
            let text = loop {
                alerts.tell(None, Own::GatewayUp.facts(), "two");
                incoming.hurry(Duration::from_millis(200));
                if let Ok(Told::Item(text)) = incoming.next() {
                    break text;
                }
            };
            assert!(text.contains("\"full_log\":\"two\""));
            let brief = brief(&text).unwrap();
            assert_eq!((brief.level, brief.rule, brief.guest), (3, 99_909, None));
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_gets_a_clear_no() {
    let house = House::open(|config| {
        config.request_bytes = 200;
        config.deadline = Duration::from_millis(300);
    });
    let path = house.path.clone();
    house
        .asked(move |client| {
            let cases: [(&[u8], &str); 7] = [
                (b"", "ends in the middle"),
                (b"hello\n", "not a question"),
                (b"{\"version\":1,\"question\":{\"ask\":\"status\"}}", "ends in the middle"),
                (b"{\"version\":1,\"question\":{\"ask\":\"dance\"}}\n", "not a question"),
                (b"{\"version\":2,\"question\":{\"ask\":\"dance\"}}\n", "version 1 of its questions, not 2"),
                (&[b' '; 300], "longer than 200 bytes"),
                (b"\xff\xfe\n", "not a question"),
            ];
            for (request, said) in cases {
                let answer = raw(&path, request);
                assert!(answer.contains(said) && answer.contains("\"kind\":\"invalid\""), "{answer}");
            }
            let slow = client.texts(&Question::Sources { guest: None }).unwrap_err();
            assert_eq!((slow.to_string().as_str(), slow.exit_code()), ("the daemon did not answer in time", 69));
            // Who connects and says nothing loses his seat.
            let mut silent = UnixStream::connect(&path).unwrap();
            silent.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut answer = String::new();
            silent.read_to_string(&mut answer).unwrap();
            assert!(answer.contains("did not arrive in time"), "{answer}");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_and_its_followers_are_bounded() {
    let house = House::open(|config| config.connections = 4);
    let path = house.path.clone();
    house
        .asked(move |client| {
            let follow = Question::Follow { filter: Filter::default() };
            let _held: Vec<_> = (0..2).map(|_| client.ask(&follow).unwrap()).collect();
            std::thread::sleep(Duration::from_millis(200));
            let error = client.ask(&follow).unwrap().next().unwrap_err();
            assert_eq!(error.exit_code(), 69, "{error}");
            let _seats: Vec<_> = (0..2).map(|_| UnixStream::connect(&path).unwrap()).collect();
            std::thread::sleep(Duration::from_millis(200));
            let error = client.texts(&Question::Status).unwrap_err();
            assert!(error.to_string().contains("too many connections"), "{error}");
            drop(_held);
            std::thread::sleep(Duration::from_millis(200));
            client.texts(&Question::Status).unwrap();
        })
        .await;
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hids.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let first = Server::bind(Config::at(&path)).unwrap();
    let second = Server::bind(Config::at(&path)).unwrap_err();
    assert_eq!(second.kind(), Kind::Taken);
    drop(first);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert_eq!(Server::bind(Config::at(&path)).unwrap_err().kind(), Kind::Taken);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[tokio::test]
async fn a_daemon_that_hangs_is_not_taken_for_a_dead_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hids.sock");
    let _hung = rustix::net::socket_with(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::STREAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    rustix::net::bind(&_hung, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&_hung, 0).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    let error = Server::bind(Config::at(&path)).unwrap_err();
    assert!(error.kind() == Kind::Taken && error.to_string().contains("hangs"), "{error}");
}

async fn get(address: std::net::SocketAddr, request: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_pages_are_served_over_a_real_port() {
    let server = http::Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.address().unwrap();
    assert_eq!(http::Server::bind(address).await.unwrap_err().kind(), Kind::Taken);
    let pages = http::Pages {
        registry: Registry::of_process(),
        healthy: Box::new(|| Ok(())),
        ready: Box::new(|| Err("still discovering".into())),
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(pages, async move {
        let _ = stopped.await;
    }));
    let page = |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let metrics = get(address, &page("GET", "/metrics")).await;
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert!(metrics.contains("\nhids_build_info{version="));
    assert!(get(address, &page("GET", "/-/healthy")).await.contains("200 OK"));
    let ready = get(address, &page("GET", "/-/ready")).await;
    assert!(ready.contains("503 Service Unavailable") && ready.ends_with("still discovering\n"), "{ready}");
    assert!(get(address, &page("GET", "/etc/passwd")).await.contains("404 Not Found"));
    assert!(get(address, &page("POST", "/metrics")).await.contains("405 Method Not Allowed"));
    let head = get(address, &page("HEAD", "/metrics")).await;
    assert!(head.contains("200 OK") && head.ends_with("\r\n\r\n"));
    assert!(get(address, "nonsense\r\n\r\n").await.contains("400 Bad Request"));
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let _ = stream.write_all(long.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    stop.send(()).unwrap();
    running.await.unwrap();
}
