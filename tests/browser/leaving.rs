//! Staying signed in, on several devices, and leaving.

use serde_json::json;
use thirtyfour::prelude::*;

use crate::{
    journey::{ANNA, AREA, BORIS, PAGE},
    person::{ESCAPE, Person},
    product::{ACCESS_TOKEN, Product},
};

const REFRESH: &str = "/api/v1/auths/refresh/";

/// A reload, another tab, two tabs at once, and an access token that expires.
pub(crate) async fn stays_signed_in(anna: &Person) {
    let first = anna.driver.window().await.unwrap();
    let second = anna.driver.new_tab().await.unwrap();
    anna.driver.switch_to_window(second).await.unwrap();
    anna.open("/").await;
    anna.sees("area-title", ANNA).await;
    anna.nothing_odd(&[]).await;
    anna.driver.close_window().await.unwrap();
    anna.driver.switch_to_window(first).await.unwrap();
    let at_once = "const headers = { 'Web-Session': '1' };
        const one = () => fetch('/web/session', { method: 'PUT', headers });
        return (await Promise.all([one(), one()])).map((answer) => answer.status);";
    assert_eq!(anna.async_script(at_once, &[]).await, json!([200, 200]));
    anna.reload().await;
    anna.sees("area-title", ANNA).await;
    anna.nothing_odd(&[]).await;
    // A page that does not know that its token is over.
    anna.script("performance.now = () => 0", &[]).await;
    anna.sees("area-title", ANNA).await;
    anna.passes(ACCESS_TOKEN).await;
    anna.click("refresh-followers").await;
    anna.sees("notice", "up to date").await;
    anna.nothing_odd(&["status of 401"]).await;
}

pub(crate) async fn ends_a_device(anna: &Person, product: &Product) {
    anna.reload().await;
    anna.sees("devices", "this device").await;
    anna.sees("devices", "PhoneApp").await;
    let app = product.signs_in_elsewhere(ANNA).await;
    anna.reload().await;
    let two = "return document.querySelectorAll('#devices button').length === 2";
    anna.until(two, &[]).await;
    anna.looks_well("devices").await;
    for left in [1, 0] {
        anna.driver
            .find(By::Css("#devices button"))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
        let rows = "return document.querySelectorAll('#devices button').length === arguments[0]";
        anna.until(rows, &[json!(left)]).await;
        anna.sees("notice", "The session is ended").await;
        anna.is_at("devices-title").await;
    }
    let body = format!(r#"{{"refresh_token":"{}"}}"#, app.refresh);
    let answer = product.call("POST", REFRESH, None, &body).await;
    assert_eq!(answer.header("error-code"), "SESSION_ENDED");
    anna.nothing_odd(&[]).await;
}

pub(crate) async fn leaves(anna: &Person, product: &Product) {
    anna.click("sign-out").await;
    anna.sees("notice", "You are signed out").await;
    anna.is_at("phone-title").await;
    assert!(anna.cookie("refresh").await.is_none());
    let left = "return document.documentElement.textContent.includes(arguments[0])";
    assert_eq!(anna.script(left, &[json!(ANNA)]).await, false);
    anna.reload().await;
    anna.sees("phone-title", "Sign in").await;
    anna.sees_no("notice").await;
    // Ended from elsewhere: noticed when the next access token is asked for.
    anna.signs_in(ANNA).await;
    let app = product.signs_in_elsewhere(ANNA).await;
    let all = "/api/v1/auths/?all=true";
    assert_eq!(
        product.call("DELETE", all, Some(&app), "").await.status,
        204
    );
    anna.passes(ACCESS_TOKEN).await;
    // It may have been noticed already, by itself.
    let refresh = "document.getElementById('refresh-followers').click()";
    anna.script(refresh, &[]).await;
    anna.sees("notice", "Your session has ended").await;
    anna.looks_well("ended").await;
    anna.sees_no("area-view").await;
    assert!(anna.cookie("refresh").await.is_none());
    anna.nothing_odd(&["status of 401"]).await;
}

pub(crate) async fn is_erased(boris: &Person, product: &Product) {
    boris.click("erase").await;
    boris.sees("erase-title", "Удалить аккаунт?").await;
    boris.looks_well("erase").await;
    boris.is_at("erase-no").await;
    boris.press(ESCAPE).await;
    boris.sees_no("erase-dialog").await;
    boris.is_at("erase").await;
    boris.click("erase").await;
    boris.click("erase-yes").await;
    boris.sees("notice", "Ваш аккаунт удалён").await;
    boris.sees_no("area-view").await;
    assert!(boris.cookie("refresh").await.is_none());
    boris.nothing_odd(&[]).await;
    let app = product.signs_in_elsewhere(ANNA).await;
    let area = product.call("GET", AREA, Some(&app), "").await;
    let followers = area.json()["followers"].clone();
    assert_eq!(followers.as_array().unwrap().len(), PAGE + 1);
    assert!(!followers.to_string().contains(BORIS), "{followers}");
}
