//! `kv get`, `set`, `range`, `watch`.

use clap::Args;
use futures::StreamExt;
use serde_json::json;

use super::{CliError, Remote, print, text};
use crate::{
    engine::Direction,
    mvcc::selector::{KeySelector, RangeQuery},
    transaction::Transaction,
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
            async { Ok::<_, crate::KvError>(()) }
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
        loop {
            let mut answers = Box::pin(client.watch(&range, after).await?);
            // A member that is lost ends the stream; the next one goes on from the last version.
            while let Some(Ok((changes, upto))) = answers.next().await {
                for change in changes {
                    let key = text(&change.key);
                    let value = change.value.map(|value| text(&value));
                    if self.remote.json {
                        let version = change.version.to_string();
                        print(
                            &json!({"version": version, "key": key, "value": value}).to_string(),
                        )?;
                    } else {
                        let value = value.map_or("cleared".into(), |value| format!("= {value}"));
                        print(&format!("{} {key} {value}", change.version))?;
                    }
                    left -= 1;
                    if left == 0 {
                        return Ok(());
                    }
                }
                after = Some(upto);
            }
        }
    }
}
