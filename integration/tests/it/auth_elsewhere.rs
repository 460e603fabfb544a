//! Identities from outside, and connections from other machines: certificates, an issuer's tokens, tokens from a file.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use arrow_flight::{
    FlightDescriptor,
    flight_service_client::FlightServiceClient,
    sql::{CommandStatementQuery, ProstMessageExt, client::FlightSqlServiceClient},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tonic::{
    Code, Request,
    metadata::MetadataValue,
    transport::{Certificate, ClientTlsConfig, Endpoint, Identity},
};

use crate::server::{Client, Server, binary, said, table};

const PASSWORD: &str = "correct horse";

/// `murre sql`, with the environment given.
fn shell(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Output> {
    Ok(Command::new(binary()?)
        .arg("sql")
        .args(arguments)
        .envs(environment.iter().copied())
        .output()?)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The first user, made without a server.
fn make_ada(data: &Path) -> Result<()> {
    let data = data.display().to_string();
    let sql = format!("CREATE USER ada PASSWORD '{PASSWORD}'");
    let made = shell(&["--data-dir", &data, "-c", &sql], &[])?;
    ensure!(made.status.success(), "{}", stderr(&made));
    Ok(())
}

async fn encrypted(server: &Server, tls: ClientTlsConfig) -> Result<Client> {
    let endpoint = Endpoint::from_shared(format!("https://{}", server.flight()))?;
    let channel = endpoint
        .tls_config(tls.domain_name("localhost"))?
        .connect()
        .await?;
    Ok(FlightSqlServiceClient::new_from_inner(
        FlightServiceClient::new(channel),
    ))
}

fn believing(path: &Path) -> Result<ClientTlsConfig> {
    let pem = std::fs::read(path)?;
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
}

fn refusal<T>(answer: Result<T>, what: &str) -> Result<String> {
    let error = answer.err().with_context(|| format!("{what} was let in"))?;
    Ok(error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_machines_need_an_identity_and_an_encrypted_connection() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let refused = |arguments: &[&str]| -> Result<String> {
        let mut serve = Command::new(binary()?);
        serve.args([
            "serve",
            "--http",
            "127.0.0.1:0",
            "--listen",
            "0.0.0.0:0",
            "--data-dir",
        ]);
        let output = serve.arg(&data).args(arguments).output()?;
        ensure!(!output.status.success(), "it serves with {arguments:?}");
        Ok(stderr(&output))
    };
    let message = refused(&[])?;
    ensure!(
        message.contains("would be plaintext") && message.contains("--tls"),
        "{message}"
    );
    for consent in ["--tls-self-signed", "--insecure-plaintext"] {
        let message = refused(&[consent])?;
        ensure!(
            message.contains("no users yet") && message.contains("CREATE USER"),
            "{message}"
        );
    }
    make_ada(&data)?;
    ensure!(refused(&[])?.contains("would be plaintext"));
    let server = Server::start_with(&data, &["--listen", "0.0.0.0:0", "--insecure-plaintext"])?;
    drop(server);
    let server = Server::start_with(&data, &["--listen", "127.0.0.1:0", "--tls-self-signed"])?;
    let pem = data.join("tls-certificate.pem");
    let mut ada = encrypted(&server, believing(&pem)?).await?;
    let error = refusal(table(&mut ada, "SELECT 1").await, "nobody")?;
    ensure!(error.contains("no credentials"), "{error}");
    ada.handshake("ada", PASSWORD)
        .await
        .map_err(|e| said(e.into()))?;
    ensure!(table(&mut ada, "SHOW USERS").await?.contains("ada"));
    // A client that believes somebody else does not connect.
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()])?
        .cert
        .pem();
    let other = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(stranger));
    ensure!(encrypted(&server, other).await.is_err());
    // Nor one that speaks plaintext; the log says what to do.
    ensure!(
        table(&mut server.client().await?, "SELECT 1")
            .await
            .is_err()
    );
    ensure!(
        server.log()?.contains("connect with grpc+tls://"),
        "{}",
        server.log()?
    );
    Ok(())
}

/// An authority, and client certificates that it signed.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "an authority");
        Ok(Self(CertifiedIssuer::self_signed(
            params,
            KeyPair::generate()?,
        )?))
    }

    fn client(&self, name: &str) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.0)?;
        Ok(Identity::from_pem(certificate.pem(), key.serialize_pem()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_tells_who_the_client_is() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let (authority, other) = (Authority::new()?, Authority::new()?);
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, authority.0.pem())?;
    let ca = ca.display().to_string();
    let arguments = [
        "--tls-self-signed",
        "--tls-client-ca",
        &ca,
        "--admins",
        "root",
    ];
    let server = Server::start_with(&data, &arguments)?;
    let pem = data.join("tls-certificate.pem");
    let connect = async |identity: Identity| -> Result<String> {
        let mut client = encrypted(&server, believing(&pem)?.identity(identity)).await?;
        table(&mut client, "SHOW USERS").await
    };
    connect(authority.client("root")?).await?;
    let error = refusal(
        connect(authority.client("loader")?).await,
        "loader as administrator",
    )?;
    ensure!(error.contains("only an administrator"), "{error}");
    ensure!(
        connect(other.client("root")?).await.is_err(),
        "another authority's root"
    );
    let mut nobody = encrypted(&server, believing(&pem)?).await?;
    let error = refusal(table(&mut nobody, "SELECT 1").await, "nobody")?;
    ensure!(error.contains("no credentials"), "{error}");
    Ok(())
}

/// An issuer of JSON web tokens.
struct Issuer(Ed25519KeyPair);

impl Issuer {
    fn new() -> Result<Self> {
        let failed = |_| anyhow::anyhow!("no key");
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(failed)?;
        Ok(Self(Ed25519KeyPair::from_pkcs8(key.as_ref())?))
    }

    fn publish(&self, path: &Path) -> Result<()> {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one", "x": x}]});
        Ok(std::fs::write(path, set.to_string())?)
    }

    fn token(&self, name: &str, lifetime: i64) -> Result<String> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)?
            .as_secs()
            .cast_signed();
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({"sub": name, "iss": "me", "aud": "murre", "exp": now + lifetime});
        let signed = format!(
            "{}.{}",
            part(json!({"alg": "EdDSA", "kid": "one"})),
            part(claims)
        );
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes()));
        Ok(format!("{signed}.{signature}"))
    }
}

async fn with_token(server: &Server, token: &str) -> Result<String> {
    let mut client = server.client().await?;
    client.set_token(token.to_owned());
    table(&mut client, "SHOW USERS").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_an_issuer_and_of_a_file_are_let_in_by_name() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (keys, file): (PathBuf, PathBuf) =
        (dir.path().join("keys.json"), dir.path().join("tokens"));
    let (issuer, stranger) = (Issuer::new()?, Issuer::new()?);
    issuer.publish(&keys)?;
    let (of_root, of_loader) = ("r".repeat(40), "l".repeat(40));
    std::fs::write(&file, format!("root {of_root}\nloader {of_loader}\n"))?;
    let (keys, file) = (keys.display().to_string(), file.display().to_string());
    let arguments = [
        "--jwt-keys",
        &keys,
        "--jwt-issuer",
        "me",
        "--jwt-audience",
        "murre",
        "--static-tokens",
        &file,
        "--admins",
        "root",
    ];
    let server = Server::start_with(&dir.path().join("data"), &arguments)?;
    for (what, token) in [
        ("signed", &issuer.token("root", 600)?),
        ("static", &of_root),
    ] {
        with_token(&server, token).await.context(what)?;
    }
    for (token, text) in [
        (issuer.token("loader", 600)?, "only an administrator"),
        (of_loader, "only an administrator"),
        (issuer.token("root", -600)?, "expired"),
        (stranger.token("root", 600)?, "not of its issuer"),
        ("x".repeat(40), "not valid here"),
        (String::new(), "cannot be read"),
    ] {
        let error = refusal(with_token(&server, &token).await, &token)?;
        ensure!(error.contains(text), "{token}: {error}");
    }
    let error = refusal(
        table(&mut server.client().await?, "SELECT 1").await,
        "nobody",
    )?;
    ensure!(error.contains("no credentials"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shell_logs_in() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    make_ada(&data)?;
    let server = Server::start_with(&data, &["--tls-self-signed"])?;
    // By name: the certificate is for localhost.
    let port = server.flight().rsplit(':').next().context("no port")?;
    let url = format!("grpc+tls://localhost:{port}");
    let ca = data.join("tls-certificate.pem").display().to_string();
    let base = [
        "--connect",
        &url,
        "--tls-ca",
        &ca,
        "--format",
        "csv",
        "-c",
        "SHOW USERS",
    ];
    let run = |more: &[&str], environment: &[(&str, &str)]| {
        shell(&[&base[..], more].concat(), environment)
    };
    let output = run(&["--user", "ada"], &[("MURRE_PASSWORD", PASSWORD)])?;
    let rows = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && rows.contains("ada,true"),
        "{}",
        stderr(&output)
    );
    let mut ada = encrypted(&server, believing(Path::new(&ca))?).await?;
    ada.handshake("ada", PASSWORD)
        .await
        .map_err(|e| said(e.into()))?;
    let token = ada.token().context("no token")?.clone();
    let file = dir.path().join("token");
    std::fs::write(&file, format!("{token}\n"))?;
    let output = run(&["--token-file", &file.display().to_string()], &[])?;
    ensure!(output.status.success(), "{}", stderr(&output));
    let output = run(&[], &[("MURRE_TOKEN", &token)])?;
    ensure!(output.status.success(), "{}", stderr(&output));
    for (more, environment, text) in [
        (
            &["--user", "ada"][..],
            &[("MURRE_PASSWORD", "wrong one")][..],
            "is wrong",
        ),
        (&["--user", "ada"], &[], "set MURRE_PASSWORD"),
        (&[], &[], "no credentials"),
    ] {
        let output = run(more, environment)?;
        let message = stderr(&output);
        ensure!(
            !output.status.success() && message.contains(text),
            "{message}"
        );
    }
    Ok(())
}

const MUTATIONS_FOR: Duration = Duration::from_secs(4);

/// Whether a header still says what the right one says.
fn means_the_same(header: &str, right: &str) -> bool {
    let split = |text: &str| -> Option<(String, String)> {
        let (scheme, rest) = text.trim().split_once(' ')?;
        let rest = rest.trim();
        let rest = match scheme.eq_ignore_ascii_case("basic") {
            true => rest.trim_end_matches('='),
            false => rest,
        };
        Some((scheme.to_lowercase(), rest.to_owned()))
    };
    split(header).is_some() && split(header) == split(right)
}

fn mutate(random: &mut fastrand::Rng, right: &str) -> String {
    let mut bytes = right.as_bytes().to_vec();
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..bytes.len().max(1)).min(bytes.len());
        match random.u8(..5) {
            0 if at < bytes.len() => bytes[at] = random.u8(0x20..0x7f),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, random.u8(0x20..0x7f)),
            3 => bytes.truncate(at),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes.truncate(4000);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_changed_credentials_are_let_in() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    make_ada(&data)?;
    let (issuer, keys) = (Issuer::new()?, dir.path().join("keys.json"));
    issuer.publish(&keys)?;
    let keys = keys.display().to_string();
    let jwt = [
        "--jwt-keys",
        &keys,
        "--jwt-issuer",
        "me",
        "--jwt-audience",
        "murre",
    ];
    let server = Server::start_with(&data, &jwt)?;
    let mut ada = server.client().await?;
    ada.handshake("ada", PASSWORD)
        .await
        .map_err(|e| said(e.into()))?;
    let right = [
        format!("Basic {}", STANDARD.encode(format!("ada:{PASSWORD}"))),
        format!("Bearer {}", ada.token().context("no token")?),
        format!("Bearer {}", issuer.token("ada", 600)?),
    ];
    let endpoint = Endpoint::from_shared(format!("http://{}", server.flight()))?;
    let mut client = FlightServiceClient::new(endpoint.connect().await?);
    let command = CommandStatementQuery {
        query: "SELECT 1".into(),
        transaction_id: None,
    };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let mut call = async |header: &str| -> Result<Code> {
        let mut request = Request::new(descriptor.clone());
        request
            .metadata_mut()
            .insert("authorization", MetadataValue::try_from(header)?);
        let answer = client.get_flight_info(request).await;
        Ok(answer.map_or_else(|status| status.code(), |_| Code::Ok))
    };
    for header in &right {
        ensure!(call(header).await? == Code::Ok, "{header}");
    }
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut refused, mut same, mut calmed) = ([0u32; 3], 0u32, 0u32);
    let end = Instant::now() + MUTATIONS_FOR;
    while Instant::now() < end {
        let kind = random.usize(..right.len());
        let header = mutate(&mut random, &right[kind]);
        match call(&header).await? {
            Code::Unauthenticated => refused[kind] += 1,
            Code::Ok if means_the_same(&header, &right[kind]) => same += 1,
            // HTTP/2 ends a connection with ENHANCE_YOUR_CALM after 1,024 calls that were refused before they were
            // read; the channel connects again. A call on its way then has no status of ours.
            Code::ResourceExhausted | Code::Cancelled | Code::Unknown | Code::Unavailable => {
                calmed += 1
            }
            code => anyhow::bail!("seed {seed}: {code:?} for {header}"),
        }
    }
    eprintln!(
        "seed {seed}: {refused:?} refused (Basic, own token, issuer's token), {same} meant the same"
    );
    ensure!(refused.iter().all(|count| *count > 0), "{refused:?}");
    ensure!(
        calmed <= refused.iter().sum::<u32>() / 1_000,
        "{calmed} connections ended in {refused:?}"
    );
    for header in &right {
        ensure!(call(header).await? == Code::Ok, "{header} after the loop");
    }
    Ok(())
}
