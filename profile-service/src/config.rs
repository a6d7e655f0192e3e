//! The settings of profile-service, and the configuration that they make.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser};
use database::DatabaseUrl;
use kit::{
    client::ServiceUrls,
    cors::CorsOrigins,
    metrics::Metrics,
    settings::{AuthUrl, Common, SecretKey, ServiceKey, SettingsError, TokenNames, parsed},
    tls::{ServerFiles, ServerTls},
};

/// Invite codes, inviters and followers (gRPC)
///
/// Every flag can be given as the environment variable that is named with it.
#[derive(Parser, Debug)]
#[command(name = "profile-service", version)]
pub struct Cli {
    /// This service's own settings.
    #[command(flatten)]
    pub settings: ProfileSettings,
    /// Where auth-service is.
    #[command(flatten)]
    pub auth_url: AuthUrl,
    /// auth-service's key.
    #[command(flatten)]
    pub service_key: ServiceKey,
    /// Whose tokens are taken.
    #[command(flatten)]
    pub token_names: TokenNames,
    /// What all processes share.
    #[command(flatten)]
    pub common: Common,
}

/// The settings that only profile-service has.
#[derive(Args, Clone, Debug)]
pub struct ProfileSettings {
    /// Where profile-service listens (gRPC, gRPC-Web)
    #[arg(long, env = "PROFILE_LISTEN", default_value = "127.0.0.1:50052")]
    pub profile_listen: SocketAddr,
    /// Speak TLS, with this certificate and those between it and its authority
    /// (PEM file)
    #[arg(long, env = "PROFILE_TLS_CERT")]
    pub profile_tls_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM file)
    #[arg(long, env = "PROFILE_TLS_KEY")]
    pub profile_tls_key: Option<PathBuf>,
    /// Refuse callers without a certificate of this authority: mutual TLS (PEM
    /// file)
    #[arg(long, env = "PROFILE_TLS_CLIENT_CA")]
    pub profile_tls_client_ca: Option<PathBuf>,
    /// Profiles: `postgres://user:password@host:port/name` or `sqlite://path`
    #[arg(long, env = "PROFILE_DATABASE_URL", hide_env_values = true)]
    pub profile_database_url: Option<String>,
}

/// The configuration: complete and parsed.
pub struct Config {
    /// Profiles.
    pub database_url: DatabaseUrl,
    /// Where auth-service is, for its public keys.
    pub auth_url: ServiceUrls,
    /// Signs auth-service's calls.
    pub service_key: SecretKey,
    /// The issuer of the tokens that are taken.
    pub issuer: String,
    /// The audience of the tokens that are taken.
    pub audience: String,
    /// The web pages that may call.
    pub cors: CorsOrigins,
    /// Speaks TLS on the listener.
    pub tls: Option<ServerTls>,
    /// What the process counts.
    pub metrics: Metrics,
}

impl Config {
    /// The program's configuration.
    ///
    /// # Errors
    /// When a setting is missing or wrong.
    pub fn from_cli(cli: &Cli) -> Result<Self, SettingsError> {
        Self::new(
            &cli.settings,
            &cli.auth_url,
            &cli.service_key,
            &cli.token_names,
            &cli.common,
        )
    }

    /// The configuration that these settings make.
    ///
    /// # Errors
    /// When a setting is missing or wrong.
    pub fn new(
        settings: &ProfileSettings,
        auth_url: &AuthUrl,
        service_key: &ServiceKey,
        names: &TokenNames,
        common: &Common,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            database_url: parsed(
                settings.profile_database_url.as_deref(),
                "PROFILE_DATABASE_URL",
                "where profiles are kept, as in postgres://user:password@host/profile",
            )?,
            auth_url: auth_url.required(&common.service_tls)?,
            service_key: service_key.parsed()?,
            issuer: names.auth_issuer.clone(),
            audience: names.auth_audience.clone(),
            cors: common.cors(),
            metrics: Metrics::of_process(),
            tls: ServerTls::load(
                "PROFILE_TLS",
                &ServerFiles {
                    cert: settings.profile_tls_cert.as_deref(),
                    key: settings.profile_tls_key.as_deref(),
                    client_ca: settings.profile_tls_client_ca.as_deref(),
                },
            )?,
        })
    }
}
