//! The arrows that ARCHITECTURE.md promises, looked up in the sources.

use std::{fs, path::Path};

/// A crate's name in code, and where alone it may stand.
const HOMES: [(&str, &[&str]); 8] = [
    ("sqlx::", &["database/src/"]),
    (
        "::redis::",
        &[
            "auth-service/src/challenges/redis.rs",
            "auth-service/src/redis.rs",
            "auth-service/src/redis/",
            "auth-service/src/sms/guards/redis.rs",
            "auth-service/src/challenges/url.rs",
        ],
    ),
    ("axum::", &["gateway/src/"]),
    ("hyper_rustls::", &["auth-service/src/sms/http.rs"]),
    ("prometheus::", &["kit/src/metrics"]),
    ("utoipa::", &["gateway/src/"]),
    ("rlibphonenumber::", &["auth-service/src/phone.rs"]),
    (
        "clap::",
        &[
            "auth-service/src/config.rs",
            "auth-service/src/config/",
            "gateway/src/config.rs",
            "kit/src/process.rs",
            "kit/src/settings.rs",
            "profile-service/src/config.rs",
            "src/settings.rs",
        ],
    ),
];

fn sources(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let text = fs::read_to_string(&path).unwrap();
            let product = text.split("#[cfg(test)]").next().unwrap().to_owned();
            found.push((name, product));
        }
    }
}

#[test]
fn each_library_stands_only_in_its_home() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let crates = [
        "auth-service",
        "database",
        "gateway",
        "kit",
        "profile-service",
        "proto",
    ];
    for folder in crates.map(|name| format!("{name}/src")) {
        sources(&root.join(folder), &mut found);
    }
    sources(&root.join("src"), &mut found);
    assert!(found.len() > 50, "the sources are found");
    for (library, homes) in HOMES {
        let mut at_home = 0;
        for (file, text) in &found {
            let allowed = homes.iter().any(|home| file.starts_with(home));
            let used = text
                .lines()
                .any(|line| line.contains(library) && !line.trim_start().starts_with("//"));
            assert!(allowed || !used, "{library} stands in {file}");
            at_home += usize::from(used);
        }
        assert!(at_home > 0, "{library} stands nowhere: is its name right?");
    }
}

#[test]
fn the_services_do_not_know_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let services = ["auth-service", "profile-service", "gateway"];
    let depends = |on: &str, manifest: &str| {
        let key = format!("{on}.workspace");
        manifest.lines().any(|line| line.starts_with(&key))
    };
    for service in services {
        let manifest = fs::read_to_string(root.join(service).join("Cargo.toml")).unwrap();
        assert!(depends("kit", &manifest), "dependencies are read");
        for other in services {
            assert!(!depends(other, &manifest), "{service} depends on {other}");
        }
    }
}
