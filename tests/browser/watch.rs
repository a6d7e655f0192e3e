//! What went on behind the page: requests, console, policy reports.

use serde_json::Value;

use crate::person::Person;

impl Person {
    /// Checks what happened since the last look: no request to another host,
    /// nothing on the console, where Chromium reports what a policy forbade. It
    /// also tells of refused requests there: those with a text of `expected`
    /// have to be there, and no others.
    pub(crate) async fn nothing_odd(&self, expected: &[&str]) {
        let mut missing = expected.to_vec();
        for entry in self.driver.get_log("browser").await.unwrap() {
            let text = &entry.message;
            let is_network = entry.source.as_deref() == Some("network");
            let found = expected.iter().find(|each| text.contains(**each));
            match found.filter(|_| is_network) {
                Some(found) => missing.retain(|each| each != found),
                // A hint for developers.
                None if entry.level == "DEBUG" => {}
                None => panic!("on the console: {entry:?}"),
            }
        }
        assert!(missing.is_empty(), "not on the console: {missing:?}");
        for url in self.requests().await {
            let own = url.starts_with(&format!("{}/", self.base));
            assert!(own, "a request to {url}");
        }
    }

    /// Where requests went since the last look.
    async fn requests(&self) -> Vec<String> {
        let entries = self.driver.get_log("performance").await.unwrap();
        let urls = entries.into_iter().filter_map(|entry| {
            let event: Value = serde_json::from_str(&entry.message).unwrap();
            let message = &event["message"];
            let is_request = message["method"] == "Network.requestWillBeSent";
            let url = message["params"]["request"]["url"].as_str()?;
            is_request.then(|| url.to_owned())
        });
        // The browser's own first page.
        urls.filter(|url| !url.starts_with("data:") && !url.starts_with("chrome://"))
            .collect()
    }
}
