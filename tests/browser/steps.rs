//! What people do more than once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::person::Person;

impl Person {
    /// Signs in from the first view on.
    pub(crate) async fn signs_in(&self, phone: &str) {
        self.enter("phone", phone).await;
        self.click("phone-send").await;
        self.click("fill").await;
        self.sees("area-title", phone).await;
    }

    /// Lets time pass, and a little more.
    pub(crate) async fn passes(&self, time: Duration) {
        let now = self
            .script("return Date.now()", &[])
            .await
            .as_f64()
            .unwrap();
        let then = now + time.as_secs_f64() * 1000.0 + 100.0;
        let passed = "return Date.now() >= arguments[0]";
        self.until(passed, &[json!(then)]).await;
    }

    /// What the browser keeps, scripts' or not.
    pub(crate) async fn cookie(&self, name: &str) -> Option<Value> {
        let cookies = self.cdp("Network.getAllCookies", json!({})).await;
        let mut cookies = cookies["cookies"].as_array().unwrap().iter();
        cookies.find(|cookie| cookie["name"] == name).cloned()
    }
}

/// Plays a story, which a browser that hangs does not hold up for ever.
pub(crate) async fn bounded(story: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_mins(3), story)
        .await
        .expect("the story ends");
}

/// The code that the page shows, since none is really sent.
pub(crate) async fn code_shown(person: &Person) -> String {
    let said = person.sees("simulated-text", "").await;
    said.chars().filter(char::is_ascii_digit).collect()
}

/// Another code of the same length.
pub(crate) fn other_than(code: &str) -> String {
    let (first, rest) = code.split_at(1);
    let other = if first == "1" { "2" } else { "1" };
    format!("{other}{rest}")
}
