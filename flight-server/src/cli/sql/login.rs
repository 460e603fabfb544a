//! Who `murre sql` says it is to a server, and whom it believes to be that server.
//!
//! Passwords and tokens come from the environment, a file or the terminal, and never from the command line, which other
//! users of the machine can read.

use std::{env, fs, io::IsTerminal, path::PathBuf};

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// How to log in to a server, and what its certificate is compared with.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct LoginArgs {
    /// User on the server; the password comes from MURRE_PASSWORD or is asked for
    #[arg(long, value_name = "NAME", env = "MURRE_USER")]
    pub user: Option<String>,
    /// File with a token for the server, instead of a user; MURRE_TOKEN may hold the token itself
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// PEM file of authorities to believe instead of the system's, for grpc+tls://
    #[arg(long, value_name = "FILE", env = "MURRE_TLS_CA")]
    pub tls_ca: Option<PathBuf>,
    /// PEM file of the certificate to show to the server
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,
    /// PEM file of its key
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,
}

/// What the server gets to see.
pub(super) enum Credentials {
    Password { user: String, password: String },
    Token(String),
    Nothing,
}

impl LoginArgs {
    /// Asks for the password where it is needed and there is a terminal.
    pub(super) fn credentials(&self) -> anyhow::Result<Credentials> {
        if let Some(path) = &self.token_file {
            let token = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            return Ok(Credentials::Token(token.trim().to_owned()));
        }
        if let Some(user) = &self.user {
            return Ok(Credentials::Password {
                user: user.clone(),
                password: password(user)?,
            });
        }
        Ok(env::var("MURRE_TOKEN").map_or(Credentials::Nothing, Credentials::Token))
    }

    pub(super) fn tls(&self) -> anyhow::Result<ClientTlsConfig> {
        let mut tls = ClientTlsConfig::new();
        match &self.tls_ca {
            Some(path) => tls = tls.ca_certificate(Certificate::from_pem(read(path)?)),
            None => {
                // Some of a system's authorities may be unreadable; the others still count.
                let system = rustls_native_certs::load_native_certs().certs;
                tls = tls.ca_certificates(system.iter().map(|der| Certificate::from_pem(pem(der))));
            }
        }
        if let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        Ok(tls)
    }
}

fn password(user: &str) -> anyhow::Result<String> {
    if let Ok(password) = env::var("MURRE_PASSWORD") {
        return Ok(password);
    }
    if !std::io::stderr().is_terminal() {
        bail!("there is no terminal to ask for the password of {user}: set MURRE_PASSWORD");
    }
    rpassword::prompt_password(format!("Password of {user}: ")).context("cannot read the password")
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}
