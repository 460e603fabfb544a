//! Members of a cluster as real processes, on the loopback or where a test puts them.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use futures::future::join_all;
use kv_store::{
    DialOptions, Dialer,
    client::{Client, ClientOptions},
    node::NodeStatus,
    transaction::Retry,
};

/// Until something that must happen has happened.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program of the store's commands: an example, which `cargo test` builds with the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples/kv");
    assert!(
        program.exists(),
        "build it with `cargo build -p kv-store --example kv`"
    );
    program
}

/// How one member is run.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// A command that runs another one; nothing for this process' own surroundings.
    pub(crate) within: Vec<String>,
    pub(crate) listen: String,
    /// Of `kv serve`.
    pub(crate) options: Vec<String>,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            within: Vec::new(),
            listen: "127.0.0.1:0".into(),
            options: Vec::new(),
        }
    }
}

/// How the members of a cluster are run and reached.
pub(crate) struct Setting {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) place: Box<dyn Fn(u64) -> Place>,
    pub(crate) dial: DialOptions,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            place: Box::new(|_| Place::default()),
            dial: DialOptions::default(),
        }
    }
}

pub(crate) struct Member {
    pub(crate) id: u64,
    pub(crate) address: String,
    pub(crate) folder: PathBuf,
    place: Place,
    process: Child,
}

impl Member {
    fn start(id: u64, folder: &Path, place: Place, join: Option<&str>) -> Self {
        let mut words = place.within.clone();
        words.push(program().to_str().unwrap().into());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(["serve", "--id", &id.to_string(), "--listen", &place.listen])
            .arg("--data-dir")
            .arg(folder)
            .args(&place.options)
            .env("KV_LOG", std::env::var("KV_LOG").unwrap_or("error".into()))
            .stdout(Stdio::piped());
        if let Some(member) = join {
            command.args(["--join", member]);
        }
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ");
        let address = address.unwrap_or_else(|| panic!("member {id} said {line:?}"));
        Self {
            id,
            address: address.into(),
            folder: folder.into(),
            // Where it is reached by now, so that it is reached there again.
            place: Place {
                listen: address.into(),
                ..place
            },
            process,
        }
    }

    /// Like a crash of the process: nothing is written or said any more.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// In its folder and on its port, after its process ended.
    pub(crate) fn start_again(&mut self) {
        *self = Self::start(self.id, &self.folder, self.place.clone(), None);
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits until its process has ended by itself.
    pub(crate) async fn until_ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "member {} goes on and on",
                self.id
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

pub(crate) struct Cluster {
    pub(crate) members: Vec<Member>,
    setting: Setting,
}

/// Runs a command and gives what it printed.
pub(crate) fn kv(args: &[&str]) -> Output {
    Command::new(program()).args(args).output().unwrap()
}

/// Runs a command that must succeed.
pub(crate) fn kv_ok(args: &[&str]) -> String {
    let output = kv(args);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asks again and again, until the answer is there.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} does not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Cluster {
    /// All members vote when this returns.
    pub(crate) async fn start(num_members: u64) -> Self {
        Self::start_in(Setting::default(), num_members).await
    }

    /// Members with options of their own; all vote when this returns.
    pub(crate) async fn start_with(options: &'static [&str], num_members: u64) -> Self {
        let place = |_| Place {
            options: options.iter().map(|option| (*option).into()).collect(),
            ..Place::default()
        };
        let setting = Setting {
            place: Box::new(place),
            ..Setting::default()
        };
        Self::start_in(setting, num_members).await
    }

    pub(crate) async fn start_in(setting: Setting, num_members: u64) -> Self {
        let folder = setting.folder.path().join("1");
        let first = Member::start(1, &folder, (setting.place)(1), None);
        let mut cluster = Self {
            members: vec![first],
            setting,
        };
        assert_eq!(
            cluster.kv_ok(&["init", "--json"]),
            "{\"initialized\":true}\n"
        );
        for id in 2..=num_members {
            cluster.add(id);
        }
        cluster.until_voters(num_members as usize).await;
        cluster
    }

    /// One member, from a backup or an archive.
    pub(crate) async fn restored(from: &[&str]) -> Self {
        Self::restored_in(Setting::default(), from).await
    }

    pub(crate) async fn restored_in(setting: Setting, from: &[&str]) -> Self {
        let first = setting.folder.path().join("1");
        // The port is not known before the member listens, and a member alone is dialled by nobody.
        let into = ["restore", "--data-dir", first.to_str().unwrap()];
        kv_ok(&[&into, from].concat());
        let cluster = Self {
            members: vec![Member::start(1, &first, (setting.place)(1), None)],
            setting,
        };
        cluster.leader().await;
        cluster
    }

    pub(crate) fn add(&mut self, id: u64) {
        let folder = self.setting.folder.path().join(id.to_string());
        let join = Some(self.members[0].address.as_str());
        let member = Member::start(id, &folder, (self.setting.place)(id), join);
        self.members.push(member);
    }

    pub(crate) fn endpoints(&self) -> String {
        let addresses = self.members.iter().map(|member| member.address.as_str());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// Runs a command against this cluster, which must succeed.
    pub(crate) fn kv_ok(&self, args: &[&str]) -> String {
        let endpoints = self.endpoints();
        let mut args = args.to_vec();
        args.extend(["--endpoints", &endpoints]);
        let dial = &self.setting.dial;
        if let (Some(authority), Some((certificate, key))) = (&dial.server_ca, &dial.identity) {
            args.extend(["--ca", authority.to_str().unwrap()]);
            args.extend(["--tls-cert", certificate.to_str().unwrap()]);
            args.extend(["--tls-key", key.to_str().unwrap()]);
        }
        kv_ok(&args)
    }

    pub(crate) fn client(&self) -> Client {
        let addresses = self.members.iter().map(|member| member.address.clone());
        let mut options = ClientOptions::new(addresses);
        options.dialer = Dialer::new(&self.setting.dial).unwrap();
        options.retry = Retry {
            patience: PATIENCE,
            ..Retry::default()
        };
        Client::new(options).unwrap()
    }

    /// As the member that leads sees it. One that does not know yet that it was replaced leads an older term.
    pub(crate) async fn leader(&self) -> NodeStatus {
        let client = self.client();
        until("a leader", || async {
            let asked = self
                .members
                .iter()
                .map(|member| client.status(&member.address));
            let answers = join_all(asked).await;
            let leaders = answers
                .into_iter()
                .flatten()
                .filter(|status| status.lead.is_own);
            leaders.max_by_key(|status| status.lead.term)
        })
        .await
    }

    /// Waits until somebody else leads.
    pub(crate) async fn until_led_by_another(&self, than: u64) {
        until("another leader", || async {
            (self.leader().await.id != than).then_some(())
        })
        .await;
    }

    pub(crate) async fn until_voters(&self, num_voters: usize) {
        until("a vote for every member", || async {
            let status = self.leader().await;
            let voters = status.members.iter().filter(|member| member.is_voter);
            (voters.count() == num_voters).then_some(())
        })
        .await;
    }

    pub(crate) fn member(&mut self, id: u64) -> &mut Member {
        let mut members = self.members.iter_mut();
        members.find(|member| member.id == id).unwrap()
    }

    /// What a member that runs says of itself.
    pub(crate) async fn status(&self, id: u64) -> NodeStatus {
        let client = self.client();
        let member = self.members.iter().find(|member| member.id == id).unwrap();
        until("an answer of a member", || async {
            client.status(&member.address).await.ok()
        })
        .await
    }

    /// Every member has applied what the leader has.
    pub(crate) async fn until_equal(&self) {
        let client = self.client();
        until("every member catching up", || async {
            let leader = self.leader().await;
            for member in &self.members {
                let status = client.status(&member.address).await.ok()?;
                if status.applied < leader.applied {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }
}
