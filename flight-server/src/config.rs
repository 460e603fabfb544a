//! What an operator sets: command line, then environment, then `murre.toml`, then defaults.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use coordinator::{EngineConfig, WorkersKind, parse_bytes};
use serde::Deserialize;

use crate::{
    auth::{AuthConfig, AuthSettings},
    flight::FlightLimits,
    functions::{LambdaConfig, LambdaSettings},
    tls::TlsConfig,
};

/// Settings as given; what is unset comes from the file or the default. The same names everywhere:
/// `--data-dir`, `MURRE_DATA_DIR`, `data_dir` in the file.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address of Flight SQL; port 0 takes a free one [default: 127.0.0.1:31337]
    #[arg(long, env = "MURRE_LISTEN", value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Address of /healthz, /readyz and /metrics [default: 127.0.0.1:8337]
    #[arg(long, env = "MURRE_HTTP", value_name = "HOST:PORT")]
    pub http: Option<String>,
    /// Folder of tables, secrets and spill files [default: murre-data]
    #[arg(long, env = "MURRE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Threads that run queries [default: one for each core]
    #[arg(long, env = "MURRE_THREADS", value_name = "N")]
    pub threads: Option<usize>,
    /// Memory of all queries and temporary tables together [default: 3/4 of the machine's]
    #[arg(long, env = "MURRE_MEMORY_LIMIT", value_name = "SIZE")]
    pub memory_limit: Option<String>,
    /// Disk space of all spill files together [default: 100GB]
    #[arg(long, env = "MURRE_SPILL_LIMIT", value_name = "SIZE")]
    pub spill_limit: Option<String>,
    /// Cache of Parquet footers; 0 switches it off [default: 256MB]
    #[arg(long, env = "MURRE_METADATA_CACHE", value_name = "SIZE")]
    pub metadata_cache: Option<String>,
    /// Compiled fragments kept on disk; 0 keeps them in memory only [default: 256MB]
    #[arg(long, env = "MURRE_MODULE_CACHE", value_name = "SIZE")]
    pub module_cache: Option<String>,
    /// Cache of file statistics; 0 switches it off [default: 64MB]
    #[arg(long, env = "MURRE_STATISTICS_CACHE", value_name = "SIZE")]
    pub statistics_cache: Option<String>,
    /// Log statements that run at least this long; 0 logs none [default: 10s]
    #[arg(long, env = "MURRE_SLOW_QUERY", value_name = "TIME")]
    pub slow_query: Option<String>,
    /// Longest time a statement may run, unless its session says otherwise; 0 means no limit [default: 0]
    #[arg(long, env = "MURRE_STATEMENT_TIMEOUT", value_name = "TIME")]
    pub statement_timeout: Option<String>,
    /// On SIGTERM, time that running statements get to end [default: 30s]
    #[arg(long, env = "MURRE_DRAIN_TIMEOUT", value_name = "TIME")]
    pub drain_timeout: Option<String>,
    /// Forget sessions and prepared statements that are not used for this long [default: 30m]
    #[arg(long, env = "MURRE_SESSION_TIMEOUT", value_name = "TIME")]
    pub session_timeout: Option<String>,
    /// Forget results that are not fetched for this long [default: 5m]
    #[arg(long, env = "MURRE_RESULT_TIMEOUT", value_name = "TIME")]
    pub result_timeout: Option<String>,
    /// Results that wait to be fetched, of all clients [default: 10000]
    #[arg(long, env = "MURRE_RESULT_LIMIT", value_name = "N")]
    pub result_limit: Option<usize>,
    /// Sessions of all clients [default: 10000]
    #[arg(long, env = "MURRE_SESSION_LIMIT", value_name = "N")]
    pub session_limit: Option<usize>,
    /// Prepared statements of one session [default: 1000]
    #[arg(long, env = "MURRE_PREPARED_LIMIT", value_name = "N")]
    pub prepared_limit: Option<usize>,
    /// Who runs the tasks of queries: embedded for this process, remote for workers that join, lambda for those and for
    /// functions that are called [default: embedded]
    #[arg(long, env = "MURRE_WORKERS", value_name = "KIND")]
    pub workers: Option<String>,
    /// Address that workers join at; without it none can [default with --workers remote or lambda: 127.0.0.1:31338]
    #[arg(long, env = "MURRE_WORKERS_LISTEN", value_name = "HOST:PORT")]
    pub workers_listen: Option<String>,
    /// That address as functions see it [default: as it listens]
    #[arg(long, env = "MURRE_WORKERS_ANNOUNCE", value_name = "HOST:PORT")]
    pub workers_announce: Option<String>,
    /// Log lines as text or json [default: text]
    #[arg(long, env = "MURRE_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// What to log, for example info or coordinator=debug [default: info]
    #[arg(long, env = "MURRE_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    #[command(flatten)]
    #[serde(default)]
    pub auth: AuthSettings,
    #[command(flatten)]
    #[serde(default)]
    pub lambda: LambdaSettings,
}

/// Settings of a server, read and checked.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    pub http: SocketAddr,
    pub data_dir: PathBuf,
    pub drain_timeout: Duration,
    pub log_json: bool,
    pub log_filter: String,
    pub flight: FlightLimits,
    pub auth: AuthConfig,
    /// `None` for plaintext.
    pub tls: Option<TlsConfig>,
    /// `None` where no worker can join.
    pub workers_listen: Option<SocketAddr>,
    /// "host:port" as functions see it; `None`: as it listens.
    pub workers_announce: Option<String>,
    /// `None` where no function is called.
    pub lambda: Option<LambdaConfig>,
    pub engine: EngineConfig,
}

impl Settings {
    /// Fills what is unset from a file.
    pub fn or_from_file(self, path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let file: Self =
            toml::from_str(&text).with_context(|| format!("cannot use {}", path.display()))?;
        Ok(Self {
            listen: self.listen.or(file.listen),
            http: self.http.or(file.http),
            data_dir: self.data_dir.or(file.data_dir),
            threads: self.threads.or(file.threads),
            memory_limit: self.memory_limit.or(file.memory_limit),
            spill_limit: self.spill_limit.or(file.spill_limit),
            metadata_cache: self.metadata_cache.or(file.metadata_cache),
            module_cache: self.module_cache.or(file.module_cache),
            statistics_cache: self.statistics_cache.or(file.statistics_cache),
            slow_query: self.slow_query.or(file.slow_query),
            statement_timeout: self.statement_timeout.or(file.statement_timeout),
            drain_timeout: self.drain_timeout.or(file.drain_timeout),
            session_timeout: self.session_timeout.or(file.session_timeout),
            result_timeout: self.result_timeout.or(file.result_timeout),
            result_limit: self.result_limit.or(file.result_limit),
            session_limit: self.session_limit.or(file.session_limit),
            prepared_limit: self.prepared_limit.or(file.prepared_limit),
            workers: self.workers.or(file.workers),
            workers_listen: self.workers_listen.or(file.workers_listen),
            workers_announce: self.workers_announce.or(file.workers_announce),
            log_format: self.log_format.or(file.log_format),
            log: self.log.or(file.log),
            auth: self.auth.or(file.auth),
            lambda: self.lambda.or(file.lambda),
        })
    }

    /// Checks everything and fills in the defaults.
    pub fn check(self) -> anyhow::Result<ServerConfig> {
        let data_dir = self.data_dir.unwrap_or_else(|| "murre-data".into());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or(cores);
        if threads == 0 || threads > 4096 {
            bail!("threads: {threads} is not between 1 and 4096");
        }
        let default_limits = FlightLimits::default();
        let tls = self.auth.tls()?;
        let none_if_zero = |time: Duration| Some(time).filter(|time| !time.is_zero());
        let log_json = match self.log_format.as_deref() {
            None | Some("text") => false,
            Some("json") => true,
            Some(other) => bail!("log_format: \"{other}\" is neither text nor json"),
        };
        let workers = self.workers.as_deref().unwrap_or("embedded");
        let workers = WorkersKind::of(workers)
            .with_context(|| format!("workers: \"{workers}\" is not {}", WorkersKind::NAMES))?;
        let workers_listen = match (self.workers_listen.as_deref(), workers) {
            (Some(text), _) => Some(text),
            (None, WorkersKind::Remote | WorkersKind::Lambda) => Some("127.0.0.1:31338"),
            (None, WorkersKind::Embedded) => None,
        };
        // What is said there is always encrypted.
        let workers_listen = workers_listen.map(|text| address("workers_listen", text, true));
        let workers_listen = workers_listen.transpose()?;
        let lambda = self.lambda.check()?;
        if workers == WorkersKind::Lambda && lambda.is_none() {
            bail!("workers: lambda needs --lambda-url, where the function is invoked");
        }
        let anywhere = workers_listen.is_some_and(|address| address.ip().is_unspecified());
        if lambda.is_some() && anywhere && self.workers_announce.is_none() {
            bail!(
                "workers_announce: functions have to be told an address that they can dial: --workers-announce HOST:PORT"
            );
        }
        Ok(ServerConfig {
            workers_listen,
            workers_announce: self.workers_announce,
            lambda,
            listen: address(
                "listen",
                self.listen.as_deref().unwrap_or("127.0.0.1:31337"),
                tls.is_some() || self.auth.insecure_plaintext,
            )?,
            http: address(
                "http",
                self.http.as_deref().unwrap_or("127.0.0.1:8337"),
                self.auth.insecure_plaintext,
            )?,
            tls,
            drain_timeout: time("drain_timeout", self.drain_timeout.as_deref(), 30)?,
            log_json,
            flight: FlightLimits {
                session_idle: time("session_timeout", self.session_timeout.as_deref(), 1800)?,
                result_idle: time("result_timeout", self.result_timeout.as_deref(), 300)?,
                sessions_max: self.session_limit.unwrap_or(default_limits.sessions_max),
                results_max: self.result_limit.unwrap_or(default_limits.results_max),
                prepared_per_session_max: self
                    .prepared_limit
                    .unwrap_or(default_limits.prepared_per_session_max),
                ..default_limits
            },
            auth: self.auth.check()?,
            log_filter: self.log.unwrap_or_else(|| "info".into()),
            engine: EngineConfig {
                threads,
                memory_limit_bytes: match &self.memory_limit {
                    Some(text) => size("memory_limit", Some(text), 0)?,
                    None => machine_memory_bytes() / 4 * 3,
                },
                spill_limit_bytes: size(
                    "spill_limit",
                    self.spill_limit.as_deref(),
                    100_000_000_000,
                )?,
                spill_folder: data_dir.join("spill"),
                module_folder: None,
                module_cache_bytes: size(
                    "module_cache",
                    self.module_cache.as_deref(),
                    256_000_000,
                )?,
                metadata_cache_bytes: size(
                    "metadata_cache",
                    self.metadata_cache.as_deref(),
                    256_000_000,
                )?,
                statistics_cache_bytes: size(
                    "statistics_cache",
                    self.statistics_cache.as_deref(),
                    64_000_000,
                )?,
                slow_query: none_if_zero(time("slow_query", self.slow_query.as_deref(), 10)?),
                statement_timeout: none_if_zero(time(
                    "statement_timeout",
                    self.statement_timeout.as_deref(),
                    0,
                )?),
                workers,
            },
            data_dir,
        })
    }
}

/// An address of this machine's own, unless what is said there is encrypted or may be read by others.
fn address(name: &str, text: &str, for_others: bool) -> anyhow::Result<SocketAddr> {
    let text = text.replace("localhost", "127.0.0.1");
    let address: SocketAddr = text
        .parse()
        .with_context(|| format!("{name}: \"{text}\" is not HOST:PORT with a numeric host"))?;
    if !address.ip().is_loopback() && !for_others {
        let remedy = match name {
            "listen" => "encrypt it with --tls-cert and --tls-key or with --tls-self-signed",
            _ => "leave it on a loopback address",
        };
        bail!(
            "{name}: {address} can be reached from other machines, and would be plaintext; {remedy}, \
             or say --insecure-plaintext"
        );
    }
    Ok(address)
}

pub(crate) fn size(name: &str, text: Option<&str>, default: u64) -> anyhow::Result<u64> {
    text.map_or(Ok(default), |text| {
        parse_bytes(text).map_err(|e| anyhow::anyhow!("{name}: {e}"))
    })
}

fn time(name: &str, text: Option<&str>, default_seconds: u64) -> anyhow::Result<Duration> {
    let Some(text) = text else {
        return Ok(Duration::from_secs(default_seconds));
    };
    coordinator::parse_duration(text).map_err(|e| anyhow::anyhow!("{name}: {e}"))
}

/// `MemTotal` of Linux, or the control group's limit where that is lower; 4 GiB where neither can be read.
pub(crate) fn machine_memory_bytes() -> u64 {
    let total = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace()
                .nth(1)?
                .parse::<u64>()
                .ok()
                .map(|kib| kib * 1024)
        });
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    total.into_iter().chain(group).min().unwrap_or(4 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_kept_out_where_they_could_read_what_is_said() {
        for address in ["0.0.0.0:1", "192.168.1.5:31337", "[::]:0"] {
            let settings = Settings {
                listen: Some(address.into()),
                ..Settings::default()
            };
            let error = settings.check().unwrap_err().to_string();
            assert!(error.contains("would be plaintext"), "{error}");
        }
        let with_tls = Settings {
            listen: Some("0.0.0.0:1".into()),
            auth: AuthSettings {
                tls_self_signed: true,
                ..AuthSettings::default()
            },
            ..Settings::default()
        };
        with_tls.clone().check().unwrap();
        let http_too = Settings {
            http: Some("0.0.0.0:2".into()),
            ..with_tls
        };
        assert!(
            http_too
                .check()
                .unwrap_err()
                .to_string()
                .starts_with("http: ")
        );
        for address in ["127.0.0.1:0", "[::1]:0", "localhost:5"] {
            Settings {
                listen: Some(address.into()),
                ..Settings::default()
            }
            .check()
            .unwrap();
        }
    }

    #[test]
    fn a_misspelt_setting_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("murre.toml");
        std::fs::write(&path, "lissten = '127.0.0.1:1'").unwrap();
        let error = format!("{:#}", Settings::default().or_from_file(&path).unwrap_err());
        assert!(
            error.contains("lissten") && error.contains("listen"),
            "{error}"
        );
        let settings = Settings {
            memory_limit: Some("lots".into()),
            ..Settings::default()
        };
        assert!(
            settings
                .check()
                .unwrap_err()
                .to_string()
                .starts_with("memory_limit: \"lots\"")
        );
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("murre.toml");
        std::fs::write(&path, "threads = 3\nmemory_limit = '1GB'").unwrap();
        let settings = Settings {
            threads: Some(5),
            ..Settings::default()
        };
        let config = settings.or_from_file(&path).unwrap().check().unwrap();
        assert_eq!(
            (config.engine.threads, config.engine.memory_limit_bytes),
            (5, 1_000_000_000)
        );
    }
}
