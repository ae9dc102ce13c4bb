//! Sessions of front ends: opened for a linked account, authenticated, refreshed, ended.
//!
//! The stored record of a session holds no secret. Its tokens are derived from a root of the organisation, so that a reader of
//! the store cannot make them, and disabling the root ends them.

use std::time::Duration;

use super::credential_service::CredentialService;
use super::error::ServiceError;
use super::keys;
use super::request::Caller;
use super::retry::retry_on_conflict;
use keyferry_store::{AccountKey, AuditAction, AuditEvent, NewSession, ObjectId, SessionRecord, Timestamp};
use keyferry_types::ids::LinkedAccountId;
use keyferry_types::secret::Secret;
use keyferry_vault::{KeyId, SessionClaims, TokenUse, VaultError};

/// Lifetime of an access token.
const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Lifetime of a refresh token.
const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The remaining lifetime from which on the tokens of a session are returned again.
const WORTH_REUSING: Duration = Duration::from_secs(5 * 60);

/// A request for a session: the caller and the linked account.
#[derive(Debug)]
pub struct OpenSession {
    /// The caller of the request.
    pub caller: Caller,
    /// Hash of the API key of the request.
    pub made_by: [u8; 32],
    /// The linked account of the session.
    pub account: LinkedAccountId,
    /// Whether an existing session may be used.
    pub freshness: Freshness,
    /// The request's id, for the audit trail.
    pub request_id: String,
}

/// Whether an existing session may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It may, if enough of its lifetime remains.
    Reuse,
    /// It may not: another session is opened.
    New,
}

/// A session's tokens and their remaining lifetimes.
#[derive(Debug)]
pub struct SessionTokens {
    /// The token that authenticates requests.
    pub access: Secret,
    /// The token that gets another session in the place of this one.
    pub refresh: Secret,
    /// Remaining lifetime of the access token.
    pub expires_in: Duration,
    /// Remaining lifetime of the refresh token.
    pub refresh_expires_in: Duration,
}

impl CredentialService {
    /// The tokens of an existing or a new session.
    ///
    /// # Errors
    /// `AccountMissing`, and if the keys or the store cannot be used.
    pub async fn open_session(&self, asked: OpenSession) -> Result<SessionTokens, ServiceError> {
        let key = asked.caller.account_key(&asked.account);
        self.require_account(&key).await?;
        keys::unlock(self.store.as_ref(), &self.vault, &key.org).await?;
        if asked.freshness == Freshness::Reuse
            && let Some(tokens) = self.reused(&key, &asked).await?
        {
            return Ok(tokens);
        }
        let audit = asked.caller.audit(AuditAction::SessionOpened, "made", &asked.request_id).on_account(&key);
        self.make(&key, asked.made_by, None, audit).await
    }

    /// The tokens of another session, which replaces this one.
    ///
    /// # Errors
    /// `SessionEnded` if this one has ended, and as [`open_session`](Self::open_session).
    pub async fn refresh_session(
        &self,
        session: &SessionRecord,
        caller: &Caller,
        request_id: &str,
    ) -> Result<SessionTokens, ServiceError> {
        let key = session.account_key();
        let audit = caller.audit(AuditAction::SessionOpened, "refreshed", request_id).on_account(&key);
        self.make(&key, session.made_by, Some(session.id), audit).await
    }

    /// The session of a token, if the token is valid for this use and the session has not ended.
    ///
    /// # Errors
    /// If the keys or the store cannot be used.
    pub async fn session(&self, token: &str, token_use: TokenUse) -> Result<Option<SessionRecord>, ServiceError> {
        let Some(claimed) = SessionClaims::unproven(token) else { return Ok(None) };
        let Ok(id) = claimed.session.parse() else { return Ok(None) };
        let SessionClaims { org, environment, account, .. } = claimed;
        let key = AccountKey { org, environment, account };
        // The store first: a made-up token must not cost a call of the key service.
        let found = self.store.session(&key, id).await?;
        let Some(session) = found else { return Ok(None) };
        if is_over(&session, token_use, Timestamp::now()) {
            return Ok(None);
        }
        keys::unlock(self.store.as_ref(), &self.vault, &session.org).await?;
        let claims = claims(&session, token_use);
        match self.vault.is_session_token(KeyId::new(session.key_id), &claims, token) {
            Ok(is_token) => Ok(is_token.then_some(session)),
            // Its root was disabled, which ends all sessions under it.
            Err(VaultError::UnknownRoot { .. } | VaultError::NoRoot { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a session; `false` if it has ended meanwhile.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub async fn end_session(
        &self,
        session: &SessionRecord,
        caller: &Caller,
        request_id: &str,
    ) -> Result<bool, ServiceError> {
        let key = session.account_key();
        let audit = caller.audit(AuditAction::SessionRevoked, "revoked", request_id).on_account(&key);
        Ok(self.store.end_session(&key, session.id, audit).await?)
    }

    /// The newest session that was opened with the same API key, if enough of its lifetime remains and its root is in use.
    async fn reused(&self, key: &AccountKey, asked: &OpenSession) -> Result<Option<SessionTokens>, ServiceError> {
        let now = Timestamp::now();
        let sessions = self.store.sessions(key).await?;
        let fits = |session: &&SessionRecord| {
            session.made_by == asked.made_by && now.after(WORTH_REUSING) < session.expires_at
        };
        let Some(session) = sessions.iter().rev().find(fits) else { return Ok(None) };
        let tokens = match self.tokens(session, now) {
            Ok(tokens) => tokens,
            Err(VaultError::UnknownRoot { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let event = asked.caller.audit(AuditAction::SessionOpened, "handed out again", &asked.request_id);
        let kept = self.store.reuse_session(key, session.id, event.on_account(key).at(now)).await?;
        Ok(kept.map(|_| tokens))
    }

    async fn make(
        &self,
        key: &AccountKey,
        made_by: [u8; 32],
        replaces: Option<ObjectId>,
        audit: AuditEvent,
    ) -> Result<SessionTokens, ServiceError> {
        retry_on_conflict(|| async {
            let now = Timestamp::now();
            // Tokens hold whole seconds, so the stored ends do, too.
            let second = Timestamp::from_millis(now.as_millis() / 1000 * 1000);
            let record = SessionRecord {
                id: ObjectId::generate(),
                org: key.org.clone(),
                environment: key.environment,
                account: key.account.clone(),
                key_id: self.vault.newest_root(&key.org)?.get(),
                made_by,
                issued_at: now,
                expires_at: second.after(LIFE),
                refresh_expires_at: second.after(REFRESH_LIFE),
            };
            let tokens = self.tokens(&record, now)?;
            self.store.create_session(NewSession { record, replaces, audit: audit.clone().at(now) }).await?;
            Ok(tokens)
        })
        .await
    }

    fn tokens(&self, session: &SessionRecord, now: Timestamp) -> Result<SessionTokens, VaultError> {
        let token = |token_use| self.vault.session_token(KeyId::new(session.key_id), &claims(session, token_use));
        let left = |token_use| {
            let millis = end_of(session, token_use).as_millis().saturating_sub(now.as_millis());
            Duration::from_secs(millis / 1000)
        };
        Ok(SessionTokens {
            access: token(TokenUse::Access)?,
            refresh: token(TokenUse::Refresh)?,
            expires_in: left(TokenUse::Access),
            refresh_expires_in: left(TokenUse::Refresh),
        })
    }
}

fn end_of(session: &SessionRecord, token_use: TokenUse) -> Timestamp {
    match token_use {
        TokenUse::Access => session.expires_at,
        TokenUse::Refresh => session.refresh_expires_at,
    }
}

fn is_over(session: &SessionRecord, token_use: TokenUse, now: Timestamp) -> bool {
    now >= end_of(session, token_use)
}

fn claims(session: &SessionRecord, token_use: TokenUse) -> SessionClaims {
    SessionClaims {
        org: session.org.clone(),
        account: session.account.clone(),
        environment: session.environment,
        issued_at: session.issued_at.as_millis() / 1000,
        expires_at: end_of(session, token_use).as_millis() / 1000,
        session: session.id.to_string(),
        token_use,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_in_the_second_that_it_names_and_the_other_one_later() {
        let at = Timestamp::from_millis;
        let session = SessionRecord {
            id: ObjectId::generate(),
            org: "acme".parse().unwrap(),
            environment: keyferry_types::ids::Environment::Test,
            account: "user_1".parse().unwrap(),
            key_id: 1,
            made_by: [0; 32],
            issued_at: at(1_234),
            expires_at: at(10_000),
            refresh_expires_at: at(20_000),
        };
        for (token_use, seconds) in [(TokenUse::Access, 10), (TokenUse::Refresh, 20)] {
            let claims = claims(&session, token_use);
            assert_eq!((claims.issued_at, claims.expires_at), (1, seconds));
            assert!(!is_over(&session, token_use, at(seconds * 1000 - 1)));
            assert!(is_over(&session, token_use, at(seconds * 1000)));
        }
    }
}
