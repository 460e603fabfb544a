//! What an operator says about functions.

use std::time::Duration;

use anyhow::{Context, bail};
use coordinator::parse_duration;
use serde::Deserialize;
use url::Url;

/// Functions at once where nobody says how many.
const FUNCTIONS: usize = 2;
/// AWS adds about a thousand in ten seconds, and a function has that many file descriptors.
const FUNCTIONS_MAX: usize = 900;
const IDLE: Duration = Duration::from_secs(30);

/// Settings as given; in the file they stand in the table `[lambda]`.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LambdaSettings {
    /// Where the function that runs murre-lambda is invoked:
    /// https://lambda.REGION.amazonaws.com/2015-03-31/functions/NAME/invocations
    #[arg(long, env = "MURRE_LAMBDA_URL", value_name = "URL")]
    pub lambda_url: Option<String>,
    /// Functions that are called at once when queries want workers [default: 2]
    #[arg(long, env = "MURRE_LAMBDA_FUNCTIONS", value_name = "N")]
    pub lambda_functions: Option<usize>,
    /// A function that has had no task for this long ends [default: 30s]
    #[arg(long, env = "MURRE_LAMBDA_IDLE", value_name = "TIME")]
    pub lambda_idle: Option<String>,
}

/// Settings, read and checked.
#[derive(Debug, Clone)]
pub struct LambdaConfig {
    pub url: Url,
    pub functions_max: usize,
    pub idle: Duration,
}

impl LambdaSettings {
    pub fn or(self, file: Self) -> Self {
        Self {
            lambda_url: self.lambda_url.or(file.lambda_url),
            lambda_functions: self.lambda_functions.or(file.lambda_functions),
            lambda_idle: self.lambda_idle.or(file.lambda_idle),
        }
    }

    /// `None` where there is no function.
    pub fn check(&self) -> anyhow::Result<Option<LambdaConfig>> {
        let Some(url) = &self.lambda_url else {
            return Ok(None);
        };
        let url: Url = url
            .parse()
            .with_context(|| format!("lambda_url: \"{url}\" is not a URL"))?;
        if !matches!(url.scheme(), "https" | "http") {
            bail!("lambda_url: \"{url}\" is neither https nor http");
        }
        let functions_max = self.lambda_functions.unwrap_or(FUNCTIONS);
        if !(1..=FUNCTIONS_MAX).contains(&functions_max) {
            bail!("lambda_functions: {functions_max} is not between 1 and {FUNCTIONS_MAX}");
        }
        let idle = self.lambda_idle.as_deref().map_or(Ok(IDLE), |text| {
            parse_duration(text).map_err(|e| anyhow::anyhow!("lambda_idle: {e}"))
        });
        Ok(Some(LambdaConfig {
            url,
            functions_max,
            idle: idle?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, functions: Option<usize>) -> anyhow::Result<Option<LambdaConfig>> {
        let settings = LambdaSettings {
            lambda_url: Some(url.to_owned()),
            lambda_functions: functions,
            lambda_idle: None,
        };
        settings.check()
    }

    #[test]
    fn a_function_needs_an_address_and_a_number() {
        assert!(LambdaSettings::default().check().unwrap().is_none());
        let config = check("http://127.0.0.1:9000/x", None).unwrap().unwrap();
        assert_eq!((config.functions_max, config.idle), (FUNCTIONS, IDLE));
        for (url, functions, named) in [
            ("murre", None, "lambda_url"),
            ("ftp://a/b", None, "lambda_url"),
            ("http://a/b", Some(0), "lambda_functions"),
            ("http://a/b", Some(1000), "lambda_functions"),
        ] {
            let error = check(url, functions).unwrap_err().to_string();
            assert!(error.starts_with(named), "{error}");
        }
    }
}
