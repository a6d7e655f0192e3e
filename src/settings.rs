//! The settings of the whole product, and the embedded defaults.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};
use kit::{
    client::ServiceUrls,
    settings::{
        AuthUrl, Common, GatewayKey, ProfileUrl, ServiceKey, SettingsError, SmsDelivery, TokenNames,
    },
    tls::{Callers, ClientTls, ServerTls},
};

use crate::data_dir::{self, DataDir};

/// Phone-number sign-in and invite codes, all in one process
///
/// Starts with nothing installed: SQLite and keys are kept in the data
/// directory. Every flag can be given as the environment variable that is
/// named with it.
#[derive(Parser, Debug)]
#[command(name = "customauth", version, disable_help_subcommand = true)]
pub struct Settings {
    /// What to do; without it, the product runs.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where the databases and keys are kept; made at the first start
    #[arg(long, env = "DATA_DIR", default_value = "./data", global = true)]
    pub data_dir: PathBuf,
    /// The gateway's own settings.
    #[command(flatten)]
    pub gateway: gateway::config::GatewaySettings,
    /// auth-service's own settings.
    #[command(flatten)]
    pub auth: auth_service::config::AuthSettings,
    /// profile-service's own settings.
    #[command(flatten)]
    pub profile: profile_service::config::ProfileSettings,
    /// The key between auth-service and profile-service.
    #[command(flatten)]
    pub service_key: ServiceKey,
    /// The key between the gateway and auth-service.
    #[command(flatten)]
    pub gateway_key: GatewayKey,
    /// Whose tokens they are.
    #[command(flatten)]
    pub token_names: TokenNames,
    /// What all services share.
    #[command(flatten)]
    pub common: Common,
}

/// What `customauth` does beside running.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Copy the databases and keys to a new directory, while the product runs
    /// or not
    ///
    /// The copy is a data directory itself: start with DATA_DIR set to it, or
    /// put its files in the place of the old ones.
    Backup {
        /// The directory to make; its parent has to be there
        directory: PathBuf,
    },
}

/// The three configurations that the settings make.
pub(crate) struct Configs {
    pub(crate) gateway: gateway::Config,
    pub(crate) auth: auth_service::Config,
    pub(crate) profile: profile_service::Config,
}

impl Settings {
    /// Fills in what was not set, and makes keys that are not there yet.
    pub(crate) fn fill_in(&mut self, data: &DataDir) -> anyhow::Result<()> {
        self.say_simulated()?;
        let auth = &mut self.auth;
        let database = |name: &str| Ok(format!("sqlite://{}", data.path(name).display()));
        fill(&mut auth.auth_database_url, || {
            database(data_dir::AUTH_DATABASE)
        })?;
        fill(&mut self.profile.profile_database_url, || {
            database(data_dir::PROFILE_DATABASE)
        })?;
        fill(&mut auth.auth_redis_url, || Ok("memory://".to_owned()))?;
        fill(&mut auth.auth_signing_key, || data.signing_key())?;
        fill(&mut auth.auth_code_pepper, || {
            data.secret_key(data_dir::CODE_PEPPER)
        })?;
        fill(&mut self.service_key.service_key, || {
            data.secret_key(data_dir::SERVICE_KEY)
        })?;
        fill(&mut self.gateway_key.gateway_key, || {
            data.secret_key(data_dir::GATEWAY_KEY)
        })
    }

    /// The configurations; `auth` and `profile` say where the two services
    /// listen.
    pub(crate) fn configs(
        &self,
        auth: SocketAddr,
        profile: SocketAddr,
    ) -> Result<Configs, SettingsError> {
        let url = |address: SocketAddr| format!("http://{}", reachable(address)).parse().ok();
        let auth_url = AuthUrl {
            auth_url: url(auth),
        };
        let profile_url = ProfileUrl {
            profile_url: url(profile),
        };
        let mut configs = Configs {
            gateway: gateway::Config::new(
                &self.gateway,
                &auth_url,
                &profile_url,
                &self.gateway_key,
                &self.common,
            )?,
            auth: auth_service::Config::new(
                &self.auth,
                &profile_url,
                &self.service_key,
                &self.gateway_key,
                &self.token_names,
                &self.common,
            )?,
            profile: profile_service::Config::new(
                &self.profile,
                &auth_url,
                &self.service_key,
                &self.token_names,
                &self.common,
            )?,
        };
        // They count together.
        configs.auth.metrics = configs.gateway.metrics.clone();
        configs.profile.metrics = configs.gateway.metrics.clone();
        self.call_over_tls(&mut configs, auth, profile)?;
        Ok(configs)
    }

    /// Where a service speaks TLS, the others call it so. They trust the
    /// certificate that it was given and no other, so that it may name what the
    /// world calls the service.
    fn call_over_tls(
        &self,
        configs: &mut Configs,
        auth: SocketAddr,
        profile: SocketAddr,
    ) -> Result<(), SettingsError> {
        let caller = ClientTls::load(&self.common.service_tls)?;
        let url = |tls: &ServerTls, address: SocketAddr, ca: &str| {
            if tls.callers() == Callers::Certified && !caller.has_certificate() {
                return Err(SettingsError(format!(
                    "SERVICE_TLS_CERT is not set, but {ca} is: \
                     the services in this process need a certificate to call each other"
                )));
            }
            format!("https://{}", reachable(address))
                .parse::<ServiceUrls>()
                .map_err(SettingsError)?
                .called_by(&caller.clone().trusting_only(tls))
        };
        if let Some(tls) = &configs.auth.tls {
            let url = url(tls, auth, "AUTH_TLS_CLIENT_CA")?;
            configs.gateway.auth = url.clone();
            configs.profile.auth_url = url;
        }
        if let Some(tls) = &configs.profile.tls {
            let url = url(tls, profile, "PROFILE_TLS_CLIENT_CA")?;
            configs.gateway.profile = url.clone();
            configs.auth.profile_url = url;
        }
        Ok(())
    }

    /// On this machine alone, codes may be simulated without a word. Where
    /// others can reach a listener, anybody could sign in as anybody: that has
    /// to be said.
    fn say_simulated(&mut self) -> Result<(), SettingsError> {
        if self.common.auth_sms.is_none() {
            let listeners = [
                ("GATEWAY_LISTEN", self.gateway.gateway_listen),
                ("AUTH_LISTEN", self.auth.auth_listen),
                ("PROFILE_LISTEN", self.profile.profile_listen),
            ];
            if let Some((name, address)) = listeners.iter().find(|(_, at)| !at.ip().is_loopback()) {
                return Err(SettingsError(format!(
                    "AUTH_SMS is not set, and {name}={address} can be reached from elsewhere: \
                     simulated delivery shows every code to whoever asks for it; \
                     say AUTH_SMS=simulated if that is meant"
                )));
            }
            self.common.auth_sms = Some(SmsDelivery::Simulated);
        }
        Ok(())
    }
}

fn fill(
    setting: &mut Option<String>,
    default: impl FnOnce() -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    if setting.is_none() {
        *setting = Some(default()?);
    }
    Ok(())
}

/// Where a listener is reached from the same machine: one on all addresses is
/// reached on loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(flags: &[&str]) -> Settings {
        let flags = ["customauth"].iter().chain(flags);
        Settings::try_parse_from(flags).unwrap()
    }

    #[test]
    fn simulated_delivery_has_to_be_said_where_others_can_listen() {
        assert!(settings(&[]).say_simulated().is_ok());
        for flag in ["--gateway-listen", "--auth-listen", "--profile-listen"] {
            let listener = format!("{flag}=0.0.0.0:0");
            assert!(settings(&[&listener]).say_simulated().is_err(), "{flag}");
            let said = settings(&[&listener, "--auth-sms=simulated"]).say_simulated();
            assert!(said.is_ok(), "{flag}");
        }
    }

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_loopback() {
        let found = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(found("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(found("[::]:80"), "[::1]:80");
        assert_eq!(found("192.0.2.1:80"), "192.0.2.1:80");
    }
}
