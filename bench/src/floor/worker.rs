//! Does one part of the work at a time, as told on its input:
//!
//! `PART MILLISECONDS` → `ready` → `go` → `done OPERATIONS NANOSECONDS`
//!
//! What has to be there first is made before `ready`, so that it is not counted.

use std::{
    net::{Ipv4Addr, SocketAddr},
    str::SplitWhitespace,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::{Args, ValueEnum as _};
use proto::{
    auth::v1::{VerifyCodeRequest, auth_service_client::AuthServiceClient},
    profile::v1::{GetProfileRequest, profile_service_client::ProfileServiceClient},
};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    Part, orders::orders, server::serve_calls, server_calls::Calls, stores::Alone, way::Way,
};
use crate::{load::grpc::Channel, rounds::PLAYERS};

/// Where the stores are, and whom to call.
#[derive(Args)]
pub(crate) struct Stores {
    /// auth-service's database
    #[arg(long)]
    pub(crate) auth_database: String,
    /// profile-service's database
    #[arg(long)]
    pub(crate) profile_database: String,
    /// An empty database, for the tables of both
    #[arg(long)]
    pub(crate) one_database: String,
    /// Redis
    #[arg(long)]
    pub(crate) redis: String,
    /// The floor's server
    #[arg(long)]
    pub(crate) grpc: SocketAddr,
}

struct Worker {
    way: Arc<Way>,
    auth: AuthServiceClient<Channel>,
    profile: ProfileServiceClient<Channel>,
}

/// Works until its input ends, and answers calls for the whole way meanwhile.
pub(crate) async fn work(stores: &Stores) -> anyhow::Result<()> {
    let channel = Channel::connect(Ipv4Addr::LOCALHOST, stores.grpc).await?;
    let way = Way::new(Alone::open(stores).await?)?;
    let worker = Arc::new(Worker {
        auth: AuthServiceClient::new(channel.clone()),
        profile: ProfileServiceClient::new(channel),
        way: way.clone(),
    });
    let mut orders = orders();
    println!("way {}", serve_calls(Calls(Some(way))).await?);
    while let Some(order) = orders.recv().await {
        obey(&worker, order.split_whitespace(), &mut orders).await?;
    }
    Ok(())
}

async fn obey(
    worker: &Arc<Worker>,
    mut order: SplitWhitespace<'_>,
    orders: &mut UnboundedReceiver<String>,
) -> anyhow::Result<()> {
    let part = Part::from_str(order.next().unwrap_or_default(), false);
    let part = part.map_err(anyhow::Error::msg)?;
    let span = Duration::from_millis(order.next().context("how long?")?.parse()?);
    if part == Part::RedisWrong {
        worker.way.stores.prepare_wrong(span).await?;
    }
    println!("ready");
    orders.recv().await;
    let begun = Instant::now();
    let working: Vec<_> = (0..PLAYERS)
        .map(|number| {
            let worker = worker.clone();
            tokio::spawn(async move {
                let mut count = 0_u64;
                while begun.elapsed() < span && worker.once(part, number).await? {
                    count += 1;
                }
                Ok::<_, anyhow::Error>(count)
            })
        })
        .collect();
    let mut count = 0;
    for working in working {
        count += working
            .await?
            .with_context(|| format!("{} failed", part.name()))?;
    }
    println!("done {count} {}", begun.elapsed().as_nanos());
    Ok(())
}

impl Worker {
    /// Does a part once; whether there was something to do.
    async fn once(&self, part: Part, number: u32) -> anyhow::Result<bool> {
        let stores = &self.way.stores;
        match part {
            Part::Hop => {
                let mut auth = self.auth.clone();
                let message = VerifyCodeRequest {
                    challenge_id: Some("AAAAAAAAAAAAAAAAAAAAAAAA".to_owned()),
                    code: "3613".to_owned(),
                    client_address: Some("127.0.0.1".to_owned()),
                    user_agent: Some("bench/1 (Linux)".to_owned()),
                    fall_back_to_address: false,
                };
                auth.verify_code(message).await?;
            }
            Part::Hop20 | Part::Hop1000 => {
                let mut profile = self.profile.clone();
                let followers_page_size = Some(u32::try_from(part.followers())?);
                let message = GetProfileRequest {
                    followers_page_size,
                };
                profile.get_profile(message).await?;
            }
            Part::RedisBare => stores.challenge_bare(number).await?,
            Part::RedisNamed => stores.challenge_named(number).await?,
            Part::RedisWrong => return stores.wrong_code().await,
            Part::SqlReturning => stores.bare_returning(number).await?,
            Part::SqlThreeRows => stores.three_rows(number).await?,
            Part::SqlProfile | Part::SqlProfile20 | Part::SqlProfile1000 => {
                stores.bare_profile(number, part.followers()).await?;
            }
            Part::StoreReturning => stores.returning().await?,
            Part::StoreNew => stores.new_user().await?,
            Part::StoreProfile | Part::StoreProfile20 | Part::StoreProfile1000 => {
                stores.profile(part.followers()).await?;
            }
            Part::Sign => {
                self.way.sign();
                tokio::task::yield_now().await;
            }
            Part::Verify => {
                self.way.verify()?;
                tokio::task::yield_now().await;
            }
            Part::Http | Part::Http20 | Part::Http1000 | Part::Call | Part::Call20 => {
                anyhow::bail!("{} is asked from outside", part.name())
            }
        }
        Ok(true)
    }
}
