//! Clients that write at random, and remember what they were promised.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use serde_json::json;
use tokio::task::JoinHandle;

use super::calls::{Cut, activate, ask, enter, ok, profile, refresh, text};
use crate::common::phone;

/// SplitMix64.
#[derive(Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let end = u64::try_from(from.len()).unwrap();
        (end > 0).then(|| &from[usize::try_from(self.below(end)).unwrap()])
    }
}

/// A user, as acknowledged.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) phone: String,
    pub(super) access: String,
    /// `None` until the profile was seen.
    pub(super) invite_code: Option<String>,
    pub(super) invited_by: Option<String>,
    /// The newest acknowledged refresh token of each session.
    pub(super) sessions: Vec<String>,
}

/// A request whose answer did not come.
#[derive(Clone)]
enum Doubt {
    FirstSignIn(String, Option<String>),
    Activation(usize, String),
}

/// Invite codes that somebody is known to have.
pub(super) type Codes = Arc<Mutex<Vec<String>>>;

/// One client: one request at a time, for users of its own.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) accounts: Vec<Account>,
    pub(super) acknowledged: usize,
    pub(super) in_doubt: usize,
    phones: std::ops::Range<usize>,
    codes: Codes,
    random: Random,
    doubt: Option<Doubt>,
}

impl Client {
    /// Clients with phones of their own, from `first` on.
    pub(super) fn several(count: usize, first: usize, random: &mut Random) -> Vec<Self> {
        let codes = Codes::default();
        let client = |each: usize| Self {
            accounts: Vec::new(),
            acknowledged: 0,
            in_doubt: 0,
            phones: first + each * 10_000..first + (each + 1) * 10_000,
            codes: codes.clone(),
            random: Random(random.below(u64::MAX)),
            doubt: None,
        };
        (0..count).map(client).collect()
    }

    /// Writes until the connection breaks.
    pub(super) fn start(mut self, base: &str) -> JoinHandle<Self> {
        let base = base.to_owned();
        tokio::spawn(async move {
            while self.step(&base).await.is_ok() {}
            self.in_doubt += usize::from(self.doubt.is_some());
            self
        })
    }

    /// Does one thing.
    pub(super) async fn step(&mut self, base: &str) -> Result<(), Cut> {
        match self.random.below(10) {
            0..=2 => self.first_sign_in(base).await?,
            3..=4 => self.sign_in_again(base).await?,
            5..=7 => self.refresh(base).await?,
            _ => self.activate(base).await?,
        }
        self.acknowledged += 1;
        Ok(())
    }

    fn some_account(&mut self) -> Option<usize> {
        let all: Vec<usize> = (0..self.accounts.len()).collect();
        self.random.pick(&all).copied()
    }

    fn some_code(&mut self, but: Option<&str>) -> Option<String> {
        let codes = self.codes.lock().unwrap();
        let code = self.random.pick(&codes).cloned();
        code.filter(|code| but != Some(code))
    }

    async fn first_sign_in(&mut self, base: &str) -> Result<(), Cut> {
        let phone = phone(self.phones.next().unwrap());
        let invited_by = match self.random.below(3) {
            0 => self.some_code(None),
            _ => None,
        };
        let code = ask(base, &phone, invited_by.as_deref()).await?;
        self.doubt = Some(Doubt::FirstSignIn(phone.clone(), invited_by.clone()));
        let pair = ok(&enter(base, &code).await?);
        self.doubt = None;
        self.accounts.push(Account {
            phone,
            access: text(&pair, "access_token"),
            invite_code: None,
            invited_by,
            sessions: vec![text(&pair, "refresh_token")],
        });
        self.see_profile(base, self.accounts.len() - 1).await?;
        Ok(())
    }

    async fn sign_in_again(&mut self, base: &str) -> Result<(), Cut> {
        let Some(index) = self.some_account() else {
            return Ok(());
        };
        let code = ask(base, &self.accounts[index].phone, None).await?;
        let pair = ok(&enter(base, &code).await?);
        let account = &mut self.accounts[index];
        account.access = text(&pair, "access_token");
        account.sessions.push(text(&pair, "refresh_token"));
        Ok(())
    }

    async fn refresh(&mut self, base: &str) -> Result<(), Cut> {
        let Some(index) = self.some_account() else {
            return Ok(());
        };
        let account = &mut self.accounts[index];
        let token = self.random.pick(&account.sessions).unwrap().clone();
        let pair = ok(&refresh(base, &token).await?);
        account.access = text(&pair, "access_token");
        account.sessions.retain(|each| *each != token);
        account.sessions.push(text(&pair, "refresh_token"));
        Ok(())
    }

    async fn activate(&mut self, base: &str) -> Result<(), Cut> {
        let free = |(index, account): (usize, &Account)| {
            let free = account.invited_by.is_none() && account.invite_code.is_some();
            free.then_some(index)
        };
        let free: Vec<usize> = self.accounts.iter().enumerate().filter_map(free).collect();
        let Some(index) = self.random.pick(&free).copied() else {
            return Ok(());
        };
        let own = self.accounts[index].invite_code.clone();
        let Some(code) = self.some_code(own.as_deref()) else {
            return Ok(());
        };
        self.doubt = Some(Doubt::Activation(index, code.clone()));
        ok(&activate(base, &self.accounts[index].access, &code).await?);
        self.doubt = None;
        self.accounts[index].invited_by = Some(code);
        Ok(())
    }

    /// Looks at a profile, of which the first look learns the invite code; its
    /// followers.
    async fn see_profile(&mut self, base: &str, index: usize) -> Result<HashSet<String>, Cut> {
        let account = &mut self.accounts[index];
        let seen = ok(&profile(base, &account.access).await?);
        assert_eq!(seen["phone_number"], *account.phone);
        assert_eq!(seen["invited_by"], json!(account.invited_by), "{seen}");
        let code = text(&seen, "invite_code");
        if account.invite_code.is_none() {
            account.invite_code = Some(code.clone());
            self.codes.lock().unwrap().push(code);
        } else {
            assert_eq!(account.invite_code, Some(code));
        }
        let followers = seen["followers"].as_array().unwrap();
        let phones = followers
            .iter()
            .map(|each| each.as_str().unwrap().to_owned());
        let phones: HashSet<String> = phones.collect();
        assert_eq!(phones.len(), followers.len(), "{seen}");
        Ok(phones)
    }

    /// Finds out what became of the request that was not answered: it is done,
    /// or it is not, and it can be done now.
    async fn settle(&mut self, base: &str) -> Result<(), Cut> {
        match self.doubt.take() {
            None => {}
            Some(Doubt::FirstSignIn(phone, invited_by)) => {
                let code = ask(base, &phone, None).await?;
                let pair = ok(&enter(base, &code).await?);
                let access = text(&pair, "access_token");
                let found = found(base, &access, invited_by).await?;
                self.accounts.push(Account {
                    phone,
                    access,
                    invite_code: None,
                    invited_by: found,
                    sessions: vec![text(&pair, "refresh_token")],
                });
            }
            Some(Doubt::Activation(index, code)) => {
                let account = &mut self.accounts[index];
                account.invited_by = found(base, &account.access, Some(code)).await?;
            }
        }
        for index in 0..self.accounts.len() {
            if self.accounts[index].invite_code.is_none() {
                self.see_profile(base, index).await?;
            }
        }
        Ok(())
    }

    /// Holds the product to everything that it acknowledged.
    async fn check(&mut self, base: &str, followers: &Followers) -> Result<(), Cut> {
        for index in 0..self.accounts.len() {
            let seen = self.see_profile(base, index).await?;
            let account = &mut self.accounts[index];
            let code = account.invite_code.as_ref().unwrap();
            let expected = followers.get(code).cloned().unwrap_or_default();
            assert_eq!(seen, expected, "followers of {}", account.phone);
            for session in &mut account.sessions {
                let pair = ok(&refresh(base, session).await?);
                *session = text(&pair, "refresh_token");
                account.access = text(&pair, "access_token");
            }
        }
        Ok(())
    }
}

/// The inviter in a profile: the one in doubt, or none.
async fn found(base: &str, access: &str, doubt: Option<String>) -> Result<Option<String>, Cut> {
    let seen = ok(&profile(base, access).await?)["invited_by"].clone();
    assert!(seen.is_null() || seen == json!(doubt), "{seen}, {doubt:?}");
    Ok(doubt.filter(|_| !seen.is_null()))
}

/// Who entered a code.
type Followers = HashMap<String, HashSet<String>>;

/// Holds the product to everything that it acknowledged to any of them.
pub(super) async fn check(clients: Vec<Client>, base: &str) -> Vec<Client> {
    let clients = in_parallel(clients, |mut client| {
        let base = base.to_owned();
        async move {
            client.settle(&base).await.unwrap();
            client
        }
    });
    let clients = clients.await;
    let accounts = || clients.iter().flat_map(|client| &client.accounts);
    let codes: HashSet<_> = accounts().map(|account| &account.invite_code).collect();
    assert_eq!(codes.len(), accounts().count(), "codes are distinct");
    let mut followers = Followers::new();
    for account in accounts() {
        if let Some(code) = account.invited_by.clone() {
            let of_code = followers.entry(code).or_default();
            of_code.insert(account.phone.clone());
        }
    }
    let followers = Arc::new(followers);
    let checked = in_parallel(clients, |mut client| {
        let (base, followers) = (base.to_owned(), followers.clone());
        async move {
            client.check(&base, &followers).await.unwrap();
            client
        }
    });
    checked.await
}

async fn in_parallel<F>(clients: Vec<Client>, work: impl Fn(Client) -> F) -> Vec<Client>
where
    F: Future<Output = Client> + Send + 'static,
{
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|client| tokio::spawn(work(client)))
        .collect();
    joined(tasks).await
}

/// The clients, when their tasks have ended.
pub(super) async fn joined(tasks: Vec<JoinHandle<Client>>) -> Vec<Client> {
    let mut clients = Vec::new();
    for task in tasks {
        clients.push(task.await.unwrap());
    }
    clients
}
