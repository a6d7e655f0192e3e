//! The rules of challenges against a plain model of them, on every store, over
//! random interleavings, with the clock held by the test.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{net::IpAddr, sync::Arc, time::Duration};

use auth_service::{
    challenges::{
        BareCodes, Carrier, ChallengeRules, ChallengeStoreUrl, Challenges, Refused, Started,
        store::PhoneLimits,
    },
    code::Code,
    mac::Hasher,
    phone::{PhoneCheck, PhoneNumber},
    stores::Stores,
};
use kit::{
    clock::{Clock as _, HeldClock, UnixMillis, millis},
    random::{SystemRandom, bytes},
    settings::SecretKey,
};
use proptest::{prelude::*, test_runner::TestRunner};
use testkit::{PrivateRedis, PrivateRedisCluster};

const LIFETIME: Duration = Duration::from_secs(120);
const HOUR: Duration = Duration::from_secs(3600);
const FAILURE_WINDOW: Duration = Duration::from_secs(600);
const QUIET: Duration = Duration::from_secs(30 * 24 * 3600);
const SHORT_IN_A_ROW: u32 = 2;
const PER_PHONE: u32 = 6;
const PER_CLIENT: u32 = 5;
const FAILURES: u32 = 7;
const TRIES: u32 = 5;
const PHONES: usize = 2;
const CLIENTS: usize = 2;

/// A step of a story.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody asks for a code.
    Request { phone: usize, client: usize },
    /// Somebody enters a code.
    Verify {
        /// Which of the challenges so far is named.
        named: usize,
        /// Whose code is entered; `None` for one that nobody has.
        code_of: Option<usize>,
        carrier: By,
        client: usize,
        /// What a match is good for: a sign-in spends it.
        spend: bool,
    },
    /// Time passes.
    Wait(Duration),
    /// The store forgets everything.
    Lose,
}

#[derive(Clone, Copy, Debug)]
enum By {
    Id,
    Cookie,
    Bare,
}

fn step() -> impl Strategy<Value = Step> {
    let request =
        (0..PHONES, 0..CLIENTS).prop_map(|(phone, client)| Step::Request { phone, client });
    // Mostly the latest challenge, so that tries are used up, and as often a
    // wrong code as a right one.
    let back = || prop_oneof![4 => Just(0_usize), 1 => 0..4_usize];
    let verify = (
        back(),
        prop::option::weighted(0.5, back()),
        prop_oneof![2 => Just(By::Id), 1 => Just(By::Cookie), 2 => Just(By::Bare)],
        0..CLIENTS,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(named, code_of, carrier, client, spend)| Step::Verify {
            named,
            code_of,
            carrier,
            client,
            spend,
        });
    let wait = prop_oneof![
        Just(Duration::from_secs(1)),
        Just(Duration::from_millis(119_999)),
        Just(LIFETIME),
        Just(FAILURE_WINDOW),
        Just(HOUR),
        Just(QUIET),
    ]
    .prop_map(Step::Wait);
    prop_oneof![12 => request, 60 => verify, 8 => wait, 1 => Just(Step::Lose)]
}

/// What the model knows of a challenge.
struct Challenge {
    started: Started,
    phone: usize,
    client: usize,
    tries: u32,
    /// Misses at its address while it lives.
    misses: u32,
    /// Spent, or lost with the store.
    gone: bool,
}

/// A count in the hour, or the ten minutes, after its first event.
#[derive(Clone, Copy, Default)]
struct Window {
    count: u32,
    since: i64,
}

impl Window {
    fn is_full(self, most: u32, length: Duration, now: i64) -> bool {
        self.count >= most && now < self.since + millis(length)
    }

    fn add(&mut self, length: Duration, now: i64) {
        if self.count == 0 || now >= self.since + millis(length) {
            *self = Self {
                count: 0,
                since: now,
            };
        }
        self.count += 1;
    }
}

/// The rules, as plainly as they can be put: lists, and no thought of cost.
#[derive(Default)]
struct Model {
    challenges: Vec<Challenge>,
    /// In a row, and when the last one was.
    starts: [(u32, i64); PHONES],
    hours: [Window; PHONES],
    at_client: [Window; CLIENTS],
    failures: [Window; CLIENTS],
}

impl Model {
    fn alive(challenge: &Challenge, now: i64) -> bool {
        !challenge.gone && challenge.started.expires_at.0 > now
    }

    fn miss(&mut self, client: usize, now: i64) {
        self.failures[client].add(FAILURE_WINDOW, now);
        for challenge in &mut self.challenges {
            if challenge.client == client {
                challenge.misses += 1;
            }
        }
    }

    fn by_id(&mut self, index: usize, code: &Code, now: i64) -> Option<usize> {
        let challenge = &mut self.challenges[index];
        if !Self::alive(challenge, now) || challenge.tries >= TRIES {
            return None;
        }
        if challenge.started.code == *code {
            return Some(index);
        }
        challenge.tries += 1;
        None
    }

    /// `Err` when there were too many misses.
    fn bare(&mut self, client: usize, code: &Code, now: i64) -> Result<Option<usize>, ()> {
        if self.failures[client].is_full(FAILURES, FAILURE_WINDOW, now) {
            return Err(());
        }
        let found = self.challenges.iter().position(|challenge| {
            Self::alive(challenge, now)
                && challenge.client == client
                && challenge.misses < TRIES
                && challenge.started.code == *code
        });
        if found.is_none() {
            self.miss(client, now);
        }
        Ok(found)
    }

    fn lose(&mut self) {
        for challenge in &mut self.challenges {
            challenge.gone = true;
        }
        let challenges = std::mem::take(&mut self.challenges);
        *self = Self {
            challenges,
            ..Self::default()
        };
    }
}

fn phone(index: usize) -> PhoneNumber {
    PhoneNumber::parse(&format!("+7701000000{index}"), PhoneCheck::Possible).unwrap()
}

fn client(index: usize) -> IpAddr {
    format!("192.0.2.{index}").parse().unwrap()
}

/// A code that no challenge has: of a length that none here gets.
fn nobodys() -> Code {
    Code::parse("9999999999").unwrap()
}

fn rules(url: &str) -> Challenges {
    let url: ChallengeStoreUrl = url.parse().unwrap();
    let pepper = SecretKey::new(bytes(&SystemRandom::default()));
    let rules = ChallengeRules {
        code_length: 4,
        lifetime: LIFETIME,
        short_in_a_row: SHORT_IN_A_ROW,
        bare_codes: BareCodes::On,
        phone_limits: PhoneLimits {
            per_phone: PER_PHONE,
            per_phone_and_address: PER_PHONE,
            gap: Duration::ZERO,
        },
        starts_per_client: PER_CLIENT,
        failures_per_client: FAILURES,
    };
    let random = Arc::new(SystemRandom::default());
    Challenges::new(
        Stores::open(&url).unwrap().challenges,
        Arc::new(Hasher::new(&pepper)),
        rules,
        random,
    )
}

/// The rules and the model, side by side.
struct Game {
    challenges: Challenges,
    model: Model,
}

impl Game {
    async fn request(
        &mut self,
        who: usize,
        place: usize,
        now: UnixMillis,
    ) -> Result<(), TestCaseError> {
        let model = &mut self.model;
        let expected = !model.hours[who].is_full(PER_PHONE, HOUR, now.0)
            && !model.at_client[place].is_full(PER_CLIENT, HOUR, now.0);
        let started = self
            .challenges
            .start(&phone(who), None, client(place), Duration::ZERO, now)
            .await;
        let started = match started {
            Ok(started) => started,
            Err(Refused::TooMany { .. }) => {
                prop_assert!(!expected, "refused to start");
                return Ok(());
            }
            Err(Refused::Unavailable(error)) => panic!("{error}"),
        };
        prop_assert!(expected, "started over the limit");
        model.hours[who].add(HOUR, now.0);
        model.at_client[place].add(HOUR, now.0);
        let (row, last) = &mut model.starts[who];
        if now.0 - *last >= millis(QUIET) {
            *row = 0;
        }
        *row += 1;
        *last = now.0;
        let length = if *row > SHORT_IN_A_ROW { 6 } else { 4 };
        prop_assert_eq!(started.code.digits().len(), length);
        let twin = model.challenges.iter().find(|other| {
            Model::alive(other, now.0)
                && other.client == place
                && other.started.code == started.code
        });
        prop_assert!(twin.is_none(), "two live codes at an address are the same");
        model.challenges.push(Challenge {
            started,
            phone: who,
            client: place,
            tries: 0,
            misses: 0,
            gone: false,
        });
        Ok(())
    }

    async fn verify(
        &mut self,
        index: usize,
        code: &Code,
        carrier: By,
        place: usize,
        spend: bool,
        now: UnixMillis,
    ) -> Result<(), TestCaseError> {
        let model = &mut self.model;
        let id = model.challenges[index].started.id;
        let (carrier, expected) = match carrier {
            By::Id => (Carrier::Id(id), Ok(model.by_id(index, code, now.0))),
            By::Cookie => {
                let found = match model.by_id(index, code, now.0) {
                    Some(found) => Ok(Some(found)),
                    None => model.bare(place, code, now.0),
                };
                (Carrier::Cookie(id), found)
            }
            By::Bare => (Carrier::Bare, model.bare(place, code, now.0)),
        };
        let found = self
            .challenges
            .answer(carrier, code, client(place), now)
            .await;
        match (found, expected) {
            (Err(Refused::TooMany { .. }), Err(())) | (Ok(None), Ok(None)) => {}
            (Ok(Some(matched)), Ok(Some(index))) => {
                let challenge = &mut model.challenges[index];
                prop_assert_eq!(matched.id, challenge.started.id);
                if spend {
                    self.challenges.spend(&matched, code).await;
                    challenge.gone = true;
                    model.starts[challenge.phone] = (0, 0);
                }
            }
            (found, expected) => {
                let found = found.map(|matched| matched.is_some());
                prop_assert!(false, "found {found:?}, expected {expected:?}");
            }
        }
        Ok(())
    }
}

/// Plays a story to the rules and to the model, and compares at every step.
async fn play(story: &[Step], make: impl Fn() -> Challenges) -> Result<(), TestCaseError> {
    let mut game = Game {
        challenges: make(),
        model: Model::default(),
    };
    let clock = HeldClock::new(UnixMillis(1_800_000_000_000));
    for step in story {
        let now = clock.now();
        match *step {
            Step::Wait(span) => clock.advance(span),
            Step::Lose => {
                // A new pepper finds none of the old keys.
                game.challenges = make();
                game.model.lose();
            }
            Step::Request { phone, client } => game.request(phone, client, now).await?,
            Step::Verify {
                named,
                code_of,
                carrier,
                client,
                spend,
            } => {
                let known = &game.model.challenges;
                if known.is_empty() {
                    continue;
                }
                let latest = |back: usize| known.len() - 1 - back % known.len();
                let code =
                    code_of.map_or_else(nobodys, |back| known[latest(back)].started.code.clone());
                let index = latest(named);
                game.verify(index, &code, carrier, client, spend, now)
                    .await?;
            }
        }
    }
    Ok(())
}

/// Plays `cases` stories.
fn stories(cases: u32, url: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig {
        cases,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let strategy = prop::collection::vec(step(), 1..150);
    TestRunner::new(config)
        .run(&strategy, |story| {
            runtime.block_on(play(&story, || rules(url)))
        })
        .unwrap();
}

/// How many stories, unless `CHALLENGE_STORIES` says it.
fn cases(usual: u32) -> u32 {
    let told = std::env::var_os("CHALLENGE_STORIES");
    told.map_or(usual, |count| count.to_str().unwrap().parse().unwrap())
}

#[test]
fn memory() {
    stories(cases(800), "memory://");
}

#[test]
fn redis() {
    stories(cases(100), &PrivateRedis::start().url());
}

#[test]
fn cluster() {
    stories(cases(100), &PrivateRedisCluster::start().url());
}
