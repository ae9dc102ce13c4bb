//! The statements. Each is sent with the types of its parameters and without a name, in one round trip, so that a pooler between us
//! and the database may give each transaction another connection.

use bytes::Bytes;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

use crate::records::{Range, Table};

/// Begins a transaction that is serialised with all others. A server that has lost us lets go of our locks before a new attempt gives
/// up waiting for them. Rows are found by an index, also in small tables: a table that is read as a whole counts as read by each of its rows,
/// so that writers of different rows would meet in it.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL statement_timeout = '15s'; \
    SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '5s'; SET LOCAL enable_seqscan = off";
/// Begins a transaction that sees all tables as they are at one moment.
pub(super) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL statement_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = '60s'";

/// Begins the transaction of a copy, whose reader may pause: to write to a slow place, or to ask.
pub(super) const BEGIN_COPY: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL statement_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = '600s'";

/// Key and record of a row.
pub(super) type KeyedRow = (Vec<u8>, Bytes);

/// The record of a key.
pub(super) async fn get(client: &Client, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
    get_raw(client, table.name(), key).await
}

/// The record of a key in a table of that name.
pub(super) async fn get_raw(client: &Client, table: &str, key: &[u8]) -> Result<Option<Bytes>, Error> {
    let sql = format!("SELECT record FROM keyferry_{table} WHERE key = $1");
    let row = client.query_typed_opt(&sql, &[(&key, Type::BYTEA)]).await?;
    row.map(|row| row.try_get::<_, &[u8]>(0).map(Bytes::copy_from_slice)).transpose()
}

/// The rows of these keys.
pub(super) async fn get_all(client: &Client, table: Table, keys: &[&[u8]]) -> Result<Vec<KeyedRow>, Error> {
    let sql = format!("SELECT key, record FROM keyferry_{} WHERE key = ANY($1)", table.name());
    keyed(client, &sql, &[(&keys, Type::BYTEA_ARRAY)]).await
}

/// All rows of a table, which is a small one.
pub(super) async fn all(client: &Client, table: Table) -> Result<Vec<KeyedRow>, Error> {
    keyed(client, &format!("SELECT key, record FROM keyferry_{}", table.name()), &[]).await
}

/// At most `most` rows of a range.
pub(super) async fn page(client: &Client, table: Table, range: Range<'_>, most: i64) -> Result<Vec<KeyedRow>, Error> {
    let end = end_of(range.prefix);
    let skipped = i64::try_from(range.skipped).unwrap_or(i64::MAX);
    let mut conditions = Vec::new();
    let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = Vec::new();
    let mut condition = |comparison: &str, key| {
        parameters.push((key, Type::BYTEA));
        conditions.push(format!("key {comparison} ${}", parameters.len()));
    };
    match &range.after {
        Some(after) if range.backwards => {
            condition("<", after);
            condition(">=", &range.prefix);
        }
        Some(after) => condition(">", after),
        None => condition(">=", &range.prefix),
    }
    if let Some(end) = &end {
        condition("<", end);
    }
    parameters.extend([(&most as &(dyn ToSql + Sync), Type::INT8), (&skipped, Type::INT8)]);
    let order = if range.backwards { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT key, record FROM keyferry_{} WHERE {} ORDER BY key {order} LIMIT ${} OFFSET ${}",
        table.name(),
        conditions.join(" AND "),
        parameters.len() - 1,
        parameters.len()
    );
    keyed(client, &sql, &parameters).await
}

async fn keyed(client: &Client, sql: &str, parameters: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<KeyedRow>, Error> {
    let rows = client.query_typed(sql, parameters).await?;
    rows.iter()
        .map(|row| Ok((row.try_get::<_, &[u8]>(0)?.to_vec(), Bytes::copy_from_slice(row.try_get::<_, &[u8]>(1)?))))
        .collect()
}

/// The number of rows of a range, of which none are skipped.
pub(super) async fn count(client: &Client, table: Table, range: Range<'_>) -> Result<i64, Error> {
    let (from, end) = (range.after.unwrap_or(range.prefix), end_of(range.prefix));
    let comparison = if range.after.is_some() { ">" } else { ">=" };
    let mut sql = format!("SELECT count(*) FROM keyferry_{} WHERE key {comparison} $1", table.name());
    let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&from, Type::BYTEA)];
    if let Some(end) = &end {
        sql += " AND key < $2";
        parameters.push((end, Type::BYTEA));
    }
    client.query_typed_one(&sql, &parameters).await?.try_get(0)
}

/// Puts rows.
pub(super) async fn put_all(client: &Client, table: &str, keys: &[&[u8]], records: &[&[u8]]) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO keyferry_{table} (key, record) SELECT * FROM unnest($1::bytea[], $2::bytea[]) \
         ON CONFLICT (key) DO UPDATE SET record = EXCLUDED.record"
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&keys, Type::BYTEA_ARRAY), (&records, Type::BYTEA_ARRAY)];
    client.execute_typed(&sql, &parameters).await.map(|_| ())
}

/// Puts one row, which must not be there unless `conflict` says what happens then. Returns the number of rows that were put.
pub(super) async fn insert(
    client: &Client,
    table: &str,
    key: &[u8],
    record: &[u8],
    conflict: &str,
) -> Result<u64, Error> {
    let sql = format!("INSERT INTO keyferry_{table} (key, record) VALUES ($1, $2) {conflict}");
    client.execute_typed(&sql, &[(&key, Type::BYTEA), (&record, Type::BYTEA)]).await
}

/// Removes the rows whose keys come before this one.
pub(super) async fn remove_below(client: &Client, table: &str, key: &[u8]) -> Result<(), Error> {
    let sql = format!("DELETE FROM keyferry_{table} WHERE key < $1");
    client.execute_typed(&sql, &[(&key, Type::BYTEA)]).await.map(|_| ())
}

/// Removes rows.
pub(super) async fn remove_all(client: &Client, table: &str, keys: &[&[u8]]) -> Result<(), Error> {
    let sql = format!("DELETE FROM keyferry_{table} WHERE key = ANY($1)");
    client.execute_typed(&sql, &[(&keys, Type::BYTEA_ARRAY)]).await.map(|_| ())
}

/// The first key after those that begin with `prefix`; `None` if no key can follow them.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix.get(..=last)?.to_vec();
    *end.last_mut()? += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_one_begins() {
        for (prefix, end) in [
            (&b"ab"[..], Some(&b"ac"[..])),
            (b"a\xff", Some(b"b")),
            (b"a\xff\xff", Some(b"b")),
            (b"\xff\xff", None),
            (b"", None),
            (b"\x00", Some(b"\x01")),
        ] {
            assert_eq!(end_of(prefix).as_deref(), end, "{prefix:?}");
        }
    }
}
