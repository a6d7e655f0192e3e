//! A person at a browser: sees, clicks and types. What is looked for may take
//! its time to come.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::prelude::*;

/// How long anything may take to appear. Generous: only a failure waits for
/// all of it.
const PATIENCE: Duration = Duration::from_secs(15);
const POLL_EVERY: Duration = Duration::from_millis(25);
/// Keys, as WebDriver names them.
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const ESCAPE: &str = "\u{e00c}";
pub(crate) const TAB: &str = "\u{e004}";
/// What the person sees of an element: null is nothing.
const SEEN: &str = "function seen(id) {
    const element = document.getElementById(id);
    return element?.checkVisibility() ? element.value || element.innerText : null;
}";

pub(crate) struct Person {
    pub(crate) driver: WebDriver,
    pub(crate) base: String,
}

impl Person {
    pub(crate) async fn open(&self, path: &str) {
        self.driver
            .goto(format!("{}{path}", self.base))
            .await
            .unwrap();
    }

    pub(crate) async fn reload(&self) {
        self.driver.refresh().await.unwrap();
    }

    pub(crate) async fn script(&self, script: &str, arguments: &[Value]) -> Value {
        let returned = self.driver.execute(script, arguments).await;
        returned.unwrap().json().clone()
    }

    /// Runs the body of an async function; what it returns.
    pub(crate) async fn async_script(&self, body: &str, arguments: &[Value]) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
            (async (...given) => {{ {body} }})(...arguments)
                .then(done, (error) => done('failed: ' + error));"
        );
        let returned = self.driver.execute_async(script, arguments).await;
        returned.unwrap().json().clone()
    }

    pub(crate) async fn cdp(&self, method: &str, parameters: Value) -> Value {
        self.driver
            .cdp()
            .send_raw(method, parameters)
            .await
            .unwrap()
    }

    /// Clicks where a person would: what is covered or hidden cannot be clicked.
    pub(crate) async fn click(&self, id: &str) {
        self.sees(id, "").await;
        let element = self.driver.find(By::Id(id)).await.unwrap();
        element.scroll_into_view().await.unwrap();
        element.click().await.unwrap();
    }

    /// Types into a field that may have something in it.
    pub(crate) async fn enter(&self, id: &str, text: &str) {
        self.sees(id, "").await;
        let field = self.driver.find(By::Id(id)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses keys, wherever the focus is.
    pub(crate) async fn press(&self, keys: &str) {
        let chain = self.driver.action_chain().send_keys(keys);
        chain.perform().await.unwrap();
    }

    /// Waits until the element is seen and says something with `text` in it;
    /// what it says.
    pub(crate) async fn sees(&self, id: &str, text: &str) -> String {
        let script = format!(
            "const said = seen(arguments[0]);
            return said !== null && said.includes(arguments[1]) ? {{ said }} : null; {SEEN}"
        );
        let found = self.until(&script, &[json!(id), json!(text)]).await;
        found["said"].as_str().unwrap().to_owned()
    }

    /// Waits until the element is not seen.
    pub(crate) async fn sees_no(&self, id: &str) {
        let script = format!("return seen(arguments[0]) === null; {SEEN}");
        self.until(&script, &[json!(id)]).await;
    }

    /// Waits until the element has the focus.
    pub(crate) async fn is_at(&self, id: &str) {
        let script = "return document.activeElement.id === arguments[0];";
        self.until(script, &[json!(id)]).await;
    }

    /// Waits until a script returns something true; what it returns.
    pub(crate) async fn until(&self, script: &str, arguments: &[Value]) -> Value {
        let begun = Instant::now();
        loop {
            let found = self.script(script, arguments).await;
            if !matches!(found, Value::Null | Value::Bool(false)) {
                return found;
            }
            if begun.elapsed() > PATIENCE {
                let page = self.script("return document.body.innerText", &[]).await;
                panic!("{arguments:?} does not come, by {script}: {page}");
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }
}
