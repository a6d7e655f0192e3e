//! The settings of the guards.

use clap::Args;
use kit::settings::SettingsError;

use crate::sms::{
    guards::{
        dry_run::DryRun,
        money::Money,
        rules::{GuardRules, MESSAGES_A_DAY, MostMessages, Tables},
        slots::Judge,
    },
    prefixes::Prefixes,
};

/// What messages are sent, and how many. A table names numbers by their first
/// digits: the longest prefix that a number begins with counts.
#[derive(Args, Clone, Debug)]
pub struct GuardSettings {
    /// Where messages are sent to: prefixes of phone numbers with commas, such as
    /// `+7,+49` [default: everywhere]
    #[arg(
        long,
        env = "AUTH_SMS_COUNTRIES",
        default_value = "",
        hide_default_value = true
    )]
    pub auth_sms_countries: Prefixes<()>,
    /// Messages in a day (UTC), in all and by prefix: `*=1000,+225=50`; `none`
    /// is no limit [default: *=1000]
    #[arg(long, env = "AUTH_SMS_DAILY_MESSAGES", default_value = "", hide_default_value = true,
          value_parser = messages)]
    pub auth_sms_daily_messages: Prefixes<MostMessages>,
    /// What a segment of a message costs, by prefix: `*=0.10,+7=0.04`
    #[arg(long, env = "AUTH_SMS_PRICES", default_value = "", hide_default_value = true,
          value_parser = money)]
    pub auth_sms_prices: Prefixes<Money>,
    /// What the messages of a day (UTC) may cost, in all and by prefix, in the
    /// currency of the prices: `*=200,+225=10.50` [default: no limit]
    #[arg(long, env = "AUTH_SMS_DAILY_COST", default_value = "", hide_default_value = true,
          value_parser = money)]
    pub auth_sms_daily_cost: Prefixes<Money>,
    /// The least share, in percent, of the last hour's codes that has to be
    /// entered for more to be sent, by prefix and by block of client addresses; 0
    /// for any
    #[arg(long, env = "AUTH_SMS_MIN_ENTERED", default_value = "10",
          value_parser = clap::value_parser!(u32).range(0..=100))]
    pub auth_sms_min_entered: u32,
    /// How many codes there have to be in that hour before their share counts
    #[arg(long, env = "AUTH_SMS_BREAKER_SAMPLE", default_value = "100",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub auth_sms_breaker_sample: u32,
    /// Which of these only say what they would refuse: `countries`, `budget`,
    /// `breaker` with commas, or `all`
    #[arg(
        long,
        env = "AUTH_SMS_DRY_RUN",
        default_value = "",
        hide_default_value = true
    )]
    pub auth_sms_dry_run: DryRun,
}

impl GuardSettings {
    /// The rules that the settings make.
    ///
    /// # Errors
    /// When they do not fit together.
    pub fn rules(&self) -> Result<GuardRules, SettingsError> {
        let messages = self.auth_sms_daily_messages.clone();
        // Whoever limits one country has not lifted the limit of all.
        let in_all = messages.of_all().copied();
        let in_all = in_all.unwrap_or(Some(MESSAGES_A_DAY));
        let tables = Tables {
            countries: self.auth_sms_countries.clone(),
            messages: messages.with_all(Some(in_all)),
            prices: self.auth_sms_prices.clone(),
            costs: self.auth_sms_daily_cost.clone(),
        };
        let judge = (self.auth_sms_min_entered > 0).then_some(Judge {
            least_percent: self.auth_sms_min_entered,
            sample: self.auth_sms_breaker_sample,
        });
        GuardRules::new(tables, judge, self.auth_sms_dry_run.clone())
            .map_err(|problem| SettingsError(format!("AUTH_SMS_DAILY_COST: {problem}")))
    }
}

fn messages(text: &str) -> Result<Prefixes<MostMessages>, String> {
    Prefixes::parse(text, |value| match value {
        "none" => Ok(None),
        number => Some(number)
            .filter(|number| number.bytes().all(|each| each.is_ascii_digit()))
            .and_then(|number| number.parse::<u32>().ok())
            .map(|number| Some(number.into()))
            .ok_or("expected a number of messages, or none"),
    })
}

fn money(text: &str) -> Result<Prefixes<Money>, String> {
    Prefixes::parse(text, str::parse)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::sms::guards::{Guard, store::Mode};

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        guards: GuardSettings,
    }

    fn read(flags: &[&str]) -> Result<GuardRules, String> {
        let flags = ["auth-service"].iter().chain(flags);
        let flags = Flags::try_parse_from(flags).map_err(|error| error.to_string())?;
        flags.guards.rules().map_err(|error| error.to_string())
    }

    #[test]
    fn without_settings_there_are_a_budget_and_a_breaker() {
        let rules = read(&[]).unwrap();
        assert!(rules.allow_all());
        let judge = rules.judge().unwrap();
        assert_eq!((judge.least_percent, judge.sample), (10, 100));
        assert!(Guard::ALL.map(|it| rules.mode_of(it)) == [Mode::Enforce; 3]);
        let limits = rules.limits();
        assert_eq!(limits.len(), 1);
        assert_eq!(limits[0].1, Some(MESSAGES_A_DAY));
        assert!(
            read(&["--auth-sms-min-entered=0"])
                .unwrap()
                .judge()
                .is_none()
        );
    }

    #[test]
    fn an_empty_setting_is_none() {
        let flags = [
            "--auth-sms-countries=",
            "--auth-sms-daily-messages=",
            "--auth-sms-prices=",
            "--auth-sms-daily-cost=",
            "--auth-sms-dry-run=",
        ];
        assert!(read(&flags).unwrap().allow_all());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (flags, told) in [
            (vec!["--auth-sms-countries=7"], "`7`: expected a plus"),
            (
                vec!["--auth-sms-countries=*"],
                "`*`: leave the list empty for all",
            ),
            (
                vec!["--auth-sms-daily-messages=*=many"],
                "`*=many`: expected a number of messages, or none",
            ),
            (
                vec!["--auth-sms-daily-messages=-5"],
                "`-5`: expected a number",
            ),
            (
                vec!["--auth-sms-prices=+7=0,04"],
                "`04`: expected a prefix, =, and a value",
            ),
            (vec!["--auth-sms-prices=+7=x"], "`+7=x`: expected an amount"),
            (
                vec!["--auth-sms-daily-cost=+7=10"],
                "AUTH_SMS_DAILY_COST: `+7` has a limit and no price",
            ),
            (
                vec!["--auth-sms-daily-cost=10", "--auth-sms-prices=+7=1"],
                "AUTH_SMS_DAILY_COST: `*` has a limit, and not every country",
            ),
            (
                vec!["--auth-sms-dry-run=bugdet"],
                "`bugdet`: expected countries, budget, breaker, or all",
            ),
            (vec!["--auth-sms-min-entered=101"], "101 is not in 0..=100"),
            (vec!["--auth-sms-breaker-sample=0"], "0 is not in 1.."),
        ] {
            let said = read(&flags).unwrap_err();
            assert!(said.contains(told), "{said}");
        }
    }
}
