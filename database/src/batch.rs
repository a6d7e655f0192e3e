//! Statements of several callers as one.
//!
//! A commit costs a database more than the row that it is about, and a question more than
//! the row that answers it; most of that it costs once, for however many rows. So while a
//! statement is under way, those who come wait, and the next one takes the rows of all.
//! Before a statement goes, whoever is ready to run has run: what has woken one caller has
//! often woken others, and they go along. When nobody else is ready, nothing waits.
//!
//! Who has waited for long opens another lane: then there is more to do than one
//! connection can, or a row under way is waited for itself, which is nothing to others.
//!
//! Each has the answer that its own statement would have had. What fails for one row
//! fails for all of a statement; then each row has a statement of its own.

mod statement;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, sync::oneshot, task::yield_now, time::timeout};
use uuid::Uuid;

use crate::{Database, Error, Row, Value, engine::Use, gate::Waiting, transaction::Repeat};
use statement::{MOST, fitting};

pub use statement::BatchStatement;

/// Longer than that a caller does not wait for a lane without opening another one.
const LONG: Duration = Duration::from_millis(20);

/// Runs one statement for many callers.
#[derive(Clone)]
pub struct Batcher(Arc<Lanes>);

struct Lanes {
    database: Arc<Database>,
    statement: &'static BatchStatement,
    purpose: Use,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lanes: u32,
    /// Who came first holds no place among those who wait, since it had the lane.
    queue: VecDeque<(Asked, Option<Waiting>)>,
}

/// What a statement returns for one caller.
type Answered = oneshot::Receiver<Result<Option<Row>, Error>>;

/// One who is to be taken along.
struct Asked {
    values: Vec<Value>,
    answer: oneshot::Sender<Result<Option<Row>, Error>>,
}

/// What whoever comes does.
enum Turn {
    /// Goes next.
    Now(Lane, Vec<Value>),
    /// Is taken along.
    Later(Answered),
}

/// Who has come while the others ran.
enum Company {
    Nobody(Vec<Value>),
    /// Then all are taken along.
    Somebody(Answered),
}

/// A place for one statement at a time. Left, it goes to those who wait.
struct Lane(Arc<Lanes>);

impl Asked {
    /// One with these values, and where the answer comes.
    fn new(values: Vec<Value>) -> (Self, Answered) {
        let (answer, answered) = oneshot::channel();
        (Self { values, answer }, answered)
    }
}

impl Batcher {
    /// For a statement that writes, and that leaves and answers the same when it is run
    /// twice ([`Database::write_idempotent`]).
    pub fn writing(database: Arc<Database>, statement: &'static BatchStatement) -> Self {
        Self::new(database, statement, Use::Write)
    }

    /// For a statement that only reads.
    pub fn reading(database: Arc<Database>, statement: &'static BatchStatement) -> Self {
        Self::new(database, statement, Use::Read)
    }

    fn new(database: Arc<Database>, statement: &'static BatchStatement, purpose: Use) -> Self {
        Self(Arc::new(Lanes {
            database,
            statement,
            purpose,
            state: Mutex::default(),
        }))
    }

    /// Runs it for one row: its id, which is the first parameter, and the others. What
    /// it returned for that id, if anything; of several who ask for the same id at the
    /// same time, as many are told as it returned rows.
    ///
    /// # Errors
    /// As [`Database::write_idempotent`].
    pub async fn run(&self, id: Uuid, others: &[Value]) -> Result<Option<Row>, Error> {
        let values = [&[id.into()], others].concat();
        let lanes = &self.0;
        let answered = async {
            match lanes.turn(values)? {
                // On the heap: most of those who wait have no need of it.
                Turn::Now(lane, values) => Box::pin(lane.first(values)).await,
                Turn::Later(answer) => lanes.answered(answer).await,
            }
        };
        let purpose = lanes.purpose;
        let answered = lanes.database.timed(|times| times.of(purpose), answered);
        answered.await
    }
}

impl Lanes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The only lane, or a place in the queue.
    fn turn(self: &Arc<Self>, values: Vec<Value>) -> Result<Turn, Error> {
        let mut state = self.state();
        if state.lanes == 0 {
            state.lanes = 1;
            return Ok(Turn::Now(Lane(self.clone()), values));
        }
        let waiting = self.database.engine.gate(self.purpose).line_up()?;
        let (asked, answered) = Asked::new(values);
        state.queue.push_back((asked, Some(waiting)));
        Ok(Turn::Later(answered))
    }

    /// Whether somebody waits: then this one is the first of them.
    fn company(&self, values: Vec<Value>) -> Company {
        let mut state = self.state();
        if state.queue.is_empty() {
            return Company::Nobody(values);
        }
        let (asked, answered) = Asked::new(values);
        state.queue.push_front((asked, None));
        Company::Somebody(answered)
    }

    async fn answered(self: &Arc<Self>, mut answer: Answered) -> Result<Option<Row>, Error> {
        let soon = timeout(LONG, &mut answer).await;
        let answered = if let Ok(answered) = soon {
            answered
        } else {
            self.open_another();
            answer.await
        };
        // A lane that is gone without an answer has panicked.
        answered.unwrap_or(Err(Error::Gone))
    }

    /// Opens another lane, if there may be one more and somebody waits.
    fn open_another(self: &Arc<Self>) {
        let mut state = self.state();
        if state.lanes < self.database.engine.lanes(self.purpose) && !state.queue.is_empty() {
            state.lanes += 1;
            drop(state);
            self.go_on();
        }
    }

    /// Goes on in a lane with those who wait; closes it if nobody does.
    fn go_on(self: &Arc<Self>) {
        let mut state = self.state();
        // Without a runtime nobody waits for an answer any more.
        let runtime = Handle::try_current();
        let (Ok(runtime), false) = (runtime, state.queue.is_empty()) else {
            state.lanes -= 1;
            return;
        };
        drop(state);
        let lane = Lane(self.clone());
        runtime.spawn(async move {
            loop {
                yield_now().await;
                let batch = lane.0.batch();
                if batch.is_empty() {
                    break;
                }
                lane.0.together(batch).await;
            }
        });
    }

    /// The first of those who wait and have not gone away; none if there are none.
    fn batch(&self) -> Vec<Asked> {
        let mut state = self.state();
        let mut first = Vec::new();
        while first.len() < MOST
            && let Some(next) = state.queue.pop_front()
        {
            if !next.0.answer.is_closed() {
                first.push(next);
            }
        }
        let count = fitting(first.len());
        for too_many in first.drain(count..).rev() {
            state.queue.push_front(too_many);
        }
        first.into_iter().map(|(asked, _waiting)| asked).collect()
    }

    async fn alone(&self, values: &[Value]) -> Result<Option<Row>, Error> {
        let rows = self.rows(self.statement.sql(), values).await?;
        Ok(rows.into_iter().next())
    }

    async fn rows(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, Error> {
        let database = &self.database;
        database
            .run(self.purpose, Repeat::Idempotent, sql, values)
            .await
    }

    async fn together(self: &Arc<Self>, batch: Vec<Asked>) {
        let values: Vec<Value> = batch
            .iter()
            .flat_map(|asked| asked.values.iter().cloned())
            .collect();
        let text = self.statement.text(batch.len());
        match self.rows(text, &values).await {
            Ok(rows) => self.tell(batch, rows),
            Err(error) if batch.len() > 1 && error.may_be_of_one_row() => {
                tracing::debug!(%error, rows = batch.len(), "each row by itself");
                for asked in batch {
                    let lanes = self.clone();
                    // Beside the lane: a row that is waited for keeps nobody else.
                    tokio::spawn(async move {
                        let outcome = lanes.alone(&asked.values).await;
                        let _ = asked.answer.send(outcome);
                    });
                }
            }
            Err(error) => {
                for asked in batch {
                    let _ = asked.answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Hands out what a statement returned.
    fn tell(&self, batch: Vec<Asked>, mut rows: Vec<Row>) {
        for asked in batch {
            let own = rows.iter().position(|row| self.is_of(row, &asked));
            let row = own.map(|own| rows.swap_remove(own));
            // Who has gone away is not told.
            let _ = asked.answer.send(Ok(row));
        }
    }

    fn is_of(&self, row: &Row, asked: &Asked) -> bool {
        let id: Option<Uuid> = row.get(self.statement.names()).ok();
        matches!(asked.values.first(), Some(Value::Uuid(Some(asked))) if id == Some(*asked))
    }
}

impl Lane {
    /// Runs the statement of the one who opened it: alone, or with those who come as
    /// soon as they can.
    async fn first(self, values: Vec<Value>) -> Result<Option<Row>, Error> {
        yield_now().await;
        let lanes = self.0.clone();
        match lanes.company(values) {
            Company::Nobody(values) => lanes.alone(&values).await,
            Company::Somebody(answer) => {
                // Not here: who hangs up would take the others' answers along.
                drop(self);
                lanes.answered(answer).await
            }
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.0.go_on();
    }
}
