//! The first days of the three kinds of users, typed from README and the guide at a terminal of 80 columns.
//!
//! Each day is a file in `tests/first_days`. A step names the page that its command is read on: the command has to be
//! there, or, with `page = "screen"`, has to have been printed before. `<NAME>` in a command is what the reader fills
//! in.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keyferry_tests::binary;
use keyferry_tests::documents::Document;
use keyferry_tests::terminal::Terminal;
use regex::Regex;
use serde::Deserialize;

/// Columns of the terminal.
const COLUMNS: usize = 80;
#[derive(Deserialize)]
struct Day {
    /// The kind of reader, and the purpose.
    reader: String,
    #[serde(default)]
    step: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Where the command is read: a page, or `screen`.
    page: String,
    /// The command as printed there.
    line: String,
    /// The input to prompts.
    #[serde(default)]
    typed: String,
    /// Texts on the screen, in order.
    #[serde(default)]
    sees: Vec<String>,
    /// The exit code.
    #[serde(default)]
    code: i32,
    /// In a terminal of its own, where it keeps running.
    #[serde(default)]
    stays: bool,
    /// A text that the reader copies from the screen: its name, and an expression whose first group matches it.
    #[serde(default)]
    copies: BTreeMap<String, String>,
    /// A change to a file before the command: its path, the old text, and the new text.
    edit: Option<[String; 3]>,
}

/// A user at a keyboard.
struct Reader {
    home: tempfile::TempDir,
    /// The working folder, after `cd`.
    folder: PathBuf,
    environment: Vec<(String, String)>,
    /// The copied texts, by name.
    copied: BTreeMap<String, String>,
    /// Commands that keep running.
    running: Vec<Terminal>,
    /// The screen so far.
    seen: String,
    commands: usize,
}

impl Reader {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let bin = binary::keyferry().parent().unwrap().display().to_string();
        let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
        let target = binary::target().join("test-plugin-new").display().to_string();
        Self {
            folder: home.path().to_owned(),
            home,
            environment: vec![("PATH".to_owned(), path), ("CARGO_TARGET_DIR".to_owned(), target)],
            copied: BTreeMap::new(),
            running: Vec::new(),
            seen: String::new(),
            commands: 0,
        }
    }

    /// The command with the reader's values, and with a free port in place of the page's.
    fn filled_in(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for (name, value) in &self.copied {
            line = line.replace(&format!("<{name}>"), value).replace(&format!("${name}"), value);
        }
        if line.starts_with("keyferry serve") {
            return format!("{} --listen 127.0.0.1:0", line.replace("--listen 127.0.0.1:8700", ""));
        }
        line
    }

    /// `None` where no terminal can be created.
    async fn takes(&mut self, step: &Step) -> Option<()> {
        if let Some([file, from, to]) = &step.edit {
            let path = self.folder.join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{from} is not in {file}");
            std::fs::write(&path, text.replace(from, to)).unwrap();
        }
        let line = self.filled_in(&step.line);
        self.commands += 1;
        if let Some(folder) = line.strip_prefix("cd ") {
            self.folder.push(folder);
            return Some(());
        }
        if let Some(pair) = line.strip_prefix("export ") {
            let (name, value) = pair.split_once('=').unwrap();
            let value = self.expanded(value).await;
            self.environment.push((name.to_owned(), value));
            return Some(());
        }
        // Built once for all tests, by the same command.
        if let Some(out) = line.strip_prefix("keyferry plugin build --all --out ") {
            let out = self.folder.join(out);
            std::fs::DirBuilder::new().mode(0o700).create(out.parent().unwrap()).unwrap();
            binary::copy_plugins(&out);
            return Some(());
        }
        let mut terminal = Terminal::open(&self.folder, &self.environment, &line)?;
        terminal.types(&step.typed);
        let mut screen = String::new();
        if !step.stays {
            let code;
            (code, screen) = terminal.ended().await;
            assert_eq!(code, Some(step.code), "{line}:\n{screen}");
        }
        let mut after = 0;
        for text in &step.sees {
            if step.stays {
                screen = terminal.sees(text).await;
            }
            let at = screen.get(after..).unwrap().find(text.as_str());
            after += at.unwrap_or_else(|| panic!("{line}: {text:?} is not seen:\n{screen}")) + text.len();
        }
        for (name, expression) in &step.copies {
            let found = Regex::new(expression).unwrap().captures(&screen);
            let found = found.unwrap_or_else(|| panic!("{line}: {expression} is not seen:\n{screen}"));
            if name == "ADDRESS" {
                self.environment.push(("KEYFERRY_SERVER".to_owned(), format!("http://{}", &found[1])));
            }
            self.copied.insert(name.clone(), found[1].to_owned());
        }
        if step.stays {
            self.running.push(terminal);
        }
        let wide = screen.lines().find(|line| is_too_wide(line));
        assert_eq!(wide, None, "{line}: more than {COLUMNS} columns");
        self.seen.push_str(&screen);
        Some(())
    }

    /// The value of a variable: a text, or what a command prints.
    async fn expanded(&self, value: &str) -> String {
        let Some(line) = value.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')')) else {
            return shlex::split(value).unwrap().concat();
        };
        let mut command = binary::command("sh");
        command.args(["-c", line]).current_dir(&self.folder);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// Whether a line has columns and is wider than the terminal. A line with a digest or the like is exempt, because it is
/// not broken; the terminal breaks sentences and log lines, so that a copied text has no line break.
fn is_too_wide(line: &str) -> bool {
    let is_log = line.starts_with(|first: char| first.is_ascii_digit()) && line.contains(" INFO ");
    let words = || line.split_whitespace().map(|word| word.chars().count());
    let has_columns = line.trim_start().contains("  ") && !is_log;
    line.chars().count() > COLUMNS && has_columns && words().all(|length| length <= COLUMNS / 2)
}

/// A command without the parts that differ between the page and the input.
fn normal(text: &str) -> String {
    text.replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn day(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("first_days").join(file);
    let day: Day = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let mut reader = Reader::new();
    let (began, mut slowest) = (Instant::now(), (Duration::ZERO, String::new()));
    for step in &day.step {
        let read =
            if step.page == "screen" { reader.seen.clone() } else { Document::read(&step.page).text().to_owned() };
        let line = if step.page == "screen" { reader.filled_in(&step.line) } else { step.line.clone() };
        let line = line.replace(" --listen 127.0.0.1:0", "");
        assert!(normal(&read).contains(&normal(&line)), "{} does not say: {line}", step.page);
        let step_began = Instant::now();
        if reader.takes(step).await.is_none() {
            return;
        }
        slowest = slowest.max((step_began.elapsed(), step.line.clone()));
    }
    for mut terminal in reader.running.drain(..).rev() {
        terminal.interrupt();
        let (code, screen) = terminal.ended().await;
        assert!(matches!(code, Some(0 | 130)), "{code:?}:\n{screen}");
    }
    let (took, line) = slowest;
    println!(
        "{}: {} commands in {:.1?}, the longest {took:.1?}: {line}; {}",
        day.reader,
        reader.commands,
        began.elapsed(),
        reader.home.path().display()
    );
}

#[tokio::test]
async fn an_integration_engineer_moves_a_customers_file() {
    day("integration-engineer.toml").await;
}

#[tokio::test]
async fn a_plugin_author_writes_a_plugin_and_deploys_it() {
    day("plugin-author.toml").await;
}

#[tokio::test]
async fn an_operator_sets_a_server_up_and_looks_after_it() {
    day("operator.toml").await;
}
