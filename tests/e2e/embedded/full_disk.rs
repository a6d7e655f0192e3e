//! On a full disk writes are 503 and reads go on; with room again everything
//! works, and nothing is damaged. The disk is a real one: a small file system
//! in memory, which only the product's process sees.

use std::{
    fs::{self, File},
    io::Write as _,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::calls::{AUTHS, PERSONAL_AREA, activate, ask, enter, ok, profile, refresh, send, text};
use crate::{
    common::{
        http::{Answer, ready},
        phone,
        processes::{END, Process},
    },
    programs::customauth,
};

/// A refusal comes at once; a lock or a pool that hangs takes seconds.
const AT_ONCE: Duration = Duration::from_secs(4);

/// Mounts what the first two arguments say and becomes the rest of them.
const SCRIPT: &str = r#"mount -t tmpfs -o "size=$1,mode=700" full "$2" && shift 2 && exec "$@""#;

/// The command, in a mount namespace where `folder` is a file system of `size`.
fn confined(command: &Command, folder: &Path, size: &str) -> Command {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut confined = Command::new("unshare");
    confined
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arg(if root { "-m" } else { "-rm" })
        .args(["sh", "-c", SCRIPT, "sh", size])
        .arg(folder)
        .arg(command.get_program())
        .args(command.get_args())
        .envs(
            command
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        );
    confined
}

/// A small disk with the product on it.
struct SmallDisk {
    process: Process,
    base: String,
    /// Holds the file system, also when its process is gone.
    root: File,
    _mounted_on: TempDir,
}

impl SmallDisk {
    async fn start(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tried = confined(&Command::new("true"), folder.path(), size).output();
        let tried = tried.unwrap_or_else(|_| panic!("unshare (of util-linux) is not installed"));
        assert!(
            tried.status.success(),
            "this test needs a file system of its own, which this machine does not allow ({}): \
             run it as root, or allow user namespaces; in a container, give it CAP_SYS_ADMIN",
            String::from_utf8_lossy(&tried.stderr).trim()
        );
        let mut command = customauth(folder.path());
        command.arg("--rust-log=off");
        let mut process = Process::start(confined(&command, folder.path(), size));
        let base = process.line_after("HTTP/JSON");
        ready(&base).await;
        let inside = format!("/proc/{}/root{}", process.0.id(), folder.path().display());
        Self {
            process,
            base,
            root: File::open(inside).unwrap(),
            _mounted_on: folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.root.as_raw_fd()).into()
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut filler = File::options()
            .create(true)
            .append(true)
            .open(self.path("filler"))
            .unwrap();
        for piece in [65_536, 4_096] {
            while filler.write_all(&vec![1; piece]).is_ok() {}
        }
    }

    /// Gives this much room back.
    fn free(&self, bytes: u64) {
        let filler = File::options().write(true).open(self.path("filler"));
        let filler = filler.unwrap();
        let left = filler.metadata().unwrap().len().saturating_sub(bytes);
        filler.set_len(left).unwrap();
    }

    async fn new_user(&self, number: usize) -> User {
        let code = ask(&self.base, &phone(number), None).await.unwrap();
        let pair = ok(&enter(&self.base, &code).await.unwrap());
        self.user(number, &pair).await
    }

    async fn user(&self, number: usize, pair: &Value) -> User {
        let access = text(pair, "access_token");
        let seen = ok(&profile(&self.base, &access).await.unwrap());
        User {
            phone: phone(number),
            access,
            refresh: text(pair, "refresh_token"),
            invite_code: text(&seen, "invite_code"),
            invited_by: None,
        }
    }
}

struct User {
    phone: String,
    access: String,
    refresh: String,
    invite_code: String,
    invited_by: Option<String>,
}

impl User {
    async fn check(&self, base: &str) {
        let seen = ok(&profile(base, &self.access).await.unwrap());
        assert_eq!(seen["phone_number"], *self.phone);
        assert_eq!(seen["invite_code"], *self.invite_code);
        assert_eq!(seen["invited_by"], json!(self.invited_by));
    }
}

/// Whether a write found no room: then it is a 503, at once, that says when to
/// come again.
async fn no_room(call: impl Future<Output = Answer>) -> Result<Answer, ()> {
    let asked = Instant::now();
    let answer = call.await;
    if answer.status < 400 {
        return Ok(answer);
    }
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(answer.header("error-code"), "DEPENDENCY_UNAVAILABLE");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
    assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    Err(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_503_and_nothing_is_lost() {
    let disk = SmallDisk::start("6m").await;
    let base = disk.base.clone();
    let delete = async |path: &str, user: &User| {
        let sent = send(&base, "DELETE", path, Some(&user.access), json!(null));
        sent.await.unwrap()
    };
    let mut users = Vec::new();
    for number in 0..8 {
        users.push(disk.new_user(number).await);
    }
    let [leaver, sleeper] = [disk.new_user(8).await, disk.new_user(9).await];
    let inviter = users[0].invite_code.clone();

    disk.fill();
    // What is left of the last blocks may still take some writes; those count.
    let mut number = 100;
    let new = loop {
        let code = ask(&base, &phone(number), None).await.unwrap();
        let Ok(answer) = no_room(async { enter(&base, &code).await.unwrap() }).await else {
            break code;
        };
        users.push(disk.user(number, &answer.json()).await);
        number += 1;
    };
    let mut activating = 1;
    while no_room(async {
        let call = activate(&base, &users[activating].access, &inviter);
        call.await.unwrap()
    })
    .await
    .is_ok()
    {
        users[activating].invited_by = Some(inviter.clone());
        activating += 1;
    }
    let returning = ask(&base, &users[0].phone, None).await.unwrap();
    // More often than a code has tries: an outage costs none.
    for _ in 0..6 {
        let writes = [
            no_room(async { enter(&base, &new).await.unwrap() }).await,
            no_room(async { enter(&base, &returning).await.unwrap() }).await,
            no_room(async { refresh(&base, &users[0].refresh).await.unwrap() }).await,
            no_room(delete(AUTHS, &sleeper)).await,
            no_room(delete(PERSONAL_AREA, &leaver)).await,
        ];
        assert!(writes.iter().all(Result::is_err), "{writes:?}");
        for user in &users {
            user.check(&base).await;
        }
    }

    // At the brink: a little room at a time, and all of it is used up.
    let mut refused = 0;
    let mut code = new;
    while refused < 20 {
        if let Ok(answer) = no_room(async { enter(&base, &code).await.unwrap() }).await {
            users.push(disk.user(number, &answer.json()).await);
            number += 1;
            code = ask(&base, &phone(number), None).await.unwrap();
        } else {
            refused += 1;
            disk.free(131_072);
        }
    }

    fs::remove_file(disk.path("filler")).unwrap();
    users.push({
        let pair = ok(&enter(&base, &code).await.unwrap());
        disk.user(number, &pair).await
    });
    ok(&enter(&base, &returning).await.unwrap());
    for user in &mut users {
        let pair = ok(&refresh(&base, &user.refresh).await.unwrap());
        user.refresh = text(&pair, "refresh_token");
    }
    ok(&activate(&base, &users[activating].access, &inviter)
        .await
        .unwrap());
    users[activating].invited_by = Some(inviter);
    assert_eq!(delete(AUTHS, &sleeper).await.status, 204);
    assert_eq!(delete(PERSONAL_AREA, &leaver).await.status, 204);
    for user in &users {
        user.check(&base).await;
    }
    println!("{} users on it", users.len());
    everything_is_there(disk, users).await;
}

/// Kills it, takes its files out as they are, and starts it on them.
async fn everything_is_there(mut disk: SmallDisk, users: Vec<User>) {
    disk.process.0.kill().unwrap();
    disk.process.0.wait().unwrap();
    let taken_out = tempfile::tempdir().unwrap();
    for file in fs::read_dir(disk.path("")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), taken_out.path().join(file.file_name())).unwrap();
    }
    for name in ["auth.db", "profile.db"] {
        let path = taken_out.path().join(name);
        database::backup::check(&path).await.unwrap();
    }
    let mut process = Process::start(customauth(taken_out.path()));
    let base = process.line_after("HTTP/JSON");
    ready(&base).await;
    for user in &users {
        user.check(&base).await;
        ok(&refresh(&base, &user.refresh).await.unwrap());
    }
}

#[test]
fn a_first_start_without_room_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = customauth(folder.path());
    command.arg("--rust-log=off");
    let process = Process::start(confined(&command, folder.path(), "32k"));
    let (status, stderr) = process.end(END);
    assert_eq!(status, Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("cannot open"), "{stderr}");
}
