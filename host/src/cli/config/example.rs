//! The example file: all settings with their defaults and help.

use std::fmt::Write as _;

use super::setting::Setting;

/// The maximum length of a line in bytes.
const WIDTH: usize = 100;

const HEAD: &str = "\
Settings of Keyferry: all that there are, each commented out and at its default where it has one.

A flag counts before a variable, a variable before this file. `keyferry config check` shows what holds and where each value comes
from. The file is taken from --config, from KEYFERRY_CONFIG, or from keyferry.toml in the working folder. Paths are relative to the
working folder. No setting is a secret: secrets are kept in separate files or in the environment.

This file is what `keyferry config example` prints.";

/// The text of the example file.
pub(super) fn example() -> String {
    let mut text = String::new();
    for paragraph in HEAD.split("\n\n") {
        comment(&mut text, &paragraph.replace('\n', " "));
        text.push_str("#\n");
    }
    text.truncate(text.len() - 2);
    let mut table = None;
    for setting in Setting::all() {
        if setting.table != table {
            table = setting.table;
            let _ = write!(text, "\n[{}]\n", table.unwrap_or_default());
        }
        text.push('\n');
        let help = setting.help();
        comment(&mut text, &if help.ends_with([']', '.']) { help } else { format!("{help}.") });
        let possible = setting.possible();
        if !possible.is_empty() {
            comment(&mut text, &format!("One of: {}.", possible.join(", ")));
        }
        let variable = setting.variable().map(|name| format!(", {name}")).unwrap_or_default();
        let _ = writeln!(text, "# --{}{variable}", setting.flag);
        let _ = writeln!(text, "#{} = {}", setting.key(), value(&setting));
    }
    text
}

fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.len() + word.len() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = String::from("#");
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(text, "{line}");
}

/// The default, or else the placeholder of a value.
fn value(setting: &Setting) -> String {
    let literal = |text: &str| {
        let is_bare = text.parse::<f64>().is_ok() || text.parse::<bool>().is_ok();
        if is_bare { text.to_owned() } else { toml::Value::from(text).to_string() }
    };
    let mut values: Vec<_> = setting.defaults().iter().map(|value| literal(value)).collect();
    if values.is_empty() {
        values.push(match setting.placeholder().as_str() {
            "N" => "1".to_owned(),
            other => literal(other),
        });
    }
    if setting.is_list() { format!("[{}]", values.join(", ")) } else { values.concat() }
}
