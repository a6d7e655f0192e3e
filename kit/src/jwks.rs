//! The public keys of auth-service, as another service keeps them.
//!
//! They are fetched when a token names a key that is not known, at a bounded
//! rate, and once a minute so that a withdrawn key stops being trusted. While
//! auth-service is down the last ones are kept: tokens go on being checked.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jsonwebtoken::DecodingKey;
use proto::{Reason, Refusal, auth::v1::Jwk};
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{access_token::KeyFinder, deadline};

/// The least time between two fetches for unknown key ids.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// The same as long as no fetch has succeeded: nobody can be let in till then.
const FIRST_INTERVAL: Duration = Duration::from_millis(100);
/// How often the keys are fetched anyway.
const REFRESH: Duration = Duration::from_secs(60);
/// How soon a fetch that failed is repeated, and a caller may come again.
const RETRY: Duration = Duration::from_secs(1);
/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where the keys come from.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// All published keys.
    ///
    /// # Errors
    /// When they cannot be had now.
    async fn fetch(&self) -> Result<Vec<Jwk>, tonic::Status>;
}

type Keys = HashMap<String, DecodingKey>;

/// What is known of a key id.
enum Known {
    /// Its key.
    Key(DecodingKey),
    /// That there was none at the last fetch.
    NoSuchKey,
    /// Nothing: no fetch has succeeded yet.
    Nothing,
}

/// Keys that were fetched and are kept.
pub struct JwksCache {
    source: Arc<dyn KeySource>,
    /// `None` until a fetch succeeds.
    keys: RwLock<Option<Keys>>,
    /// When the last fetch ended. Held during a fetch: one at a time.
    last_fetch: Mutex<Option<Instant>>,
    /// Whether the last fetch failed: told in the log when it changes.
    failing: AtomicBool,
}

impl JwksCache {
    /// An empty cache: the first token fetches the keys.
    pub fn new(source: Arc<dyn KeySource>) -> Self {
        Self {
            source,
            keys: RwLock::new(None),
            last_fetch: Mutex::new(None),
            failing: AtomicBool::new(false),
        }
    }

    /// Keeps the keys fresh until `stop`.
    pub async fn keep_fresh(&self, stop: CancellationToken) {
        loop {
            let wait = if self.fetch().await { REFRESH } else { RETRY };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn known(&self, kid: &str) -> Known {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        match keys.as_ref().map(|keys| keys.get(kid)) {
            Some(Some(key)) => Known::Key(key.clone()),
            Some(None) => Known::NoSuchKey,
            None => Known::Nothing,
        }
    }

    async fn fetch(&self) -> bool {
        let mut last = self.last_fetch.lock().await;
        let fetched = self.fetch_now().await;
        *last = Some(Instant::now());
        fetched
    }

    /// Fetches unless somebody did a moment ago.
    async fn fetch_at_bounded_rate(&self, kid: &str) {
        let arrived = Instant::now();
        let mut last = self.last_fetch.lock().await;
        match self.known(kid) {
            // Somebody else fetched it while this call waited for the lock.
            Known::Key(_) => return,
            Known::NoSuchKey => {
                if last.is_some_and(|last| last.elapsed() < MIN_INTERVAL) {
                    return;
                }
            }
            // Nobody can be let in, so it is worth a moment's wait; but a fetch
            // that failed while this call waited has answered it too.
            Known::Nothing => {
                if last.is_some_and(|last| last > arrived) {
                    return;
                }
                if let Some(last) = *last {
                    tokio::time::sleep_until(last + FIRST_INTERVAL).await;
                }
            }
        }
        self.fetch_now().await;
        // Not when it began: those who waited for it would each try again.
        *last = Some(Instant::now());
    }

    async fn fetch_now(&self) -> bool {
        let fetched = tokio::time::timeout(PATIENCE, self.source.fetch()).await;
        match fetched.unwrap_or_else(|_| Err(deadline::exceeded().into_status())) {
            Ok(fetched) => {
                let keys = fetched.iter().filter_map(decoding_key).collect();
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("the public keys are fetched again");
                }
                true
            }
            Err(status) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(error = status.message(), "cannot fetch the public keys");
                }
                false
            }
        }
    }
}

/// `None` for a key of a kind that is not used here.
fn decoding_key(jwk: &Jwk) -> Option<(String, DecodingKey)> {
    if (jwk.kty.as_str(), jwk.crv.as_str()) != ("OKP", "Ed25519") {
        return None;
    }
    let key = DecodingKey::from_ed_components(&jwk.x).ok()?;
    Some((jwk.kid.clone(), key))
}

#[async_trait]
impl KeyFinder for JwksCache {
    async fn find(&self, kid: &str) -> Result<Option<DecodingKey>, Refusal> {
        if let Known::Key(key) = self.known(kid) {
            return Ok(Some(key));
        }
        self.fetch_at_bounded_rate(kid).await;
        match self.known(kid) {
            Known::Key(key) => Ok(Some(key)),
            Known::NoSuchKey => Ok(None),
            Known::Nothing => Err(Refusal::new(
                Reason::DependencyUnavailable,
                "the keys that verify access tokens cannot be fetched now",
            )
            .retry_after(RETRY)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Source {
        fetches: AtomicUsize,
        keys: RwLock<Option<Vec<Jwk>>>,
    }

    impl Source {
        fn publish(&self, kids: &[&str]) {
            let jwk = |kid: &&str| Jwk {
                kty: "OKP".into(),
                crv: "Ed25519".into(),
                kid: (*kid).to_owned(),
                x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into(),
                ..Jwk::default()
            };
            *self.keys.write().unwrap() = Some(kids.iter().map(jwk).collect());
        }
    }

    #[async_trait]
    impl KeySource for Source {
        async fn fetch(&self) -> Result<Vec<Jwk>, tonic::Status> {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            let keys = self.keys.read().unwrap().clone();
            keys.ok_or_else(|| tonic::Status::unavailable("down"))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_fetched_when_one_is_unknown_and_kept_while_the_source_is_down() {
        let source = Arc::new(Source::default());
        let cache = JwksCache::new(source.clone());
        assert!(cache.find("a").await.is_err(), "nobody can say yet");

        source.publish(&["a"]);
        tokio::time::advance(MIN_INTERVAL).await;
        assert!(cache.find("a").await.unwrap().is_some());

        *source.keys.write().unwrap() = None;
        tokio::time::advance(MIN_INTERVAL).await;
        assert!(cache.find("b").await.unwrap().is_none());
        assert!(cache.find("a").await.unwrap().is_some());

        source.publish(&["a", "b"]);
        tokio::time::advance(MIN_INTERVAL).await;
        assert!(cache.find("b").await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_keys_are_waited_for_a_moment_after_a_fetch_that_failed() {
        let source = Arc::new(Source::default());
        let cache = JwksCache::new(source.clone());
        assert!(cache.find("a").await.is_err());
        source.publish(&["a"]);
        assert!(cache.find("a").await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_failed_fetch_answers_all_who_wait_for_it() {
        let source = Arc::new(Source::default());
        let cache = Arc::new(JwksCache::new(source.clone()));
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let cache = cache.clone();
                tokio::spawn(async move { cache.find("a").await.is_err() })
            })
            .collect();
        for call in calls {
            assert!(call.await.unwrap());
        }
        assert!(source.fetches.load(Ordering::SeqCst) <= 2);
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_ids_cost_one_fetch_a_second_at_the_most() {
        let source = Arc::new(Source::default());
        source.publish(&["a"]);
        let cache = JwksCache::new(source.clone());
        for id in 0..1000 {
            assert!(cache.find(&id.to_string()).await.unwrap().is_none());
        }
        assert_eq!(source.fetches.load(Ordering::SeqCst), 1);
    }
}
