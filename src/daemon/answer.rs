//! What control asks, answered from snapshots.

use super::build::Daemon;
use super::reload;
use super::tally::Counts;
use crate::alert::{Bounds, Filter, Follower, Found};
use crate::collect::SourceReport;
use crate::control::api::{
    Allowed, Answer, Block, BlockFilter, BlockOrder, Effect, Gateway, Guest, GuestCounts, GuestDetail, Peer, Position,
    Source, Status, Why, brief,
};
use crate::control::{Fault, FaultKind, Time};
use crate::guest::{self, State};
use crate::respond::{self, BlockView, ErrorKind, Transport};
use ipnet::IpNet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Alerts that one question may get.
const MOST_ALERTS: usize = 10_000;

/// Bytes of the alert file that one question may have read.
const MOST_BYTES: u64 = 256 << 20;

/// Where questions are answered.
pub struct Desk(pub Arc<Daemon>);

impl Desk {
    /// Does something that may wait, off the async threads.
    async fn wait<T: Send + 'static>(&self, work: impl FnOnce(&Daemon) -> T + Send + 'static) -> Result<T, Fault> {
        let daemon = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&daemon)).await;
        done.map_err(|_| Fault::new(FaultKind::Failed, "answering went wrong"))
    }
}

/// The word for an option that does not exist yet.
fn later<T>(what: &str) -> Result<T, Fault> {
    Err(Fault::new(FaultKind::Refused, format!("{what}: hids does not do that yet")))
}

/// Orders mean every gateway: one alone cannot be named yet, and is not passed over in silence.
fn every_gateway(one: Option<&str>) -> Result<(), Fault> {
    one.map_or(Ok(()), |_| later("naming one gateway"))
}

fn moment(time: SystemTime) -> Time {
    Time(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64))
}

fn net(address: &str) -> Result<IpNet, Fault> {
    let exact = address.parse::<std::net::IpAddr>().map(IpNet::from);
    exact
        .or_else(|_| address.parse::<IpNet>())
        .map_err(|_| Fault::new(FaultKind::Invalid, format!("{address}: is no address and no network")))
}

fn source(report: SourceReport) -> Source {
    Source {
        guest: report.guest.as_ref().map(ToString::to_string),
        path: report.path,
        position: Position::Offset(report.position),
        lag: Some(report.lag),
        last_line: report.last_event.map(moment),
        lines: report.lines_total,
        lost: report.lost_bytes_total,
        health: report.health.to_string(),
    }
}

fn block(view: BlockView) -> Block {
    Block {
        address: view.address,
        gateway: view.gateway,
        set: view.set,
        state: view.state,
        guest: view.guest,
        rule: view.rule,
        since: Some(Time(view.since)),
        until: view.until.map(Time),
        count: view.count,
        reason: Some(view.reason),
    }
}

fn effect(view: &BlockView, done: bool, message: String) -> Effect {
    Effect { subject: view.address.clone(), gateway: Some(view.gateway.clone()), done, message }
}

fn refused(error: &respond::Error) -> Fault {
    let kind = match error.kind() {
        ErrorKind::NotBlocked => FaultKind::NotFound,
        ErrorKind::Spared | ErrorKind::NoGateway => FaultKind::Refused,
        ErrorKind::Config => FaultKind::Configuration,
        _ => FaultKind::Failed,
    };
    Fault::new(kind, error.to_string())
}

impl Daemon {
    fn counts(&self, guest: Option<&guest::Name>) -> Counts {
        self.doers.tallies.of(guest).look()
    }

    /// What is wrong with a guest, in words.
    fn notes(&self, guest: &guest::Guest) -> Vec<String> {
        let mut notes: Vec<String> = self.roster.trouble(&guest.name).into_iter().collect();
        notes.extend(self.collector.health(Some(&guest.name)));
        notes
    }

    fn guest_row(&self, guest: &guest::Guest, sources: &[SourceReport]) -> Guest {
        let counts = self.counts(Some(&guest.name));
        let followed = sources.iter().filter(|report| report.guest.as_ref() == Some(&guest.name) && report.inode != 0);
        let pid = guest.init.map(|init| init.pid);
        Guest {
            name: guest.name.to_string(),
            path: guest.dir.display().to_string(),
            state: guest.state.to_string(),
            pid,
            root: pid.map(|pid| format!("/proc/{pid}/root")),
            sources: followed.count() as u64,
            events: counts.events,
            alerts: counts.alerts,
            last_event: counts.last_event.map(Time),
            health: self.notes(guest).first().cloned().unwrap_or_else(|| "ok".to_owned()),
        }
    }

    fn status(&self) -> Status {
        let fleet = self.discovery.snapshot();
        let (config, loaded) = (self.config.load(), self.loaded.load());
        let live = fleet.guests.iter().filter(|guest| guest.state.is_live()).count() as u64;
        let unwell = fleet.guests.iter().filter(|guest| !self.notes(guest).is_empty()).count() as u64;
        let stopped = fleet.guests.iter().filter(|guest| guest.state == State::Stopped).count() as u64;
        let tallies = self.doers.tallies.look();
        let events: u64 = tallies.iter().map(|(_, counts)| counts.events).sum();
        let blocks = self.doers.responses.blocks_by_state();
        let views = self.doers.responses.list();
        let gateways = self.doers.responses.health().into_iter().map(|health| {
            let transport = config.respond.gateways.iter().find(|gateway| gateway.name == health.gateway);
            let transport = transport.map_or("", |gateway| match gateway.transport {
                Transport::Nsenter { .. } => "nsenter",
                Transport::Ssh { .. } => "ssh",
                Transport::Local => "local",
            });
            let state = if health.dry_run {
                "dry-run"
            } else if health.up {
                "up"
            } else {
                "down"
            };
            Gateway {
                blocks: views.iter().filter(|view| view.gateway == health.gateway && view.state == "active").count()
                    as u64,
                name: health.gateway,
                transport: transport.to_owned(),
                state: state.to_owned(),
                error: health.error.or(health.warning),
                synced: None,
            }
        });
        let mut warnings: Vec<String> = config.later.iter().map(|what| format!("not done yet: {what}")).collect();
        warnings.extend(self.collector.store_trouble().map(|why| format!("positions cannot be saved: {why}")));
        warnings.extend(self.doers.alerts.health().failing.map(|why| format!("alerts cannot be written: {why}")));
        warnings.extend(self.collector.health(None).into_iter().map(|why| format!("host: {why}")));
        let bounds = Bounds { alerts: 5, bytes: 1 << 20 };
        let last = self.doers.alerts.find(&Filter::default(), bounds).map(|found| found.lines).unwrap_or_default();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: Time(self.started.seconds),
            config: if config.embedded {
                "embedded defaults".to_owned()
            } else {
                config.places.configuration().display().to_string()
            },
            loaded: Time(loaded.0),
            reload_failed: loaded.1.clone(),
            rules: config.book.rules.len() as u64,
            guests: GuestCounts { running: live, stopped, unwell },
            sources: self.collector.sources().iter().filter(|report| report.inode != 0).count() as u64,
            events,
            events_per_second: self.pace.a_second(events, Instant::now()),
            alerts: tallies.iter().map(|(_, counts)| counts.alerts).sum(),
            blocks: blocks.iter().filter(|(state, _)| *state == "active").map(|(_, count)| count).sum(),
            gateways: gateways.collect(),
            warnings,
            last_alerts: last.iter().filter_map(|line| brief(line)).collect(),
        }
    }

    fn guest_detail(&self, name: &str) -> Result<GuestDetail, Fault> {
        let sources = self.collector.sources();
        let views = self.doers.responses.list();
        let blocks = views.iter().filter(|view| view.guest.as_deref() == Some(name) && view.state == "active").count();
        let respond = self.config.load().respond.responds(name);
        if name == guest::id::HOST {
            let counts = self.counts(None);
            let followed: Vec<Source> = sources.into_iter().filter(|s| s.guest.is_none()).map(source).collect();
            let notes = self.collector.health(None);
            let guest = Guest {
                name: name.to_owned(),
                path: "/".to_owned(),
                state: State::Running.to_string(),
                root: Some("/".to_owned()),
                sources: followed.len() as u64,
                events: counts.events,
                alerts: counts.alerts,
                last_event: counts.last_event.map(Time),
                health: notes.first().cloned().unwrap_or_else(|| "ok".to_owned()),
                ..Guest::default()
            };
            return Ok(GuestDetail {
                guest,
                followed,
                blocks: blocks as u64,
                respond,
                notes,
                ..GuestDetail::default()
            });
        }
        let fleet = self.discovery.snapshot();
        let guest = fleet.get(name).ok_or_else(|| Fault::not_found("guest", name))?;
        let row = self.guest_row(guest, &sources);
        let followed = sources.into_iter().filter(|s| s.guest.as_ref() == Some(&guest.name)).map(source).collect();
        let own = guest::addresses::of_guests(std::slice::from_ref(guest), &guest::addresses::Files::default());
        let own = own.into_iter().map(|own| own.address.to_string()).collect();
        let notes = self.notes(guest);
        Ok(GuestDetail { guest: row, followed, addresses: own, blocks: blocks as u64, respond, notes })
    }
}

impl Answer for Desk {
    async fn status(&self) -> Result<Status, Fault> {
        self.wait(Daemon::status).await
    }

    async fn guests(&self) -> Result<Vec<Guest>, Fault> {
        self.wait(|daemon| {
            let sources = daemon.collector.sources();
            daemon.discovery.snapshot().guests.iter().map(|guest| daemon.guest_row(guest, &sources)).collect()
        })
        .await
    }

    async fn guest(&self, name: String) -> Result<GuestDetail, Fault> {
        self.wait(move |daemon| daemon.guest_detail(&name)).await?
    }

    async fn pause(&self, _name: String, _paused: bool, _by: Peer) -> Result<Vec<Effect>, Fault> {
        later("pause and resume")
    }

    async fn sources(&self, guest: Option<String>) -> Result<Vec<Source>, Fault> {
        self.wait(move |daemon| {
            let wanted = |report: &SourceReport| {
                let name = report.guest.as_ref().map_or(guest::id::HOST, guest::Name::as_str);
                guest.as_deref().is_none_or(|guest| guest == name)
            };
            daemon.collector.sources().into_iter().filter(wanted).map(source).collect()
        })
        .await
    }

    async fn alerts(&self, filter: Filter, limit: usize) -> Result<Found, Fault> {
        let bounds = Bounds { alerts: limit.min(MOST_ALERTS), bytes: MOST_BYTES };
        let found = self.wait(move |daemon| daemon.doers.alerts.find(&filter, bounds)).await?;
        found.map_err(|error| Fault::new(FaultKind::Failed, error.to_string()))
    }

    async fn follow(&self, filter: Filter) -> Result<Follower, Fault> {
        Ok(self.0.doers.alerts.follow(filter))
    }

    async fn blocks(&self, filter: BlockFilter) -> Result<Vec<Block>, Fault> {
        if filter.ended {
            return later("listing blocks that have ended");
        }
        let covers = filter.address.as_deref().map(net).transpose()?;
        let fits = move |view: &BlockView| {
            filter.gateway.as_ref().is_none_or(|gateway| *gateway == view.gateway)
                && (filter.guest.is_none() || filter.guest == view.guest)
                && covers.is_none_or(|wanted| net(&view.address).is_ok_and(|own| own.contains(&wanted)))
        };
        self.wait(move |daemon| daemon.doers.responses.list().into_iter().filter(fits).map(block).collect()).await
    }

    async fn block(&self, order: BlockOrder, _by: Peer) -> Result<Vec<Effect>, Fault> {
        every_gateway(order.gateway.as_deref())?;
        let net = net(&order.address)?;
        let time = order.seconds.map(Duration::from_secs);
        let reason = order.reason.unwrap_or_else(|| "by hand".to_owned());
        let views = self.wait(move |daemon| daemon.doers.responses.add(net, time, &reason, order.force)).await?;
        let views = views.map_err(|error| refused(&error))?;
        let told = |view: &BlockView| match view.state.as_str() {
            "active" | "dry_run" => effect(view, true, format!("blocked ({})", view.state)),
            state => effect(view, false, format!("noted, and not in the set yet ({state}): it is tried again")),
        };
        Ok(views.iter().map(told).collect())
    }

    async fn unblock(&self, address: String, gateway: Option<String>, _by: Peer) -> Result<Vec<Effect>, Fault> {
        every_gateway(gateway.as_deref())?;
        let net = net(&address)?;
        let left = self.wait(move |daemon| daemon.doers.responses.remove(net)).await?;
        let left = left.map_err(|error| refused(&error))?;
        if left.is_empty() {
            return Ok(vec![Effect {
                subject: address,
                gateway: None,
                done: true,
                message: "no longer blocked".into(),
            }]);
        }
        Ok(left
            .iter()
            .map(|view| effect(view, false, "noted, and still in the set: it is tried again".into()))
            .collect())
    }

    async fn why(&self, address: String) -> Result<Why, Fault> {
        let filter = BlockFilter { address: Some(address.clone()), ..BlockFilter::default() };
        let blocks = self.blocks(filter).await?;
        let wanted = net(&address)?;
        let spared = self.0.doers.responses.spared(&wanted);
        let allowed =
            spared.map(|why| Allowed { network: address.clone(), origin: why.to_string(), ..Allowed::default() });
        let filter = Filter { address: Some(address.clone()), ..Filter::default() };
        let found = self.alerts(filter, 10).await?;
        let alerts = found.lines.iter().filter_map(|line| brief(line)).collect();
        Ok(Why { address, blocks, allowed: allowed.into_iter().collect(), alerts })
    }

    async fn sync(&self, gateway: Option<String>, _by: Peer) -> Result<Vec<Effect>, Fault> {
        every_gateway(gateway.as_deref())?;
        let reports = self.wait(|daemon| daemon.doers.responses.sync()).await?;
        let told = |(gateway, report): (String, respond::Report)| Effect {
            subject: "sets".to_owned(),
            gateway: Some(gateway),
            done: report.error.is_none(),
            message: report.error.unwrap_or_else(|| {
                format!("{} agree, {} put in again, {} of others left alone", report.agree, report.lost, report.foreign)
            }),
        };
        Ok(reports.into_iter().map(told).collect())
    }

    async fn allow_list(&self) -> Result<Vec<Allowed>, Fault> {
        later("the list of who is allowed")
    }

    async fn allow(&self, _network: String, _reason: Option<String>, _by: Peer) -> Result<Vec<Effect>, Fault> {
        later("allow")
    }

    async fn disallow(&self, _network: String, _by: Peer) -> Result<Vec<Effect>, Fault> {
        later("allow")
    }

    async fn reload(&self, _by: Peer) -> Result<Vec<Effect>, Fault> {
        let daemon = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || reload::reload(&daemon)).await;
        match done {
            Ok(Ok(message)) => Ok(vec![Effect { subject: "configuration".into(), gateway: None, done: true, message }]),
            Ok(Err(why)) => Err(Fault::new(FaultKind::Configuration, why)),
            Err(_) => Err(Fault::new(FaultKind::Failed, "loading again went wrong")),
        }
    }
}
