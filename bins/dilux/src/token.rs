//! `dilux token`: API tokens, made straight in the store. Whoever has the store's credentials needs
//! no token for it: this is also the way back in when nobody can sign in any more.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use dilux_core::Error;
use dilux_core::api_tokens::{ApiTokens, LifetimeDays, NewApiToken, audit_details};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::{
    ApiToken, ApiTokenId, AuditAction, AuditEntry, AuditId, AuditResourceType, AuditStatus, Grants,
    Label, Role,
};
use dilux_core::private_file;
use dilux_core::secret::SecretValue;
use dilux_core::storage::Profile;
use serde_json::Map;

use crate::columns::{aligned, utc};

/// Who made or revoked a token here, for the audit log.
const ACTOR: (&str, &str) = ("command-line", "command-line@localhost");

/// API tokens, which programs call the API with.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token and print it, this once.
    Create(Create),
    /// List the tokens, newest first, without their texts.
    List,
    /// Revoke a token: the next request with it is refused.
    Revoke {
        /// Id of the token.
        token: ApiTokenId,
    },
}

#[derive(Debug, Clone, Args)]
struct Create {
    /// What it is for.
    #[arg(long)]
    name: Label,
    /// What it may do: viewer, operator or admin.
    #[arg(long, default_value_t = Role::Admin)]
    role: Role,
    /// What it may do beside, as an operator: data, deletion, with a comma between.
    #[arg(long)]
    grants: Option<Grants>,
    /// Days until it is void, 1–366; 90 when absent.
    #[arg(long, value_parser = parse_days)]
    days: Option<LifetimeDays>,
    /// Write it into this file with mode 0600 and print nothing. A token that the file holds is kept
    /// while it is in force, allows just this, and more than a quarter of its days are left.
    #[arg(long)]
    file: Option<PathBuf>,
}

fn parse_days(text: &str) -> Result<LifetimeDays, String> {
    let days: u32 = text
        .parse()
        .map_err(|_| format!("'{text}' is not a whole number"))?;
    LifetimeDays::try_from(days).map_err(|error| error.to_string())
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::from_environment()?;
    let installation = Installation::open(settings, Profile::Interactive)?;
    installation.prepare().await?;
    match arguments.command {
        Command::Create(wish) => create(&installation, wish).await,
        Command::List => list(&installation).await,
        Command::Revoke { token } => revoke(&installation, &token).await,
    }
}

async fn create(installation: &Installation, wish: Create) -> anyhow::Result<()> {
    let Some(file) = wish.file.clone() else {
        return print(make(installation, wish).await?.expose());
    };
    let held = held(installation, &wish, &file).await?;
    let text = match held {
        Some(text) => text,
        None => make(installation, wish).await?,
    };
    // A file with a token that stays is written too when others could read it.
    let written = private_file::write(&file, &text, &*installation.random).await;
    written.with_context(|| format!("write {}", file.display()))?;
    Ok(())
}

async fn make(installation: &Installation, wish: Create) -> anyhow::Result<SecretValue> {
    let new = NewApiToken {
        name: wish.name,
        role: wish.role,
        grants: wish.grants.unwrap_or_default(),
        lifetime: wish.days.unwrap_or_default(),
    };
    let intent = intend(installation, AuditAction::TokenCreated, "").await?;
    let made = ApiTokens::new(installation.clone());
    let made = made.create(new, ACTOR.1).await;
    let outcome = made.as_ref().map(|(token, _)| token);
    note(installation, &intent, outcome).await?;
    Ok(made?.1)
}

/// The token that the file holds, when it is as good as the one that is wished for. A file that holds
/// something else than a token is not written over.
async fn held(
    installation: &Installation,
    wish: &Create,
    file: &Path,
) -> anyhow::Result<Option<SecretValue>> {
    let read = private_file::read(file).await;
    let text = read.with_context(|| format!("read {}", file.display()))?;
    let Some(text) = text.filter(|text| !text.expose().is_empty()) else {
        return Ok(None);
    };
    if !text.expose().starts_with("dilux_") {
        bail!(
            "{} holds something else than a token; name another file",
            file.display()
        );
    }
    let tokens = ApiTokens::new(installation.clone());
    let Some(token) = tokens.opened_by(text.expose()).await? else {
        return Ok(None);
    };
    let token = token.value;
    let left = token.expires_at.duration_since(installation.clock.now());
    let is_long = left * 4 > wish.days.unwrap_or_default().duration();
    let allows_this = token.role == wish.role && token.grants == wish.grants.unwrap_or_default();
    Ok((is_long && allows_this).then_some(text))
}

async fn list(installation: &Installation) -> anyhow::Result<()> {
    let found = installation.repositories.api_tokens.list().await?;
    let mut tokens: Vec<ApiToken> = found.items.into_iter().map(|row| row.value).collect();
    tokens.sort_by_key(|token| std::cmp::Reverse(token.created_at));
    let head = [
        "id",
        "name",
        "role",
        "made by",
        "good until (UTC)",
        "used (UTC)",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(tokens.iter().map(row));
    for line in aligned(&rows) {
        print(&line)?;
    }
    for damaged in found.damaged {
        print(&format!(
            "cannot be read: {}: {}",
            damaged.key.row, damaged.reason
        ))?;
    }
    Ok(())
}

fn row(token: &ApiToken) -> [String; 6] {
    [
        token.id.to_string(),
        token.name.to_string(),
        token.role.to_string(),
        token.created_by.clone(),
        utc(token.expires_at),
        token.last_used.map_or_else(|| "never".to_owned(), utc),
    ]
}

async fn revoke(installation: &Installation, id: &ApiTokenId) -> anyhow::Result<()> {
    let intent = intend(installation, AuditAction::TokenDeleted, id.as_str()).await?;
    let revoked = ApiTokens::new(installation.clone()).revoke(id).await;
    note(installation, &intent, revoked.as_ref()).await?;
    print(&format!("token '{id}' ({}) is revoked", revoked?.name))
}

/// Notes what is about to be done. Nothing may be done when that fails.
async fn intend(
    installation: &Installation,
    action: AuditAction,
    id: &str,
) -> anyhow::Result<AuditEntry> {
    let intent = AuditEntry {
        id: AuditId::random(&*installation.random),
        at: installation.clock.now(),
        user_id: ACTOR.0.to_owned(),
        user_email: ACTOR.1.to_owned(),
        action,
        resource_type: AuditResourceType::Token,
        resource_id: id.to_owned(),
        resource_name: String::new(),
        details: Map::new(),
        status: AuditStatus::Intended,
        error_message: None,
        ip_address: None,
        intent_id: None,
    };
    let appended = installation.repositories.intents.append(&intent).await;
    appended.context("note what is about to be done; nothing was done")?;
    Ok(intent)
}

/// Notes what became of it.
async fn note(
    installation: &Installation,
    intent: &AuditEntry,
    outcome: Result<&ApiToken, &Error>,
) -> anyhow::Result<()> {
    let mut entry = AuditEntry {
        id: AuditId::random(&*installation.random),
        at: installation.clock.now(),
        intent_id: Some(intent.id.clone()),
        ..intent.clone()
    };
    match outcome {
        Ok(token) => {
            entry.status = AuditStatus::Success;
            entry.resource_id = token.id.to_string();
            entry.resource_name = token.name.to_string();
            entry.details = audit_details(token);
        }
        Err(error) => {
            entry.status = AuditStatus::Failed;
            entry.error_message = Some(error.to_string());
        }
    }
    let appended = installation.repositories.audit.append(&entry).await;
    appended.with_context(|| {
        let id = &entry.resource_id;
        format!("write the audit log; look at token '{id}' with 'dilux token list'")
    })
}

/// Prints what the command is for.
fn print(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("write to standard output")
}

#[cfg(test)]
mod tests;
