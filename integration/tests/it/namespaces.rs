//! A server on a public host, and workers on hosts behind translators: TPC-H, with every stream between workers on the way
//! that the translators leave.
//!
//! A namespace is entered by a process, not by a thread of a runtime, so each test starts this test binary again inside
//! the public one; what it does there is [`inside`].

#[expect(dead_code, reason = "the rendezvous' own tests use the rest")]
#[path = "../../../worker-wasm/tests/it/rendezvous/network.rs"]
mod network;

use std::process::Command;

use anyhow::{Context, Result, ensure};
use network::{Namespace, Network, PUBLIC, Ports, command_in};

use crate::{
    distributed::{check_all, check_boundary},
    server::{Server, binary, until, update},
    tpch::{check, generate, query_text, register},
    worker::{WorkerProcess, counts},
};

/// What a test says to its other half: the way, how many queries, and the namespaces of the workers.
const TOLD: &str = "MURRE_TEST_NAMESPACES";

const SCALE_FACTOR: &str = "0.1";

/// Those of which every operator is compiled.
const SOME: [u32; 4] = [1, 3, 6, 14];

#[test]
fn tpch_is_right_with_every_stream_punched() {
    let mut network = Network::new();
    let sites = [(); 4].map(|()| network.site(Ports::Kept, 1));
    check_inside(&network, "punched", "all", sites.iter().flatten());
}

#[test]
fn tpch_is_right_with_every_stream_relayed() {
    let mut network = Network::new();
    let sites = [(); 3].map(|()| network.site(Ports::Random, 1));
    check_inside(&network, "relayed", "some", sites.iter().flatten());
}

#[test]
fn workers_behind_one_translator_reach_each_other() {
    let mut network = Network::new();
    let site = network.site(Ports::Random, 2);
    check_inside(&network, "punched", "some", site.iter());
}

fn check_inside<'a>(
    network: &Network,
    way: &str,
    queries: &str,
    hosts: impl Iterator<Item = &'a Namespace>,
) {
    let mut told = vec![way.to_owned(), queries.to_owned()];
    told.extend(hosts.map(Namespace::path));
    let this = std::env::current_exe().unwrap();
    let name = format!("{}::inside", module_path!().split_once("::").unwrap().1);
    let done = network
        .public
        .command(this.to_str().unwrap())
        .args([&name, "--exact", "--ignored", "--nocapture"])
        .env(TOLD, told.join(" "))
        .output()
        .expect("nsenter (util-linux) can be run");
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(
        done.status.success() && out.contains("1 passed"),
        "{out}\n{err}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the half of the other tests that runs in a namespace"]
async fn inside() -> Result<()> {
    let told = std::env::var(TOLD).context("started by one of the tests above only")?;
    let mut told = told.split(' ');
    let (way, queries) = (
        told.next().context("a way")?,
        told.next().context("queries")?,
    );
    let hosts: Vec<_> = told.collect();
    let dir = tempfile::tempdir()?;
    let listen = format!("{PUBLIC}:0");
    let arguments = ["--workers", "remote", "--workers-listen", &listen];
    let server = Server::start_with(&dir.path().join("data"), &arguments)?;
    let mut client = server.client().await?;
    let binary = binary()?;
    let binary = binary.to_str().context("a path in UTF-8")?;
    let start = |(number, host): (usize, &&str)| {
        let command: Command = command_in(host, binary);
        WorkerProcess::start_by(command, &server, &format!("w{number}"), dir.path(), &[])
    };
    let workers = hosts.iter().enumerate().map(start);
    let _workers: Vec<_> = workers.collect::<Result<_>>()?;
    until("the workers", async || {
        Ok(counts(&mut client, "tasks").await?.len() == hosts.len())
    })
    .await?;
    register(&mut client, &generate(SCALE_FACTOR)?).await?;
    update(&mut client, "SET murre.compile = 'always'").await?;
    match queries {
        "all" => check_all(&mut client).await?,
        _ => {
            for query in SOME {
                check_boundary(&mut client, &query_text(query)?).await?;
                check(&mut client, query, SCALE_FACTOR).await?;
            }
        }
    }
    // Two streams for each pair, at both of its ends; two workers that ask for each other may come to have four.
    let least = 2 * (hosts.len() as i64 - 1);
    for column in ["streams_direct", "streams_punched", "streams_relayed"] {
        let streams = counts(&mut client, column).await?;
        let expected = match column.ends_with(way) {
            true => streams.iter().all(|streams| *streams >= least),
            false => streams.iter().all(|streams| *streams == 0),
        };
        ensure!(expected, "{way} expected, {column}: {streams:?}");
    }
    let bytes = counts(&mut client, "bytes_sent").await?;
    ensure!(bytes.iter().all(|bytes| *bytes > 0), "{bytes:?}");
    Ok(())
}
