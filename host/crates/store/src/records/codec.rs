//! Records as bytes: MessagePack with named members behind one byte that says so, so that members can be added later.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::table::Table;
use crate::{StoreError, StoreResult};

/// The one form of records there is.
const FORM: u8 = 1;

/// The largest record, in bytes: sled never syncs the files that larger ones would go to.
pub(super) const LARGEST: usize = 64 * 1024;

/// A record's bytes, if it is not too large.
pub(super) fn encode<T: Serialize>(table: Table, record: &T) -> StoreResult<Vec<u8>> {
    // Most records fit, so that they are not moved while they grow.
    let mut bytes = Vec::with_capacity(1024);
    bytes.push(FORM);
    rmp_serde::encode::write_named(&mut bytes, record)
        .map_err(|error| StoreError::Damaged { table: table.name(), reason: error.to_string() })?;
    check_size(table, bytes.len())?;
    Ok(bytes)
}

/// Refuses what is larger than a record may be.
pub(super) fn check_size(table: Table, size: usize) -> StoreResult<()> {
    if size > LARGEST {
        return Err(StoreError::TooLarge { what: table.record(), size, limit: LARGEST });
    }
    Ok(())
}

/// A record of its bytes.
pub(crate) fn decode<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> StoreResult<T> {
    let damaged = |reason: String| StoreError::Damaged { table: table.name(), reason };
    match bytes.split_first() {
        Some((&FORM, rest)) => rmp_serde::from_slice(rest).map_err(|error| damaged(error.to_string())),
        Some((form, _)) => Err(damaged(format!("it has form {form}, and this Keyferry reads form {FORM}"))),
        None => Err(damaged("it is empty".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Old {
        a: u32,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct New {
        #[serde(default)]
        b: Option<String>,
        a: u32,
    }

    #[test]
    fn records_can_gain_members() {
        let old = encode(Table::Accounts, &Old { a: 7 }).unwrap();
        assert_eq!(decode::<New>(Table::Accounts, &old).unwrap(), New { b: None, a: 7 });
        let new = encode(Table::Accounts, &New { b: Some("x".to_owned()), a: 8 }).unwrap();
        assert_eq!(decode::<Old>(Table::Accounts, &new).unwrap(), Old { a: 8 });
    }

    #[test]
    fn refuses_other_forms_and_damaged_bytes() {
        for bytes in [&b""[..], &[2, 0x81], &[FORM], &[FORM, 0xc1]] {
            assert!(matches!(decode::<Old>(Table::Roots, bytes), Err(StoreError::Damaged { table: "roots", .. })));
        }
    }

    #[test]
    fn a_record_has_64_kib_at_most() {
        let text = |length: usize| New { b: Some("x".repeat(length)), a: 1 };
        assert!(encode(Table::Accounts, &text(LARGEST - 100)).is_ok());
        let error = encode(Table::Accounts, &text(LARGEST)).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { limit: LARGEST, .. }), "{error}");
    }
}
