//! What goes wrong is told calmly, and trying again works.

use serde_json::json;

use crate::{
    browsers::Browsers,
    person::Person,
    product::{ACCESS_TOKEN, Product},
    steps::{bounded, code_shown},
};

const VERA: &str = "+77777777768";

#[tokio::test]
async fn trouble_is_told_calmly_and_passes() {
    bounded(trouble()).await;
}

async fn trouble() {
    let mut product = Product::start().await;
    let browsers = Browsers::start();
    let vera = Person {
        driver: browsers.open("vera", "en-GB,en").await,
        base: product.base.clone(),
    };
    vera.open("/").await;
    codes_run_out(&vera).await;
    arrival_fails_at_first(&vera).await;
    the_product_is_away(&vera, &mut product).await;
    a_session_is_over(&vera).await;
    another_person_takes_over(&vera).await;
    codes_of_every_length_are_read(&vera).await;
    vera.driver.quit().await.unwrap();
}

/// Of time, and then of number.
async fn codes_run_out(vera: &Person) {
    vera.enter("phone", VERA).await;
    vera.click("phone-send").await;
    vera.sees("countdown", "1:5").await;
    let late = "const now = performance.now();
        performance.now = () => now + 121000;";
    vera.script(late, &[]).await;
    vera.sees("code-error", "time is over").await;
    vera.looks_well("code-late").await;
    vera.nothing_odd(&[]).await;
    let old = code_shown(vera).await;
    vera.click("resend").await;
    vera.sees("notice", "A new code").await;
    vera.click("other-number").await;
    vera.is_at("phone").await;
    let mut asked = 2;
    while vera
        .script(
            "return document.getElementById('phone-error').textContent",
            &[],
        )
        .await
        == ""
    {
        asked += 1;
        assert!(asked < 20, "no limit on codes");
        vera.click("phone-send").await;
        let either = "return document.getElementById('phone-error').textContent
            || document.getElementById('code-view').checkVisibility()";
        vera.until(either, &[]).await;
        let next = "const again = document.getElementById('other-number');
            if (again.checkVisibility()) again.click();";
        vera.script(next, &[]).await;
    }
    vera.sees("phone-error", "Too many codes were asked for")
        .await;
    assert_eq!(old.len(), 4);
    vera.nothing_odd(&["status of 429"]).await;
}

/// The page is there, and the first call comes to nothing.
async fn arrival_fails_at_first(vera: &Person) {
    let other = "+77777777769";
    vera.reload().await;
    let block = |urls| json!({ "urls": urls });
    vera.cdp("Network.enable", json!({})).await;
    let profile = block(vec!["*/api/v1/personal-area/"]);
    vera.cdp("Network.setBlockedURLs", profile).await;
    vera.enter("phone", other).await;
    vera.click("phone-send").await;
    vera.click("fill").await;
    vera.sees("trouble", "no connection to the server").await;
    vera.is_at("retry").await;
    vera.looks_well("trouble").await;
    vera.reload().await;
    vera.sees("trouble", "Nothing is lost").await;
    vera.cdp("Network.setBlockedURLs", block(vec![])).await;
    vera.click("retry").await;
    vera.sees("area-title", other).await;
    vera.is_at("area-title").await;
    vera.sees_no("trouble").await;
    vera.nothing_odd(&[]).await;
}

async fn the_product_is_away(vera: &Person, product: &mut Product) {
    product.stop();
    for button in ["refresh-followers", "sign-out"] {
        vera.click(button).await;
        vera.sees("notice", "no connection to the server").await;
    }
    vera.click("erase").await;
    vera.click("erase-yes").await;
    vera.sees("erase-error", "no connection to the server")
        .await;
    vera.click("erase-no").await;
    product.start_again().await;
    vera.click("refresh-followers").await;
    vera.sees("notice", "up to date").await;
    vera.nothing_odd(&["net::ERR_CONNECTION_REFUSED"]).await;
    vera.click("sign-out-all").await;
    vera.sees("notice", "You are signed out").await;
    vera.nothing_odd(&[]).await;
}

/// Already when the page is opened.
async fn a_session_is_over(vera: &Person) {
    let path = format!("{}/web/session", vera.base);
    let cookie =
        json!({ "name": "refresh", "value": "no-such", "url": path, "path": "/web/session" });
    vera.cdp("Network.setCookie", cookie).await;
    vera.reload().await;
    vera.sees("notice", "Your session has ended").await;
    vera.is_at("phone-title").await;
    assert!(vera.cookie("refresh").await.is_none());
    vera.nothing_odd(&["status of 401"]).await;
    vera.reload().await;
    vera.sees("phone-title", "").await;
    vera.nothing_odd(&[]).await;
}

/// Somebody else signs in, in another tab: no page shows the one's data and
/// acts for the other.
async fn another_person_takes_over(vera: &Person) {
    let (one, other) = ("+77777777771", "+77777777772");
    vera.signs_in(one).await;
    let first = vera.driver.window().await.unwrap();
    let second = vera.driver.new_tab().await.unwrap();
    vera.driver.switch_to_window(second).await.unwrap();
    vera.open("/").await;
    vera.sees("area-title", one).await;
    let sign_in = "const json = { 'Content-Type': 'application/json' };
        const asked = await fetch('/api/v1/auths/', { method: 'POST', headers: json,
            body: JSON.stringify({ phone_number: given[0] }) });
        const otp = /use ([0-9]+)/.exec((await asked.json()).response)[1];
        const answer = await fetch('/web/session', { method: 'POST',
            headers: { ...json, 'Web-Session': '1' },
            body: JSON.stringify({ otp, challenge_id: asked.headers.get('Challenge-Id') }) });
        return answer.status;";
    assert_eq!(vera.async_script(sign_in, &[json!(other)]).await, 200);
    vera.driver.close_window().await.unwrap();
    vera.driver.switch_to_window(first).await.unwrap();
    vera.passes(ACCESS_TOKEN).await;
    let refresh = "document.getElementById('refresh-followers').click()";
    vera.script(refresh, &[]).await;
    vera.sees("area-title", other).await;
    vera.nothing_odd(&[]).await;
}

/// Around every version's limit; and no code of what does not fit.
async fn codes_of_every_length_are_read(vera: &Person) {
    for length in [1, 17, 18, 32, 33, 53, 54, 78, 79, 106] {
        let text = "https://Example/?".chars().cycle().take(length);
        let text: String = text.collect();
        assert_eq!(vera.encodes(&text).await.as_deref(), Some(&*text));
    }
    assert_eq!(vera.encodes(&"x".repeat(107)).await, None);
    assert_eq!(vera.encodes("\u{ff}").await.as_deref(), Some("\u{ff}"));
    vera.nothing_odd(&[]).await;
}
