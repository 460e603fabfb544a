//! Networks of namespaces: a public one, and sites behind translators.
//!
//! ```text
//!   rendezvous 203.0.113.1 ---+--- 203.0.113.11 site: nat --- 10.0.0.2, 10.0.0.3, ..
//!                             +--- 203.0.113.12 site: nat --- 10.0.0.2, ..
//!                             +--- 203.0.113.200 .. public hosts
//! ```
//! All sites use the same private addresses, as homes and clouds do. Translators drop what nobody asked for, on INPUT and
//! on FORWARD. A namespace lives as long as the process that was started in it, which ends with its standard input, so
//! nothing stays behind even when a test is killed. Needs root, or `CAP_NET_ADMIN` and `CAP_SYS_ADMIN`, and the programs
//! that `integration/net/setup.sh` installs.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
};

/// How a site's translator chooses public ports.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ports {
    /// The same for all destinations: what punching needs.
    Kept,
    /// Another for each destination.
    Random,
}

impl Ports {
    fn rule(self) -> &'static str {
        match self {
            Ports::Kept => "masquerade",
            Ports::Random => "masquerade random,fully-random",
        }
    }
}

/// A network namespace.
pub(crate) struct Namespace {
    keeper: Child,
    _stdin: ChildStdin,
}

impl Namespace {
    fn new() -> Self {
        let mut keeper = Command::new("unshare")
            .args([
                "--net",
                "sh",
                "-c",
                "ip link set lo up && echo up && exec cat",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare (util-linux) can be run");
        let mut up = String::new();
        let mut stdout = BufReader::new(keeper.stdout.take().unwrap());
        stdout.read_line(&mut up).unwrap();
        assert_eq!(
            up.trim(),
            "up",
            "cannot make a network namespace: run as root or with CAP_NET_ADMIN and CAP_SYS_ADMIN, and see \
             integration/net/setup.sh for the programs that are needed"
        );
        let stdin = keeper.stdin.take().unwrap();
        Self {
            keeper,
            _stdin: stdin,
        }
    }

    /// Its name for `nsenter`.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.keeper.id())
    }

    /// A program in this namespace.
    pub(crate) fn command(&self, program: &str) -> Command {
        command_in(&self.path(), program)
    }

    /// Words of a command line that must succeed.
    fn run(&self, line: &str) {
        let mut words = line.split_whitespace();
        let program = words.next().unwrap();
        let output = self.command(program).args(words).output();
        let output = output.unwrap_or_else(|error| panic!("cannot run {line:?}: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line:?} fails: {said}");
    }

    fn rules(&self, rules: &str) {
        let mut nft = self
            .command("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("nsenter (util-linux) can be run");
        let mut stdin = nft.stdin.take().unwrap();
        stdin.write_all(rules.as_bytes()).unwrap();
        drop(stdin);
        let done = nft.wait().unwrap();
        assert!(
            done.success(),
            "nft fails; integration/net/setup.sh installs it"
        );
    }

    /// A cable from here to there, with the names of its two ends.
    fn cable(&self, here: &str, there: &Namespace, end: &str) {
        let peer = there.keeper.id();
        self.run(&format!(
            "ip link add {here} type veth peer name {end} netns {peer}"
        ));
        self.run(&format!("ip link set {here} up"));
        there.run(&format!("ip link set {end} up"));
    }

    fn switch(&self, name: &str, address: &str) {
        self.run(&format!("ip link add {name} type bridge"));
        self.run(&format!("ip address add {address} dev {name}"));
        self.run(&format!("ip link set {name} up"));
    }
}

/// A program in the namespace at this path.
pub(crate) fn command_in(path: &str, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={path}")).arg(program);
    command
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// The public network and what hangs on it.
pub(crate) struct Network {
    pub(crate) public: Namespace,
    cables: usize,
    /// Translators, which only have to live.
    translators: Vec<Namespace>,
}

/// Where the public namespace is reached.
pub(crate) const PUBLIC: &str = "203.0.113.1";

impl Network {
    pub(crate) fn new() -> Self {
        let public = Namespace::new();
        public.switch("public", &format!("{PUBLIC}/24"));
        Self {
            public,
            cables: 0,
            translators: Vec::new(),
        }
    }

    fn plug(&mut self, namespace: &Namespace, end: &str, address: &str) {
        self.cables += 1;
        let here = format!("cable{}", self.cables);
        self.public.cable(&here, namespace, end);
        self.public
            .run(&format!("ip link set {here} master public"));
        namespace.run(&format!("ip address add {address}/24 dev {end}"));
    }

    /// A host that everyone can dial, and its address.
    pub(crate) fn public_host(&mut self) -> (Namespace, String) {
        let host = Namespace::new();
        let address = format!("203.0.113.{}", 200 + self.cables);
        self.plug(&host, "wan", &address);
        (host, address)
    }

    /// Hosts behind a translator of their own.
    pub(crate) fn site(&mut self, ports: Ports, hosts: usize) -> Vec<Namespace> {
        let nat = Namespace::new();
        let address = format!("203.0.113.{}", 11 + self.cables);
        self.plug(&nat, "wan", &address);
        nat.switch("lan", "10.0.0.1/24");
        nat.run("sysctl --quiet --write net.ipv4.ip_forward=1");
        nat.rules(&format!(
            "table ip nat {{
                 chain out {{
                     type nat hook postrouting priority srcnat;
                     oifname wan {}
                 }}
             }}
             table ip filter {{
                 chain input {{
                     type filter hook input priority filter; policy drop;
                     iifname {{ lo, lan }} accept
                     ct state established,related accept
                 }}
                 chain forward {{
                     type filter hook forward priority filter; policy drop;
                     iifname lan accept
                     ct state established,related accept
                 }}
             }}",
            ports.rule()
        ));
        let hosts = (0..hosts).map(|number| {
            let host = Namespace::new();
            let here = format!("cable{number}");
            nat.cable(&here, &host, "eth");
            nat.run(&format!("ip link set {here} master lan"));
            host.run(&format!("ip address add 10.0.0.{}/24 dev eth", 2 + number));
            host.run("ip route add default via 10.0.0.1");
            host
        });
        let hosts = hosts.collect();
        self.translators.push(nat);
        hosts
    }
}
