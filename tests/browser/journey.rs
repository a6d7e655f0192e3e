//! Two people meet: the whole page, in both languages.

use serde_json::json;

use crate::{
    browsers::Browsers,
    leaving::{ends_a_device, is_erased, leaves, stays_signed_in},
    person::{ENTER, Person, TAB},
    product::Product,
    steps::{bounded, code_shown, other_than},
};

pub(crate) const ANNA: &str = "+77777777766";
pub(crate) const BORIS: &str = "+77777777767";
const NEW_DOCUMENT: &str = "Page.addScriptToEvaluateOnNewDocument";
pub(crate) const AREA: &str = "/api/v1/personal-area/";
/// How many followers are shown at once.
pub(crate) const PAGE: usize = 20;
/// More presses of Tab than there is to step through.
const MANY: usize = 20;

#[tokio::test]
async fn two_people_meet() {
    bounded(meeting()).await;
}

async fn meeting() {
    let product = Product::start().await;
    let browsers = Browsers::start();
    let person = async |name, languages| Person {
        driver: browsers.open(name, languages).await,
        base: product.base.clone(),
    };
    let anna = person("anna", "en-GB,en").await;
    signs_in(&anna).await;
    let link = invites(&anna).await;
    let boris = person("boris", "ru-RU,ru").await;
    follows_by_keyboard(&boris, &link).await;
    sees_the_follower(&anna).await;
    sees_many_followers(&anna, &product).await;
    shares(&boris).await;
    enters_codes(&anna, &boris, &product).await;
    stays_signed_in(&anna).await;
    speaks_both(&boris).await;
    ends_a_device(&anna, &product).await;
    leaves(&anna, &product).await;
    is_erased(&boris, &product).await;
    anna.driver.quit().await.unwrap();
    boris.driver.quit().await.unwrap();
}

async fn signs_in(anna: &Person) {
    anna.open("/").await;
    anna.sees("phone-title", "Sign in").await;
    anna.looks_well("phone").await;
    anna.enter("phone", "8 777 777 77 66").await;
    anna.press(ENTER).await;
    anna.sees("phone-error", "a plus, the country code").await;
    anna.is_at("phone").await;
    anna.nothing_odd(&[]).await;
    // A country code that nobody has.
    anna.enter("phone", "+999 123 45 67").await;
    anna.press(ENTER).await;
    anna.sees("phone-error", "no such one in its country").await;
    anna.looks_well("phone-error").await;

    anna.enter("phone", "+7 (777) 777-77-66").await;
    anna.click("phone-send").await;
    anna.sees("code-lead", ANNA).await;
    anna.is_at("code").await;
    anna.sees("countdown", "1:5").await;
    anna.looks_well("code").await;
    let right = code_shown(anna).await;
    anna.enter("code", &other_than(&right)).await;
    anna.sees("code-error", "not accepted").await;
    anna.is_at("code").await;
    anna.click("resend").await;
    anna.sees("notice", "A new code is on its way").await;
    anna.sees("code", "").await;
    anna.click("fill").await;
    anna.sees("area-title", ANNA).await;
    anna.is_at("area-title").await;
    anna.sees_no("notice").await;
    anna.nothing_odd(&["status of 400"]).await;
    // No script can get at the refresh token.
    let kept = "return [document.cookie, localStorage.length, sessionStorage.length]";
    assert_eq!(anna.script(kept, &[]).await, json!(["", 0, 0]));
    let cookie = anna.cookie("refresh").await.unwrap();
    assert_eq!(cookie["httpOnly"], true);
    assert_eq!(cookie["sameSite"], "Strict");
    assert_eq!(cookie["path"], "/web/session");
}

/// Gives the link away in all ways that there are.
async fn invites(anna: &Person) -> String {
    let code = anna.sees("invite-code", "").await;
    let link = anna.sees("invite-link", &code).await;
    assert_eq!(link, format!("{}/?invited_by={code}", anna.base));
    let permissions = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
    anna.cdp("Browser.grantPermissions", permissions).await;
    for (button, copied) in [("copy-link", &link), ("copy-code", &code)] {
        anna.click(button).await;
        anna.sees("notice", "Copied.").await;
        let clipboard = "return navigator.clipboard.readText()";
        assert_eq!(anna.async_script(clipboard, &[]).await, json!(copied));
    }
    assert_eq!(anna.scans().await, link);
    link
}

/// Never touches the mouse.
async fn follows_by_keyboard(boris: &Person, link: &str) {
    boris.driver.goto(link).await.unwrap();
    boris.sees("phone-title", "Вход").await;
    let code = link.split_once('=').unwrap().1;
    boris.sees("invited-by", code).await;
    let at = "return document.activeElement.id";
    for _ in 0..MANY {
        if boris.script(at, &[]).await == "phone" {
            break;
        }
        boris.press(TAB).await;
    }
    boris.is_at("phone").await;
    boris.press(BORIS).await;
    boris.press(ENTER).await;
    boris.is_at("code").await;
    let right = code_shown(boris).await;
    // As it is pasted out of a message.
    let pasted = format!(" {}-{} ", &right[..2], &right[2..]);
    boris
        .cdp("Input.insertText", json!({ "text": pasted }))
        .await;
    boris.sees("area-title", BORIS).await;
    boris.is_at("area-title").await;
    boris.sees("inviter", code).await;
    boris.sees_no("inviter-form").await;
    let url = boris.driver.current_url().await.unwrap();
    assert_eq!(url.as_str(), format!("{}/", boris.base));
    boris.nothing_odd(&[]).await;
}

async fn sees_the_follower(anna: &Person) {
    anna.sees("no-followers", "Nobody yet").await;
    anna.click("refresh-followers").await;
    anna.sees("followers", BORIS).await;
    anna.sees_no("no-followers").await;
    anna.looks_well("area").await;
    anna.nothing_odd(&[]).await;
}

/// More than are shown at once.
async fn sees_many_followers(anna: &Person, product: &Product) {
    let code = anna.sees("invite-code", "").await;
    let body = format!(r#"{{"invited_by":"{code}"}}"#);
    let mut others = Vec::new();
    for number in 0..=PAGE {
        let phone = format!("+777755500{number:02}");
        let app = product.signs_in_elsewhere(&phone).await;
        let answer = product.call("PATCH", AREA, Some(&app), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        others.push(phone);
    }
    let shown = "return document.querySelectorAll('#followers li').length === arguments[0]";
    anna.click("refresh-followers").await;
    anna.until(shown, &[json!(PAGE)]).await;
    // Boris was the first.
    anna.sees("followers", &others[PAGE - 2]).await;
    anna.click("more-followers").await;
    anna.until(shown, &[json!(PAGE + 2)]).await;
    anna.sees("followers", &others[PAGE]).await;
    anna.sees_no("more-followers").await;
    let first_of_them = "return document.activeElement.textContent";
    assert_eq!(anna.script(first_of_them, &[]).await, others[PAGE - 1]);
    // All of them stay.
    anna.click("refresh-followers").await;
    anna.sees("notice", "up to date").await;
    anna.until(shown, &[json!(PAGE + 2)]).await;
    anna.nothing_odd(&[]).await;
}

async fn enters_codes(anna: &Person, boris: &Person, product: &Product) {
    let own = anna.sees("invite-code", "").await;
    let code = boris.sees("invite-code", "").await;
    for (entered, told) in [
        ("", "Please enter an invite code"),
        ("2461", "Nobody has this invite code"),
        (&own, "your own invite code"),
    ] {
        anna.enter("inviter-code", entered).await;
        anna.click("activate").await;
        anna.sees("inviter-error", told).await;
        anna.is_at("inviter-code").await;
    }
    anna.looks_well("area-error").await;
    // On another device at the same time.
    let app = product.signs_in_elsewhere(ANNA).await;
    let body = format!(r#"{{"invited_by":"{code}"}}"#);
    let answer = product.call("PATCH", AREA, Some(&app), &body).await;
    assert_eq!(answer.sentence(), "Inviter added!");
    anna.enter("inviter-code", &own).await;
    anna.enter("inviter-code", &code).await;
    anna.click("activate").await;
    anna.sees("inviter-error", "entered an invite code before")
        .await;
    anna.reload().await;
    anna.sees("inviter", &code).await;
    anna.nothing_odd(&["status of 400"]).await;
    boris.reload().await;
    boris.sees("followers", ANNA).await;
    boris.nothing_odd(&[]).await;
}

/// Where the browser can, which Chromium on Linux cannot.
async fn shares(boris: &Person) {
    boris.sees_no("share").await;
    let able = "navigator.share = async (what) => { window.shared = what; };";
    let able = boris.cdp(NEW_DOCUMENT, json!({ "source": able })).await;
    boris.reload().await;
    boris.click("share").await;
    let link = boris.sees("invite-link", "").await;
    let shared = boris.until("return window.shared", &[]).await;
    assert_eq!(shared, json!({ "url": link }));
    boris
        .cdp("Page.removeScriptToEvaluateOnNewDocument", able)
        .await;
    boris.nothing_odd(&[]).await;
}

async fn speaks_both(boris: &Person) {
    boris.sees("followers-title", "Кто пришёл").await;
    boris.looks_well("area-ru").await;
    boris.click("english").await;
    boris.sees("followers-title", "Who came").await;
    boris.sees("inviter", "You came by").await;
    boris.reload().await;
    boris.sees("followers-title", "Who came").await;
    assert_eq!(boris.driver.title().await.unwrap(), "Personal area");
    boris.click("russian").await;
    boris.sees("inviter", "Вы пришли").await;
    let texts = "const texts = await Promise.all(
            ['en', 'ru'].map((name) => import(`/web/${name}.js`)));
        return texts.map((each) =>
            Object.entries(each.default).map(([key, text]) => key + typeof text).sort());";
    let texts = boris.async_script(texts, &[]).await;
    assert!(texts[0].as_array().unwrap().len() > 50);
    assert_eq!(texts[0], texts[1]);
    boris.nothing_odd(&[]).await;
}
