//! A gateway for tests: a network namespace with sets, and what runs in it.

use crate::correlate::{Previous, Verdict};
use crate::decode::Decoded;
use crate::event::{Event, Field, Freshness, Header, Origin, Source, Stamp, Value};
use crate::guest::Name;
use crate::metrics::Registry;
use crate::respond::*;
use crate::rules;
use arc_swap::ArcSwap;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Waits up to 20 s (a busy machine) for something to become true.
pub fn wait_for(what: &str, check: impl FnMut() -> bool) {
    wait(what, Duration::from_secs(20), check);
}

/// Waits up to 40 s.
pub fn wait_longer(what: &str, check: impl FnMut() -> bool) {
    wait(what, Duration::from_secs(40), check);
}

fn wait(what: &str, limit: Duration, mut check: impl FnMut() -> bool) {
    let began = Instant::now();
    while !check() {
        assert!(began.elapsed() < limit, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Offers a verdict of rule 5712 about an address, read just now in guest 12-ssh.
pub fn offer(responder: &Responder, address: &str) -> Answer {
    let source = Source {
        guest: Some(Name::new("12-ssh")),
        path: "/var/log/auth.log".into(),
        location: "/var/lib/lxc/12-ssh/rootfs/var/log/auth.log".into(),
        label: "/var/log/auth.log".into(),
        origin: Origin::Log,
    };
    let rule = rules::Facts {
        id: 5712,
        level: 10,
        groups: "syslog,sshd,".into(),
        description: Some("brute force".into()),
        ..rules::Facts::default()
    };
    let event = Event {
        full: b"line",
        header: Header { log: 0..4, ..Header::default() },
        own_host: "12-ssh",
        source: &source,
        time: Stamp::utc(0),
    };
    let mut decoded = Decoded::default();
    decoded.fields.set(Field::SrcIp, Value::Owned(address.as_bytes().into()));
    let verdict = Verdict {
        rule: &rule,
        event: &event,
        decoded: &decoded,
        decoder: None,
        previous: Previous::None,
        fired_times: 1,
        alert: true,
        respond: true,
    };
    responder.offer(&verdict, Freshness::Live, Instant::now(), Some("1709726400.1"))
}

/// A named network namespace; removed with everything in it when dropped, if it was made here.
pub struct Namespace {
    pub name: String,
    made: bool,
}

impl Namespace {
    fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: needs root for a network namespace and ipset");
            return None;
        }
        let name = format!("hids-respond-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let namespace = Self { name, made: true };
        namespace.make();
        Some(namespace)
    }

    /// One that is there already.
    pub fn existing(name: &str) -> Self {
        Self { name: name.to_owned(), made: false }
    }

    /// Makes it.
    pub fn make(&self) {
        assert!(Command::new("ip").args(["netns", "add", &self.name]).status().unwrap().success());
        self.ok("ip link set lo up");
    }

    /// Removes it. The kernel's part of it goes with the last process in it.
    pub fn remove(&self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).stderr(Stdio::null()).status();
    }

    /// Runs a closure, and every thread that it starts, inside.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.name)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A command that is to run inside.
    fn command(&self, words: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).args(words.split(' ').filter(|word| !word.is_empty()));
        command
    }

    /// Runs a command inside that must succeed.
    pub fn ok(&self, words: &str) {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a command prints inside.
    pub fn says(&self, words: &str) -> String {
        String::from_utf8_lossy(&self.command(words).output().unwrap().stdout).into_owned()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.made {
            self.remove();
        }
    }
}

/// A folder for the state, a namespace with sets, and what has been told.
pub struct Lab {
    pub folder: Folder,
    pub net: Namespace,
    pub registry: Registry,
    told: Arc<Mutex<Vec<Notice>>>,
    init: Arc<Mutex<Option<InitPid>>>,
}

/// A folder that may be removed at the end.
pub enum Folder {
    Own(tempfile::TempDir),
    Lent(std::path::PathBuf),
}

impl Folder {
    pub fn path(&self) -> &Path {
        match self {
            Self::Own(folder) => folder.path(),
            Self::Lent(path) => path,
        }
    }
}

impl Lab {
    /// Makes one, or says why not.
    pub fn new() -> Option<Self> {
        let net = Namespace::new()?;
        Some(Self::with(Folder::Own(tempfile::tempdir().unwrap()), net))
    }

    /// One whose folder another process has made.
    pub fn at(folder: &str) -> Self {
        Self::with(Folder::Lent(folder.into()), Namespace::existing(""))
    }

    fn with(folder: Folder, net: Namespace) -> Self {
        Self { folder, net, registry: Registry::new(), told: Arc::default(), init: Arc::default() }
    }

    /// Creates the two sets of addresses.
    pub fn create_sets(&self, options: &str) {
        self.net.ok(&format!("ipset create global-blk4 hash:ip family inet {options}"));
        self.net.ok(&format!("ipset create global-blk6 hash:ip family inet6 {options}"));
    }

    /// The user's response with a local gateway, and limits that do not hold.
    pub fn config(&self) -> Config {
        Config {
            responses: vec![Response {
                command: "ipset-drop".into(),
                executable: "ipset.sh".into(),
                expect_srcip: true,
                level: Some(6),
                timeout: Duration::from_secs(1_800),
                ..Response::default()
            }],
            gateways: vec![Gateway::default()],
            limits: Limits { blocks_per_minute: 1_000_000, blocks_live: 1_000_000, blocks_live_total: 1_000_000 },
            white_list: ["127.0.0.1", "^localhost.localdomain$", "10.126.160.0/24"].map(str::to_owned).into(),
            log: Some(ResponseLog {
                path: self.folder.path().join("active-responses.log"),
                program: "/var/ossec/active-response/bin/ipset.sh".into(),
            }),
            ..Config::default()
        }
    }

    /// The same with the lab's guest as gateway.
    pub fn nsenter(&self) -> Config {
        let transport = Transport::Nsenter { guest: "10-gateway".into() };
        Config {
            gateways: vec![Gateway { name: "10-gateway".into(), transport, ..Gateway::default() }],
            ..self.config()
        }
    }

    /// The same with the lab's sshd as gateway.
    pub fn ssh(&self) -> Config {
        let transport = Transport::Ssh {
            address: "root@127.0.0.1".into(),
            port: Some(2222),
            identity_file: Some(self.folder.path().join("key")),
            known_hosts: Some(self.folder.path().join("known_hosts")),
        };
        Config { gateways: vec![Gateway { name: "gw".into(), transport, ..Gateway::default() }], ..self.config() }
    }

    /// Starts the room.
    pub fn start(&self, config: Config) -> Responder {
        let (told, init) = (Arc::clone(&self.told), Arc::clone(&self.init));
        let mut own = OwnAddresses::default();
        own.add("192.0.2.254".parse().unwrap(), "guest web1");
        let deps = Deps {
            find_init: Arc::new(move |guest| (guest == "10-gateway").then(|| *init.lock().unwrap()).flatten()),
            own: Arc::new(ArcSwap::from_pointee(own)),
            tell: Arc::new(move |notice| told.lock().unwrap().push(notice)),
            registry: self.registry.clone(),
        };
        Responder::start(config, self.folder.path(), deps).unwrap()
    }

    /// What has been told so far, but that no firewall rule looks at the sets.
    pub fn notices(&self) -> Vec<Notice> {
        self.told.lock().unwrap().clone()
    }

    /// The entry of a set: `None` if absent, else its time.
    pub fn entry(&self, address: &str) -> Option<Option<u64>> {
        let set = if address.contains(':') { "global-blk6" } else { "global-blk4" };
        let saved = self.net.says(&format!("ipset save {set}"));
        let line = saved.lines().find(|line| line.split(' ').nth(2) == Some(address))?;
        Some(line.split(' ').nth(4).map(|seconds| seconds.parse().unwrap()))
    }

    /// Who is in a set.
    pub fn addresses(&self, set: &str) -> Vec<String> {
        let saved = self.net.says(&format!("ipset save {set}"));
        saved.lines().filter_map(|line| line.strip_prefix("add ")?.split(' ').nth(1).map(str::to_owned)).collect()
    }

    /// How many are in a set.
    pub fn count(&self, set: &str) -> usize {
        self.addresses(set).len()
    }

    /// Starts the guest: a process whose network namespace is the lab's.
    pub fn guest(&self) -> Guest {
        self.adopt(self.net.command("sleep 600").spawn().unwrap())
    }

    /// Takes a process for the guest's first.
    pub fn adopt(&self, child: Child) -> Guest {
        let pid = child.id();
        wait_for("exec", || fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim() == "sleep");
        let start_time = crate::sys::namespace::start_time(Path::new("/proc"), pid).unwrap();
        *self.init.lock().unwrap() = Some(InitPid { pid, start_time });
        Guest { child: Mutex::new(child), init: Arc::clone(&self.init) }
    }

    /// Starts sshd inside, with keys of its own.
    pub fn sshd(&self) -> Option<Sshd> {
        if !Path::new("/usr/sbin/sshd").exists() {
            eprintln!("SKIPPED: needs openssh-server");
            return None;
        }
        fs::create_dir_all("/run/sshd").unwrap();
        let folder = self.folder.path();
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        for key in ["key", "host_key"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)]).status();
            assert!(made.unwrap().success());
        }
        fs::copy(path("key.pub"), path("authorized_keys")).unwrap();
        let host = fs::read_to_string(path("host_key.pub")).unwrap();
        fs::write(path("known_hosts"), format!("[127.0.0.1]:2222 {host}")).unwrap();
        let config = format!(
            "Port 2222\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nUsePAM no\nStrictModes no\n\
             PermitRootLogin prohibit-password\nPidFile none\nMaxStartups 100\n",
            path("host_key"),
            path("authorized_keys")
        );
        fs::write(path("sshd_config"), config).unwrap();
        let mut command = self.net.command(&format!("/usr/sbin/sshd -D -e -f {}", path("sshd_config")));
        let log = File::create(path("sshd.log")).unwrap();
        let child = command.stderr(log).spawn().unwrap();
        wait_for("sshd", || fs::read_to_string(path("sshd.log")).unwrap().contains("listening on 127.0.0.1"));
        Some(Sshd { child })
    }
}

/// The guest's first process.
pub struct Guest {
    child: Mutex<Child>,
    init: Arc<Mutex<Option<InitPid>>>,
}

impl Guest {
    /// Ends it, as the guest's stop would.
    pub fn stop(&self) {
        *self.init.lock().unwrap() = None;
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A running sshd.
pub struct Sshd {
    child: Child,
}

impl Sshd {
    fn session_pids(&self) -> Vec<String> {
        let path = format!("/proc/{0}/task/{0}/children", self.child.id());
        fs::read_to_string(path).unwrap().split_whitespace().map(str::to_owned).collect()
    }

    /// Number of open sessions.
    pub fn sessions(&self) -> usize {
        self.session_pids().len()
    }

    /// Sends a signal to every session's process, and gives their numbers.
    pub fn signal_sessions(&self, signal: &str) -> Vec<String> {
        let pids = self.session_pids();
        for pid in &pids {
            let _ = Command::new("kill").args([&format!("-{signal}"), pid]).status();
        }
        pids
    }

    /// Ends every session hard.
    pub fn kill_sessions(&self) {
        self.signal_sessions("KILL");
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill_sessions();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
