//! `keyferry audit verify` and `export`.

use std::io::Write as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::config::{OperatorArgs, whole_number};
use super::error::CliResult;
use super::exit::Exit;
use super::operator::{Needs, perform};
use super::stdout::stdout;
use super::term;
use keyferry_api::admin::{AuditLine, ReadAudit, VerifyAudit};
use keyferry_store::AuditAction;
use keyferry_types::ids::OrgId;

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Verifies an organisation's whole audit chain and shows its last hash. Ends with 1 if an entry was changed, removed or
    /// added.
    #[command(after_help = "\
Examples:
  keyferry audit verify --org acme
  keyferry audit verify --org acme --known 9f2c9f2c9f2c9f2c9f2c9f2c9f2c9f2c9f2c9f2c9f2c9f2c9f2c9f2c9f2c9f2c --json")]
    Verify(VerifyArgs),
    /// Prints an organisation's audit trail as OCSF API Activity events, one JSON object a line.
    #[command(after_help = "\
Examples:
  keyferry audit export --org acme > audit.ndjson
  keyferry audit export --org acme --after 1200 | jq .activity_name")]
    Export(ExportArgs),
}

#[derive(Args)]
pub(super) struct VerifyArgs {
    /// The organisation.
    #[arg(long)]
    org: OrgId,
    /// A hash from an earlier run: one entry must still have it, or the chain was rewritten.
    #[arg(long, value_name = "HASH")]
    known: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

#[derive(Args)]
pub(super) struct ExportArgs {
    /// The organisation.
    #[arg(long)]
    org: OrgId,
    /// Start after this sequence number: `metadata.sequence` of the last exported event.
    #[arg(long, default_value_t = 0, value_parser = whole_number::<u64>)]
    after: u64,
    /// JSON, one object a line, is printed with this flag and without it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

pub(super) async fn run(command: AuditCommand) -> CliResult {
    match command {
        AuditCommand::Verify(VerifyArgs { org, known, json, folders }) => {
            let verified = perform(folders, Needs::StoreAndVault, VerifyAudit { org, known }).await?;
            if json {
                term::print_json(&verified)?;
            } else {
                let newest = verified.newest.as_deref().unwrap_or("never");
                term::print(&format!("{}: {} entries, whole, the last at {newest}", verified.org, verified.entries));
                term::print(&format!("head {}", verified.head));
            }
        }
        AuditCommand::Export(ExportArgs { org, mut after, json: _, folders }) => loop {
            let read = ReadAudit { org: org.clone(), after };
            let lines = perform(folders.clone(), Needs::StoreAndVault, read).await?;
            let Some(last) = lines.last() else { break };
            after = last.seq;
            let mut out = stdout();
            for line in &lines {
                // The reader has closed the pipe (`| head`).
                if writeln!(out, "{}", ocsf(&org, line)).is_err() {
                    return Ok(Exit::Done);
                }
            }
        },
    }
    Ok(Exit::Done)
}

/// One event as OCSF 1.3 API Activity (<https://schema.ocsf.io/1.3.0/classes/api_activity>). The address of the client is
/// not recorded.
fn ocsf(org: &OrgId, line: &AuditLine) -> Value {
    const API_ACTIVITY: u32 = 6003;
    let event = &line.event;
    let (activity, name) = match event.action {
        AuditAction::ApiKeyCreated
        | AuditAction::KeyRotated
        | AuditAction::SessionOpened
        | AuditAction::ImportStarted
        | AuditAction::WebhookCreated => (1, "Create"),
        AuditAction::CredentialRead | AuditAction::CredentialUsed => (2, "Read"),
        AuditAction::AccountPut
        | AuditAction::CredentialMigrated
        | AuditAction::AuthCredentialsPut
        | AuditAction::OAuthClientPut
        | AuditAction::OAuthClientRefused
        | AuditAction::CredentialResealed
        | AuditAction::CredentialChecked
        | AuditAction::CredentialRenewed
        | AuditAction::WebhookUpdated
        | AuditAction::ImportChanged
        | AuditAction::CredentialRestored
        | AuditAction::KeyRewrapped
        | AuditAction::KeyDisabled => (3, "Update"),
        AuditAction::ApiKeyRevoked
        | AuditAction::AccountDeleted
        | AuditAction::IntegrationDeleted
        | AuditAction::WebhookDeleted
        | AuditAction::ImportDeleted
        | AuditAction::AuthCredentialDeleted
        | AuditAction::OAuthClientDeleted
        | AuditAction::SessionRevoked
        | AuditAction::KeyDestroyed => (4, "Delete"),
    };
    let mut resources = Vec::new();
    if let Some(account) = &event.account {
        resources.push(json!({ "type": "linked_account", "uid": account.as_str() }));
    }
    if let Some(slug) = &event.slug {
        resources.push(json!({ "type": "integration", "name": slug.as_str() }));
    }
    json!({
        "class_uid": API_ACTIVITY,
        "class_name": "API Activity",
        "category_uid": 6,
        "category_name": "Application Activity",
        "activity_id": activity,
        "activity_name": name,
        "type_uid": API_ACTIVITY * 100 + activity,
        "time": event.at.as_millis(),
        "severity_id": 1,
        "severity": "Informational",
        "status_id": 1,
        "status": "Success",
        "status_detail": event.outcome,
        "metadata": {
            "version": "1.3.0",
            "product": { "name": "Keyferry", "vendor_name": "Keyferry", "version": env!("CARGO_PKG_VERSION") },
            "uid": line.hash,
            "sequence": line.seq,
            "correlation_uid": event.request_id,
            "tenant_uid": org.as_str(),
        },
        "actor": { "user": { "name": event.actor, "type": if event.actor == "operator" { "Admin" } else { "User" } } },
        "api": { "operation": serde_json::to_value(event.action).unwrap_or_default(), "service": { "name": "keyferry" } },
        "src_endpoint": { "name": "unknown" },
        "resources": resources,
        "unmapped": {
            "environment": event.environment.map(|environment| environment.as_str()),
            "prev_hash": line.prev_hash,
        },
    })
}
