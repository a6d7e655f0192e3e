//! The program `customauth`: everything in one process.

use std::{path::Path, process::ExitCode};

use customauth::{Addresses, Command, Settings, Stack};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    kit::process::run(|settings: &Settings| &settings.common.log, run)
}

async fn run(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    if let Some(Command::Backup { directory }) = &settings.command {
        return back_up(&settings, directory, stop).await;
    }
    let scheme = match settings.gateway.gateway_tls_cert {
        Some(_) => "https",
        None => "http",
    };
    let stack = Stack::start(settings).await?;
    greet(scheme, stack.addresses());
    stack.run_until(stop).await
}

#[expect(clippy::print_stdout, reason = "it is for whoever asked for it")]
async fn back_up(
    settings: &Settings,
    directory: &Path,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let made = tokio::select! {
        made = customauth::back_up(settings, directory) => made?,
        () = stop.cancelled() => anyhow::bail!("stopped: there is no backup"),
    };
    println!("{}: {}", directory.display(), made.files.join(", "));
    if !made.absent.is_empty() {
        let (data, absent) = (settings.data_dir.display(), made.absent.join(", "));
        println!("not in {data}, so not in the backup: {absent}");
    }
    Ok(())
}

/// Says where everything is, and how to try it.
#[expect(clippy::print_stdout, reason = "it is for whoever started the program")]
fn greet(scheme: &str, addresses: Addresses) {
    let Addresses {
        gateway,
        auth,
        profile,
        metrics,
    } = addresses;
    let metrics = match metrics {
        Some(address) => format!("http://{address}/metrics"),
        None => format!("{scheme}://{gateway}/metrics"),
    };
    // The certificate names what the world calls this machine.
    let curl = match scheme {
        "https" => "curl -sk",
        _ => "curl -s",
    };
    println!(
        r#"customauth is ready.
  HTTP/JSON        {scheme}://{gateway}
  auth-service     {auth} (gRPC)
  profile-service  {profile} (gRPC)
  metrics          {metrics}
  personal area    {scheme}://{gateway}/ (a web page)

Sign in (nothing is sent: the answer shows the code):

  api={scheme}://{gateway}/api/v1
  code=$({curl} $api/auths/ -H 'Content-Type: application/json' -d '{{"phone_number":"+77777777766"}}' | sed 's/.*(use \([0-9]*\)).*/\1/')
  token=$({curl} -X PATCH $api/auths/ -H 'Content-Type: application/json' -d "{{\"otp\":\"$code\"}}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  {curl} $api/personal-area/ -H "Authorization: Bearer $token"
"#
    );
}
