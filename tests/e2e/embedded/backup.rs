//! A backup that is taken while everybody writes is a whole data directory.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::task::JoinHandle;

use super::{
    calls::{Cut, PERSONAL_AREA, ask, enter, ok, profile, send, text},
    clients::{self, Client, Random},
};
use crate::{
    common::{
        http::ready,
        phone,
        processes::{END, Process, command},
    },
    programs::customauth,
};

const FILES: [&str; 6] = [
    "auth.db",
    "code-pepper",
    "gateway-key",
    "profile.db",
    "service-key",
    "signing-key.pem",
];

fn quiet(data: &Path) -> Command {
    let mut command = customauth(data);
    command.arg("--rust-log=error");
    command
}

fn back_up(data: &Path, target: &Path) -> Output {
    let mut backup = command("customauth");
    backup.arg("backup").arg(target).env("DATA_DIR", data);
    backup.output().unwrap()
}

fn done(backup: Output) {
    let stderr = String::from_utf8(backup.stderr).unwrap();
    assert_eq!((backup.status.code(), &*stderr), (Some(0), ""));
    let said = String::from_utf8(backup.stdout).unwrap();
    assert!(FILES.iter().all(|file| said.contains(file)), "{said}");
}

/// The one line that it says, and its status.
fn refused(backup: Output) -> (i32, String) {
    let stderr = String::from_utf8(backup.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    (backup.status.code().unwrap(), stderr)
}

async fn whole_and_private(backup: &Path) {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(backup), 0o700);
    let mut found = Vec::new();
    for file in fs::read_dir(backup).unwrap() {
        let file = file.unwrap();
        assert_eq!(mode(&file.path()), 0o600, "{file:?}");
        found.push(file.file_name().into_string().unwrap());
    }
    found.sort();
    assert_eq!(found, FILES);
    for name in ["auth.db", "profile.db"] {
        let checked = database::backup::check(&backup.join(name)).await;
        checked.unwrap();
    }
}

async fn started(data: &Path) -> (Process, String) {
    let mut process = Process::start(quiet(data));
    let base = process.line_after("HTTP/JSON");
    ready(&base).await;
    (process, base)
}

/// Signs people in and erases them, until the connection breaks; their phones.
fn erasing(base: &str, first: usize, count: &Arc<AtomicUsize>) -> JoinHandle<Vec<String>> {
    let (base, count) = (base.to_owned(), count.clone());
    tokio::spawn(async move {
        let mut met = Vec::new();
        let one = async |phone: &str| -> Result<(), Cut> {
            let code = ask(&base, phone, None).await?;
            let access = text(&ok(&enter(&base, &code).await?), "access_token");
            let erased = send(&base, "DELETE", PERSONAL_AREA, Some(&access), json!(null)).await?;
            assert_eq!(erased.status, 204, "{}", erased.body);
            Ok(())
        };
        for each in first.. {
            met.push(phone(each));
            if one(&phone(each)).await.is_err() {
                break;
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
        met
    })
}

/// Waits until some more are erased: everybody is at work.
async fn more(erasures: &AtomicUsize) {
    let before = erasures.load(Ordering::Relaxed);
    for _ in 0..1000 {
        if erasures.load(Ordering::Relaxed) >= before + 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody was erased within 10 s");
}

/// Whoever has this phone can sign in and has a profile: the one that was seen
/// with a token from before, if there was one.
async fn signs_in(base: &str, phone: &str, access: Option<&str>) {
    let before = match access {
        Some(access) => Some(profile(base, access).await.unwrap()),
        None => None,
    };
    let code = ask(base, phone, None).await.unwrap();
    let pair = ok(&enter(base, &code).await.unwrap());
    let access = text(&pair, "access_token");
    let now = ok(&profile(base, &access).await.unwrap());
    if let Some(before) = before.filter(|before| before.status == 200) {
        assert_eq!(before.json()["invite_code"], now["invite_code"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_starts_and_has_all_that_came_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let data = path("data");
    let (mut process, base) = started(&data).await;
    let mut random = Random(7);
    let mut resting = Client::several(3, 0, &mut random);
    for client in &mut resting {
        for _ in 0..15 {
            client.step(&base).await.unwrap();
        }
    }
    let busy = Client::several(3, 100_000, &mut random);
    let busy: Vec<_> = busy.into_iter().map(|client| client.start(&base)).collect();
    let erasures = Arc::new(AtomicUsize::new(0));
    let erasing = erasing(&base, 500_000, &erasures);
    // Left by a backup that was killed.
    fs::create_dir(path("1.unfinished")).unwrap();
    fs::write(path("1.unfinished/auth.db"), "half").unwrap();
    for name in ["1", "2", "3"] {
        more(&erasures).await;
        let (data, target) = (data.clone(), path(name));
        let backup = tokio::task::spawn_blocking(move || back_up(&data, &target));
        done(backup.await.unwrap());
    }
    process.0.kill().unwrap();
    process.0.wait().unwrap();
    let busy = clients::joined(busy).await;
    let erased = erasing.await.unwrap();
    // And once more, of the files as the kill left them.
    done(back_up(&data, &path("4")));

    for name in ["1", "2", "3"] {
        whole_and_private(&path(name)).await;
        let (process, base) = started(&path(name)).await;
        clients::check(resting.clone(), &base).await;
        for account in busy.iter().flat_map(|client| &client.accounts) {
            signs_in(&base, &account.phone, Some(&account.access)).await;
        }
        for phone in &erased {
            signs_in(&base, phone, None).await;
        }
        process.signal("-TERM");
        let (status, stderr) = process.end(END);
        assert_eq!(status, Some(0), "{stderr}");
    }
    let users = busy
        .iter()
        .map(|client| client.accounts.len())
        .sum::<usize>();
    println!("{users} came and {} were erased meanwhile", erased.len());
    assert!(users > 0);
    whole_and_private(&path("4")).await;
    let (_process, base) = started(&path("4")).await;
    clients::check([resting, busy].concat(), &base).await;
}

#[tokio::test]
async fn what_cannot_be_backed_up_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let nothing = refused(back_up(&path("data"), &path("copy")));
    assert_eq!(nothing.0, 1);
    assert!(nothing.1.contains("there is no database"), "{}", nothing.1);

    let (_process, _base) = started(&path("data")).await;
    let postgres = command("customauth")
        .args([
            "--auth-database-url=postgres://me:hunter2@db/auth",
            "backup",
        ])
        .arg(path("copy"))
        .env("DATA_DIR", path("data"))
        .output();
    let (status, line) = refused(postgres.unwrap());
    assert_eq!(status, 2);
    assert!(
        line.contains("AUTH_DATABASE_URL") && line.contains("pg_dump"),
        "{line}"
    );
    assert!(!line.contains("hunter2"), "{line}");

    let parent = refused(back_up(&path("data"), &path("none/copy")));
    assert_eq!(parent.0, 1);
    fs::create_dir(path("full")).unwrap();
    fs::write(path("full/mine"), "").unwrap();
    let (status, line) = refused(back_up(&path("data"), &path("full")));
    assert_eq!(status, 1);
    assert!(line.contains("is not empty"), "{line}");
    assert!(!path("copy").exists() && path("full/mine").exists());

    // An empty one may be there.
    fs::create_dir(path("empty")).unwrap();
    done(back_up(&path("data"), &path("empty")));
    whole_and_private(&path("empty")).await;
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("unfinished"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
