//! `docs/performance.md`: written by the runs themselves, each section with its commit.

use std::error::Error;
use std::fmt::{self, Display};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::machine::Machine;
use crate::section::{Section, goals_table};
use crate::table::Table;

/// The section that is derived from the others.
const GOALS: &str = "Goals";
/// The section that no run writes.
const LAST: &str = "What falls short, and why";
/// The order of the sections, independent of the order of runs. Other sections come after these, and [`LAST`] is last.
const ORDER: [&str; 8] = [
    GOALS,
    "The ladder",
    "The whole job",
    "What a migration costs",
    "Imports",
    "Growth",
    "Growth of what is stored",
    "Cold",
];

/// The current report, with the sections of earlier runs.
pub(crate) struct Report {
    file: PathBuf,
    machine: Machine,
    /// The title and the text of each section, in order.
    sections: Vec<(String, String)>,
}

impl Report {
    /// That file, for a run on this machine.
    pub(crate) fn open(file: &Path, machine: Machine) -> Result<Self, Box<dyn Error>> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("read {}: {error}", file.display()).into()),
        };
        Ok(Self { file: file.to_owned(), machine, sections: sections_of(&text) })
    }

    /// Replaces the section of an earlier run.
    pub(crate) fn write(&mut self, title: &str, command: &str, section: &Section) -> Result<(), Box<dyn Error>> {
        // The pictures of `performance.md` are in `performance`.
        let name = self.file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        let folder = self.file.with_file_name(&name);
        let mut text = format!("{} `{command}`\n\n{}\n", self.machine, section.text.trim());
        if !section.goals.is_empty() {
            text.push_str(&format!("\n{}", goals_table(&section.goals).markdown()));
        }
        for table in &section.tables {
            text.push_str(&format!("\n{}", table.markdown()));
        }
        for plot in &section.plots {
            let file = folder.join(format!("{}.svg", plot.name));
            fs::create_dir_all(&folder).map_err(|error| format!("make {}: {error}", folder.display()))?;
            fs::write(&file, &plot.svg).map_err(|error| format!("write {}: {error}", file.display()))?;
            text.push_str(&format!("\n![{}]({name}/{}.svg)\n", plot.title, plot.name));
        }
        self.put(title, text.trim().to_owned());
        let intro =
            "The goals and measured figures of all sections below. Each section names its commit and its method.";
        self.put(GOALS, format!("{intro}\n\n{}", self.goals().markdown().trim()));
        fs::write(&self.file, self.to_string()).map_err(|error| format!("write {}: {error}", self.file.display()))?;
        println!("{title}: written to {}", self.file.display());
        Ok(())
    }

    /// The goals of all sections.
    pub(crate) fn goals(&self) -> Table {
        let head = goals_table(&[]);
        let heading = head.markdown();
        let mut goals = head;
        for (title, text) in self.sections.iter().filter(|(title, _)| title != GOALS) {
            let Some((_, rows)) = text.split_once(&heading) else { continue };
            for row in rows.lines().map_while(|row| row.strip_prefix("| ")?.strip_suffix(" |")) {
                goals.row([&format!("{title}: {row}")].iter().flat_map(|row| row.split(" | ")));
            }
        }
        goals
    }

    fn put(&mut self, title: &str, text: String) {
        match self.sections.iter_mut().find(|(known, _)| known == title) {
            Some((_, former)) => *former = text,
            None => self.sections.push((title.to_owned(), text)),
        }
        let place = |title: &str| {
            let others = ORDER.len() + usize::from(title == LAST);
            ORDER.iter().position(|known| *known == title).unwrap_or(others)
        };
        self.sections.sort_by_key(|(title, _)| place(title));
    }
}

fn sections_of(text: &str) -> Vec<(String, String)> {
    let sections = text.split("\n## ").skip(1);
    let section = |section: &str| {
        let (title, text) = section.split_once('\n')?;
        Some((title.trim().to_owned(), text.trim().to_owned()))
    };
    sections.filter_map(section).collect()
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "# Performance\n\n\
             Written by `cargo run --profile dist -p keyferry-bench -- all`, or section by section by the command that \
             each names, on the commit and the machine that it names. Absolute times mean little on shared machines: \
             every claim is a ratio of figures of the same run, measured in turns. A figure of several rounds is their \
             median, with the lowest and the highest in brackets. Only the last section is written by hand.\n",
        )?;
        self.sections.iter().try_for_each(|(title, text)| write!(f, "\n## {title}\n\n{text}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::section::{Goal, Plot};

    fn section(text: &str) -> Section {
        let mut table = Table::new(["a", "b"]);
        table.row(["1", "2"]);
        let plots = vec![Plot { name: "plot", title: "A plot", svg: "<svg/>".to_owned() }];
        Section { text: text.to_owned(), tables: vec![table], plots, goals: vec![Goal::at_least("x", 1.0, 2.0)] }
    }

    #[test]
    fn the_goals_of_all_sections_are_told_together_whichever_was_written_last() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("performance.md");
        let mut report = Report::open(&file, Machine::named("abc", 2, "Linux 6", "some CPU")).unwrap();
        for title in ["Growth", "The ladder", "Growth"] {
            report.write(title, "bench", &section("text")).unwrap();
        }
        let text = fs::read_to_string(&file).unwrap();
        let (_, goals) = text.split_once("## Goals").unwrap();
        let (goals, _) = goals.split_once("## ").unwrap();
        let rows: Vec<&str> = goals.lines().filter(|line| line.contains(": x")).collect();
        let row = |title: &str| format!("| {title}: x | at least 1.00 | 2.00 | reached |");
        assert_eq!(rows, [row("The ladder"), row("Growth")]);
    }

    #[test]
    fn a_section_takes_the_place_of_its_former_self_and_leaves_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("performance.md");
        let machine = || Machine::named("abc", 2, "Linux 6", "some CPU");
        let mut report = Report::open(&file, machine()).unwrap();
        report.write("Growth", "bench growth", &section("grown")).unwrap();
        report.write(LAST, "bench", &section("why")).unwrap();
        report.write("Something else", "bench peers", &section("else")).unwrap();
        let mut report = Report::open(&file, machine()).unwrap();
        report.write("The ladder", "bench ladder", &section("first")).unwrap();
        report.write("The ladder", "bench ladder", &section("second")).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let titles: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(titles, [GOALS, "The ladder", "Growth", "Something else", LAST]);
        assert!(text.contains("second") && !text.contains("first") && text.contains("grown"), "{text}");
        assert!(text.contains("| 1 | 2 |") && text.contains("![A plot](performance/plot.svg)"), "{text}");
        assert!(folder.path().join("performance/plot.svg").exists());
    }
}
