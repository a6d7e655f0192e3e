//! The settings of providers.

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use clap::Args;
use http::Uri;
use kit::{
    settings::{SettingsError, SmsProvider, parsed, required},
    tls,
};
use rustls::ClientConfig;

use crate::sms::{
    queue::QueueLimits,
    twilio::TwilioConfig,
    webhook::{WebhookConfig, WebhookSecret},
};

/// How the providers are reached.
#[derive(Args, Clone, Debug)]
pub struct ProviderSettings {
    /// Takes messages as signed JSON (Standard Webhooks), when AUTH_SMS names
    /// `webhook`: an `https://…` URL
    #[arg(long, env = "AUTH_SMS_WEBHOOK_URL", hide_env_values = true)]
    pub auth_sms_webhook_url: Option<String>,
    /// Signs what is sent there: `whsec_` and 24 to 64 bytes in base64
    #[arg(long, env = "AUTH_SMS_WEBHOOK_SECRET", hide_env_values = true)]
    pub auth_sms_webhook_secret: Option<String>,
    /// Twilio's account, `AC…`, when AUTH_SMS names `twilio`
    #[arg(long, env = "AUTH_SMS_TWILIO_ACCOUNT")]
    pub auth_sms_twilio_account: Option<String>,
    /// The account's token
    #[arg(long, env = "AUTH_SMS_TWILIO_TOKEN", hide_env_values = true)]
    pub auth_sms_twilio_token: Option<String>,
    /// From whom messages are: a number of the account, a sender's name, or a
    /// messaging service, `MG…`
    #[arg(long, env = "AUTH_SMS_TWILIO_FROM")]
    pub auth_sms_twilio_from: Option<String>,
    /// Where Twilio's API is
    #[arg(
        long,
        env = "AUTH_SMS_TWILIO_URL",
        default_value = "https://api.twilio.com"
    )]
    pub auth_sms_twilio_url: String,
    /// Whom to trust at the providers' `https://…`: certificates of authorities
    /// (PEM file) [default: the public ones]
    #[arg(long, env = "AUTH_SMS_CA")]
    pub auth_sms_ca: Option<PathBuf>,
    /// Where a provider may be reached without TLS, so that codes and numbers can
    /// be read on the way: `loopback`, or `anywhere`
    #[arg(long, env = "AUTH_SMS_PLAIN_HTTP", default_value = "loopback")]
    pub auth_sms_plain_http: PlainHttp,
    /// How long the providers together may take with a message, in seconds, 1 to
    /// 60
    #[arg(long, env = "AUTH_SMS_DEADLINE_SECS", default_value = "15",
          value_parser = clap::value_parser!(u32).range(1..=60))]
    pub auth_sms_deadline_secs: u32,
    /// How many messages may wait to be sent, 1 to 100000; the next is answered
    /// 503
    #[arg(long, env = "AUTH_SMS_QUEUE", default_value = "1000",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub auth_sms_queue: u32,
    /// How many messages are sent at once, 1 to 1000
    #[arg(long, env = "AUTH_SMS_AT_ONCE", default_value = "32",
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub auth_sms_at_once: u32,
}

/// Where a provider may be reached without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// On this machine.
    Loopback,
    /// Wherever it is: for networks that encrypt by themselves.
    Anywhere,
}

impl FromStr for PlainHttp {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "loopback" => Ok(Self::Loopback),
            "anywhere" => Ok(Self::Anywhere),
            _ => Err("expected loopback or anywhere"),
        }
    }
}

/// Real delivery.
#[derive(Clone)]
pub struct RealSms {
    /// In the order in which they are asked: one at least.
    pub providers: Vec<ProviderConfig>,
    /// How they are reached over TLS.
    pub tls: Arc<ClientConfig>,
    /// How long they may take together.
    pub deadline: Duration,
    /// How much is queued and sent.
    pub limits: QueueLimits,
}

/// A provider that is set up.
#[derive(Clone, Debug)]
pub enum ProviderConfig {
    /// A receiver of signed requests.
    Webhook(WebhookConfig),
    /// Twilio's Messages API.
    Twilio(TwilioConfig),
}

impl fmt::Debug for RealSms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_list()
            .entries(self.providers.iter())
            .finish()
    }
}

impl ProviderSettings {
    /// Real delivery by these providers.
    ///
    /// # Errors
    /// When one of theirs is missing or wrong.
    pub fn real(&self, providers: &[SmsProvider]) -> Result<RealSms, SettingsError> {
        let providers = providers.iter().map(|provider| match provider {
            SmsProvider::Webhook => self.webhook().map(ProviderConfig::Webhook),
            SmsProvider::Twilio => self.twilio().map(ProviderConfig::Twilio),
        });
        Ok(RealSms {
            providers: providers.collect::<Result<_, _>>()?,
            tls: Arc::new(tls::outward("AUTH_SMS_CA", self.auth_sms_ca.as_deref())?),
            deadline: Duration::from_secs(self.auth_sms_deadline_secs.into()),
            limits: QueueLimits {
                waiting: self.auth_sms_queue as usize,
                at_once: self.auth_sms_at_once as usize,
            },
        })
    }

    fn webhook(&self) -> Result<WebhookConfig, SettingsError> {
        let url = required(
            self.auth_sms_webhook_url.as_deref(),
            "AUTH_SMS_WEBHOOK_URL",
            "where AUTH_SMS=webhook hands messages over, as in https://sms.example.com/send",
        )?;
        let secret: WebhookSecret = parsed(
            self.auth_sms_webhook_secret.as_deref(),
            "AUTH_SMS_WEBHOOK_SECRET",
            "what AUTH_SMS=webhook signs with, whsec_ and base64; the receiver has the same",
        )?;
        let url = self.url("AUTH_SMS_WEBHOOK_URL", url)?;
        Ok(WebhookConfig { url, secret })
    }

    fn twilio(&self) -> Result<TwilioConfig, SettingsError> {
        let set = |value: &Option<String>, name, purpose| {
            let value = value.as_deref().map(str::trim);
            let value = value.filter(|value| !value.is_empty()).map(str::to_owned);
            required(value, name, purpose)
        };
        let account = set(
            &self.auth_sms_twilio_account,
            "AUTH_SMS_TWILIO_ACCOUNT",
            "whose AUTH_SMS=twilio is, AC and 32 digits, in Twilio's console",
        )?;
        let token = set(
            &self.auth_sms_twilio_token,
            "AUTH_SMS_TWILIO_TOKEN",
            "the account's token, in Twilio's console",
        )?;
        let from = set(
            &self.auth_sms_twilio_from,
            "AUTH_SMS_TWILIO_FROM",
            "from whom messages are: a number, a name, or a messaging service (MG…)",
        )?;
        if !account.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let wrong = "AUTH_SMS_TWILIO_ACCOUNT: expected letters and digits, AC…";
            return Err(SettingsError(wrong.to_owned()));
        }
        let base = &self.auth_sms_twilio_url;
        let url = self.url("AUTH_SMS_TWILIO_URL", base)?;
        let config = TwilioConfig::new(base, &account, &token, &from);
        config.filter(|_| url.query().is_none()).ok_or_else(|| {
            SettingsError("AUTH_SMS_TWILIO_URL: expected a URL without a query".to_owned())
        })
    }

    /// Never repeats the value: there may be a token in it.
    fn url(&self, name: &str, text: &str) -> Result<Uri, SettingsError> {
        let wrong = |what: &str| SettingsError(format!("{name}: {what}"));
        let url: Uri = text.parse().map_err(|_| wrong("expected a URL"))?;
        // What stands after it would be dropped: for Twilio, the rest of the path.
        if text.contains('#') {
            return Err(wrong("a # and what comes after it are not sent"));
        }
        let Some(authority) = url.authority() else {
            return Err(wrong("expected https://host…"));
        };
        if authority.as_str().contains('@') {
            return Err(wrong("a user and a password in it are not sent"));
        }
        // What is no port would be passed over, and the usual one be asked.
        let after_host = authority.as_str().len() > authority.host().len();
        if after_host && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(wrong(
                "expected a port of 1 to 65535 after the host's colon",
            ));
        }
        match url.scheme_str() {
            Some("https") => Ok(url),
            Some("http")
                if is_loopback(authority.host())
                    || self.auth_sms_plain_http == PlainHttp::Anywhere =>
            {
                Ok(url)
            }
            Some("http") => Err(wrong(
                "without TLS, whoever is on the way reads the codes: use https:// \
                 (AUTH_SMS_CA names an authority of your own), or say \
                 AUTH_SMS_PLAIN_HTTP=anywhere where the network encrypts by itself",
            )),
            _ => Err(wrong("expected https://host…")),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let parsed: Result<std::net::IpAddr, _> = address.parse();
    host.eq_ignore_ascii_case("localhost") || parsed.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        settings: ProviderSettings,
    }

    const SECRET: &str = "--auth-sms-webhook-secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn real(providers: &[SmsProvider], flags: &[&str]) -> Result<RealSms, String> {
        let cli = Cli::try_parse_from([&["x"], flags].concat()).unwrap();
        cli.settings
            .real(providers)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_provider_needs_is_asked_for() {
        let complaint = |provider, flags: &[&str]| real(&[provider], flags).unwrap_err();
        let webhook = |flags: &[&str]| complaint(SmsProvider::Webhook, flags);
        assert!(webhook(&[]).starts_with("AUTH_SMS_WEBHOOK_URL is not set"));
        let url = "--auth-sms-webhook-url=https://example.com/sms";
        assert!(webhook(&[url]).starts_with("AUTH_SMS_WEBHOOK_SECRET is not set"));
        assert!(real(&[SmsProvider::Webhook], &[url, SECRET]).is_ok());

        let mut flags = Vec::new();
        for (flag, missing) in [
            ("--auth-sms-twilio-account=AC1", "AUTH_SMS_TWILIO_ACCOUNT"),
            ("--auth-sms-twilio-token=t", "AUTH_SMS_TWILIO_TOKEN"),
            ("--auth-sms-twilio-from=x", "AUTH_SMS_TWILIO_FROM"),
        ] {
            let line = complaint(SmsProvider::Twilio, &flags);
            assert!(line.starts_with(&format!("{missing} is not set")), "{line}");
            flags.push(flag);
        }
        let query = "--auth-sms-twilio-url=https://example.com/?x";
        let line = complaint(SmsProvider::Twilio, &[&flags[..], &[query]].concat());
        assert!(line.starts_with("AUTH_SMS_TWILIO_URL: "), "{line}");
        let twilio = real(&[SmsProvider::Twilio], &flags).unwrap();
        assert_eq!(format!("{twilio:?}"), "[Twilio(TwilioConfig)]");
    }

    #[test]
    fn without_tls_only_this_machine_is_spoken_to() {
        let at = |url: &str, more: &[&str]| {
            let url = format!("--auth-sms-webhook-url={url}");
            real(&[SmsProvider::Webhook], &[&[&*url, SECRET], more].concat())
        };
        for url in [
            "https://example.com/sms?token=1",
            "http://localhost:8000/",
            "http://127.0.0.1/",
            "http://[::1]:80/x",
        ] {
            assert!(at(url, &[]).is_ok(), "{url}");
        }
        for url in [
            "http://example.com/hunter2",
            "http://10.0.0.1/hunter2",
            "https://me:hunter2@example.com/",
            "ftp://example.com/hunter2",
            "/hunter2",
            "example.com",
            "hunter2 ",
            "https://example.com:99999/hunter2",
            "https://example.com:/hunter2",
            "http://[::1]:65536/hunter2",
            "https://example.com/#hunter2",
        ] {
            let line = at(url, &[]).unwrap_err();
            assert!(line.starts_with("AUTH_SMS_WEBHOOK_URL: "), "{line}");
            assert!(!line.contains("hunter2"), "{line}");
        }
        let anywhere = "--auth-sms-plain-http=anywhere";
        assert!(at("http://sms.internal/", &[anywhere]).is_ok());
    }

    #[test]
    fn real_messages_have_the_strict_limits() {
        let key = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
            -----END PRIVATE KEY-----\n";
        let secret = |name: &str| format!("--{name}=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
        kit::crypto::install();
        let cli = crate::config::Cli::try_parse_from([
            "x",
            "--auth-sms=webhook",
            "--auth-sms-webhook-url=https://example.com/",
            SECRET,
            "--auth-database-url=sqlite:///nonexistent",
            "--auth-redis-url=memory://",
            "--profile-url=http://127.0.0.1:1",
            &secret("service-key"),
            &secret("gateway-key"),
            &secret("auth-code-pepper"),
            &format!("--auth-signing-key={key}"),
        ])
        .unwrap();
        let config = crate::Config::from_cli(&cli).unwrap();
        let rules = config.challenge_rules;
        assert_eq!(rules.phone_limits.per_phone, 15);
        assert_eq!(rules.phone_limits.per_phone_and_address, 5);
        assert_eq!(rules.phone_limits.gap, Duration::from_secs(30));
        assert_eq!((rules.starts_per_client, rules.short_in_a_row), (60, 3));
        assert_eq!(config.phone_check, crate::phone::PhoneCheck::Valid);
        assert_eq!(config.cors, kit::cors::CorsOrigins::List(Vec::new()));
    }
}
