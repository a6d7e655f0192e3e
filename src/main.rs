//! The program `customauth`: everything in one process.

use std::{path::Path, process::ExitCode};

use customauth::{Addresses, Command, Settings, Stack};
use kit::settings::SmsDelivery;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    kit::process::run(|settings: &Settings| &settings.common.process, run)
}

async fn run(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    if let Some(Command::Backup { directory }) = &settings.command {
        return back_up(&settings, directory, stop).await;
    }
    let scheme = match settings.gateway.gateway_tls_cert {
        Some(_) => "https",
        None => "http",
    };
    let try_it = match settings.common.auth_sms {
        Some(SmsDelivery::Providers(_)) => TryIt::Messages,
        Some(SmsDelivery::Simulated) | None => TryIt::Simulated,
    };
    let stack = Stack::start(settings).await?;
    greet(scheme, stack.addresses(), try_it);
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

/// How the code comes to whoever tries the product.
#[derive(Clone, Copy)]
enum TryIt {
    /// In the answer.
    Simulated,
    /// By message.
    Messages,
}

/// Says where everything is, and how to try it.
#[expect(clippy::print_stdout, reason = "it is for whoever started the program")]
fn greet(scheme: &str, addresses: Addresses, try_it: TryIt) {
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
        r"customauth is ready.
  HTTP/JSON        {scheme}://{gateway}
  auth-service     {auth} (gRPC)
  profile-service  {profile} (gRPC)
  metrics          {metrics}
  personal area    {scheme}://{gateway}/ (a web page)
"
    );
    let (how, code) = match try_it {
        TryIt::Simulated => (
            "nothing is sent: the answer shows the code",
            format!(
                r#"code=$({curl} $api/auths/ -H 'Content-Type: application/json' -d '{{"phone_number":"+77777777766"}}' | sed 's/.*(use \([0-9]*\)).*/\1/')"#
            ),
        ),
        TryIt::Messages => (
            "the code comes by message",
            format!(
                r#"phone=+77777777766  # yours
  {curl} $api/auths/ -H 'Content-Type: application/json' -d "{{\"phone_number\":\"$phone\"}}"
  code=3613           # the one in the message"#
            ),
        ),
    };
    println!(
        r#"Sign in ({how}):

  api={scheme}://{gateway}/api/v1
  {code}
  token=$({curl} -X PATCH $api/auths/ -H 'Content-Type: application/json' -d "{{\"otp\":\"$code\"}}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  {curl} $api/personal-area/ -H "Authorization: Bearer $token"
"#
    );
}
