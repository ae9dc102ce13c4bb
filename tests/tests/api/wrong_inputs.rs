//! Errors of users on their first day, and the messages for them: `tests/wrong_inputs/*.md`, read as pages, played as
//! tests.
//!
//! Each entry is a command line or a request, and below it the whole output. Values that differ between runs (folders,
//! ports, ids, times, keys) are replaced. With `KEYFERRY_WRITE_EXAMPLES` set, the outputs are written instead of
//! compared.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use futures_util::stream::{self, StreamExt as _};
use keyferry_tests::http::Request;
use keyferry_tests::{ORG, World, binary, create_api_key_in};
use regex::{Captures, Regex};

/// Entries that are played concurrently.
const AT_ONCE: usize = 4;
/// The headers of a response that name the next step.
const SHOWN_HEADERS: [&str; 6] =
    ["allow", "keyferry-failure", "keyferry-ignored-parameters", "location", "retry-after", "www-authenticate"];
/// The placeholder of secrets in some of the inputs.
const SECRET: &str = "s3cr3t";
/// The prefix of a title.
const TITLE: &str = "\n## ";

/// A page: the text before the first entry, and the entries.
struct Page {
    name: &'static str,
    preface: String,
    entries: Vec<Entry>,
}

/// One wrong input, as the page has it.
struct Entry {
    title: String,
    /// `console` or `http`.
    kind: String,
    input: String,
    answer: String,
}

impl Page {
    fn read(name: &'static str) -> Self {
        let text = fs::read_to_string(folder().join(name)).unwrap();
        let mut parts = text.split(TITLE);
        let preface = parts.next().unwrap().to_owned();
        Self { name, preface, entries: parts.map(Entry::parse).collect() }
    }

    fn with(&self, answers: &[String]) -> String {
        let entries = self.entries.iter().zip(answers).map(|(entry, answer)| entry.with(answer));
        self.preface.clone() + &entries.collect::<String>()
    }
}

impl Entry {
    fn parse(text: &str) -> Self {
        let (title, rest) = text.split_once("\n\n```").unwrap_or_else(|| panic!("{text}"));
        let (kind, block) = rest.split_once('\n').unwrap();
        let block = block.trim_end().strip_suffix("```").unwrap_or_else(|| panic!("{title} is not closed"));
        let (input, answer) = match kind {
            "console" => block.split_once('\n').unwrap_or((block, "")),
            "http" => block.split_once("\n=> ").unwrap_or((block.trim_end(), "")),
            _ => panic!("{title}: {kind}"),
        };
        let [title, kind, input, answer] = [title, kind, input, answer].map(str::to_owned);
        Self { title, kind, input, answer }
    }

    fn with(&self, answer: &str) -> String {
        let Self { title, kind, input, .. } = self;
        let arrow = if kind == "http" { "=> " } else { "" };
        format!("{TITLE}{title}\n\n```{kind}\n{input}\n{arrow}{answer}```\n")
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/wrong_inputs"))
}

/// A server, and the environment of the commands.
struct Stage {
    world: World,
    /// `NAME` and value of each variable of an input.
    variables: Vec<(&'static str, String)>,
    programs: tempfile::TempDir,
    masks: Vec<(Regex, &'static str)>,
}

impl Stage {
    async fn open() -> Self {
        let world = World::start().await;
        let production = create_api_key_in(&[], &world.data(), ORG, "production").await;
        let (code, reading, said) =
            world.command(&["api-key", "create", "--org", ORG, "--environment", "test", "--scope", "read"]).await;
        assert_eq!(code, Some(0), "{said}");
        let programs = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(binary::keyferry(), programs.path().join("keyferry")).unwrap();
        // A port without a listener: bound, and closed again.
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let port = world.server.address().port();
        let variables = vec![
            ("API_KEY", world.api_key.clone()),
            ("PRODUCTION_KEY", production),
            ("READING_KEY", reading.trim().to_owned()),
            ("PORT", port.to_string()),
            ("CLOSED_PORT", closed.to_string()),
            ("DATA", world.data().display().to_string()),
            ("PLUGINS", world.plugins().display().to_string()),
        ];
        let mask = |pattern: &str, shown| (Regex::new(pattern).unwrap(), shown);
        let masks = vec![
            mask(&regex::escape(&world.folder().display().to_string()), "/srv/keyferry"),
            mask(&regex::escape(&programs.path().display().to_string()), "/usr/local/bin"),
            mask(&format!(r"\b{port}\b"), "8700"),
            mask(&format!(r"\b{closed}\b"), "8799"),
            mask(r"\b[tp]k_[0-9A-Za-z_-]{4,}", "<key>"),
            mask(r"\b[0-9a-f]{64}\b", "<sha256>"),
            mask(r"\b[0-9a-f]{24}\b", "<id>"),
            mask(r"\b20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z?", "<time>"),
            // The progress of an import at the time of an event, if there was one.
            mask(r"(?m)^[0-9]+/[0-9]+ rows .*\n", ""),
        ];
        Self { world, variables, programs, masks }
    }

    async fn play(&self, entry: &Entry) -> String {
        let answer = match entry.kind.as_str() {
            "http" => self.ask(&entry.input).await,
            _ => self.run(&entry.input).await,
        };
        self.masks.iter().fold(answer, |answer, (mask, shown)| mask.replace_all(&answer, *shown).into_owned())
    }

    /// Sends a request: its first line, its headers, and after an empty line its body.
    async fn ask(&self, input: &str) -> String {
        let input = self.filled(input);
        let (head, body) = input.split_once("\n\n").unwrap_or((&input, ""));
        let mut lines = head.lines();
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
        let mut request = Request::new(method, target);
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        request.body = body.as_bytes().to_vec();
        let answer = self.world.send_as_it_is(request).await;
        let mut shown = format!("{}\n", answer.status);
        for name in SHOWN_HEADERS {
            if let Some(value) = answer.header(name) {
                shown += &format!("{name}: {value}\n");
            }
        }
        shown + &answer.text() + "\n"
    }

    /// `$NAME`, `\u{feff}` and `{x*70000}`.
    fn filled(&self, input: &str) -> String {
        let named = Regex::new(r"\$([A-Z_]+)").unwrap();
        let filled = named.replace_all(input, |found: &Captures<'_>| {
            self.variables.iter().find(|(name, _)| *name == &found[1]).expect("a variable").1.clone()
        });
        let repeated = Regex::new(r"\{x\*([0-9]+)\}").unwrap();
        let filled = repeated.replace_all(&filled, |found: &Captures<'_>| "x".repeat(found[1].parse().unwrap()));
        filled.replace("\\u{feff}", "\u{feff}")
    }

    /// Runs a command line in a folder of its own, which has the files beside the pages.
    async fn run(&self, input: &str) -> String {
        let here = tempfile::tempdir().unwrap();
        let here_path = here.path().canonicalize().unwrap();
        for file in fs::read_dir(folder().join("files")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), here_path.join(file.file_name())).unwrap();
        }
        let line = input.strip_prefix("$ ").unwrap_or_else(|| panic!("{input}"));
        let mut command = binary::command("sh");
        command.args(["-c", line]).current_dir(&here_path).stdin(Stdio::null());
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.programs.path().display()));
        command.env("HOME", &here_path).env("LC_ALL", "C");
        command.env("KEYFERRY_SERVER", self.world.server.url()).env("KEYFERRY_API_KEY", &self.world.api_key);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let mut shown = String::new();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            shown += &format!("stdout: {line}\n");
        }
        shown += &String::from_utf8(output.stderr).unwrap();
        if !shown.is_empty() && !shown.ends_with('\n') {
            shown.push('\n');
        }
        let code = output.status.code().map_or_else(|| output.status.to_string(), |code| code.to_string());
        let shown = format!("{shown}[{code}]\n");
        let lines = shown.replace(&here_path.display().to_string(), "/home/ada");
        // An empty line at the end adds nothing.
        lines.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

#[tokio::test]
async fn every_wrong_input_is_answered_as_the_pages_say() {
    let stage = Stage::open().await;
    let writes = std::env::var_os("KEYFERRY_WRITE_EXAMPLES").is_some();
    let (mut played, mut wrong) = (0, Vec::new());
    for name in ["integration.md", "plugins.md", "operator.md"] {
        let page = Page::read(name);
        let answers: Vec<String> =
            stream::iter(&page.entries).map(|entry| stage.play(entry)).buffered(AT_ONCE).collect().await;
        for (entry, answer) in page.entries.iter().zip(&answers) {
            let place = format!("{name}, {}", entry.title);
            assert!(!answer.contains(SECRET), "{place} shows a secret: {answer}");
            assert!(!answer.contains("panicked"), "{place}: {answer}");
            if !writes && entry.answer != *answer {
                wrong.push(format!("{place}:\n{answer}\ninstead of\n{}", entry.answer));
            }
        }
        played += answers.len();
        if writes {
            fs::write(folder().join(page.name), page.with(&answers)).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}\n\nwith KEYFERRY_WRITE_EXAMPLES=1 the pages are written anew", wrong.join("\n"));
    assert!(played >= 60, "{played}");
}
