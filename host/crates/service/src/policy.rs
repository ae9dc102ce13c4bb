//! What the operator allows callers to ask for.

use std::num::NonZeroU32;

use super::error::ServiceError;
use super::request::{Preferences, VerifyMode};
use keyferry_store::OnUnverified;
use keyferry_types::ids::Slug;

/// Whether callers may ask for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// Callers may use the option.
    Allow,
    /// Requests with the option are refused.
    Deny,
}

/// What the operator allows callers to ask for.
#[derive(Debug, Clone)]
pub struct MigratePolicy {
    /// `Prefer: verify=only`: a verdict and nothing stored.
    pub verify_only: Allowance,
    /// `Prefer: verify=skip`: stored without a proof.
    pub verify_skip: Allowance,
    /// `Prefer: on-unverified=store`: store a credential when the provider gives no verdict.
    pub on_unverified_store: Allowance,
    /// Credentials a minute that providers may reject for one API key.
    pub failed_verifications: NonZeroU32,
    /// Slugs of apps that are the organisation's own and cannot be migrated to.
    pub custom_apps: Vec<Slug>,
}

impl Default for MigratePolicy {
    fn default() -> Self {
        Self {
            verify_only: Allowance::Allow,
            // Unverified credentials are refused by default.
            verify_skip: Allowance::Deny,
            on_unverified_store: Allowance::Allow,
            failed_verifications: Self::FAILED_VERIFICATIONS,
            custom_apps: Vec::new(),
        }
    }
}

impl MigratePolicy {
    /// Enough for a wave of stale credentials in an honest migration, too few for trying out a stolen list.
    pub const FAILED_VERIFICATIONS: NonZeroU32 = match NonZeroU32::new(300) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    };

    /// Whether a slug names a custom app.
    pub fn is_custom(&self, slug: &str) -> bool {
        slug == "custom" || self.custom_apps.iter().any(|custom| custom.as_str() == slug)
    }

    pub(super) fn check(&self, preferences: &Preferences) -> Result<(), ServiceError> {
        let asked = [
            (preferences.verify == VerifyMode::Only, self.verify_only, "verify=only"),
            (preferences.verify == VerifyMode::Skip, self.verify_skip, "verify=skip"),
            (preferences.on_unverified == OnUnverified::Store, self.on_unverified_store, "on-unverified=store"),
        ];
        match asked.into_iter().find(|(asked, allowance, _)| *asked && *allowance == Allowance::Deny) {
            Some((_, _, preference)) => Err(ServiceError::NotAllowed { preference }),
            None => Ok(()),
        }
    }
}
