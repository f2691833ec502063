//! From the configuration to a running daemon, and from a signal to its end.

use super::answer::Desk;
use super::clock::Clock;
use super::commons;
use super::hand::Hands;
use super::lane::{Doers, Tallies};
use super::pace::Pace;
use super::roster::Roster;
use super::{gauges, host_name, notices, reload, shutdown};
use crate::alert;
use crate::collect::{self, Collector, Rejudge};
use crate::config::{self, Config, Loaded, Places};
use crate::control::{self, http};
use crate::correlate::{Book, Commons, Firewall};
use crate::event::{Stamp, header};
use crate::guest::{addresses, discover, measure};
use crate::metrics::Registry;
use crate::pattern::{Pattern, Subject};
use crate::respond::{self, OwnAddresses, Responder};
use crate::store::Store;
use crate::sys::Hub;
use arc_swap::ArcSwap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// How much of a log is judged again at a start, to fill the memory of correlation.
const REJUDGE_BYTES: u64 = 1 << 20;

/// How long `/-/ready` and the service manager wait for the first look at all guests.
const FIRST_LOOK: Duration = Duration::from_secs(10);

/// Why the daemon ended, or never began.
#[derive(Debug)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// The configuration is wrong.
    Config,
    /// Another monitor works on the same files; the text names it.
    Taken(String),
    /// It may not do what it needs.
    Permission(String),
    /// The system did not give what it needs.
    System(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Stopped => f.write_str("stopped"),
            Ended::Config => f.write_str("the configuration is wrong: `hids check` tells all of it"),
            Ended::Permission(why) => write!(f, "{why}: run it as root"),
            Ended::Taken(why) | Ended::System(why) => f.write_str(why),
        }
    }
}

/// What all parts of the running daemon share.
pub struct Daemon {
    /// The configuration in force.
    pub config: ArcSwap<Config>,
    /// When it was loaded, in seconds since the epoch, and what the last attempt to load it again said, if it failed.
    pub loaded: ArcSwap<(i64, Option<String>)>,
    /// What lanes are handed.
    pub doers: Doers,
    /// The lanes.
    pub roster: Arc<Roster>,
    /// Who follows files.
    pub collector: Arc<Collector>,
    /// Who is there.
    pub discovery: discover::Handle,
    /// The book in force, for lanes and commons.
    pub books: watch::Sender<Arc<Book>>,
    /// Addresses that are never blocked.
    pub own_addresses: Arc<ArcSwap<OwnAddresses>>,
    /// When the daemon began.
    pub started: Stamp,
    /// How many events there were of late.
    pub pace: Pace,
    /// The first look at all guests is over.
    pub ready: AtomicBool,
}

/// Runs the daemon until a signal ends it. Findings in the user's files go to the service's log, all of them.
pub fn run(places: &Places) -> Ended {
    let Loaded { config, configuration, judgement } = config::load(places);
    for finding in configuration.iter().chain(judgement.iter()) {
        match finding.severity {
            crate::diag::Severity::Error => tracing::error!("{finding}"),
            crate::diag::Severity::Warning => tracing::warn!("{finding}"),
        }
    }
    let Some(config) = config else { return Ended::Config };
    if let Some(taken) = shutdown::ossec_running(places) {
        return Ended::Taken(taken);
    }
    for what in &config.later {
        tracing::warn!("the configuration asks for what hids does not do yet: {what}");
    }
    let descriptors = crate::sys::descriptors::raise();
    if descriptors < 4_096 {
        tracing::warn!("only {descriptors} files may be open at once: raise the limit (ulimit -n, LimitNOFILE=)");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("hids-lane").build();
    match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(life(config));
            runtime.shutdown_timeout(Duration::from_secs(1));
            ended
        }
        Err(error) => Ended::System(format!("no threads: {error}")),
    }
}

async fn life(config: Config) -> Ended {
    // Asked for first: a signal during the start must not end the process half way.
    let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = signals else {
        return Ended::System("signals cannot be received".into());
    };
    let server = match control::Server::bind(control::server::Config::at(config.places.socket())) {
        Ok(server) => server,
        Err(error) if error.kind() == control::Kind::Taken => return Ended::Taken(error.to_string()),
        Err(error) if error.kind() == control::Kind::NoPermission => return Ended::Permission(error.to_string()),
        Err(error) => return Ended::System(error.to_string()),
    };
    let registry = Registry::of_process();
    let started = Started::new(config, &registry);
    let Started { daemon, mut changes, commons } = match started {
        Ok(started) => started,
        Err(ended) => return ended,
    };
    gauges::register(&registry, &daemon);
    let (stop, stopped) = watch::channel(false);
    let until = |mut stopped: watch::Receiver<bool>| async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let answering = tokio::spawn(server.run(Arc::new(Desk(Arc::clone(&daemon))), until(stopped.clone())));
    let serving = serve(&daemon, &registry, until(stopped.clone())).await;

    if let Err(why) = daemon.roster.host() {
        return Ended::System(format!("the host's own files cannot be followed: {why}"));
    }
    let first_look = tokio::time::sleep(FIRST_LOOK);
    tokio::pin!(first_look);
    let (mut waiting, mut found) = (true, false);
    let mut settling = tokio::time::interval(Duration::from_millis(10));
    let mut addresses = tokio::time::interval(Duration::from_secs(30));
    let mut pacing = tokio::time::interval(Duration::from_secs(10));
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Some(change) => {
                    daemon.roster.change(change);
                    daemon.doers.responses.look();
                    addresses.reset_immediately();
                }
                None => return Ended::System("discovery ended by itself".into()),
            },
            () = daemon.discovery.ready(), if !found && changes.is_empty() => found = true,
            _ = settling.tick(), if waiting && found => {
                if changes.is_empty() && daemon.roster.settled(&daemon.discovery.snapshot().guests) {
                    waiting = false;
                    daemon.is_ready();
                }
            }
            () = &mut first_look, if waiting => {
                waiting = false;
                daemon.is_ready();
            }
            _ = pacing.tick() => daemon.pace.mark(daemon.doers.tallies.events(), Instant::now()),
            _ = addresses.tick() => {
                let daemon = Arc::clone(&daemon);
                tokio::task::spawn_blocking(move || daemon.refresh_addresses());
            }
            _ = hangup.recv() => {
                let daemon = Arc::clone(&daemon);
                tokio::task::spawn_blocking(move || reload::reload(&daemon));
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    drop(changes);
    shutdown::walk(&daemon, commons).await;
    let _ = stop.send(true);
    let _ = answering.await;
    if let Some(serving) = serving {
        let _ = serving.await;
    }
    Ended::Stopped
}

/// Serves metrics, unless the port is taken, which is worth a warning.
async fn serve(
    daemon: &Arc<Daemon>,
    registry: &Registry,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Option<tokio::task::JoinHandle<()>> {
    let server = match http::Server::bind(daemon.config.load().listen).await {
        Ok(server) => server,
        Err(error) => {
            tracing::warn!("{error}: metrics are not served");
            return None;
        }
    };
    let asked = Arc::clone(daemon);
    let pages = http::Pages {
        registry: registry.clone(),
        healthy: Box::new(|| Ok(())),
        ready: Box::new(move || {
            if asked.ready.load(Ordering::Acquire) { Ok(()) } else { Err("guests are looked for".to_owned()) }
        }),
    };
    Some(tokio::spawn(server.run(pages, stop)))
}

struct Started {
    daemon: Arc<Daemon>,
    changes: mpsc::Receiver<discover::Change>,
    commons: tokio::task::JoinHandle<()>,
}

impl Started {
    /// Builds every room, doers first: whoever hands something on must find the next one there.
    fn new(config: Config, registry: &Registry) -> Result<Self, Ended> {
        let clock = Clock::start();
        let host: Arc<str> = host_name().into();
        let state = config.places.state();
        make_folder(&state)?;
        let store = Store::open(&state.join("state.redb")).map_err(|error| Ended::System(error.to_string()))?;
        store.notices().iter().for_each(|notice| tracing::warn!("{notice}"));
        let store = Arc::new(store);
        let alerts = alert::Writer::start(alert_config(&config, &host)?, registry)
            .map_err(|error| Ended::System(error.to_string()))?;
        let hub = Hub::start().map_err(|error| Ended::System(format!("inotify: {error}")))?;
        let (discovery, changes) = discover::Discovery::start(guest_config(&config), hub.clone())
            .map_err(|error| Ended::System(format!("discovery: {error}")))?;
        measure::register(registry, &discovery, &hub);
        let own_addresses = Arc::new(ArcSwap::from_pointee(OwnAddresses::default()));
        let fleet = discovery.watch();
        let find_init: respond::FindInit = Arc::new(move |name: &str| {
            let init = fleet.borrow().get(name)?.init?;
            Some(respond::InitPid { pid: init.pid, start_time: init.start_time })
        });
        let deps = respond::Deps {
            find_init,
            own: Arc::clone(&own_addresses),
            tell: notices::tell(alerts.clone()),
            registry: registry.clone(),
        };
        let responses =
            Responder::start(config.respond.clone(), &state, deps).map_err(|error| Ended::System(error.to_string()))?;
        let (books, book) = watch::channel(Arc::clone(&config.book));
        let (offers, offered) = mpsc::channel(commons::QUEUE);
        let tallies = Tallies::default();
        let hands = Hands::open(&state.join("in-hand"))
            .inspect_err(|error| tracing::warn!("the line in hand cannot be noted: {error}"))
            .ok();
        let doers = Doers {
            hands,
            alerts,
            responses: Arc::new(responses),
            commons: offers,
            store: Arc::clone(&store),
            clock,
            host,
            tallies,
        };
        let collector = Collector::start(collect_config(&config), store, hub)
            .map_err(|error| Ended::System(format!("collecting: {error}")))?;
        let collector = Arc::new(collector);
        let firewall = if config.internal.log_fw { Firewall::Daemon } else { Firewall::Untouched };
        let commons = tokio::spawn(commons::run(
            Commons::new(Arc::clone(&config.book)),
            offered,
            doers.alerts.clone(),
            Arc::clone(&doers.responses),
            book.clone(),
        ));
        let one_history = config.collection.one_history;
        let roster = Arc::new(Roster::new(doers.clone(), Arc::clone(&collector), book, firewall, one_history));
        let started = clock.stamp(Instant::now());
        let daemon = Arc::new(Daemon {
            config: ArcSwap::from_pointee(config),
            loaded: ArcSwap::from_pointee((started.seconds, None)),
            doers,
            roster,
            collector,
            discovery,
            books,
            own_addresses,
            started,
            pace: Pace::start(Instant::now()),
            ready: AtomicBool::new(false),
        });
        daemon.refresh_addresses();
        Ok(Self { daemon, changes, commons })
    }
}

impl Daemon {
    fn is_ready(&self) {
        if !self.ready.swap(true, Ordering::AcqRel) {
            let guests = self.discovery.snapshot().guests.len();
            tracing::info!("hids {} watches {guests} guests", env!("CARGO_PKG_VERSION"));
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        }
    }

    /// Looks anew at the addresses that are never blocked: the host's, the guests', the gateway's.
    pub fn refresh_addresses(&self) {
        let fleet = self.discovery.snapshot();
        let found = match addresses::gather(&fleet.guests, &addresses::Files::default()) {
            Ok(found) => found,
            Err(error) => return tracing::warn!("own addresses: {error}: those known stay in force"),
        };
        let mut own = OwnAddresses::default();
        for address in found {
            own.add(address.address, &address.whose);
        }
        for gateway in &self.config.load().respond.gateways {
            if let respond::Transport::Nsenter { guest } = &gateway.transport
                && let Some(init) = fleet.get(guest).and_then(|guest| guest.init)
                && let Ok(addresses) = addresses::of_gateway(init, Path::new("/proc"))
            {
                addresses.into_iter().for_each(|address| own.add(address, &format!("gateway {guest}")));
            }
        }
        self.own_addresses.store(Arc::new(own));
    }
}

fn make_folder(folder: &Path) -> Result<(), Ended> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(|error| {
        let text = format!("{}: cannot be created: {error}", folder.display());
        if error.kind() == std::io::ErrorKind::PermissionDenied { Ended::Permission(text) } else { Ended::System(text) }
    })
}

fn alert_config(config: &Config, host: &str) -> Result<alert::Config, Ended> {
    let (json, log) = (config.places.alerts_json(), config.places.alerts_log());
    for path in [&json, &log] {
        path.parent().map_or(Ok(()), make_folder)?;
    }
    let json = config.json.then_some(json);
    Ok(alert::Config { json, log: Some(log), host: host.to_owned(), ..alert::Config::default() })
}

/// What discovery is told.
pub fn guest_config(config: &Config) -> discover::Config {
    let patterns: Vec<Pattern> = config.collection.ignore.clone();
    discover::Config {
        lxc_paths: config.collection.lxc_paths.clone(),
        ignore: discover::Ignore::when(move |name| {
            patterns.iter().any(|pattern| pattern.is_match(Subject::new(name.as_bytes())))
        }),
        ..discover::Config::default()
    }
}

/// What the collector is told.
pub fn collect_config(config: &Config) -> collect::Config {
    let within = Duration::from_secs(u64::from(config.book.rules.longest_timeframe));
    let stamp = |line: &[u8], now: i64| header::stamp(line, super::clock::local(now)).map(|stamp| stamp.seconds);
    collect::Config {
        files: config.collection.files.clone(),
        rejudge: (!within.is_zero()).then_some(Rejudge { within, bytes: REJUDGE_BYTES, stamp: Some(stamp) }),
        ..collect::Config::default()
    }
}
