//! Who makes a call: credentials in, an identity out.
//!
//! ```text
//! authorization: Basic   -> passwords.rs (failures.rs)           -> user
//! authorization: Bearer  -> tokens.rs, signed here               -> user
//!                        -> static_tokens.rs, from a file        -> name
//!                        -> jwt.rs, signed by an issuer          -> name
//! client certificate     -> tls.rs                               -> name
//! nothing                -> nobody, on a server without any of the above, from its own machine
//! ```
//! [`Authenticator::identify`] decides for every call but the handshake, which `handshake.rs` answers with a token.
//! A name that comes from outside is an administrator where `--admins` says so, or a user of that name is one.

mod credentials;
mod error;
mod failures;
mod handshake;
mod jwks;
mod jwt;
mod jwt_signatures;
mod passwords;
mod settings;
mod static_tokens;
mod tokens;

use std::{collections::BTreeSet, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use catalog::{PrivateFiles, User, Users};
use coordinator::Identity;
use http::HeaderMap;

use self::{
    credentials::Credentials, jwt::Jwt, passwords::Passwords, static_tokens::StaticTokens,
    tokens::Tokens,
};
pub(crate) use self::{error::AuthError, handshake::handshake};
pub use self::{jwks::KeysSource, jwt::JwtConfig, settings::AuthSettings};

/// Where a call comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) address: IpAddr,
    /// The subject of the client's certificate, where the connection has one.
    pub(crate) certificate: Option<String>,
}

/// What an operator chooses about who is let in.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// Of the tokens that a handshake gives.
    pub token_lifetime: Duration,
    /// File of tokens for programs.
    pub static_tokens: Option<PathBuf>,
    /// The issuer of tokens that are believed, if there is one.
    pub jwt: Option<JwtConfig>,
    /// Whether clients may have certificates that tell who they are.
    pub certificates: bool,
    /// Administrators by name, besides those among the users.
    pub admins: BTreeSet<String>,
}

/// Everything calls are compared with.
#[derive(Debug)]
pub(crate) struct Authenticator {
    config: AuthConfig,
    users: Arc<Users>,
    passwords: Passwords,
    tokens: Tokens,
    static_tokens: StaticTokens,
    jwt: Option<Jwt>,
}

impl Authenticator {
    /// `files` keeps the key that tokens are signed with.
    pub(crate) fn open(
        config: AuthConfig,
        users: Arc<Users>,
        files: &PrivateFiles,
    ) -> anyhow::Result<Self> {
        let static_tokens = config.static_tokens.as_deref().map(StaticTokens::read);
        Ok(Self {
            static_tokens: static_tokens.transpose()?.unwrap_or_default(),
            jwt: config.jwt.clone().map(Jwt::new).transpose()?,
            passwords: Passwords::new(Arc::clone(&users)),
            tokens: Tokens::open(files, config.token_lifetime)?,
            users,
            config,
        })
    }

    /// Who makes a call.
    pub(crate) async fn identify(
        &self,
        headers: &HeaderMap,
        origin: &Origin,
    ) -> Result<Identity, AuthError> {
        let credentials = Credentials::of(headers)?;
        if self.knows_nobody() {
            return without_users(credentials.as_ref(), origin);
        }
        match credentials {
            Some(Credentials::Basic { user, password }) => {
                let user = self
                    .passwords
                    .check(&user, &password, origin.address)
                    .await?;
                Ok(self.of_user(&user))
            }
            Some(Credentials::Bearer(token)) => self.bearer(&token).await,
            None => match &origin.certificate {
                Some(name) => Ok(self.of_name(name)),
                None => Err(AuthError::Missing),
            },
        }
    }

    /// Whether there is nobody who could be told apart.
    pub(crate) fn knows_nobody(&self) -> bool {
        let others =
            self.config.certificates || self.config.static_tokens.is_some() || self.jwt.is_some();
        self.users.is_empty() && !others
    }

    async fn bearer(&self, token: &str) -> Result<Identity, AuthError> {
        if let Some(claims) = self.tokens.read(token) {
            let claims = claims?;
            let user = self.users.get(&claims.user);
            return match user.filter(|user| user.credential == claims.credential) {
                Some(user) => Ok(self.of_user(&user)),
                None => Err(AuthError::RevokedToken),
            };
        }
        if let Some(name) = self.static_tokens.name(token) {
            return Ok(self.of_name(name));
        }
        match &self.jwt {
            Some(jwt) if Jwt::is_one(token) => Ok(self.of_name(&jwt.name(token).await?)),
            _ => Err(AuthError::UnknownToken),
        }
    }

    fn of_user(&self, user: &User) -> Identity {
        Identity {
            name: Some(user.name.clone()),
            user: user.id.clone(),
            admin: user.admin || self.config.admins.contains(&user.name),
        }
    }

    fn of_name(&self, name: &str) -> Identity {
        match self.users.get(name) {
            Some(user) => self.of_user(&user),
            None => Identity {
                name: Some(name.to_owned()),
                user: None,
                admin: self.config.admins.contains(name),
            },
        }
    }
}

/// A server without users is its machine's alone, and says so to whoever believes to have logged in.
fn without_users(
    credentials: Option<&Credentials>,
    origin: &Origin,
) -> Result<Identity, AuthError> {
    let address = origin.address.to_canonical();
    match credentials {
        Some(_) => Err(AuthError::NoUsers),
        None if address.is_loopback() => Ok(Identity::nobody()),
        None => Err(AuthError::NoUsersForOthers { address }),
    }
}
