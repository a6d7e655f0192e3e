//! Statements of several callers as one, on every database: each has its own answer, and
//! what one does, or what becomes of it, is nothing to the others.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use database::{
    BatchStatement, Batcher, Database, Error, Migrations, Repeat, Row, Transaction, Work,
};
use kit::metrics::Metrics;
use testkit::PrivatePostgres;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Stamps the suite on every database.
macro_rules! suite {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let directory = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", directory.path().join("a.db").display());
                super::$case(super::Marks::open(&url).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let url = super::PrivatePostgres::shared().create_database("batches");
                super::$case(super::Marks::open(&url).await).await;
            })*
        }
    };
}

suite![
    whoever_finds_a_lane_goes_alone,
    those_who_wait_go_together_and_each_has_its_own_answer,
    of_two_who_ask_for_one_id_one_is_told,
    a_row_that_is_refused_is_refused_alone,
    who_goes_away_is_not_written_and_keeps_nobody,
    one_too_many_is_told_at_once,
];

static TABLES: Migrations = Migrations(&[(
    1,
    "marks",
    "CREATE TABLE marks (id uuid PRIMARY KEY, word text NOT NULL UNIQUE)",
)]);
static MARK: BatchStatement = BatchStatement::new(
    "INSERT INTO marks (id, word) VALUES ($1, $2)
     ON CONFLICT (id) DO NOTHING RETURNING id, word",
    "id",
);
const PATIENCE: Duration = Duration::from_secs(30);
/// As many as wait for a connection at the most.
const MOST_WAITING: u32 = 5_000;

struct Marks {
    database: Arc<Database>,
    by: Batcher,
    metrics: Metrics,
    /// As many as one statement may have.
    lanes: u32,
}

/// Keeps everybody from writing until it is told.
struct Hold(watch::Receiver<bool>, watch::Sender<bool>);

#[async_trait]
impl Work for Hold {
    type Output = ();

    const REPEAT: Repeat = Repeat::Never;

    async fn run(&self, transaction: &mut Transaction) -> Result<(), Error> {
        // In SQLite nobody else writes meanwhile; this is for PostgreSQL.
        let _ = transaction.run("LOCK TABLE marks", &[]).await;
        self.1.send_replace(true);
        self.0.clone().wait_for(|released| *released).await.unwrap();
        Ok(())
    }
}

/// Lets everybody write again.
struct Held(watch::Sender<bool>, JoinHandle<Result<(), Error>>);

impl Held {
    async fn release(self) {
        self.0.send_replace(true);
        // SQLite does not know the lock's statement, but the transaction goes on.
        self.1.await.unwrap().unwrap();
    }
}

type Answer = JoinHandle<Result<Option<Row>, Error>>;

impl Marks {
    async fn open(url: &str) -> Self {
        let url = url.parse().unwrap();
        let database = Database::open(&url, &TABLES, CancellationToken::new());
        let database = database.await.unwrap();
        timeout(PATIENCE, database.ready()).await.unwrap();
        let metrics = Metrics::default();
        database.count(&metrics, "a service");
        let one_writer = metrics.render().contains(r#"pool="writer""#);
        Self {
            by: Batcher::writing(database.clone(), &MARK),
            database,
            metrics,
            lanes: if one_writer { 1 } else { 8 },
        }
    }

    async fn hold(&self) -> Held {
        let (release, released) = watch::channel(false);
        let (held, mut is_held) = watch::channel(false);
        let database = self.database.clone();
        let holding =
            tokio::spawn(async move { database.transaction(&Hold(released, held)).await });
        is_held.wait_for(|held| *held).await.unwrap();
        Held(release, holding)
    }

    fn mark(&self, id: u32, word: &str) -> Answer {
        let (by, word) = (self.by.clone(), word.to_owned());
        tokio::spawn(async move { by.run(number(id), &[word.into()]).await })
    }

    /// Occupies all lanes, one after the other, while nobody can write.
    async fn occupy(&self) -> Vec<Answer> {
        let mut first = Vec::new();
        for lane in 1..=self.lanes {
            first.push(self.mark(lane, &format!("lane {lane}")));
            // The only writer is waited for; the others wait for the table.
            let occupied = if self.lanes == 1 {
                "waiting{"
            } else {
                "connections{"
            };
            let expected = if self.lanes == 1 { 1 } else { 1 + lane };
            self.figure(occupied, expected).await;
        }
        first
    }

    /// Waits until so many wait who have no lane.
    async fn waiting(&self, count: u32) {
        let with_a_lane = u32::from(self.lanes == 1);
        self.figure("waiting{", with_a_lane + count).await;
    }

    async fn figure(&self, name: &str, expected: u32) {
        let begun = Instant::now();
        while self.sum(name) != expected {
            assert!(begun.elapsed() < PATIENCE, "{}", self.metrics.render());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Of all pools; of the connections, those in use.
    fn sum(&self, name: &str) -> u32 {
        let text = self.metrics.render();
        let name = format!("customauth_database_{name}");
        let gauges = text.lines().filter(|line| {
            line.starts_with(&name) && !line.contains("idle") && !line.contains("max")
        });
        gauges
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap())
            .sum()
    }

    /// By how many statements all was written, where that is kept.
    async fn statements(&self) -> Option<i64> {
        let sql = "SELECT count(DISTINCT xmin::text) AS statements FROM marks";
        let rows = self.database.read(sql, &[]).await.ok()?;
        rows[0].get("statements").ok()
    }

    async fn words(&self) -> BTreeSet<String> {
        let rows = self.database.read("SELECT word FROM marks", &[]);
        let rows = rows.await.unwrap();
        rows.iter().map(|row| row.get("word").unwrap()).collect()
    }
}

fn number(id: u32) -> Uuid {
    Uuid::from_u128(id.into())
}

async fn whoever_finds_a_lane_goes_alone(marks: Marks) {
    let row = marks.mark(1, "a").await.unwrap().unwrap().unwrap();
    assert_eq!(row.get::<Uuid>("id").unwrap(), number(1));
    assert_eq!(row.get::<String>("word").unwrap(), "a");
    assert!(marks.mark(1, "b").await.unwrap().unwrap().is_none());
    assert_eq!(marks.words().await, ["a".to_owned()].into());
}

async fn those_who_wait_go_together_and_each_has_its_own_answer(marks: Marks) {
    let held = marks.hold().await;
    let first = marks.occupy().await;
    let others: Vec<_> = (10..60)
        .map(|id| (id, marks.mark(id, &format!("word {id}"))))
        .collect();
    marks.waiting(50).await;
    held.release().await;
    for (id, answer) in others {
        let row = answer.await.unwrap().unwrap().unwrap();
        assert_eq!(row.get::<Uuid>("id").unwrap(), number(id));
        assert_eq!(row.get::<String>("word").unwrap(), format!("word {id}"));
    }
    for one in first {
        assert!(one.await.unwrap().unwrap().is_some());
    }
    assert_eq!(marks.words().await.len(), 50 + marks.lanes as usize);
    assert_eq!(marks.sum("waiting{"), 0);
    if let Some(statements) = marks.statements().await {
        // Each of the lanes alone; then of fifty 16 at a time.
        let after = statements - i64::from(marks.lanes);
        assert!((4..=8).contains(&after), "{after}");
    }
}

/// On one thread: there it is certain who runs before whom.
#[tokio::test]
async fn those_who_come_at_one_moment_go_together() {
    let url = PrivatePostgres::shared().create_database("batches");
    let marks = Marks::open(&url).await;
    let together: Vec<_> = (10..18)
        .map(|id| marks.mark(id, &format!("word {id}")))
        .collect();
    for answer in together {
        assert!(answer.await.unwrap().unwrap().is_some());
    }
    assert_eq!(marks.statements().await, Some(1));
    // Who comes first may go away: the others are written, and it is not.
    let mut others: Vec<_> = (20..28)
        .map(|id| marks.mark(id, &format!("word {id}")))
        .collect();
    tokio::task::yield_now().await;
    let first = others.remove(0);
    first.abort();
    for answer in others {
        assert!(answer.await.unwrap().unwrap().is_some());
    }
    let words = marks.words().await;
    assert_eq!((words.len(), words.contains("word 20")), (15, false));
}

async fn of_two_who_ask_for_one_id_one_is_told(marks: Marks) {
    let held = marks.hold().await;
    let first = marks.occupy().await;
    let same: Vec<_> = ["a", "b", "c", "d"].map(|word| marks.mark(9, word)).into();
    marks.waiting(4).await;
    held.release().await;
    let mut told = 0;
    for answer in same {
        told += usize::from(answer.await.unwrap().unwrap().is_some());
    }
    assert_eq!(told, 1);
    for one in first {
        one.await.unwrap().unwrap();
    }
    assert_eq!(marks.words().await.len(), 1 + marks.lanes as usize);
}

async fn a_row_that_is_refused_is_refused_alone(marks: Marks) {
    assert!(marks.mark(99, "taken").await.unwrap().unwrap().is_some());
    let held = marks.hold().await;
    let first = marks.occupy().await;
    let answers: Vec<_> = (10..26)
        .map(|id| {
            let word = if id == 20 {
                "taken"
            } else {
                &format!("word {id}")
            };
            (id, marks.mark(id, word))
        })
        .collect();
    marks.waiting(16).await;
    held.release().await;
    for one in first {
        assert!(one.await.unwrap().unwrap().is_some());
    }
    for (id, answer) in answers {
        let answer = answer.await.unwrap();
        if id == 20 {
            assert!(matches!(answer, Err(Error::UniqueViolation)));
        } else {
            let row = answer.unwrap().unwrap();
            assert_eq!(row.get::<Uuid>("id").unwrap(), number(id));
        }
    }
    assert_eq!(marks.words().await.len(), 16 + marks.lanes as usize);
}

async fn who_goes_away_is_not_written_and_keeps_nobody(marks: Marks) {
    let held = marks.hold().await;
    let first = marks.occupy().await;
    let others: Vec<_> = (10..20)
        .map(|id| marks.mark(id, &format!("word {id}")))
        .collect();
    marks.waiting(10).await;
    // Of those who wait some hang up, and then one who has a lane.
    let (mut first, mut others) = (first.into_iter(), others.into_iter());
    for gone in others.by_ref().take(5).chain(first.next()) {
        gone.abort();
        assert!(gone.await.is_err());
    }
    held.release().await;
    for answer in others.chain(first) {
        assert!(answer.await.unwrap().unwrap().is_some());
    }
    // A statement that was under way may have been written; one that waited was not.
    let words = marks.words().await;
    for id in 10..20 {
        assert_eq!(words.contains(&format!("word {id}")), id >= 15, "{id}");
    }
    // All lanes are free again.
    let after: Vec<_> = (30..40)
        .map(|id| marks.mark(id, &format!("{id}")))
        .collect();
    for one in after {
        assert!(
            timeout(PATIENCE, one)
                .await
                .unwrap()
                .unwrap()
                .unwrap()
                .is_some()
        );
    }
}

async fn one_too_many_is_told_at_once(marks: Marks) {
    let held = marks.hold().await;
    let first = marks.occupy().await;
    // With SQLite one waits for the writer.
    let room = MOST_WAITING - marks.sum("waiting{");
    let others: Vec<_> = (0..room)
        .map(|id| marks.mark(10 + id, &format!("word {id}")))
        .collect();
    marks.waiting(room).await;
    let too_many = marks.mark(9_999, "one too many").await.unwrap();
    assert!(matches!(too_many, Err(Error::Overloaded)));
    for one in others {
        one.abort();
    }
    held.release().await;
    for one in first {
        assert!(one.await.unwrap().unwrap().is_some());
    }
    let one_more = marks.mark(9_999, "one more").await.unwrap();
    assert!(one_more.unwrap().is_some());
}
