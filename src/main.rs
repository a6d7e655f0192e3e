//! The program `customauth`: everything in one process.

use std::process::ExitCode;

use customauth::{Addresses, Settings, Stack};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    kit::process::run(|settings: &Settings| &settings.common.log, run)
}

async fn run(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let scheme = match settings.gateway.gateway_tls_cert {
        Some(_) => "https",
        None => "http",
    };
    let stack = Stack::start(settings).await?;
    greet(scheme, stack.addresses());
    stack.run_until(stop).await
}

/// Says where everything is, and how to try it.
#[expect(clippy::print_stdout, reason = "it is for whoever started the program")]
fn greet(scheme: &str, addresses: Addresses) {
    let Addresses {
        gateway,
        auth,
        profile,
    } = addresses;
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

Sign in (nothing is sent: the answer shows the code):

  api={scheme}://{gateway}/api/v1
  code=$({curl} $api/auths/ -H 'Content-Type: application/json' -d '{{"phone_number":"+77777777766"}}' | sed 's/.*(use \([0-9]*\)).*/\1/')
  token=$({curl} -X PATCH $api/auths/ -H 'Content-Type: application/json' -d "{{\"otp\":\"$code\"}}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  {curl} $api/personal-area/ -H "Authorization: Bearer $token"
"#
    );
}
