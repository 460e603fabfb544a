//! Members of a cluster as real processes on the loopback.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use kv_store::{
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

pub(crate) struct Member {
    pub(crate) id: u64,
    pub(crate) address: String,
    folder: PathBuf,
    process: Child,
}

impl Member {
    fn start(id: u64, folder: &Path, listen: &str, join: Option<&str>) -> Self {
        let mut command = Command::new(program());
        command
            .args(["serve", "--id", &id.to_string(), "--listen", listen])
            .arg("--data-dir")
            .arg(folder)
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
            process,
        }
    }

    /// Like a crash of the process: nothing is written or said any more.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// In its folder and on its port, after it was killed.
    pub(crate) fn start_again(&mut self) {
        *self = Self::start(self.id, &self.folder, &self.address, None);
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
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

pub(crate) struct Cluster {
    pub(crate) members: Vec<Member>,
    pub(crate) folder: tempfile::TempDir,
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
        let folder = tempfile::tempdir().unwrap();
        let first = Member::start(1, &folder.path().join("1"), "127.0.0.1:0", None);
        kv_ok(&["init", "--endpoints", &first.address]);
        let mut cluster = Self {
            members: vec![first],
            folder,
        };
        for id in 2..=num_members {
            cluster.add(id);
        }
        cluster.until_voters(num_members as usize).await;
        cluster
    }

    /// One member, from a backup.
    pub(crate) async fn restored(backup: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("1");
        // The port is not known before the member listens, and a member alone is dialled by nobody.
        kv_ok(&[
            "restore",
            "--from",
            backup,
            "--data-dir",
            first.to_str().unwrap(),
        ]);
        let cluster = Self {
            members: vec![Member::start(1, &first, "127.0.0.1:0", None)],
            folder,
        };
        cluster.leader().await;
        cluster
    }

    pub(crate) fn add(&mut self, id: u64) {
        let folder = self.folder.path().join(id.to_string());
        let join = Some(self.members[0].address.as_str());
        let member = Member::start(id, &folder, "127.0.0.1:0", join);
        self.members.push(member);
    }

    pub(crate) fn endpoints(&self) -> String {
        let addresses = self.members.iter().map(|member| member.address.as_str());
        addresses.collect::<Vec<_>>().join(",")
    }

    pub(crate) fn client(&self) -> Client {
        let addresses = self.members.iter().map(|member| member.address.clone());
        let mut options = ClientOptions::new(addresses);
        options.retry = Retry {
            patience: PATIENCE,
            ..Retry::default()
        };
        Client::new(options).unwrap()
    }

    /// As the member that leads sees it.
    pub(crate) async fn leader(&self) -> NodeStatus {
        let client = self.client();
        until("a leader", || async {
            for member in &self.members {
                if let Ok(status) = client.status(&member.address).await
                    && status.lead.is_own
                {
                    return Some(status);
                }
            }
            None
        })
        .await
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
