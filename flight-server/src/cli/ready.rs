//! What a server says on standard output once it is ready: where it is, in lines to paste, ended by an empty line.

use std::{io::Write, net::SocketAddr};

use crate::{tls::Tls, workers::Workers};

/// Where a server can be reached, and what a client has to bring.
pub(super) struct Ready<'a> {
    pub(super) flight: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) tls: Option<&'a Tls>,
    /// Whether every call needs an identity.
    pub(super) users: bool,
    /// `None` where no worker can join.
    pub(super) workers: Option<&'a Workers>,
}

impl Ready<'_> {
    pub(super) fn announce(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        for line in self.lines() {
            writeln!(out, "{line}")?;
        }
        writeln!(out)?;
        out.flush()?;
        Ok(())
    }

    fn lines(&self) -> Vec<String> {
        let (flight, http) = (self.flight, self.http);
        let (scheme, http_scheme) = match self.tls {
            Some(_) => ("grpc+tls", "https"),
            None => ("grpc", "http"),
        };
        let url = format!("{scheme}://{flight}");
        let mut lines = vec![
            format!("ready: flight-sql {url} http {http_scheme}://{http}"),
            format!("  JDBC     {}", self.jdbc()),
            format!("  ADBC     {}", self.adbc(&url)),
            format!("  pyarrow  {}", self.pyarrow(&url)),
            format!("  Rust     {}", self.rust()),
            format!("  shell    murre sql --connect {url}{}", self.shell()),
        ];
        if let Some(workers) = self.workers {
            let (address, file) = (workers.address(), workers.token_file().display());
            lines.push(format!(
                "  worker   murre worker --coordinator {address} --token-file {file}"
            ));
        }
        if let Some(own) = self.own_certificate() {
            let (path, fingerprint) = (own.path.display(), &own.fingerprint);
            lines.push(format!(
                "  TLS      {path} is this server's own certificate, SHA-256 {fingerprint}"
            ));
        }
        lines
    }

    fn own_certificate(&self) -> Option<&crate::tls::SelfSigned> {
        self.tls.and_then(|tls| tls.self_signed.as_ref())
    }

    fn jdbc(&self) -> String {
        let user = if self.users {
            "&user=..&password=.."
        } else {
            ""
        };
        let (options, note) = match (self.tls, self.own_certificate()) {
            (None, _) => (
                "useEncryption=false".to_owned(),
                "   (the driver defaults to TLS; this port is plaintext)",
            ),
            (Some(_), None) => ("useEncryption=true".to_owned(), ""),
            (Some(_), Some(own)) => (
                format!("useEncryption=true&tlsRootCerts={}", own.path.display()),
                "",
            ),
        };
        format!(
            "jdbc:arrow-flight-sql://{}/?{options}{user}{note}",
            self.flight
        )
    }

    fn adbc(&self, url: &str) -> String {
        let mut options = Vec::new();
        if self.users {
            options.push("\"username\": \"..\", \"password\": \"..\"".to_owned());
        }
        if let Some(own) = self.own_certificate() {
            let path = own.path.display();
            options.push(format!(
                "\"adbc.flight.sql.client_option.tls_root_certs\": open(\"{path}\").read()"
            ));
        }
        let options = match options.is_empty() {
            true => String::new(),
            false => format!("{{{}}}, ", options.join(", ")),
        };
        format!("adbc_driver_flightsql.dbapi.connect(\"{url}\", {options}autocommit=True)")
    }

    fn pyarrow(&self, url: &str) -> String {
        let roots = self.own_certificate().map_or(String::new(), |own| {
            format!(", tls_root_certs=open(\"{}\").read()", own.path.display())
        });
        let login = match self.users {
            true => "; client.authenticate_basic_token(\"..\", \"..\")",
            false => "",
        };
        format!("client = pyarrow.flight.connect(\"{url}\"{roots}){login}")
    }

    fn rust(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let login = if self.users {
            ", then handshake(user, password)"
        } else {
            ""
        };
        format!(
            "FlightSqlServiceClient::new(Channel::from_static(\"{scheme}://{}\").connect().await?){login}",
            self.flight
        )
    }

    fn shell(&self) -> String {
        let ca = self.own_certificate().map_or(String::new(), |own| {
            format!(" --tls-ca {}", own.path.display())
        });
        let user = if self.users { " --user .." } else { "" };
        format!("{ca}{user}")
    }
}
