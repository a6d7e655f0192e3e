use std::{
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
};

use http::{Request, Response};
use tower::ServiceExt as _;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::{
    context::{self, REQUEST_ID, WithContext},
    random::SystemRandom,
};

/// A log that is kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum To {
    File,
    Terminal,
}

impl Kept {
    /// Its lines without the time, whose style stays.
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let is_time = |part: &&str| part.trim_end_matches(PLAIN).ends_with('Z');
        let timeless = |line: &str| {
            let (time, rest) = line.split_once(' ').unwrap();
            assert!(is_time(&time), "{line}");
            let styles = [time.starts_with(DIM), time.ends_with(PLAIN)];
            format!("{styles:?} {rest}")
        };
        text.lines().map(timeless).collect()
    }
}

/// A log of ours, and one as it would be with a span around the request.
fn logs(to: To) -> [(Dispatch, Kept); 2] {
    let (ours, theirs) = (Kept::default(), Kept::default());
    let (kept_ours, kept_theirs) = (ours.clone(), theirs.clone());
    let layer = tracing_subscriber::fmt::layer().with_ansi(matches!(to, To::Terminal));
    let our_layer = layer
        .event_format(Lines::default())
        .with_writer(move || kept_ours.clone());
    let layer = tracing_subscriber::fmt::layer().with_ansi(matches!(to, To::Terminal));
    let their_layer = layer.with_writer(move || kept_theirs.clone());
    let registry = tracing_subscriber::registry;
    [
        (registry().with(our_layer).into(), ours),
        (registry().with(their_layer).into(), theirs),
    ]
}

fn speak() {
    tracing::trace!("quietly");
    tracing::debug!(count = 3, "more");
    crate::audit!("sign_in", "refused", client = %"127.0.0.1");
    tracing::warn!(error = ?Some("x"), "a warning");
    let inner = tracing::info_span!("step", number = 1);
    inner.in_scope(|| tracing::error!("within a span"));
}

#[tokio::test]
async fn a_line_is_what_it_would_be_within_a_span_of_the_request() {
    for to in [To::File, To::Terminal] {
        let [(ours, our_lines), (theirs, their_lines)] = logs(to);
        let quiet = tracing::Dispatch::none();
        let service = tower::service_fn(move |_: Request<()>| {
            let ours = ours.clone();
            async move {
                tracing::dispatcher::with_default(&ours, speak);
                let logged = context::beyond(async move {
                    tracing::dispatcher::with_default(&ours, speak);
                });
                tokio::spawn(logged).await.unwrap();
                Ok::<_, Infallible>(Response::new(()))
            }
        });
        let service = WithContext::new(service, Arc::new(SystemRandom::default()));
        let request = Request::builder().header(REQUEST_ID, "4bf9-2f");
        let request = request.body(()).unwrap();
        let _quiet = tracing::dispatcher::set_default(&quiet);
        service.oneshot(request).await.unwrap();
        tracing::dispatcher::with_default(&theirs, || {
            let span = tracing::info_span!("request", id = %"4bf9-2f");
            span.in_scope(speak);
            span.in_scope(speak);
        });
        let (ours, theirs) = (our_lines.lines(), their_lines.lines());
        assert_eq!(ours.len(), 10);
        assert_eq!(ours, theirs);
    }
}

#[tokio::test]
async fn outside_of_a_request_a_line_has_none() {
    let [(ours, our_lines), (theirs, their_lines)] = logs(To::File);
    tracing::dispatcher::with_default(&ours, speak);
    tracing::dispatcher::with_default(&theirs, speak);
    let lines = our_lines.lines();
    assert_eq!(lines, their_lines.lines());
    assert!(lines.iter().all(|line| !line.contains(REQUEST)));
}
