//! `kv get`, `set`, `range`, `watch`.

use clap::Args;
use futures::StreamExt;
use serde_json::json;

use super::{CliError, Remote, print, text};
use crate::{
    KvError,
    engine::Direction,
    mvcc::{
        changes::Change,
        selector::{KeySelector, RangeQuery},
    },
    transaction::{Transaction, Waits},
    txn::{KEYS_END, KeyRange, Mutation},
};

#[derive(Debug, Args)]
pub(super) struct Get {
    key: String,
    #[command(flatten)]
    remote: Remote,
}

impl Get {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let value = self.remote.client()?.get_now(self.key.as_bytes()).await?;
        match (value, self.remote.json) {
            (Some(value), false) => print(&text(&value)),
            (Some(value), true) => {
                print(&json!({"key": self.key, "value": text(&value)}).to_string())
            }
            (None, _) => Err(CliError::NoKey { key: self.key }),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Set {
    key: String,
    value: String,
    #[command(flatten)]
    remote: Remote,
}

impl Set {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let client = self.remote.client()?;
        let write = |txn: Transaction<_>| {
            txn.mutate(Mutation::Set {
                key: self.key.clone().into_bytes(),
                value: self.value.clone().into_bytes(),
            });
            async { Ok::<_, KvError>(()) }
        };
        client.run_transaction(write).await?;
        if self.remote.json {
            print(&json!({"key": self.key}).to_string())?;
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(super) struct Range {
    /// First key
    #[arg(default_value = "")]
    begin: String,
    /// Key behind the last; without it, to the end
    end: Option<String>,
    /// Rows, at most
    #[arg(long, default_value_t = 1000)]
    limit: usize,
    /// From the last key to the first
    #[arg(long)]
    reverse: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Keys have no end of their own: all sort before this.
fn end_key(end: Option<String>) -> Vec<u8> {
    end.map_or(KEYS_END.to_vec(), String::into_bytes)
}

impl Range {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let client = self.remote.client()?;
        let txn = Transaction::begin(&client).await?;
        let query = RangeQuery {
            begin: KeySelector::first_at_or_after(self.begin),
            end: KeySelector::first_at_or_after(end_key(self.end)),
            limit: self.limit,
            direction: if self.reverse {
                Direction::Reverse
            } else {
                Direction::Forward
            },
        };
        for row in txn.snapshot_get_range(&query).await? {
            let (key, value) = (text(&row.key), text(&row.value));
            if self.remote.json {
                print(&json!({"key": key, "value": value}).to_string())?;
            } else {
                print(&format!("{key}\t{value}"))?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(super) struct Watch {
    /// First key
    #[arg(default_value = "")]
    begin: String,
    /// Key behind the last; without it, to the end
    end: Option<String>,
    /// Stop after this many changes
    #[arg(long)]
    count: Option<usize>,
    #[command(flatten)]
    remote: Remote,
}

impl Watch {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let client = self.remote.client()?;
        let range = KeyRange {
            begin: self.begin.into_bytes(),
            end: end_key(self.end),
        };
        let (mut after, mut left) = (None, self.count.unwrap_or(usize::MAX));
        let mut waits: Option<Waits> = None;
        loop {
            let mut answers = Box::pin(client.watch(&range, after).await?);
            let mut num_answers = 0;
            // A member that is lost ends the stream; the next one goes on from the last version.
            let lost = loop {
                let (changes, upto) = match answers.next().await {
                    Some(Ok(told)) => told,
                    Some(Err(error)) if error.is_of_the_member() => break error,
                    Some(Err(error)) => return Err(error.into()),
                    None => {
                        let detail = "the member told of no more changes".into();
                        break KvError::Unreachable { detail };
                    }
                };
                for change in changes {
                    print_change(change, self.remote.json)?;
                    left -= 1;
                    if left == 0 {
                        return Ok(());
                    }
                }
                after = Some(upto);
                num_answers += 1;
                if num_answers > 1 {
                    // The first one says where it begins and is never missing.
                    waits = None;
                }
            };
            let waits = waits.get_or_insert_with(|| Waits::new(self.remote.retry()));
            if !waits.wait().await {
                return Err(lost.into());
            }
        }
    }
}

fn print_change(change: Change, is_json: bool) -> Result<(), CliError> {
    let (key, version) = (text(&change.key), change.version.to_string());
    let value = change.value.map(|value| text(&value));
    if is_json {
        return print(&json!({"version": version, "key": key, "value": value}).to_string());
    }
    let value = value.map_or("cleared".into(), |value| format!("= {value}"));
    print(&format!("{version} {key} {value}"))
}

#[cfg(test)]
mod tests {
    use std::{
        future::ready,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use clap::Parser;
    use futures::{FutureExt, stream};
    use tonic::Status;

    use super::*;
    use crate::{
        Version,
        cli::Kv,
        rpc::{
            server::{HttpRequest, streamed, unary},
            stub,
        },
        service::{error::to_wire, messages as wire, method, wire::version},
    };

    /// What `kv watch` ends with when each watch fails with `error` behind its first answer, and how often it asked.
    async fn watch(error: KvError) -> (CliError, usize) {
        let num_watches = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&num_watches);
        let address = stub::serve(move |request: HttpRequest| {
            let at = version::to_wire(Version::MIN);
            match request.uri().path() {
                method::BEGIN => {
                    let begin = move |_: wire::Empty| {
                        let version = at.clone();
                        ready(Ok(wire::AtVersion { version }))
                    };
                    async move { unary(request, begin).await }.boxed()
                }
                method::WATCH => {
                    counter.fetch_add(1, Ordering::Relaxed);
                    let first = wire::Changes {
                        changes: Vec::new(),
                        upto: at,
                    };
                    let answers = [Ok(first), Err(to_wire(&error))];
                    let watch = move |_: wire::Watch| ready(Ok(stream::iter(answers.clone())));
                    async move { streamed(request, watch).await }.boxed()
                }
                _ => ready(Status::unimplemented("not known").into_http()).boxed(),
            }
        })
        .await;
        let command = ["kv", "watch", "--patience", "1", "--endpoints", &address];
        let ended = crate::cli::run(Kv::parse_from(command)).await;
        (ended.unwrap_err(), num_watches.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_watch_goes_on_behind_a_lost_member_for_a_while_and_ends_with_other_errors() {
        let compacted = KvError::Compacted {
            version: Version::MIN,
            watermark: Version::MAX,
        };
        let (ended, num_watches) = watch(compacted.clone()).await;
        assert!(
            matches!(&ended, CliError::Kv(error) if *error == compacted),
            "{ended}"
        );
        assert_eq!(num_watches, 1);
        let lost = KvError::NotLeader { leader: None };
        let (ended, num_watches) = watch(lost.clone()).await;
        assert!(
            matches!(&ended, CliError::Kv(error) if *error == lost),
            "{ended}"
        );
        assert!(
            num_watches > 1 && num_watches < 100,
            "{num_watches} watches"
        );
    }
}
