//! What the guards hold to, as the settings say it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Guard,
    dry_run::DryRun,
    money::Money,
    slots::Judge,
    store::{Amount, Counter, Mode, What},
};
use crate::{
    phone::PhoneNumber,
    sms::{
        message::Message,
        prefixes::{Prefix, Prefixes},
    },
};

/// Messages a day to all countries together, where nothing else is said. With
/// sessions of 30 to 90 days they are enough for tens of thousands of people,
/// and at the price of the dearest countries (about 0.30 USD) whoever lives off
/// them gets 300 USD out of a day at the most.
pub const MESSAGES_A_DAY: u64 = 1_000;

/// A limit in a table: a number, or `none`.
pub type MostMessages = Option<u64>;

/// The tables by prefix.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// To where messages are sent; everywhere when it is empty.
    pub countries: Prefixes<()>,
    /// How many in a day: of `*` in all, of a prefix there.
    pub messages: Prefixes<MostMessages>,
    /// What a segment costs.
    pub prices: Prefixes<Money>,
    /// What a day's messages may cost: of `*` in all, of a prefix there.
    pub costs: Prefixes<Money>,
}

/// What the guards hold to.
#[derive(Clone, Debug, Default)]
pub struct GuardRules {
    tables: Tables,
    judge: Option<Judge>,
    dry_run: DryRun,
    /// Every prefix that is in a table.
    named: Prefixes<()>,
}

impl GuardRules {
    /// Rules of these tables, with a breaker if there is a `judge`.
    ///
    /// # Errors
    /// When a limit of the cost covers numbers of which no price is known.
    pub fn new(tables: Tables, judge: Option<Judge>, dry_run: DryRun) -> Result<Self, String> {
        let Tables {
            countries,
            messages,
            prices,
            costs,
        } = &tables;
        let priced = |prefix: &Prefix| prices.counts_for(prefix.as_str()).is_some();
        if let Some(prefix) = costs.named().find(|prefix| !priced(prefix)) {
            return Err(format!("`{prefix}` has a limit and no price"));
        }
        let only_priced = dry_run.mode_of(Guard::Countries) == Mode::Enforce
            && countries.named().next().is_some()
            && countries.named().all(priced);
        if costs.of_all().is_some() && prices.of_all().is_none() && !only_priced {
            return Err(
                "`*` has a limit, and not every country that messages go to has a price".into(),
            );
        }
        let named = countries
            .named()
            .chain(messages.named())
            .chain(prices.named())
            .chain(costs.named());
        let named = Prefixes::list(named.cloned());
        Ok(Self {
            tables,
            judge,
            dry_run,
            named,
        })
    }

    /// Whether a guard refuses or only tells.
    pub fn mode_of(&self, guard: Guard) -> Mode {
        self.dry_run.mode_of(guard)
    }

    /// When the breaker trips, if there is one.
    pub fn judge(&self) -> Option<Judge> {
        self.judge
    }

    /// Whether messages go everywhere.
    pub fn allow_all(&self) -> bool {
        self.tables.countries.named().next().is_none()
    }

    /// Says in the log what the operator should know of the rules.
    pub(crate) fn warn(&self) {
        if self.allow_all() {
            tracing::warn!(
                "AUTH_SMS_COUNTRIES is empty: messages are sent to every country, \
                 the dearest ones included"
            );
        }
        for guard in Guard::ALL {
            if self.mode_of(guard) == Mode::DryRun {
                let guard = guard.name();
                tracing::warn!(guard, "AUTH_SMS_DRY_RUN: this guard refuses nothing");
            }
        }
    }

    /// Whether messages go to the country of this number.
    pub(super) fn allow(&self, phone: &PhoneNumber) -> bool {
        self.allow_all() || self.tables.countries.of(phone.as_str()).is_some()
    }

    /// Every prefix that is in a table.
    pub(super) fn named(&self) -> impl Iterator<Item = &Prefix> {
        self.named.named()
    }

    /// The longest prefix in a table that the number begins with.
    pub(super) fn name_of(&self, phone: &PhoneNumber) -> Option<&Prefix> {
        self.named.of(phone.as_str()).map(|(prefix, ())| prefix)
    }

    /// The numbers that this one's codes are judged with: those of the longest
    /// prefix in a table, or else of the country calling code.
    pub(super) fn judged_with(&self, phone: &PhoneNumber) -> String {
        let named = self.name_of(phone).map(Prefix::to_string);
        named
            .or_else(|| phone.calling_code())
            .unwrap_or_else(|| "*".to_owned())
    }

    /// What a message adds to the counts of the day.
    pub(super) fn amounts(&self, message: &Message) -> Vec<Amount> {
        let Tables {
            messages,
            prices,
            costs,
            ..
        } = &self.tables;
        let number = message.phone.as_str();
        let amount = |what, prefix: Option<&Prefix>, amount, most| Amount {
            counter: Counter {
                what,
                prefix: prefix.cloned(),
            },
            amount,
            most,
        };
        let in_all = messages.of_all().copied().flatten();
        let mut amounts = vec![amount(What::Messages, None, 1, in_all)];
        if let Some((prefix, most)) = messages.of(number) {
            amounts.push(amount(What::Messages, Some(prefix), 1, *most));
        }
        if let Some(price) = prices.counts_for(number) {
            let cost = price.times(message.segments).millionths();
            let in_all = costs.of_all().map(|most| most.millionths());
            amounts.push(amount(What::Cost, None, cost, in_all));
            if let Some((prefix, most)) = costs.of(number) {
                amounts.push(amount(
                    What::Cost,
                    Some(prefix),
                    cost,
                    Some(most.millionths()),
                ));
            }
        }
        amounts
    }

    /// All counts of a day, each with the most that it may come to.
    pub fn limits(&self) -> Vec<(Counter, Option<u64>)> {
        let Tables {
            messages,
            prices,
            costs,
            ..
        } = &self.tables;
        let of_all = |what| Counter { what, prefix: None };
        let in_all = messages.of_all().copied().flatten();
        let mut counters = vec![(of_all(What::Messages), in_all)];
        for (prefix, most) in messages.entries() {
            let prefix = Some(prefix.clone());
            let what = What::Messages;
            counters.push((Counter { what, prefix }, *most));
        }
        if !prices.is_empty() {
            let in_all = costs.of_all().map(|most| most.millionths());
            counters.push((of_all(What::Cost), in_all));
        }
        for (prefix, most) in costs.entries() {
            let prefix = Some(prefix.clone());
            let what = What::Cost;
            counters.push((Counter { what, prefix }, Some(most.millionths())));
        }
        counters
    }
}

/// The neighbourhood of an address: what one customer of a data centre gets.
/// IPv4: /24, IPv6: /48.
pub(super) fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use kit::clock::UnixMillis;
    use uuid::Uuid;

    use super::*;
    use crate::challenges::ChallengeId;

    fn rules(tables: [&str; 4], dry_run: &str) -> Result<GuardRules, String> {
        let [countries, messages, prices, costs] = tables;
        let most = |text: &str| text.parse().map(Some).map_err(|_| "no number");
        let tables = Tables {
            countries: countries.parse()?,
            messages: Prefixes::parse(messages, most)?,
            prices: Prefixes::parse(prices, str::parse)?,
            costs: Prefixes::parse(costs, str::parse)?,
        };
        GuardRules::new(tables, None, dry_run.parse()?)
    }

    fn phone(number: &str) -> PhoneNumber {
        PhoneNumber::from_stored(number.to_owned())
    }

    fn message(number: &str, segments: u32) -> Message {
        Message {
            id: Uuid::nil(),
            phone: phone(number),
            text: String::new(),
            segments,
            challenge: ChallengeId::parse(&"A".repeat(24)).unwrap(),
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            expires_at: UnixMillis(0),
        }
    }

    #[test]
    fn a_limit_of_cost_needs_the_prices_of_what_it_covers() {
        for (countries, prices, costs, dry_run, sound) in [
            ("", "", "", "", true),
            ("", "+7=0.04", "+7=10", "", true),
            ("", "+7=0.04", "+77=10", "", true),
            ("", "*=0.1", "+7=10", "", true),
            ("", "+77=0.04", "+7=10", "", false),
            ("", "", "+7=10", "", false),
            ("", "*=0.1", "*=10", "", true),
            ("", "+7=0.1", "*=10", "", false),
            ("+7,+49", "+7=0.04,+49=0.08", "*=10", "", true),
            ("+7,+49", "+7=0.04", "*=10", "", false),
            ("+7", "+7=0.04", "*=10", "countries", false),
        ] {
            let made = rules([countries, "", prices, costs], dry_run);
            assert_eq!(
                made.is_ok(),
                sound,
                "{countries} {prices} {costs} {dry_run}"
            );
        }
    }

    #[test]
    fn a_message_counts_in_all_and_with_its_longest_prefix() {
        let tables = ["", "*=100,+7=50,+77=20", "*=0.1,+7=0.04", "*=200,+7=10"];
        let rules = rules(tables, "").unwrap();
        let said = |number, segments| -> Vec<String> {
            let amounts = rules.amounts(&message(number, segments)).into_iter();
            let told = amounts.map(|it| format!("{} {} {:?}", it.counter, it.amount, it.most));
            told.collect()
        };
        assert_eq!(
            said("+77010000001", 2),
            [
                "messages:* 1 Some(100)",
                "messages:+77 1 Some(20)",
                "cost:* 80000 Some(200000000)",
                "cost:+7 80000 Some(10000000)",
            ]
        );
        assert_eq!(
            said("+4915112345678", 1),
            ["messages:* 1 Some(100)", "cost:* 100000 Some(200000000)"]
        );
        let counters: Vec<_> = rules.limits().into_iter().map(|it| it.0).collect();
        let counters: Vec<_> = counters.iter().map(Counter::to_string).collect();
        let expected = [
            "messages:*",
            "messages:+7",
            "messages:+77",
            "cost:*",
            "cost:+7",
        ];
        assert_eq!(counters, expected);
    }

    #[test]
    fn codes_are_judged_by_the_longest_prefix_named_anywhere_or_by_country() {
        let rules = rules(["+7,+1", "+1876=10", "+77=0.01", ""], "").unwrap();
        for (number, expected) in [
            ("+77010000001", "+77"),
            ("+79161234567", "+7"),
            ("+18765551234", "+1876"),
            ("+12025550173", "+1"),
            ("+2250102030405", "+225"),
            ("", "*"),
        ] {
            assert_eq!(rules.judged_with(&phone(number)), expected);
        }
        assert!(rules.allow(&phone("+79161234567")));
        assert!(!rules.allow(&phone("+2250102030405")));
    }

    #[test]
    fn a_block_is_a_neighbourhood() {
        for (address, expected) in [
            ("192.0.2.77", "192.0.2.0"),
            ("::ffff:192.0.2.77", "192.0.2.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ] {
            assert_eq!(block(address.parse().unwrap()).to_string(), expected);
        }
    }
}
