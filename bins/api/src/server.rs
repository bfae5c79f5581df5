//! Starting and stopping the service.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use dilux_core::bootstrap::Found;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::{App, Application};
use crate::connections::{Patience, answer};
use crate::context::Context;
use crate::envelope::OPEN_WARNING;
use crate::router::router_of;

/// The service was asked to listen where others could reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the API listens on this machine only, since it does not speak TLS: set DILUX_API_ADDRESS to a \
     loopback address such as 127.0.0.1:7071 instead of {0}"
)]
pub struct ForeignAddress(SocketAddr);

/// Refuses every address but loopback ones.
pub fn check_address(address: SocketAddr) -> Result<(), ForeignAddress> {
    if address.ip().is_loopback() {
        Ok(())
    } else {
        Err(ForeignAddress(address))
    }
}

/// Serves the API on `listener` until `shutdown`, then lets requests under way end for the
/// settings' grace. Makes the bootstrap token at the first start, and tells a person of it on standard
/// output; the installation must be prepared.
pub async fn serve(
    context: Context,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    check_address(address)?;
    let installation = &context.installation;
    let grace = installation.settings.worker.shutdown_grace;
    let app = Arc::new(Application::new(context));
    if app.trusts_everybody() {
        tracing::warn!(%address, "{OPEN_WARNING}");
    } else {
        welcome(&app, address).await;
    }
    // Not being able to finish what was begun is no reason not to serve the rest.
    if let Err(error) = app.finish_removals().await {
        tracing::error!(%error, "an interrupted removal could not be finished");
    }
    let heart = {
        let (app, stop) = (app.clone(), shutdown.clone());
        AbortOnDropHandle::new(tokio::spawn(async move { app.keep_alive(&stop).await }))
    };
    tracing::info!(%address, "the API listens");
    let stop = shutdown.clone();
    let closing = async {
        stop.cancelled().await;
        app.close();
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        () = answer(listener, router_of(app.clone()), Patience::USUAL, &stop) => {}
        () = closing => tracing::warn!("requests were still under way when the time to stop was up"),
    }
    heart.await?;
    Ok(())
}

/// Prepares the bootstrap token, and tells whoever started the service how to get in. The text goes to
/// standard output, beside the log: that is kept, and shipped elsewhere. A service that others can sign
/// in to is not kept from starting.
async fn welcome(app: &App, address: SocketAddr) {
    let file = app.installation.settings.token_file.display();
    match app.bootstrap().prepare().await {
        Ok(Found::Made(text)) => {
            tracing::info!(%file, "nobody is registered yet; made the bootstrap token");
            let page = app.installation.settings.access.public_url.as_ref();
            let page = page.map_or_else(|| format!("http://{address}/"), ToString::to_string);
            let line = format!(
                "Nobody is registered yet. Open {page} and make the first admin with the bootstrap \
                 token {}",
                text.expose()
            );
            if let Err(error) = writeln!(std::io::stdout(), "{line}") {
                tracing::warn!(%error, "the bootstrap token could not be shown");
            }
        }
        Ok(Found::Kept(_)) => {
            tracing::info!(%file, "nobody is registered yet; the bootstrap token is the one of an earlier start");
        }
        Ok(Found::Spent) => {}
        Err(error) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "the bootstrap token could not be prepared; 'dilux token create' makes an API token"
        ),
    }
}
