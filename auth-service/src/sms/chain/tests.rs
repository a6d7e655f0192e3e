use std::sync::Mutex;

use async_trait::async_trait;
use tokio::time::sleep;

use super::{super::message::tests::message, *};

/// What a scripted provider does, the last thing for ever.
#[derive(Clone, Copy)]
enum Does {
    Takes,
    /// Takes it after so many seconds, if it is let.
    TakesAfter(u64),
    Fails,
    Refuses,
    /// Does not even keep to its patience.
    Hangs,
}

struct Scripted {
    name: &'static str,
    script: Mutex<Vec<Does>>,
    /// When it was asked, in milliseconds of the test, and how patient the
    /// caller was.
    asked: Arc<Mutex<Vec<(u128, u128)>>>,
    began: Instant,
}

#[async_trait]
impl Provider for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn send(&self, _: &Message, patience: Duration) -> Result<(), Failure> {
        let at = self.began.elapsed().as_millis();
        self.asked.lock().unwrap().push((at, patience.as_millis()));
        let next = {
            let mut script = self.script.lock().unwrap();
            match script.len() {
                1 => script[0],
                _ => script.remove(0),
            }
        };
        match next {
            Does::Takes => Ok(()),
            Does::TakesAfter(seconds) => timeout(patience, sleep(Duration::from_secs(seconds)))
                .await
                .map_err(|_| Failure::Unknown("too slow".to_owned())),
            Does::Fails => Err(Failure::NotTaken("down".to_owned())),
            Does::Refuses => Err(Failure::Refused("no".to_owned())),
            Does::Hangs => std::future::pending().await,
        }
    }
}

type Asked = Arc<Mutex<Vec<(u128, u128)>>>;

struct Trial {
    chain: Chain,
    asked: Vec<Asked>,
    metrics: Metrics,
}

impl Trial {
    fn of(scripts: &[&[Does]]) -> Self {
        let metrics = Metrics::default();
        let began = Instant::now();
        let mut asked = Vec::new();
        let mut providers: Vec<Arc<dyn Provider>> = Vec::new();
        for (name, script) in ["one", "two", "three"].into_iter().zip(scripts) {
            let seen = Asked::default();
            asked.push(seen.clone());
            providers.push(Arc::new(Scripted {
                name,
                script: Mutex::new(script.to_vec()),
                asked: seen,
                began,
            }));
        }
        Self {
            chain: Chain::new(providers, Duration::from_secs(15), &metrics),
            asked,
            metrics,
        }
    }

    /// Who took a message; whoever said the last no.
    async fn send(&self) -> Result<&'static str, Failure> {
        let mut progress = Progress::default();
        let patience = Duration::from_secs(120);
        let message = message();
        let sent = self.chain.deliver(&message, patience, &mut progress);
        sent.await.map(|()| progress.provider.unwrap())
    }

    fn asked(&self, index: usize) -> Vec<(u128, u128)> {
        std::mem::take(&mut *self.asked[index].lock().unwrap())
    }

    fn passes_over(&self, name: &str) -> bool {
        let line = format!("customauth_sms_provider_passed_over{{provider=\"{name}\"}} 1\n");
        self.metrics.render().contains(&line)
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_that_takes_a_message_has_it_alone() {
    let trial = Trial::of(&[&[Does::Takes], &[Does::Takes]]);
    assert_eq!(trial.send().await.unwrap(), "one");
    assert_eq!(trial.asked(0), [(0, 7_500)]);
    assert!(trial.asked(1).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_next_is_asked_when_one_is_down_refuses_or_is_too_slow() {
    for (first, at, left) in [
        (Does::Fails, 0, 15_000),
        (Does::Refuses, 0, 15_000),
        (Does::TakesAfter(9), 7_500, 7_500),
        (Does::Hangs, 7_600, 7_400),
    ] {
        let trial = Trial::of(&[&[first], &[Does::Takes]]);
        assert_eq!(trial.send().await.unwrap(), "two");
        // Within a timer's millisecond.
        let [(asked_at, patience)] = trial.asked(1)[..] else {
            panic!("it is asked once");
        };
        assert!(asked_at.abs_diff(at) <= 2, "{asked_at}");
        assert!(patience.abs_diff(left) <= 2, "{patience}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_may_have_taken_stays_unknown() {
    let trial = Trial::of(&[&[Does::Fails], &[Does::TakesAfter(60)], &[Does::Refuses]]);
    assert!(matches!(trial.send().await, Err(Failure::Unknown(_))));
    let trial = Trial::of(&[&[Does::Fails], &[Does::Refuses]]);
    assert!(matches!(trial.send().await, Err(Failure::Refused(_))));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_for_all_together_and_so_does_the_codes_life() {
    let trial = Trial::of(&[&[Does::TakesAfter(60)], &[Does::TakesAfter(60)]]);
    for (patience, most) in [(120, 15_300), (3, 3_300), (0, 0)] {
        let begun = Instant::now();
        let mut progress = Progress::default();
        let patience = Duration::from_secs(patience);
        let sent = trial
            .chain
            .deliver(&message(), patience, &mut progress)
            .await;
        assert!(sent.is_err());
        assert!(begun.elapsed().as_millis() <= most, "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_keeps_failing_is_passed_over_and_then_tried_by_one_message() {
    let fails = [Does::Fails; 6];
    let script = [&fails[..], &[Does::Takes]].concat();
    let trial = Trial::of(&[&script, &[Does::Takes]]);
    for _ in 0..5 {
        assert_eq!(trial.send().await.unwrap(), "two");
    }
    assert_eq!(trial.asked(0).len(), 5);
    assert!(trial.passes_over("one") && !trial.passes_over("two"));
    trial.send().await.unwrap();
    assert_eq!(trial.asked(0).len(), 0);

    // Half a minute later, one message tries it, in vain, and no other does.
    sleep(PASS_OVER).await;
    for _ in 0..3 {
        assert_eq!(trial.send().await.unwrap(), "two");
    }
    assert_eq!(trial.asked(0).len(), 1);
    sleep(PASS_OVER).await;
    assert_eq!(trial.send().await.unwrap(), "one");
    assert_eq!(trial.send().await.unwrap(), "one");
    assert!(!trial.passes_over("one"));
}

#[tokio::test(start_paused = true)]
async fn while_one_message_tries_it_the_others_do_not() {
    let fails = [Does::Fails; 5];
    let script = [&fails[..], &[Does::TakesAfter(5)]].concat();
    let trial = Trial::of(&[&script, &[Does::Takes]]);
    for _ in 0..5 {
        trial.send().await.unwrap();
    }
    sleep(PASS_OVER).await;
    let (trying, other) = tokio::join!(trial.send(), trial.send());
    assert_eq!((trying.unwrap(), other.unwrap()), ("one", "two"));
}

#[tokio::test(start_paused = true)]
async fn who_is_passed_over_is_asked_last_and_not_never() {
    let fails = [Does::Fails; 5];
    let script = [&fails[..], &[Does::Takes]].concat();
    let trial = Trial::of(&[&script, &[Does::Fails]]);
    for _ in 0..5 {
        assert!(trial.send().await.is_err());
    }
    assert!(trial.passes_over("one") && trial.passes_over("two"));
    assert_eq!(trial.send().await.unwrap(), "one");
    assert!(!trial.passes_over("one") && trial.passes_over("two"));
}

#[tokio::test(start_paused = true)]
async fn to_refuse_is_not_to_fail() {
    let script = [&[Does::Fails; 4][..], &[Does::Refuses], &[Does::Fails; 4]].concat();
    let script = [&script[..], &[Does::Refuses]].concat();
    let trial = Trial::of(&[&script]);
    for _ in 0..20 {
        assert!(trial.send().await.is_err());
    }
    assert!(!trial.passes_over("one"));
    let text = trial.metrics.render();
    for (outcome, count) in [("not_taken", 8), ("refused", 12)] {
        let line = format!(
            "customauth_sms_attempts_total{{outcome=\"{outcome}\",provider=\"one\"}} {count}\n"
        );
        assert!(text.contains(&line), "{text}");
    }
}
