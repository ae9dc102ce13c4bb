//! [`Part`]: what a row has besides the fields of its credential.

/// What a row has besides the fields of its credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Account,
    Slug,
    AuthType,
    AuthObject,
    AccountName,
    UpdatedAt,
}

impl Part {
    pub(super) const NAMES: [&str; 6] =
        ["linked_account_id", "slug", "auth_type", "auth_object", "account_name", "updated_at"];
    pub(super) const ALL: [Self; 6] =
        [Self::Account, Self::Slug, Self::AuthType, Self::AuthObject, Self::AccountName, Self::UpdatedAt];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Account => "linked_account_id",
            Self::Slug => "slug",
            Self::AuthType => "auth_type",
            Self::AuthObject => "auth_object",
            Self::AccountName => "account_name",
            Self::UpdatedAt => "updated_at",
        }
    }

    /// The part of exactly that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

/// Some of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Parts(u8);

impl Parts {
    pub(super) fn of(part: Option<Part>) -> Self {
        Self(part.map_or(0, Self::bit))
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// One by one, in the usual order.
    pub(super) fn list(self) -> Vec<Part> {
        Part::ALL.into_iter().filter(|part| self.0 & Self::bit(*part) != 0).collect()
    }

    fn bit(part: Part) -> u8 {
        1 << part as u8
    }
}
