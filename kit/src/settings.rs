//! Reading settings: flags with environment variables of the same name.
//!
//! A wrong or missing one is a [`SettingsError`]: one line on stderr and exit
//! status 2 (see [`crate::process::run`]).

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::{Args, error::ErrorKind};

use crate::{client::ServiceUrls, cors::CorsOrigins, tls::ClientTls};

/// A setting is missing or wrong; the text is one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub String);

/// The value of a setting that has no default here.
///
/// # Errors
/// When it is not set; the line names it and says what it is for.
pub fn required<T>(value: Option<T>, name: &str, purpose: &str) -> Result<T, SettingsError> {
    value.ok_or_else(|| SettingsError(format!("{name} is not set: {purpose}")))
}

/// Clap's complaint as one line. `None` when it is no complaint (`--help`).
pub fn one_line(error: &clap::Error) -> Option<String> {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return None;
    }
    let text = error.render().to_string();
    let said = text.split("\n\n").next().unwrap_or_default();
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(line.strip_prefix("error: ").unwrap_or(&line).to_owned())
}

/// A symmetric key: 32 bytes, given in base64. It does not show in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// A key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The text that [`FromStr`] reads.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretKey")
    }
}

impl FromStr for SecretKey {
    type Err = &'static str;

    /// Never repeats the value: it would end up in a log.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "expected 32 bytes in base64 (make one with: openssl rand -base64 32)";
        let bytes = STANDARD.decode(text.trim()).map_err(|_| WANTED)?;
        bytes.try_into().map(Self).map_err(|_| WANTED)
    }
}

/// How a process runs.
#[derive(Args, Clone, Debug)]
pub struct ProcessSettings {
    /// Threads that answer requests, 1 to 1024
    /// [default: half as many as there are cores, at least 1]
    #[arg(long, env = "WORKER_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub worker_threads: Option<u16>,
    /// What to log: a level (error, warn, info, debug, trace) or a list such
    /// as `info,auth_service=debug`
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub rust_log: String,
}

/// Where auth-service is.
#[derive(Args, Clone, Debug, Default)]
pub struct AuthUrl {
    /// Where auth-service is: `http://host:port` (`https://…` with TLS), or several with commas
    #[arg(long, env = "AUTH_URL")]
    pub auth_url: Option<ServiceUrls>,
}

/// Where profile-service is.
#[derive(Args, Clone, Debug, Default)]
pub struct ProfileUrl {
    /// Where profile-service is: `http://host:port` (`https://…` with TLS), or several with commas
    #[arg(long, env = "PROFILE_URL")]
    pub profile_url: Option<ServiceUrls>,
}

/// The key between auth-service and profile-service.
#[derive(Args, Clone, Debug, Default)]
pub struct ServiceKey {
    /// Signs auth-service's calls to profile-service: 32 bytes in base64
    #[arg(long, env = "SERVICE_KEY", hide_env_values = true)]
    pub service_key: Option<String>,
}

/// The key between the gateway and auth-service.
#[derive(Args, Clone, Debug, Default)]
pub struct GatewayKey {
    /// Signs the gateway's calls to auth-service: 32 bytes in base64
    #[arg(long, env = "GATEWAY_KEY", hide_env_values = true)]
    pub gateway_key: Option<String>,
}

/// A required setting that clap does not parse, because its complaint would
/// repeat a value that may be secret.
///
/// # Errors
/// When it is not set or wrong; the line names the setting, not the value.
pub fn parsed<T>(value: Option<&str>, name: &str, purpose: &str) -> Result<T, SettingsError>
where
    T: FromStr<Err = &'static str>,
{
    required(value, name, purpose)?
        .parse()
        .map_err(|error| SettingsError(format!("{name}: {error}")))
}

impl AuthUrl {
    /// The URLs, called with this TLS where they are `https://…`.
    ///
    /// # Errors
    /// When they are not set, or the files for TLS are wrong.
    pub fn required(&self, tls: &ServiceTls) -> Result<ServiceUrls, SettingsError> {
        let purpose = "where auth-service is, as in http://127.0.0.1:50051";
        let urls = required(self.auth_url.clone(), "AUTH_URL", purpose)?;
        urls.called_by(&ClientTls::load(tls)?)
    }
}

impl ProfileUrl {
    /// The URLs, called with this TLS where they are `https://…`.
    ///
    /// # Errors
    /// When they are not set, or the files for TLS are wrong.
    pub fn required(&self, tls: &ServiceTls) -> Result<ServiceUrls, SettingsError> {
        let purpose = "where profile-service is, as in http://127.0.0.1:50052";
        let urls = required(self.profile_url.clone(), "PROFILE_URL", purpose)?;
        urls.called_by(&ClientTls::load(tls)?)
    }
}

impl ServiceKey {
    /// The key.
    ///
    /// # Errors
    /// When it is not set or no key.
    pub fn parsed(&self) -> Result<SecretKey, SettingsError> {
        let purpose = "the key between auth-service and profile-service, 32 bytes in base64";
        parsed(self.service_key.as_deref(), "SERVICE_KEY", purpose)
    }
}

impl GatewayKey {
    /// The key.
    ///
    /// # Errors
    /// When it is not set or no key.
    pub fn parsed(&self) -> Result<SecretKey, SettingsError> {
        let purpose = "the key between the gateway and auth-service, 32 bytes in base64";
        parsed(self.gateway_key.as_deref(), "GATEWAY_KEY", purpose)
    }
}

/// How the services call each other over `https://…`.
#[derive(Args, Clone, Debug, Default)]
pub struct ServiceTls {
    /// Whom to trust at `https://…` in AUTH_URL and PROFILE_URL: certificates of
    /// authorities (PEM file) [default: the public ones]
    #[arg(long, env = "SERVICE_TLS_CA")]
    pub service_tls_ca: Option<PathBuf>,
    /// This process's own certificate, for services that ask for one (PEM file)
    #[arg(long, env = "SERVICE_TLS_CERT")]
    pub service_tls_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM file)
    #[arg(long, env = "SERVICE_TLS_KEY")]
    pub service_tls_key: Option<PathBuf>,
}

/// Whose access tokens they are and for whom.
#[derive(Args, Clone, Debug)]
pub struct TokenNames {
    /// The issuer (`iss`) of access tokens
    #[arg(long, env = "AUTH_ISSUER", default_value = "customauth")]
    pub auth_issuer: String,
    /// The audience (`aud`) of access tokens
    #[arg(long, env = "AUTH_AUDIENCE", default_value = "customauth")]
    pub auth_audience: String,
}

/// How one-time codes reach the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmsDelivery {
    /// Not at all: the answer to the request contains the code.
    Simulated,
    /// By these, the first that can. There is one at least, and none twice.
    Providers(Vec<SmsProvider>),
}

/// Who sends messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsProvider {
    /// A server of one's own or of a vendor, by a signed request.
    Webhook,
    /// Twilio's Messages API.
    Twilio,
}

impl FromStr for SmsDelivery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "simulated" {
            return Ok(Self::Simulated);
        }
        let mut providers = Vec::new();
        for name in text.split(',').map(str::trim) {
            let provider = match name {
                "webhook" => SmsProvider::Webhook,
                "twilio" => SmsProvider::Twilio,
                "simulated" => return Err("'simulated' goes with no provider".to_owned()),
                _ => {
                    return Err(format!(
                        "'{name}' is not known; there is: simulated, or webhook and twilio with commas"
                    ));
                }
            };
            if providers.contains(&provider) {
                return Err(format!("'{name}' is there twice"));
            }
            providers.push(provider);
        }
        Ok(Self::Providers(providers))
    }
}

/// The settings that all processes share.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// How codes are delivered: `webhook`, `twilio`, or both with a comma, the
    /// first that can; `simulated` shows the code in the answer and sends nothing
    #[arg(long, env = "AUTH_SMS")]
    pub auth_sms: Option<SmsDelivery>,
    /// Web origins that may call: `*`, a list with commas, or empty for none
    /// [default: `*` with simulated delivery, else none]
    #[arg(long, env = "CORS_ORIGINS")]
    pub cors_origins: Option<CorsOrigins>,
    /// Where `/metrics` is served for Prometheus, as in 127.0.0.1:9464, by HTTP
    /// without TLS. When it is set, the gateway has no `/metrics` among its public
    /// paths [default: off]
    #[arg(long, env = "METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// How this process calls the other services over TLS.
    #[command(flatten)]
    pub service_tls: ServiceTls,
    /// How the process runs.
    #[command(flatten)]
    pub process: ProcessSettings,
}

impl Common {
    /// The origins: everybody's while codes are simulated, unless set.
    pub fn cors(&self) -> CorsOrigins {
        let simulated = self.auth_sms == Some(SmsDelivery::Simulated);
        self.cors_origins.clone().unwrap_or(if simulated {
            CorsOrigins::Any
        } else {
            CorsOrigins::List(Vec::new())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_in_base64_and_never_shows() {
        let key = SecretKey::new([7; 32]);
        assert_eq!(key.to_base64().parse(), Ok(key.clone()));
        assert_eq!(format!("{key:?}"), "SecretKey");
        let error = parsed::<SecretKey>(Some("c2hvcnQ="), "SERVICE_KEY", "").unwrap_err();
        assert!(!error.to_string().contains("c2hvcnQ"));
        assert!(
            error
                .to_string()
                .starts_with("SERVICE_KEY: expected 32 bytes")
        );
    }

    #[test]
    fn delivery_is_simulated_or_by_providers_in_order() {
        let read = |text: &str| text.parse::<SmsDelivery>();
        assert_eq!(read("simulated"), Ok(SmsDelivery::Simulated));
        let both = vec![SmsProvider::Twilio, SmsProvider::Webhook];
        assert_eq!(read("twilio, webhook"), Ok(SmsDelivery::Providers(both)));
        for bad in [
            "",
            "sms",
            "twilio,",
            "twilio,twilio",
            "twilio,simulated",
            "Twilio",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_missing_setting_is_named() {
        let error = required(None::<u8>, "AUTH_URL", "where auth-service is").unwrap_err();
        assert_eq!(
            error.to_string(),
            "AUTH_URL is not set: where auth-service is"
        );
    }
}
