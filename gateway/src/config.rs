//! The gateway's settings, and the configuration that they make.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser};
use kit::{
    client::ServiceUrls,
    client_address::TrustedProxies,
    cors::CorsOrigins,
    metrics::Metrics,
    settings::{AuthUrl, Common, GatewayKey, ProfileUrl, SecretKey, SettingsError},
    tls::{ServerFiles, ServerTls},
};

/// The HTTP/JSON API in front of auth-service and profile-service
///
/// Every flag can be given as the environment variable that is named with it.
#[derive(Parser, Debug)]
#[command(name = "gateway", version)]
pub struct Cli {
    /// The gateway's own settings.
    #[command(flatten)]
    pub settings: GatewaySettings,
    /// Where auth-service is.
    #[command(flatten)]
    pub auth_url: AuthUrl,
    /// Where profile-service is.
    #[command(flatten)]
    pub profile_url: ProfileUrl,
    /// The key to auth-service.
    #[command(flatten)]
    pub gateway_key: GatewayKey,
    /// What all processes share.
    #[command(flatten)]
    pub common: Common,
}

/// The settings that only the gateway has.
#[derive(Args, Clone, Debug)]
pub struct GatewaySettings {
    /// Where the HTTP API listens
    #[arg(long, env = "GATEWAY_LISTEN", default_value = "127.0.0.1:8080")]
    pub gateway_listen: SocketAddr,
    /// Speak TLS, with this certificate and those between it and its authority
    /// (PEM file)
    #[arg(long, env = "GATEWAY_TLS_CERT")]
    pub gateway_tls_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM file)
    #[arg(long, env = "GATEWAY_TLS_KEY")]
    pub gateway_tls_key: Option<PathBuf>,
    /// Proxies whose X-Forwarded-For is believed: CIDR blocks with commas
    #[arg(long, env = "GATEWAY_TRUSTED_PROXIES", default_value = "")]
    pub gateway_trusted_proxies: TrustedProxies,
}

/// All that the gateway has to know, complete and parsed.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where auth-service is.
    pub auth: ServiceUrls,
    /// Where profile-service is.
    pub profile: ServiceUrls,
    /// Signs the calls to auth-service.
    pub key: SecretKey,
    /// The proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: TrustedProxies,
    /// The web pages that may call.
    pub cors: CorsOrigins,
    /// Speaks TLS on the listener.
    pub tls: Option<ServerTls>,
    /// Whether the gateway itself is reached over TLS: its cookie is `Secure`
    /// then.
    pub over_tls: bool,
    /// What the process counts.
    pub metrics: Metrics,
    /// Where that is told, if not at `/metrics` among the API's paths.
    pub metrics_listen: Option<SocketAddr>,
}

impl Config {
    /// The configuration that the binary's settings make.
    ///
    /// # Errors
    /// When a required one is missing or wrong; the line names it.
    pub fn from_cli(cli: &Cli) -> Result<Self, SettingsError> {
        Self::new(
            &cli.settings,
            &cli.auth_url,
            &cli.profile_url,
            &cli.gateway_key,
            &cli.common,
        )
    }

    /// The configuration that the settings make.
    ///
    /// # Errors
    /// When a required one is missing or wrong; the line names it.
    pub fn new(
        settings: &GatewaySettings,
        auth: &AuthUrl,
        profile: &ProfileUrl,
        key: &GatewayKey,
        common: &Common,
    ) -> Result<Self, SettingsError> {
        let tls = ServerTls::load(
            "GATEWAY_TLS",
            &ServerFiles {
                cert: settings.gateway_tls_cert.as_deref(),
                key: settings.gateway_tls_key.as_deref(),
                client_ca: None,
            },
        )?;
        Ok(Self {
            listen: settings.gateway_listen,
            auth: auth.required(&common.service_tls)?,
            profile: profile.required(&common.service_tls)?,
            key: key.parsed()?,
            trusted_proxies: settings.gateway_trusted_proxies.clone(),
            cors: common.cors(),
            over_tls: tls.is_some(),
            tls,
            metrics: Metrics::of_process(),
            metrics_listen: common.metrics_listen,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(flags: &[&str]) -> Result<Config, String> {
        let flags = ["gateway"].iter().chain(flags);
        let cli = Cli::try_parse_from(flags).map_err(|error| error.to_string())?;
        Config::from_cli(&cli).map_err(|error| error.to_string())
    }

    const KEY: &str = "--gateway-key=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const AUTH: &str = "--auth-url=http://127.0.0.1:50051";
    const PROFILE: &str = "--profile-url=http://127.0.0.1:50052";

    #[test]
    fn what_is_required_is_asked_for_by_name() {
        let rows: &[(&[&str], &str)] = &[
            (&[PROFILE, KEY], "AUTH_URL is not set"),
            (&[AUTH, KEY], "PROFILE_URL is not set"),
            (&[AUTH, PROFILE], "GATEWAY_KEY is not set"),
            (&[AUTH, PROFILE, "--gateway-key=c2hvcnQ="], "GATEWAY_KEY: "),
        ];
        for (flags, start) in rows {
            let line = config(flags).unwrap_err();
            assert!(line.starts_with(start), "{flags:?}: {line}");
        }
    }

    #[test]
    fn the_rest_has_defaults() {
        let config = config(&[AUTH, PROFILE, KEY]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.trusted_proxies, TrustedProxies::default());
        assert_eq!(config.cors, CorsOrigins::List(vec![]));
    }

    #[test]
    fn every_page_may_call_while_codes_are_simulated() {
        let config = config(&[AUTH, PROFILE, KEY, "--auth-sms=simulated"]).unwrap();
        assert_eq!(config.cors, CorsOrigins::Any);
    }

    #[test]
    fn wrong_values_are_refused() {
        for flag in [
            "--gateway-listen=8080",
            "--gateway-trusted-proxies=10.0.0.0/33",
        ] {
            assert!(config(&[AUTH, PROFILE, KEY, flag]).is_err(), "{flag}");
        }
    }
}
