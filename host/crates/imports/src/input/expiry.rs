//! OAuth credentials that end soon and cannot be renewed.

use std::time::Duration;

use super::name_match::fold;
use super::preset::Preset;
use super::row::Row;
use super::timestamp::parse_timestamp;
use keyferry_schema::Input;
use keyferry_store::Timestamp;

/// An access token that ends sooner than this is of little use without a refresh token.
const SOON: Duration = Duration::from_secs(60 * 60);

impl Row {
    /// When its access token ends, if that is soon or past and there is no refresh token.
    pub fn ends_soon(&self, now: Timestamp) -> Option<Timestamp> {
        let [(_, Input::Object(fields))] = self.auth_object.members()? else { return None };
        // Names are compared as the app's own are: in any spelling.
        let value = |name: &str| fields.iter().find(|(other, _)| fold(other) == name).map(|(_, value)| value);
        let end = value("expiresat").and_then(parse_timestamp)?;
        let has_refresh = fields.iter().any(|(name, value)| fold(name).contains("refreshtoken") && is_filled(value));
        (value("accesstoken").is_some_and(is_filled) && !has_refresh && end < now.after(SOON)).then_some(end)
    }
}

fn is_filled(value: &Input) -> bool {
    matches!(value, Input::Text(text) if !text.expose().trim().is_empty())
}

impl Preset {
    /// How to export from that system with refresh tokens.
    pub fn refresh_tokens(self) -> &'static str {
        match self.as_str() {
            "nango" => {
                "export each connection by `GET /connections/{connectionId}?refresh_token=true`, with an API key that has the scope \
                 `environment:connections:read_credentials`"
            }
            "composio" => {
                "switch off “Mask Connected Account Secrets” in the project's settings and export again; connections over \
                 Composio's own OAuth apps have to be made anew"
            }
            "pipedream" => {
                "export with `include_credentials=true`; accounts over Pipedream's own OAuth clients have to be connected anew"
            }
            "airbyte" => "fill in `refresh_token` from where Airbyte keeps its secrets",
            "n8n" => {
                "export with `n8n export:credentials --all --decrypted`, whose `oauthTokenData` holds `refresh_token`"
            }
            _ => "add them as the field `refresh_token`, with the client that they belong to where the app asks for it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{ReadOptions, Rows};

    #[test]
    fn a_token_that_ends_soon_without_a_refresh_token_is_told() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        for (fields, expected) in [
            (r#""access_token":"t","expires_at":"2023-11-14T22:13:20Z""#, true),
            (r#""access_token":"t","expires_at":"2023-11-14T23:13:19Z""#, true),
            (r#""access_token":"t","expires_at":1600000000"#, true),
            (r#""accessToken":"t","Expires At":1600000000"#, true),
            (r#""accessToken":"t","expiresAt":1600000000,"refreshToken":"r""#, false),
            (r#""access_token":"t","expires_at":"2023-11-14T23:13:20Z""#, false),
            (r#""access_token":"t","expires_at":"1700003600000""#, false),
            (r#""access_token":"t","expires_at":1600000000,"refresh_token":"""#, true),
            (r#""access_token":"t","expires_at":1600000000,"refresh_token":null"#, true),
            (r#""access_token":"t","expires_at":1600000000,"refresh_token":"r""#, false),
            (r#""access_token":"t""#, false),
            (r#""access_token":"t","expires_at":"soon""#, false),
            (r#""api_key":"t","expires_at":1600000000"#, false),
        ] {
            let file = format!(r#"{{"linked_account_id":"u","slug":"x","auth_object":{{"oauth2":{{{fields}}}}}}}"#);
            let row = Rows::new(std::io::Cursor::new(file), ReadOptions::default()).next().unwrap().unwrap();
            assert_eq!(row.content.unwrap().ends_soon(now).is_some(), expected, "{fields}");
        }
    }

    #[test]
    fn each_preset_says_how_refresh_tokens_get_into_its_export() {
        assert!(Preset::Nango.refresh_tokens().contains("?refresh_token=true"));
        assert!(Preset::ALL.iter().all(|preset| preset.refresh_tokens().len() > 20));
    }
}
