//! `/openapi.json`, held to what is served, and `/docs`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::world::World;

/// The methods of every path, as the document has them.
async fn described(world: &World) -> BTreeMap<String, BTreeSet<String>> {
    let answer = world.send("GET /openapi.json", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let methods = |item: &Value| {
        let names = item.as_object().unwrap().keys();
        names.map(|name| name.to_uppercase()).collect()
    };
    paths
        .iter()
        .map(|(path, item)| (path.clone(), methods(item)))
        .collect()
}

#[tokio::test]
async fn every_path_takes_the_methods_that_are_described_and_no_other() {
    let world = World::start().await;
    let described = described(&world).await;
    assert_eq!(described.len(), 14);
    for (path, mut methods) in described {
        let target = path.replace("{id}", "0190");
        for target in [target.trim_end_matches('/'), &target] {
            let answer = world.send(&format!("PUT {target}"), &[]).await;
            answer.assert_problem(405, "METHOD_NOT_ALLOWED");
            let allowed = answer.header("allow").unwrap().split(',');
            if methods.contains("GET") {
                methods.insert("HEAD".to_owned());
            }
            assert_eq!(allowed.map(str::to_owned).collect::<BTreeSet<_>>(), methods);
        }
    }
}

#[tokio::test]
async fn the_page_loads_nothing_but_what_the_gateway_has() {
    let world = World::start().await;
    for slash in ["", "/"] {
        let page = world.send(&format!("GET /docs{slash}"), &[]).await;
        assert_eq!(page.status, 200);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        for allowed in policy.split("; ") {
            let source = allowed.split_once(' ').unwrap().1;
            assert!(["'none'", "'self'"].contains(&source), "{allowed}");
        }
        let mut parts = 0;
        for attribute in [" src=\"", " href=\""] {
            for rest in page.body.split(attribute).skip(1) {
                let target = rest.split('"').next().unwrap();
                let part = world.send(&format!("GET {target}"), &[]).await;
                assert_eq!(part.status, 200, "{target}");
                parts += 1;
            }
        }
        assert_eq!(parts, 5);
    }
}

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let world = World::start().await;
    for (path, media_type) in [
        ("/openapi.json", "application/json"),
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/reference.css", "text/css; charset=utf-8"),
        ("/docs/reference.js", "text/javascript; charset=utf-8"),
        ("/docs/icon.svg", "image/svg+xml"),
    ] {
        for slash in ["", "/"] {
            let line = format!("GET {path}{slash}");
            let answer = world.send(&line, &[]).await;
            assert_eq!(answer.status, 200, "{line}");
            assert_eq!(answer.header("content-type"), Some(media_type));
            assert_eq!(answer.header("cache-control"), Some("no-cache"));
            let tag = answer.header("etag").unwrap();
            let again = world.send(&line, &[("If-None-Match", tag)]).await;
            assert_eq!((again.status, &*again.body), (304, ""), "{line}");
            assert_eq!(again.header("etag"), Some(tag));
        }
    }
}
