//! Members on a network of their own, which is cut, loses packets, and is slow.

use std::path::PathBuf;

use kv_store::DialOptions;

use crate::{
    isolated::{isolated, run},
    load::Load,
    processes::{Cluster, Place, Setting},
    service::certificates,
};

/// One segment with every member and the clients, who are in the namespace of the test.
struct Network {
    num_members: u64,
}

fn address(id: u64) -> String {
    format!("10.77.0.{id}")
}

/// As the packet filter compares it.
fn number(id: u64) -> u64 {
    (10 << 24) + (77 << 16) + id
}

impl Network {
    fn lay(num_members: u64) -> Self {
        // Names of namespaces are files there; nobody else shall see ours.
        std::fs::create_dir_all("/run/netns").unwrap();
        run(&["mount", "-t", "tmpfs", "none", "/run/netns"]);
        run(&["ip", "link", "add", "hub", "type", "bridge"]);
        run(&["ip", "addr", "add", "10.77.0.254/24", "dev", "hub"]);
        run(&["ip", "link", "set", "hub", "up"]);
        for id in 1..=num_members {
            let (member, port) = (format!("m{id}"), format!("port{id}"));
            let own = format!("{}/24", address(id));
            run(&["ip", "netns", "add", &member]);
            run(&[
                "ip", "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns",
                &member,
            ]);
            run(&["ip", "link", "set", &port, "master", "hub", "up"]);
            run(&["ip", "-n", &member, "addr", "add", &own, "dev", "eth0"]);
            run(&["ip", "-n", &member, "link", "set", "eth0", "up"]);
            run(&["ip", "-n", &member, "link", "set", "lo", "up"]);
            run(&[
                "ip", "netns", "exec", &member, "tc", "qdisc", "add", "dev", "eth0", "clsact",
            ]);
        }
        Self { num_members }
    }

    fn others(&self, id: u64) -> impl Iterator<Item = u64> {
        (1..=self.num_members).filter(move |other| *other != id)
    }

    /// Every packet that the member sends goes through these instructions of the kernel's packet filter.
    fn filter(&self, id: u64, instructions: &[String]) {
        let program = format!("{},{}", instructions.len(), instructions.join(","));
        let member = format!("m{id}");
        run(&[
            "ip", "netns", "exec", &member, "tc", "filter", "replace", "dev", "eth0", "egress",
            "pref", "1", "protocol", "all", "handle", "1", "bpf", "bytecode", &program, "da",
        ]);
    }

    /// What `from` sends to those does not arrive.
    fn drop_packets(&self, from: u64, to: &[u64]) {
        // Is it of IP, and if so, is its destination one of those?
        let mut instructions = vec![
            "40 0 0 12".to_owned(),
            format!("21 0 {} 2048", to.len() + 1),
            "32 0 0 30".to_owned(),
        ];
        for (at, id) in to.iter().enumerate() {
            instructions.push(format!("21 {} 0 {}", to.len() - at, number(*id)));
        }
        instructions.extend([PASS.to_owned(), DROP.to_owned()]);
        self.filter(from, &instructions);
    }

    /// Nothing passes between the member and the others; clients reach all of them.
    fn cut_off(&self, id: u64) {
        let others: Vec<_> = self.others(id).collect();
        self.drop_packets(id, &others);
        for other in others {
            self.drop_packets(other, &[id]);
        }
    }

    /// The member is heard and hears nobody.
    fn deafen(&self, id: u64) {
        for other in self.others(id) {
            self.drop_packets(other, &[id]);
        }
    }

    /// This many of a hundred packets of every member do not arrive.
    fn lose(&self, percent: u64) {
        let threshold = u64::from(u32::MAX) / 100 * percent;
        for id in 1..=self.num_members {
            // A random number, by the kernel.
            let random = "32 0 0 4294963256".to_owned();
            let choose = format!("37 0 1 {threshold}");
            self.filter(id, &[random, choose, PASS.to_owned(), DROP.to_owned()]);
        }
    }

    /// What the member sends waits up to a third of a second, and is lost when more would have to wait.
    fn slow_down(&self, id: u64) {
        let member = format!("m{id}");
        run(&[
            "ip", "netns", "exec", &member, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf",
            "rate", "1mbit", "burst", "3000", "latency", "300ms",
        ]);
    }

    fn speed_up(&self, id: u64) {
        let member = format!("m{id}");
        run(&[
            "ip", "netns", "exec", &member, "tc", "qdisc", "del", "dev", "eth0", "root",
        ]);
    }

    /// Every packet arrives again.
    fn heal(&self) {
        for id in 1..=self.num_members {
            self.filter(id, &[PASS.to_owned()]);
        }
    }
}

const PASS: &str = "6 0 0 4294967295";
const DROP: &str = "6 0 0 2";

fn setting(num_members: u64) -> Setting {
    let folder = tempfile::tempdir().unwrap();
    // Whoever listens on more than the loopback must have a certificate.
    let names = (1..=num_members).map(address).collect();
    let (authority, identity) = certificates(folder.path(), names);
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let mut options = Vec::new();
    for (option, path) in [
        ("--tls-cert", &identity.0),
        ("--tls-key", &identity.1),
        ("--client-ca", &authority),
    ] {
        options.extend([option.to_owned(), text(path)]);
    }
    let place = move |id| Place {
        within: ["ip", "netns", "exec", &format!("m{id}")]
            .map(str::to_owned)
            .to_vec(),
        listen: format!("{}:4000", address(id)),
        options: options.clone(),
    };
    Setting {
        folder,
        place: Box::new(place),
        dial: DialOptions {
            server_ca: Some(authority),
            identity: Some(identity),
            token_file: None,
        },
    }
}

async fn network_fails_under_load(num_members: u64) {
    let network = Network::lay(num_members);
    let cluster = Cluster::start_in(setting(num_members), num_members).await;
    let load = Load::start(6, || cluster.client());
    load.until_commits(100).await;

    let leader = cluster.leader().await.id;
    network.cut_off(leader);
    cluster.until_led_by_another(leader).await;
    load.until_commits(100).await;
    network.heal();
    load.until_commits(100).await;

    let leader = cluster.leader().await.id;
    network.deafen(leader);
    cluster.until_led_by_another(leader).await;
    load.until_commits(100).await;
    network.heal();

    network.lose(5);
    load.until_commits(100).await;
    network.heal();

    let leader = cluster.leader().await.id;
    network.slow_down(leader);
    load.until_commits(100).await;
    network.speed_up(leader);
    load.until_commits(100).await;

    cluster.until_equal().await;
    load.judge().await;
}

#[test]
fn three_members_keep_their_promises_on_a_network_that_fails() {
    let test = "networks::three_members_keep_their_promises_on_a_network_that_fails";
    isolated(test, || network_fails_under_load(3));
}

#[test]
fn five_members_keep_their_promises_on_a_network_that_fails() {
    let test = "networks::five_members_keep_their_promises_on_a_network_that_fails";
    isolated(test, || network_fails_under_load(5));
}
