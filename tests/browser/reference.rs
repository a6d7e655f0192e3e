//! The reference page at `/docs`: what it loads, how it looks, and that what it
//! shows can be tried.

use serde_json::json;

use crate::{browsers::Browsers, person::Person, product::Product, steps::bounded};

/// The form of the operation that asks for a code.
const FORM: &str = "document.querySelector('#request_code form')";

#[tokio::test]
async fn the_reference_loads_nothing_from_elsewhere_and_sends_a_request() {
    bounded(reads_and_tries()).await;
}

async fn reads_and_tries() {
    let product = Product::start().await;
    let browsers = Browsers::start();
    let reader = Person {
        driver: browsers.open("reader", "en-GB,en").await,
        base: product.base.clone(),
    };
    reader.open("/docs").await;
    let shown = format!("return {FORM} !== null;");
    reader.until(&shown, &[]).await;
    reader.looks_well("reference").await;
    let send = format!("{FORM}.closest('details').open = true; {FORM}.requestSubmit();");
    reader.script(&send, &[]).await;
    let answered = format!("return {FORM}.innerText.includes(arguments[0]);");
    reader
        .until(&answered, &[json!("We will sent code to you in sms.")])
        .await;
    reader.nothing_odd(&[]).await;
}
