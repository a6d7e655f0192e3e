//! A page of a stranger, on another port of the same host: to a browser that is
//! the same site, and it sends even a cookie that is `SameSite=Strict`.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use serde_json::json;

use crate::{browsers::Browsers, person::Person, product::Product, steps::bounded};

const GRISHA: &str = "+77777777770";
const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 39\r\n\
    Connection: close\r\n\r\n<!doctype html><title>Stranger</title>\n";

/// A server of that page; where it is. It ends with the test.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(PAGE.as_bytes());
        }
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn a_page_on_another_port_cannot_use_the_session() {
    bounded(attempts()).await;
}

async fn attempts() {
    let product = Product::start().await;
    let browsers = Browsers::start();
    let grisha = Person {
        driver: browsers.open("grisha", "en-GB,en").await,
        base: product.base.clone(),
    };
    grisha.open("/").await;
    grisha.signs_in(GRISHA).await;
    let cookie = grisha.cookie("refresh").await.unwrap();
    grisha.nothing_odd(&[]).await;

    grisha.driver.goto(serve()).await.unwrap();
    let attempts = "const outcomes = [];
        for (const [method, headers, mode] of [
            ['PUT', { 'Web-Session': '1' }, 'cors'],
            ['DELETE', { 'Web-Session': '1' }, 'cors'],
            ['POST', { 'Web-Session': '1' }, 'cors'],
            ['POST', {}, 'cors'],
            ['POST', {}, 'no-cors'],
        ]) {
            await fetch(given[0], { method, headers, mode, credentials: 'include' })
                .then((answer) => outcomes.push(answer.type), () => outcomes.push('refused'));
        }
        return outcomes;";
    let session = json!(format!("{}/web/session", grisha.base));
    let outcomes = grisha
        .async_script(attempts, std::slice::from_ref(&session))
        .await;
    let refused = json!(["refused", "refused", "refused", "refused", "opaque"]);
    assert_eq!(outcomes, refused);
    let form = "const form = document.createElement('form');
        Object.assign(form, { method: 'POST', action: arguments[0] });
        document.body.append(form);
        form.submit();";
    grisha.script(form, &[session]).await;
    let told = "return document.body.innerText.includes('Web-Session')";
    grisha.until(told, &[]).await;

    let kept = grisha.cookie("refresh").await.unwrap();
    assert_eq!(kept["value"], cookie["value"]);
    grisha.open("/").await;
    grisha.sees("area-title", GRISHA).await;
    grisha.driver.quit().await.unwrap();
}
