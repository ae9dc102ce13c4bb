//! The tables.

/// One kind of row. Its place in the list is part of the format of sled's journal: new ones come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Table {
    Meta,
    ApiKeys,
    Roots,
    Accounts,
    AccountOrder,
    Integrations,
    Idempotency,
    IdempotencyEnds,
    Audit,
    AuditHeads,
    Webhooks,
    Outbox,
    Undelivered,
    UndeliveredEnds,
    Sessions,
    Imports,
    ImportFiles,
    ImportPlaces,
    ImportRows,
    ImportInputs,
    ImportFormer,
    ImportCounts,
    /// Audit events of stores with several hosts that are not in their chain yet.
    AuditPending,
    /// Work that one host at a time does, and which host.
    Claims,
    /// Plugin files that all servers have in common.
    PluginFiles,
    /// Their components, in parts.
    PluginParts,
    /// What components are granted.
    PluginGrants,
    /// The organisation's app registrations at providers.
    OAuthClients,
}

impl Table {
    pub(crate) const ALL: [Self; 28] = [
        Self::Meta,
        Self::ApiKeys,
        Self::Roots,
        Self::Accounts,
        Self::AccountOrder,
        Self::Integrations,
        Self::Idempotency,
        Self::IdempotencyEnds,
        Self::Audit,
        Self::AuditHeads,
        Self::Webhooks,
        Self::Outbox,
        Self::Undelivered,
        Self::UndeliveredEnds,
        Self::Sessions,
        Self::Imports,
        Self::ImportFiles,
        Self::ImportPlaces,
        Self::ImportRows,
        Self::ImportInputs,
        Self::ImportFormer,
        Self::ImportCounts,
        Self::AuditPending,
        Self::Claims,
        Self::PluginFiles,
        Self::PluginParts,
        Self::PluginGrants,
        Self::OAuthClients,
    ];

    /// Name of the table, which is part of the format on disk.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::ApiKeys => "api_keys",
            Self::Roots => "roots",
            Self::Accounts => "accounts",
            Self::AccountOrder => "account_order",
            Self::Integrations => "integrations",
            Self::Idempotency => "idempotency",
            Self::IdempotencyEnds => "idempotency_ends",
            Self::Audit => "audit",
            Self::AuditHeads => "audit_heads",
            Self::Webhooks => "webhooks",
            Self::Outbox => "outbox",
            Self::Undelivered => "undelivered",
            Self::UndeliveredEnds => "undelivered_ends",
            Self::Sessions => "sessions",
            Self::Imports => "imports",
            Self::ImportFiles => "import_files",
            Self::ImportPlaces => "import_places",
            Self::ImportRows => "import_rows",
            Self::ImportInputs => "import_inputs",
            Self::ImportFormer => "import_former",
            Self::ImportCounts => "import_counts",
            Self::AuditPending => "audit_pending",
            Self::Claims => "claims",
            Self::PluginFiles => "plugin_files",
            Self::PluginParts => "plugin_parts",
            Self::PluginGrants => "plugin_grants",
            Self::OAuthClients => "oauth_clients",
        }
    }

    /// Name of a row's kind, for messages.
    pub(crate) fn record(self) -> &'static str {
        match self {
            Self::Meta => "a setting of the store",
            Self::ApiKeys => "the API key's record",
            Self::Roots => "the root",
            Self::Accounts | Self::AccountOrder => "the linked account",
            Self::Integrations => "the integration",
            Self::Idempotency | Self::IdempotencyEnds => "the response stored for an Idempotency-Key",
            Self::Audit | Self::AuditHeads | Self::AuditPending => "the audit event",
            Self::Webhooks => "the webhook",
            Self::Outbox | Self::Undelivered | Self::UndeliveredEnds => "the webhook delivery",
            Self::Sessions => "the session",
            Self::Imports | Self::ImportFiles | Self::ImportCounts => "the import",
            Self::ImportPlaces | Self::ImportRows => "the row",
            Self::ImportInputs => "the row's credential",
            Self::ImportFormer => "the credential that the row replaced",
            Self::Claims => "the claim of a host",
            Self::PluginFiles => "the plugin file",
            Self::PluginParts => "the part of a plugin",
            Self::PluginGrants => "the grant of a plugin",
            Self::OAuthClients => "the OAuth client",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_stands_at_its_place() {
        for (place, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(table as usize, place, "{}", table.name());
        }
    }
}
