//! The page at `/dev/`: a message that would have been sent is there by itself.

use serde_json::json;

use crate::{browsers::Browsers, person::Person, product::Product, steps::bounded};

const SHOWN: &str = "return document.querySelector('#messages').innerText.includes(arguments[0]);";
const SAID: &str = "return document.getElementById('status').innerText.includes(arguments[0]);";

#[tokio::test]
async fn the_sandbox_shows_messages_as_they_come() {
    bounded(looks_on()).await;
}

async fn looks_on() {
    let product = Product::start().await;
    let browsers = Browsers::start();
    let tester = Person {
        driver: browsers.open("tester", "en-GB,en").await,
        base: product.base.clone(),
    };
    tester.open("/dev/").await;
    tester.until(SAID, &[json!("None so far.")]).await;
    for (phone, count) in [
        ("+77777777766", "1 message,"),
        ("+77777777767", "2 messages,"),
    ] {
        let body = json!({ "phone_number": phone }).to_string();
        let asked = product.call("POST", "/api/v1/auths/", None, &body).await;
        let text = format!("Your code is {}.", asked.code());
        tester.until(SHOWN, &[json!(text)]).await;
        tester.until(SHOWN, &[json!(phone)]).await;
        tester.until(SAID, &[json!(count)]).await;
    }
    let first = "return document.querySelector('#messages li').innerText.includes(arguments[0]);";
    tester.until(first, &[json!("+77777777767")]).await;
    tester.looks_well("sandbox").await;
    tester.nothing_odd(&[]).await;
}
