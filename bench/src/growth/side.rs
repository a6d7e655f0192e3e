//! One size: its databases, its three services and their clients.

mod acts;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use sqlx::{Connection as _, PgConnection};

use super::{
    act::{Act, Gave, play},
    fill::{self, FOLLOWED, followed_phone, phone},
    operation::Operation,
    sizes::{self, Relation},
};
use crate::{
    cpu::Who,
    load::{Pair, Player},
    machine::{Machine, Product},
    number::number,
    rounds::{PLAYERS, Round, since, used_each},
};

/// Users who are signed in, all over the tables: each activates a code once. The
/// sizes divided by it are multiples of three, so all know nobody yet (`fill`).
const PEOPLE: u64 = 3_000;
/// When tokens are renewed, which live for ten minutes.
const RENEW_AFTER: Duration = Duration::from_mins(4);
/// Followers on the pages by which deep ones are found.
const WALK: usize = 1_000;

/// What an operation did in a turn.
pub(super) struct Turn {
    pub(super) round: Round,
    /// Bytes of the write-ahead log, each.
    pub(super) wal: f64,
}

/// A size.
pub(super) struct Side {
    pub(super) users: u64,
    pub(super) relations: Vec<Relation>,
    counted: Vec<(&'static str, Who)>,
    crew: Vec<Player>,
    /// Asks PostgreSQL itself, by a connection that stays.
    postgres: PgConnection,
    /// Of the people, and after them of those who have followers.
    tokens: Vec<Pair>,
    renewed: Instant,
    /// Invite codes of others.
    codes: Vec<String>,
    /// Where pages deep in the longest list begin.
    pages: Vec<String>,
    asked: u64,
    // In this order they end.
    _product: Product,
    machine: Machine,
}

impl Side {
    /// Starts the services on this machine and writes so many users.
    pub(super) async fn start(machine: Machine, users: u64, logs: &Path) -> anyhow::Result<Self> {
        let product = Product::start(&machine, 0, logs)?;
        crate::run::ready(&product).await?;
        let begun = Instant::now();
        fill::fill(&machine, users);
        let seconds = begun.elapsed().as_secs();
        println!("{users} users are written, in {seconds} s");
        let relations = [&machine.auth_database, &machine.profile_database]
            .into_iter()
            .flat_map(|url| sizes::relations(&machine.postgres, url))
            .collect();
        let mut counted = product.counted();
        counted.extend(machine.servers());
        let mut side = Self {
            users,
            relations,
            counted,
            crew: Player::crew(PLAYERS, &product).await?,
            postgres: PgConnection::connect(&machine.auth_database).await?,
            tokens: Vec::new(),
            renewed: Instant::now(),
            codes: codes(&machine, users),
            pages: Vec::new(),
            asked: 0,
            _product: product,
            machine,
        };
        side.sign_in().await?;
        side.walk().await?;
        Ok(side)
    }

    /// Another machine in the same PostgreSQL.
    pub(super) fn beside(&self) -> Machine {
        self.machine.beside()
    }

    async fn sign_in(&mut self) -> anyhow::Result<()> {
        let people = (0..PEOPLE).map(|each| phone(each * (self.users / PEOPLE)));
        let followed = (0..FOLLOWED).map(followed_phone);
        let acts = people.chain(followed).enumerate();
        let acts = acts.map(|(place, phone)| Act::SignIn(place, phone));
        let gave = play(&mut self.crew, acts.collect()).await?;
        let mut tokens: Vec<_> = gave
            .into_iter()
            .filter_map(|gave| match gave {
                Gave::Tokens(place, pair) => Some((place, pair)),
                _ => None,
            })
            .collect();
        tokens.sort_by_key(|(place, _)| *place);
        self.tokens = tokens.into_iter().map(|(_, pair)| pair).collect();
        self.renewed = Instant::now();
        Ok(())
    }

    /// Walks through the longest list, once.
    async fn walk(&mut self) -> anyhow::Result<()> {
        let star = self.followed(FOLLOWED - 1)?;
        let player = self.crew.first_mut().context("there are clients")?;
        let (mut token, mut told) = (String::new(), 0);
        loop {
            let page = player.followers(&star, &token, WALK).await?;
            told += page.followers as u64;
            let Some(next) = page.next else { break };
            token.clone_from(&next);
            self.pages.push(next);
        }
        ensure!(told == self.users, "{told} of {} are listed", self.users);
        Ok(())
    }

    fn followed(&self, number: u64) -> anyhow::Result<Pair> {
        self.person(PEOPLE + number)
    }

    fn person(&self, place: u64) -> anyhow::Result<Pair> {
        let pair = self.tokens.get(usize::try_from(place)?);
        pair.cloned().context("there are tokens")
    }

    /// A round begins: pages that are changed in it are logged whole at first.
    pub(super) async fn begin(&mut self) -> anyhow::Result<()> {
        self.wake().await?;
        if self.renewed.elapsed() > RENEW_AFTER {
            let acts = self.tokens.iter().cloned().enumerate();
            let acts = acts
                .map(|(place, pair)| Act::Refresh(place, pair))
                .collect();
            let gave = play(&mut self.crew, acts).await?;
            self.keep(gave);
            self.renewed = Instant::now();
        }
        sqlx::query("CHECKPOINT")
            .execute(&mut self.postgres)
            .await?;
        Ok(())
    }

    async fn wake(&mut self) -> anyhow::Result<()> {
        for player in &mut self.crew {
            player.wake().await?;
        }
        Ok(())
    }

    fn keep(&mut self, gave: Vec<Gave>) {
        for gave in gave {
            if let Gave::Tokens(place, pair) = gave
                && let Some(kept) = self.tokens.get_mut(place)
            {
                *kept = pair;
            }
        }
    }

    /// Does an operation as often as a turn has it, and counts its cost.
    pub(super) async fn turn(&mut self, what: Operation, round: u64) -> anyhow::Result<Turn> {
        self.wake().await?;
        let acts = self.acts(what, round).await?;
        let count = acts.len() as u64;
        let logged = self.wal().await?;
        let before = used_each(&self.counted);
        let begun = Instant::now();
        let gave = play(&mut self.crew, acts)
            .await
            .with_context(|| format!("{} at {} users", what.name(), self.users))?;
        let rate = number(count) / begun.elapsed().as_secs_f64();
        let by_process = since(&before, &self.counted, count);
        let wal = (self.wal().await? - logged) / number(count);
        self.keep(gave);
        Ok(Turn {
            round: Round { by_process, rate },
            wal,
        })
    }

    /// Bytes of the write-ahead log so far.
    async fn wal(&mut self) -> anyhow::Result<f64> {
        const SQL: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::float8";
        Ok(sqlx::query_scalar(SQL)
            .fetch_one(&mut self.postgres)
            .await?)
    }
}

/// Invite codes of users all over the table who are none of the people.
fn codes(machine: &Machine, users: u64) -> Vec<String> {
    let apart = users / PEOPLE;
    let sql = format!(
        "SELECT invite_code FROM
             (SELECT invite_code, (substr(phone_number, 2)::bigint - 77000000000) / 10 AS place
              FROM profiles) AS all_places
         WHERE place < {users} AND place % {} = {}",
        apart.max(2),
        apart.max(2) / 2
    );
    let codes = machine.postgres.psql(&machine.profile_database, &sql);
    codes.lines().map(ToOwned::to_owned).collect()
}
