//! Texts that say the same, each once.

/// Texts that say the same, each once, with the labels of those that say it. Each item is a label, a name and a text; several
/// texts that differ in the name alone become one with a placeholder.
pub(super) fn grouped(
    items: impl IntoIterator<Item = (String, String, String)>,
    placeholder: &str,
) -> Vec<(Vec<String>, String)> {
    let mut groups: Vec<(String, Vec<String>, String)> = Vec::new();
    for (label, name, text) in items {
        let common = replaced(&text, &name, placeholder);
        match groups.iter_mut().find(|(known, ..)| *known == common) {
            Some((_, labels, shown)) => {
                labels.push(label);
                *shown = common;
            }
            None => groups.push((common, vec![label], text)),
        }
    }
    groups.into_iter().map(|(_, labels, text)| (labels, text)).collect()
}

/// The text with a placeholder for each occurrence of the name as a word.
fn replaced(text: &str, name: &str, placeholder: &str) -> String {
    if !name.contains(|c: char| c.is_alphabetic()) {
        return text.to_owned();
    }
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(name) {
        let is_word = !before.ends_with(is_part) && !after.starts_with(is_part);
        done.push_str(before);
        done.push_str(if is_word { placeholder } else { name });
        rest = after;
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_replaced_where_it_is_a_word() {
        for (text, name, expected) in [
            ("grant aws; see aws-lock", "aws", "grant APP; see aws-lock"),
            ("key 1 of 1", "1", "key 1 of 1"),
            ("`aws`", "aws", "`APP`"),
            ("lawsuit", "aws", "lawsuit"),
        ] {
            assert_eq!(replaced(text, name, "APP"), expected);
        }
    }
}
