//! Why rows failed, each reason once.

use std::collections::HashMap;

use super::ledger::FailedRow;

/// Reasons that are printed; the file of failed rows has all.
const MOST: usize = 8;

/// The reasons of failed rows, with their numbers of rows.
pub(in crate::cli::import) struct Reasons(Vec<(String, u64)>);

impl Reasons {
    /// Those of these rows, the most frequent first. Rows that repeat others have no reason of their own.
    pub(super) fn of<'a>(rows: impl Iterator<Item = &'a FailedRow>) -> Self {
        let mut counts: HashMap<(&str, &str, &str), u64> = HashMap::new();
        for row in rows.filter(|row| row.repeats().is_none()) {
            *counts.entry((&row.slug, &row.code, &row.detail)).or_default() += 1;
        }
        let line = |(slug, code, detail): (&str, &str, &str)| {
            let about = [slug, code].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
            match detail {
                "" => about,
                detail => format!("{about}: {}", detail.replace('\n', " ")),
            }
        };
        let mut reasons: Vec<_> = counts.into_iter().map(|(key, rows)| (line(key), rows)).collect();
        reasons.sort_by(|(one, rows), (other, more)| more.cmp(rows).then_with(|| one.cmp(other)));
        Self(reasons)
    }

    /// A line for each of the most frequent ones.
    pub(in crate::cli::import) fn lines(&self) -> Vec<String> {
        let line = |(reason, rows): &(String, u64)| match rows {
            1 => format!("1 row of {reason}"),
            rows => format!("{rows} rows of {reason}"),
        };
        let mut lines: Vec<_> = self.0.iter().take(MOST).map(line).collect();
        if let Some(more) = self.0.len().checked_sub(MOST).filter(|more| *more > 0) {
            lines.push(format!("{more} more reasons are in the file"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_printed_once_with_its_rows() {
        let row = |code: &str, detail: &str| FailedRow {
            slug: "hubspot".into(),
            code: code.into(),
            detail: detail.into(),
            ..FailedRow::default()
        };
        let mut rows =
            vec![row("rejected", "the key is unknown"), row("duplicate_row", "row 1 is of the same account")];
        rows.extend((0..3).map(|_| row("invalid_content", "no auth type `apikey`;\nit has `keybased`")));
        let reasons = Reasons::of(rows.iter());
        assert_eq!(
            reasons.lines(),
            [
                "3 rows of hubspot, invalid_content: no auth type `apikey`; it has `keybased`",
                "1 row of hubspot, rejected: the key is unknown",
            ]
        );
        let many: Vec<_> = (0..10).map(|n| row("rejected", &n.to_string())).collect();
        assert_eq!(Reasons::of(many.iter()).lines().last().unwrap(), "2 more reasons are in the file");
    }
}
