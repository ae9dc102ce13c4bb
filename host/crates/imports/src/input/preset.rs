//! [`Preset`]: the system that a file is an export of.

use std::fmt;
use std::str::FromStr;

/// The system that a file was exported from, which determines the form of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Preset {
    /// Keyferry's own, as JSON or CSV.
    #[default]
    Native,
    /// Nango's connections with their credentials, as JSON.
    Nango,
    /// Composio's connected accounts, as JSON.
    Composio,
    /// Airbyte's sources with their configuration, as JSON.
    Airbyte,
    /// n8n's credentials, exported decrypted, as JSON.
    N8n,
    /// Pipedream's accounts with their credentials, as JSON.
    Pipedream,
    /// Rows without nesting: a column or a member a field, as CSV or JSON.
    CsvFlat,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 7] =
        [Self::Native, Self::Nango, Self::Composio, Self::Airbyte, Self::N8n, Self::Pipedream, Self::CsvFlat];

    /// The preset's name, as `from` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Nango => "nango",
            Self::Composio => "composio",
            Self::Airbyte => "airbyte",
            Self::N8n => "n8n",
            Self::Pipedream => "pipedream",
            Self::CsvFlat => "csv-flat",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no preset has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a preset is `native`, `nango`, `composio`, `airbyte`, `n8n`, `pipedream` or `csv-flat`")]
pub struct UnknownPreset;

impl FromStr for Preset {
    type Err = UnknownPreset;
    fn from_str(text: &str) -> Result<Self, UnknownPreset> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == text).ok_or(UnknownPreset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_is_read_back_from_its_name() {
        for preset in Preset::ALL {
            assert_eq!(preset.to_string().parse(), Ok(preset));
        }
        assert_eq!("Nango".parse::<Preset>(), Err(UnknownPreset));
        assert!(Preset::ALL.iter().all(|preset| UnknownPreset.to_string().contains(preset.as_str())));
    }
}
