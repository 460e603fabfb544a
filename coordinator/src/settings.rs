//! `SET murre.*`: what a session may choose, and how sizes and times are written.

use std::{any::Any, time::Duration};

use arrow::array::timezone::Tz;
use datafusion::{
    common::{
        DataFusionError,
        config::{ConfigEntry, ConfigExtension, ConfigField, ConfigOptions, ExtensionOptions},
    },
    prelude::SessionConfig,
};

use crate::{QueryError, WorkersKind};

/// Settings of a session, under the prefix `murre`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MurreSettings {
    pub threads: usize,
    pub memory_limit: String,
    pub statement_timeout: String,
    pub compile: CompileMode,
    pub host_eval: bool,
    /// `None` for the server's.
    pub workers: Option<WorkersKind>,
    pub tasks_per_stage: usize,
    pub flight_dictionaries: bool,
    pub flight_views: bool,
}

impl Default for MurreSettings {
    fn default() -> Self {
        let (memory_limit, statement_timeout) = ("0".to_owned(), "0".to_owned());
        Self {
            threads: 0,
            memory_limit,
            statement_timeout,
            compile: CompileMode::Auto,
            host_eval: true,
            workers: None,
            tasks_per_stage: 0,
            flight_dictionaries: false,
            flight_views: false,
        }
    }
}

impl ExtensionOptions for MurreSettings {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), DataFusionError> {
        let invalid =
            |what: &str| DataFusionError::Configuration(format!("\"{value}\" is not {what}"));
        let flag = || {
            value
                .to_ascii_lowercase()
                .parse()
                .map_err(|_| invalid("true or false"))
        };
        match key {
            "threads" => {
                self.threads = value.parse().map_err(|_| invalid("a number of threads"))?
            }
            "memory_limit" => value.clone_into(&mut self.memory_limit),
            "statement_timeout" => value.clone_into(&mut self.statement_timeout),
            "compile" => {
                self.compile = CompileMode::of(value).ok_or_else(|| invalid(CompileMode::NAMES))?
            }
            "host_eval" => self.host_eval = flag()?,
            "workers" => {
                self.workers = match value.eq_ignore_ascii_case("auto") {
                    true => None,
                    false => Some(
                        WorkersKind::of(value)
                            .ok_or_else(|| invalid("auto, embedded, remote or lambda"))?,
                    ),
                }
            }
            "tasks_per_stage" => {
                self.tasks_per_stage = value.parse().map_err(|_| invalid("a number of tasks"))?
            }
            "flight_dictionaries" => self.flight_dictionaries = flag()?,
            "flight_views" => self.flight_views = flag()?,
            _ => {
                return Err(DataFusionError::Configuration(format!(
                    "there is no setting murre.{key}"
                )));
            }
        }
        Ok(())
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        let entry = |key: &str, value: String, description| ConfigEntry {
            key: format!("murre.{key}"),
            value: Some(value),
            description,
        };
        vec![
            entry(
                "threads",
                self.threads.to_string(),
                "Partitions a query is spread over; 0 means one for each thread of the server",
            ),
            entry(
                "memory_limit",
                self.memory_limit.clone(),
                "Memory one query may use, for example 2GB; 0 means all that the server may use",
            ),
            entry(
                "statement_timeout",
                self.statement_timeout.clone(),
                "Longest time a statement may run, for example 30s; 0 means no limit",
            ),
            entry(
                "compile",
                self.compile.name().to_owned(),
                "Whether operators run as WebAssembly fragments: always where they can, never, or auto where it pays",
            ),
            entry(
                "host_eval",
                self.host_eval.to_string(),
                "Let fragments call back for expressions without generated code; off keeps such operators native",
            ),
            entry(
                "workers",
                self.workers.map_or("auto", WorkersKind::name).to_owned(),
                "Who runs the tasks of queries: embedded for this server, remote for others, or auto as the server was started",
            ),
            entry(
                "tasks_per_stage",
                self.tasks_per_stage.to_string(),
                "Tasks that each stage of a query is spread over; 0 means one for each worker and at least two, or no stages where this server is the worker",
            ),
            entry(
                "flight_dictionaries",
                self.flight_dictionaries.to_string(),
                "Send dictionary-encoded columns as dictionaries instead of plain values",
            ),
            entry(
                "flight_views",
                self.flight_views.to_string(),
                "Send strings and binaries as views instead of plain Utf8 and Binary",
            ),
        ]
    }
}

/// Which operators run as fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompileMode {
    /// All that can be compiled.
    Always,
    /// Those that run faster, as soon as that pays for compiling them.
    Auto,
    Never,
}

impl CompileMode {
    const NAMES: &str = "always, auto or never";

    fn of(text: &str) -> Option<Self> {
        [Self::Always, Self::Auto, Self::Never]
            .into_iter()
            .find(|mode| text.eq_ignore_ascii_case(mode.name()))
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Auto => "auto",
            Self::Never => "never",
        }
    }
}

impl ConfigExtension for MurreSettings {
    const PREFIX: &'static str = "murre";
}

impl MurreSettings {
    pub(crate) fn of(options: &ConfigOptions) -> Self {
        options
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_default()
    }

    /// In bytes; `None` means only the server's limit.
    pub(crate) fn memory_limit_bytes(&self) -> Option<u64> {
        parse_bytes(&self.memory_limit)
            .ok()
            .filter(|bytes| *bytes > 0)
    }

    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        parse_duration(&self.statement_timeout)
            .ok()
            .filter(|limit| !limit.is_zero())
    }
}

/// Rows of a batch unless a session says otherwise: twice as many as DataFusion's, because each batch costs every operator.
pub(crate) const BATCH_ROWS: usize = 16_384;

/// What the server gives to sessions that set nothing.
#[derive(Debug)]
pub(crate) struct Defaults {
    /// Query threads of the server.
    pub(crate) threads: usize,
    pub(crate) settings: MurreSettings,
}

/// Applies `SET name = value` (or `RESET name` for `None`) to a session's configuration, all or nothing.
pub(crate) fn apply(
    config: &SessionConfig,
    name: &str,
    value: Option<&str>,
    server: &Defaults,
) -> Result<SessionConfig, QueryError> {
    let threads = server.threads;
    let invalid = |detail: String| QueryError::Setting {
        name: name.into(),
        detail,
    };
    if name.starts_with("datafusion.runtime.") {
        return Err(invalid(
            "memory, spill and caches belong to the whole server: see murre serve --help; one query's memory is murre.memory_limit".into(),
        ));
    }
    let pinned = [
        "datafusion.catalog.create_default",
        "datafusion.catalog.default_catalog",
        "datafusion.catalog.information_schema",
        // Statements are parsed in one dialect, and texts that are stored are to mean what they meant.
        "datafusion.sql_parser.dialect",
    ];
    if pinned.contains(&name) {
        return Err(invalid("this setting is fixed".into()));
    }
    let mut config = config.clone();
    let options = config.options_mut();
    let unknown = |e: DataFusionError| {
        invalid(
            e.strip_backtrace()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    match value {
        Some(value) => {
            check_value(name, value, threads).map_err(invalid)?;
            options.set(name, value).map_err(unknown)?;
        }
        None if name.starts_with("murre.") => {
            let mut entries = server.settings.entries().into_iter();
            let entry = entries.find(|entry| entry.key == name);
            let entry = entry.ok_or_else(|| invalid("there is no such setting".into()))?;
            options
                .set(name, &entry.value.unwrap_or_default())
                .map_err(unknown)?;
        }
        None if name == "datafusion.execution.batch_size" => {
            options.execution.batch_size = BATCH_ROWS;
        }
        None => options.reset(name).map_err(unknown)?,
    }
    // DataFusion takes what follows a setting's name as nothing, and what is checked by name would pass.
    if !options.entries().iter().any(|entry| entry.key == name) {
        return Err(invalid("there is no such setting".into()));
    }
    if name == "murre.threads"
        || (value.is_none() && name == "datafusion.execution.target_partitions")
    {
        let wanted = MurreSettings::of(options).threads;
        options.execution.target_partitions = if wanted == 0 { threads } else { wanted };
    }
    Ok(config)
}

fn check_value(name: &str, value: &str, threads: usize) -> Result<(), String> {
    match name {
        "murre.memory_limit" => parse_bytes(value).map(drop),
        "murre.statement_timeout" => parse_duration(value).map(drop),
        "murre.tasks_per_stage" => match value.parse::<usize>() {
            Ok(tasks) if tasks <= TASKS_PER_STAGE_MAX => Ok(()),
            Ok(_) => Err(format!("at most {TASKS_PER_STAGE_MAX}")),
            Err(_) => Err(format!("\"{value}\" is not a number of tasks")),
        },
        "murre.threads" => match value.parse::<usize>() {
            Ok(wanted) if wanted <= threads_max(threads) => Ok(()),
            Ok(_) => Err(format!(
                "at most {} (the server has {threads} query threads)",
                threads_max(threads)
            )),
            Err(_) => Err(format!("\"{value}\" is not a number of threads")),
        },
        "datafusion.execution.time_zone" => match value.parse::<Tz>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("\"{value}\" is not a time zone")),
        },
        _ if name.starts_with("datafusion.execution.") => match value.parse::<u64>() {
            Ok(number) => check_number(name, number, threads),
            // Not a number: DataFusion checks it.
            Err(_) => Ok(()),
        },
        _ => Ok(()),
    }
}

/// DataFusion takes any number, and some of them end the server or every result: no rows a batch give no rows at all.
fn check_number(name: &str, number: u64, threads: usize) -> Result<(), String> {
    let many = threads_max(threads) as u64;
    let counted = ["partitions", "concurrency", "parallel", "buffered"];
    let (least, most) = match name {
        "datafusion.execution.batch_size" => (1, 1 << 20),
        _ if counted.iter().any(|word| name.contains(word)) => (1, many),
        _ if name.ends_with("_bytes") || name.ends_with("_hint") => (0, 1 << 40),
        _ => (1, 1 << 40),
    };
    match (least..=most).contains(&number) {
        true => Ok(()),
        false => Err(format!("{number} is not between {least} and {most}")),
    }
}

/// More tasks than this in one stage only cost connections.
const TASKS_PER_STAGE_MAX: usize = 1_000;

/// More partitions than this only cost memory.
fn threads_max(threads: usize) -> usize {
    (threads * 16).max(256)
}

/// A number of bytes such as `512MB`, `2 GiB`, `1048576`. Decimal units count in thousands, binary ones in 1,024s.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => {
            return Err(format!(
                "\"{text}\" is not a size; write for example 512MB or 2GiB"
            ));
        }
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("\"{text}\" is not a size; write for example 512MB or 2GiB"))?;
    let bytes = number * factor as f64;
    if bytes > (1u64 << 50) as f64 {
        return Err(format!("\"{text}\" is more than 1 PiB"));
    }
    Ok(bytes as u64)
}

/// A length of time such as `30s`, `5 min`, `250ms`; a bare number counts seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(u64::from(seconds)));
    }
    humantime::parse_duration(text)
        .map_err(|_| format!("\"{text}\" is not a length of time; write for example 30s or 5min"))
}

pub(crate) fn human_bytes(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{:.1} kB", bytes as f64 / 1e3),
        10_000_000..=9_999_999_999 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> SessionConfig {
        SessionConfig::new().with_option_extension(MurreSettings::default())
    }

    #[test]
    fn sizes_are_read_with_and_without_units() {
        for (text, bytes) in [
            ("0", 0),
            ("1024", 1024),
            ("2 GiB", 2 << 30),
            ("1.5kb", 1500),
            (" 3MB ", 3_000_000),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "GB", "-1", "1e9", "12 apples", "999999 TiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    fn server() -> Defaults {
        let settings = MurreSettings {
            statement_timeout: "1h".to_owned(),
            ..MurreSettings::default()
        };
        Defaults {
            threads: 8,
            settings,
        }
    }

    #[test]
    fn reset_gives_the_servers_value() {
        let set = apply(&config(), "murre.statement_timeout", Some("3s"), &server()).unwrap();
        let timeout =
            |config: &SessionConfig| MurreSettings::of(config.options()).statement_timeout();
        assert_eq!(timeout(&set), Some(Duration::from_secs(3)));
        let reset = apply(&set, "murre.statement_timeout", None, &server()).unwrap();
        assert_eq!(timeout(&reset), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn every_setting_that_is_listed_is_one() {
        let config = config();
        for entry in config.options().entries() {
            let error = apply(&config, &entry.key, None, &server()).err();
            let error = error.map(|e| e.to_string()).unwrap_or_default();
            assert!(!error.contains("no such setting"), "{}", entry.key);
        }
    }

    #[test]
    fn threads_set_the_target_partitions() {
        let set = apply(&config(), "murre.threads", Some("3"), &server()).unwrap();
        assert_eq!(set.target_partitions(), 3);
        let reset = apply(&set, "murre.threads", None, &server()).unwrap();
        assert_eq!(reset.target_partitions(), 8);
    }

    #[test]
    fn reset_gives_the_servers_batches() {
        let name = "datafusion.execution.batch_size";
        let set = apply(&config(), name, Some("7"), &server()).unwrap();
        assert_eq!(set.batch_size(), 7);
        let reset = apply(&set, name, None, &server()).unwrap();
        assert_eq!(reset.batch_size(), BATCH_ROWS);
    }

    #[test]
    fn a_bad_value_changes_nothing_and_says_why() {
        for (name, value, why) in [
            ("murre.threads", "many", "not a number"),
            ("murre.threads", "100000", "at most"),
            ("murre.memory_limit", "lots", "not a size"),
            ("murre.statement_timeout", "soon", "not a length of time"),
            ("murre.compile", "sometimes", "always, auto or never"),
            ("murre.host_eval", "maybe", "true or false"),
            (
                "murre.workers",
                "nobody",
                "auto, embedded, remote or lambda",
            ),
            ("murre.tasks_per_stage", "-1", "not a number of tasks"),
            ("murre.tasks_per_stage", "100000", "at most"),
            ("murre.nothing", "1", "nothing"),
            ("datafusion.runtime.memory_limit", "1G", "whole server"),
            ("datafusion.execution.batch_size", "0", "between 1 and"),
            (
                "datafusion.execution.batch_size",
                "99999999",
                "between 1 and",
            ),
            (
                "datafusion.execution.target_partitions",
                "1000000000",
                "between 1 and 256",
            ),
            (
                "datafusion.execution.meta_fetch_concurrency",
                "0",
                "between 1 and",
            ),
            (
                "datafusion.execution.time_zone",
                "Nowhere/X",
                "not a time zone",
            ),
            ("nonsense", "1", "nonsense"),
            ("datafusion.sql_parser.dialect", "mysql", "fixed"),
            (
                "datafusion.sql_parser.dialect.x",
                "mysql",
                "no such setting",
            ),
            ("datafusion.execution.batch_size.x", "10", "no such setting"),
        ] {
            let error = apply(&config(), name, Some(value), &server())
                .unwrap_err()
                .to_string();
            assert!(error.contains(why), "{name}: {error}");
        }
    }
}
