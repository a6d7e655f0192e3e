//! The settings of auth-service, and the configuration that they make.

mod guards;
mod providers;
mod test_numbers;
mod texts;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser};
use database::DatabaseUrl;
use kit::{
    client::ServiceUrls,
    client_address::TrustedProxies,
    clock::{Clock as _, SystemClock},
    cors::CorsOrigins,
    metrics::Metrics,
    settings::{
        Common, GatewayKey, ProfileUrl, SecretKey, ServiceKey, SettingsError, SmsDelivery,
        TokenNames, parsed, required,
    },
    tls::{ServerFiles, ServerTls},
};

use crate::{
    account::SessionRules,
    challenges::{BareCodes, ChallengeRules, ChallengeStoreUrl, store::PhoneLimits},
    key_ring::KeyRing,
    phone::{self, PhoneCheck},
    sms::{DelayRange, guards::rules::GuardRules, text::Texts},
    test_numbers::TestNumbers,
    tokens::TokenRules,
};

pub use guards::GuardSettings;
pub use providers::{PlainHttp, ProviderConfig, ProviderSettings, RealSms};
pub use test_numbers::TestNumberSettings;
pub use texts::TextSettings;

/// Phone-number sign-in: one-time codes, users, sessions, tokens (gRPC)
///
/// Every flag can be given as the environment variable that is named with it.
#[derive(Parser, Debug)]
#[command(name = "auth-service", version)]
pub struct Cli {
    /// This service's own settings.
    #[command(flatten)]
    pub settings: AuthSettings,
    /// Where profile-service is.
    #[command(flatten)]
    pub profile_url: ProfileUrl,
    /// The key to profile-service.
    #[command(flatten)]
    pub service_key: ServiceKey,
    /// The gateway's key.
    #[command(flatten)]
    pub gateway_key: GatewayKey,
    /// Whose tokens they are.
    #[command(flatten)]
    pub token_names: TokenNames,
    /// What all processes share.
    #[command(flatten)]
    pub common: Common,
}

/// The settings that only auth-service has.
#[derive(Args, Clone, Debug)]
pub struct AuthSettings {
    /// Where auth-service listens (gRPC, gRPC-Web)
    #[arg(long, env = "AUTH_LISTEN", default_value = "127.0.0.1:50051")]
    pub auth_listen: SocketAddr,
    /// Speak TLS, with this certificate and those between it and its authority
    /// (PEM file)
    #[arg(long, env = "AUTH_TLS_CERT")]
    pub auth_tls_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM file)
    #[arg(long, env = "AUTH_TLS_KEY")]
    pub auth_tls_key: Option<PathBuf>,
    /// Refuse callers without a certificate of this authority: mutual TLS (PEM
    /// file)
    #[arg(long, env = "AUTH_TLS_CLIENT_CA")]
    pub auth_tls_client_ca: Option<PathBuf>,
    /// Users and sessions: `postgres://user:password@host:port/name` or
    /// `sqlite://path`
    #[arg(long, env = "AUTH_DATABASE_URL", hide_env_values = true)]
    pub auth_database_url: Option<String>,
    /// Challenges: `redis://:password@host:port/db`, `rediss://…` with TLS,
    /// `redis+cluster://user:password@host:port,host:port` for a Redis Cluster
    /// by some of its nodes, `rediss+cluster://…`, or `memory://` for a single
    /// process
    #[arg(long, env = "AUTH_REDIS_URL", hide_env_values = true)]
    pub auth_redis_url: Option<String>,
    /// Signs access tokens: Ed25519 private keys (PKCS#8, PEM), or the path of
    /// a file of them; the first signs, all are published
    #[arg(long, env = "AUTH_SIGNING_KEY", hide_env_values = true)]
    pub auth_signing_key: Option<String>,
    /// Keys the hashes of codes and the tags of refresh tokens: 32 bytes in
    /// base64
    #[arg(long, env = "AUTH_CODE_PEPPER", hide_env_values = true)]
    pub auth_code_pepper: Option<String>,
    /// How long a simulated delivery takes, in milliseconds: a number or a range
    #[arg(long, env = "AUTH_SMS_DELAY_MS", default_value = "1000-2000")]
    pub auth_sms_delay_ms: DelayRange,
    /// Digits of a code, 4 to 10
    #[arg(long, env = "AUTH_OTP_LENGTH", default_value = "4",
          value_parser = clap::value_parser!(u8).range(4..=10))]
    pub auth_otp_length: u8,
    /// How long a code is accepted, in seconds, 1 to 3600
    #[arg(long, env = "AUTH_OTP_TTL_SECS", default_value = "120",
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub auth_otp_ttl_secs: u32,
    /// How long an access token is good, in seconds, 1 to 600
    #[arg(long, env = "AUTH_ACCESS_TTL_SECS", default_value = "600",
          value_parser = clap::value_parser!(u32).range(1..=600))]
    pub auth_access_ttl_secs: u32,
    /// After how many days without a refresh a session ends, 1 to 3650
    #[arg(long, env = "AUTH_SESSION_IDLE_DAYS", default_value = "30",
          value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub auth_session_idle_days: u32,
    /// After how many days a session ends in any case, 1 to 3650
    #[arg(long, env = "AUTH_SESSION_MAX_DAYS", default_value = "90",
          value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub auth_session_max_days: u32,
    /// How many codes in a row, without a sign-in, have the usual length; later
    /// ones have at least 6 digits [default: 3; 20 with simulated delivery]
    #[arg(long, env = "AUTH_SHORT_CODES_IN_A_ROW")]
    pub auth_short_codes_in_a_row: Option<u32>,
    /// Codes for one phone number in an hour [default: 15, of these 5 from one
    /// address; 1000 with simulated delivery]
    #[arg(long, env = "AUTH_MAX_CODES_PER_PHONE",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub auth_max_codes_per_phone: Option<u32>,
    /// Codes for one client address in an hour [default: 60; 100000 with simulated
    /// delivery]
    #[arg(long, env = "AUTH_MAX_CODES_PER_CLIENT",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub auth_max_codes_per_client: Option<u32>,
    /// Wrong bare codes from one client address in ten minutes
    #[arg(long, env = "AUTH_MAX_FAILURES_PER_CLIENT", default_value = "30",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub auth_max_failures_per_client: u32,
    /// Whether a code may come without its challenge: `on` or `off`
    #[arg(long, env = "AUTH_BARE_CODES", default_value = "on", value_parser = bare_codes)]
    pub auth_bare_codes: BareCodes,
    /// Proxies whose X-Forwarded-For counts: CIDR blocks with commas
    #[arg(
        long,
        env = "AUTH_TRUSTED_PROXIES",
        default_value = "",
        hide_default_value = true
    )]
    pub auth_trusted_proxies: TrustedProxies,
    /// How the providers of messages are reached.
    #[command(flatten)]
    pub providers: ProviderSettings,
    /// What is sent, and how much of it.
    #[command(flatten)]
    pub guards: GuardSettings,
    /// What messages say.
    #[command(flatten)]
    pub texts: TextSettings,
    /// Numbers with a fixed code.
    #[command(flatten)]
    pub test_numbers: TestNumberSettings,
}

fn bare_codes(text: &str) -> Result<BareCodes, &'static str> {
    match text {
        "on" => Ok(BareCodes::On),
        "off" => Ok(BareCodes::Off),
        _ => Err("expected on or off"),
    }
}

/// The configuration: complete and parsed.
pub struct Config {
    /// Users and sessions.
    pub database_url: DatabaseUrl,
    /// Challenges.
    pub challenge_store_url: ChallengeStoreUrl,
    /// Signs access tokens.
    pub signing_keys: KeyRing,
    /// Keys the hashes of codes and the tags of refresh tokens.
    pub code_pepper: SecretKey,
    /// Signs calls to profile-service.
    pub service_key: SecretKey,
    /// Signs the gateway's calls.
    pub gateway_key: SecretKey,
    /// Where profile-service is.
    pub profile_url: ServiceUrls,
    /// How codes are sent.
    pub sms: SmsConfig,
    /// What keeps people from living off the messages.
    pub guards: GuardRules,
    /// What messages say.
    pub texts: Texts,
    /// Numbers with a fixed code.
    pub test_numbers: TestNumbers,
    /// How phone numbers are checked.
    pub phone_check: PhoneCheck,
    /// The rules of challenges.
    pub challenge_rules: ChallengeRules,
    /// The rules of tokens.
    pub token_rules: TokenRules,
    /// The rules of sessions.
    pub session_rules: SessionRules,
    /// Whose `X-Forwarded-For` counts.
    pub trusted_proxies: TrustedProxies,
    /// The web pages that may call.
    pub cors: CorsOrigins,
    /// Speaks TLS on the listener.
    pub tls: Option<ServerTls>,
    /// What the process counts.
    pub metrics: Metrics,
}

/// How codes are sent.
#[derive(Clone, Debug)]
pub enum SmsConfig {
    /// Not at all, but as slowly.
    Simulated(DelayRange),
    /// By providers.
    Real(RealSms),
}

impl Config {
    /// The program's configuration.
    ///
    /// # Errors
    /// When a setting is missing or wrong.
    pub fn from_cli(cli: &Cli) -> Result<Self, SettingsError> {
        Self::new(
            &cli.settings,
            &cli.profile_url,
            &cli.service_key,
            &cli.gateway_key,
            &cli.token_names,
            &cli.common,
        )
    }

    /// The configuration that these settings make.
    ///
    /// # Errors
    /// When a setting is missing or wrong.
    pub fn new(
        settings: &AuthSettings,
        profile_url: &ProfileUrl,
        service_key: &ServiceKey,
        gateway_key: &GatewayKey,
        names: &TokenNames,
        common: &Common,
    ) -> Result<Self, SettingsError> {
        let sms = required(
            common.auth_sms.as_ref(),
            "AUTH_SMS",
            "how codes are delivered; `simulated` sends nothing and shows the code in the answer",
        )?;
        let (sms, phone_check, defaults) = match sms {
            SmsDelivery::Simulated => (
                SmsConfig::Simulated(settings.auth_sms_delay_ms),
                PhoneCheck::Possible,
                LimitDefaults::SIMULATED,
            ),
            SmsDelivery::Providers(providers) => (
                SmsConfig::Real(settings.providers.real(providers)?),
                PhoneCheck::Valid,
                LimitDefaults::REAL,
            ),
        };
        let per_phone = settings
            .auth_max_codes_per_phone
            .unwrap_or(defaults.codes_per_phone);
        let lifetime = Duration::from_secs(settings.auth_otp_ttl_secs.into());
        phone::warm_up();
        Ok(Self {
            database_url: parsed(
                settings.auth_database_url.as_deref(),
                "AUTH_DATABASE_URL",
                "where users and sessions are kept, as in postgres://user:password@host/auth",
            )?,
            challenge_store_url: parsed(
                settings.auth_redis_url.as_deref(),
                "AUTH_REDIS_URL",
                "where challenges are kept, as in redis://host:6379 or redis+cluster://host:6379,host:6379",
            )?,
            signing_keys: KeyRing::open(required(
                settings.auth_signing_key.as_deref(),
                "AUTH_SIGNING_KEY",
                "the Ed25519 key that signs access tokens (PEM or a path)",
            )?)
            .map_err(|error| SettingsError(format!("AUTH_SIGNING_KEY: {error}")))?,
            code_pepper: parsed(
                settings.auth_code_pepper.as_deref(),
                "AUTH_CODE_PEPPER",
                "the key of the hashes of codes, 32 bytes in base64",
            )?,
            service_key: service_key.parsed()?,
            gateway_key: gateway_key.parsed()?,
            profile_url: profile_url.required(&common.service_tls)?,
            sms,
            guards: settings.guards.rules()?,
            texts: settings.texts.texts(lifetime)?,
            test_numbers: settings.test_numbers.numbers(SystemClock.now())?,
            phone_check,
            challenge_rules: ChallengeRules {
                code_length: usize::from(settings.auth_otp_length),
                lifetime,
                short_in_a_row: settings
                    .auth_short_codes_in_a_row
                    .unwrap_or(defaults.short_codes_in_a_row),
                bare_codes: settings.auth_bare_codes,
                phone_limits: PhoneLimits {
                    per_phone,
                    // Whoever says how many a phone may have says it of each
                    // address too.
                    per_phone_and_address: settings
                        .auth_max_codes_per_phone
                        .unwrap_or(defaults.codes_per_phone_and_address),
                    gap: defaults.gap,
                },
                starts_per_client: settings
                    .auth_max_codes_per_client
                    .unwrap_or(defaults.codes_per_client),
                failures_per_client: settings.auth_max_failures_per_client,
            },
            token_rules: TokenRules {
                issuer: names.auth_issuer.clone(),
                audience: names.auth_audience.clone(),
                access_lifetime: Duration::from_secs(settings.auth_access_ttl_secs.into()),
            },
            session_rules: SessionRules {
                idle: days(settings.auth_session_idle_days),
                max: days(settings.auth_session_max_days),
            },
            trusted_proxies: settings.auth_trusted_proxies.clone(),
            cors: common.cors(),
            tls: ServerTls::load(
                "AUTH_TLS",
                &ServerFiles {
                    cert: settings.auth_tls_cert.as_deref(),
                    key: settings.auth_tls_key.as_deref(),
                    client_ca: settings.auth_tls_client_ca.as_deref(),
                },
            )?,
            metrics: Metrics::of_process(),
        })
    }
}

/// Limits that depend on whether a message is really sent.
struct LimitDefaults {
    codes_per_phone: u32,
    codes_per_phone_and_address: u32,
    gap: Duration,
    codes_per_client: u32,
    short_codes_in_a_row: u32,
}

impl LimitDefaults {
    /// Nothing is sent and nothing costs: room to try things out.
    const SIMULATED: Self = Self {
        codes_per_phone: 1_000,
        codes_per_phone_and_address: 1_000,
        gap: Duration::ZERO,
        codes_per_client: 100_000,
        short_codes_in_a_row: 20,
    };

    /// Each message is paid, and disturbs somebody.
    const REAL: Self = Self {
        codes_per_phone: 15,
        codes_per_phone_and_address: 5,
        gap: Duration::from_secs(30),
        codes_per_client: 60,
        short_codes_in_a_row: 3,
    };
}

fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 24 * 3600)
}
