//! Calling a function through AWS's Invoke API, without waiting for its end.
//!
//! Over https a call is signed (Signature Version 4), with the credentials that the environment, the container or the
//! machine gives. An http address is that of an emulator, and nothing is signed there.
//! Source: AWS Lambda API reference, Invoke: `X-Amz-Invocation-Type: Event` answers 202 once the event is queued.

use std::sync::Arc;

use anyhow::{Context, bail};
use object_store::{
    ClientOptions,
    aws::{AmazonS3Builder, AwsAuthorizer, AwsCredentialProvider},
    client::{HttpClient, HttpConnector, HttpRequestBody, ReqwestConnector},
};
use url::Url;

/// Bytes of a refusal that are told.
const REFUSAL_BYTES_MAX: usize = 500;

#[derive(Debug)]
pub(super) struct LambdaFunction {
    url: Url,
    client: HttpClient,
    /// `None` for an emulator.
    signer: Option<Signer>,
}

#[derive(Debug)]
struct Signer {
    credentials: AwsCredentialProvider,
    region: String,
}

impl LambdaFunction {
    pub(super) fn new(url: &Url) -> anyhow::Result<Self> {
        let options = ClientOptions::new().with_allow_http(true);
        let signer = match url.scheme() {
            "https" => Some(Signer::new(region(url)?)?),
            _ => None,
        };
        Ok(Self {
            url: url.clone(),
            client: ReqwestConnector::default().connect(&options)?,
            signer,
        })
    }

    /// Returns when the event is queued.
    pub(super) async fn invoke(&self, event: Vec<u8>) -> anyhow::Result<()> {
        let mut request = http::Request::post(self.url.as_str())
            .header("content-type", "application/json")
            .header("x-amz-invocation-type", "Event")
            .body(HttpRequestBody::from(event))?;
        if let Some(signer) = &self.signer {
            let credentials = signer.credentials.get_credential().await;
            let credentials = credentials.context("no credentials to call a function with")?;
            AwsAuthorizer::new(&credentials, "lambda", &signer.region)
                .authorize(&mut request, None);
        }
        let called = self.client.execute(request).await;
        let answer = called.with_context(|| format!("cannot call {}", self.url))?;
        let status = answer.status();
        if !status.is_success() {
            let told = answer.into_body().bytes().await.unwrap_or_default();
            let told =
                String::from_utf8_lossy(&told[..told.len().min(REFUSAL_BYTES_MAX)]).into_owned();
            bail!("{} answers {status}: {told}", self.url);
        }
        Ok(())
    }
}

impl Signer {
    fn new(region: String) -> anyhow::Result<Self> {
        // Credentials are found as for S3, which is what this finds them for; no bucket is touched.
        let found = AmazonS3Builder::from_env()
            .with_bucket_name("none")
            .with_region(&region)
            .build()
            .context("no credentials to call a function with")?;
        Ok(Self {
            credentials: Arc::clone(found.credentials()),
            region,
        })
    }
}

/// Of an address such as `https://lambda.eu-central-1.amazonaws.com/..`, else what the environment says.
fn region(url: &Url) -> anyhow::Result<String> {
    let host = url.host_str().unwrap_or_default();
    let mut labels = host.split('.');
    if labels.next() == Some("lambda")
        && let Some(region) = labels.next()
        && labels.next() == Some("amazonaws")
    {
        return Ok(region.to_owned());
    }
    std::env::var("AWS_REGION").with_context(|| {
        format!("lambda_url: \"{host}\" names no region, and AWS_REGION is not set")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_part_of_the_address() {
        let url = "https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/f/invocations";
        assert_eq!(region(&url.parse().unwrap()).unwrap(), "eu-central-1");
    }
}
