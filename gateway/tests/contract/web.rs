//! `/`: the files of the web page.

use kit::cors::CorsOrigins;

use crate::world::World;

/// What the page says it loads, and what its modules import.
fn named_in(text: &str) -> Vec<String> {
    let quoted = text.split('"').skip(1).step_by(2);
    quoted
        .filter_map(|name| {
            let name = name
                .strip_prefix("/web/")
                .or_else(|| name.strip_prefix("./"));
            name.map(|name| format!("/web/{name}"))
        })
        .filter(|path| path.contains('.'))
        .collect()
}

#[tokio::test]
async fn the_page_and_every_file_that_it_names_are_there() {
    let world = World::start().await;
    let mut seen = vec!["/".to_owned()];
    let mut at = 0;
    while let Some(path) = seen.get(at).cloned() {
        at += 1;
        let answer = world.send(&format!("GET {path}"), &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        let media_type = match path.rsplit_once('.').map(|(_, end)| end) {
            None => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some(end) => panic!("{end}"),
        };
        assert_eq!(answer.header("content-type"), Some(media_type), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        for name in named_in(&answer.body) {
            if !seen.contains(&name) {
                seen.push(name);
            }
        }
    }
    // All of the folder, and nothing that is not in the folder.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| format!("/web/{name}").replace("/web/index.html", "/"))
        .collect();
    files.sort();
    seen.sort();
    assert_eq!(seen, files);
}

#[tokio::test]
async fn a_browser_that_has_a_file_is_not_sent_it_again() {
    let world = World::start().await;
    let page = world.send("GET /", &[]).await;
    let tag = page.header("etag").unwrap().to_owned();
    let style = world.send("GET /web/style.css", &[]).await;
    assert_ne!(style.header("etag"), Some(&*tag));
    let rows = [
        (tag.clone(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"x\", {tag}"), 304),
        ("*".to_owned(), 304),
        ("\"x\"".to_owned(), 200),
        (tag.trim_matches('"').to_owned(), 200),
        (style.header("etag").unwrap().to_owned(), 200),
    ];
    for (known, status) in rows {
        let answer = world.send("GET /", &[("If-None-Match", &known)]).await;
        assert_eq!(answer.status, status, "{known}");
        assert_eq!(answer.body.is_empty(), status == 304, "{known}");
        assert_eq!(answer.header("etag"), Some(&*tag));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
    }
    let head = world.send("HEAD /", &[]).await;
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(
        head.header("content-length"),
        Some(&*page.body.len().to_string())
    );
}

#[tokio::test]
async fn the_page_may_do_nothing_that_it_need_not() {
    let world = World::start().await;
    for path in ["/", "/web/app.js", "/web/style.css", "/web/icon.svg"] {
        let answer = world.send(&format!("GET {path}"), &[]).await;
        let policy = answer.header("content-security-policy").unwrap();
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.split("; ").any(|each| each == rule), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let permissions = answer.header("permissions-policy").unwrap();
        assert!(permissions.contains("geolocation=()"), "{permissions}");
        let same = Some("same-origin");
        assert_eq!(answer.header("cross-origin-opener-policy"), same);
        assert_eq!(answer.header("cross-origin-resource-policy"), same);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
    // Nothing inline, which the policy would refuse.
    let page = world.send("GET /", &[]).await.body;
    assert!(page.contains(r#"<script type="module" src="/web/app.js"></script>"#));
    for inline in [
        "<style",
        " style=",
        "javascript:",
        " onclick=",
        "http:",
        "https:",
    ] {
        assert!(!page.contains(inline), "{inline}");
    }
    assert_eq!(page.matches("<script").count(), 1);
}

#[tokio::test]
async fn no_other_origin_may_send_what_the_session_asks_for() {
    for origins in [
        CorsOrigins::Any,
        "https://app.example".parse::<CorsOrigins>().unwrap(),
    ] {
        let world = World::configured(|config| config.cors = origins).await;
        for method in ["POST", "PUT", "DELETE"] {
            let preflight = [
                ("Origin", "https://app.example"),
                ("Access-Control-Request-Method", method),
                ("Access-Control-Request-Headers", "web-session"),
            ];
            let answer = world.send("OPTIONS /web/session", &preflight).await;
            assert_eq!(answer.header("access-control-allow-credentials"), None);
            let headers = answer.header("access-control-allow-headers").unwrap();
            assert!(!headers.contains("web-session"), "{headers}");
            assert!(!headers.contains('*'), "{headers}");
            let methods = answer.header("access-control-allow-methods").unwrap();
            assert!(!methods.contains("PUT"), "{methods}");
        }
    }
}
